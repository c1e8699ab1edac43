package admin

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
)

func TestDifferences(t *testing.T) {
	const registered = "https://app.example.com/callback"
	for refused, want := range map[string][]Difference{
		"http://app.example.com/callback":         {OtherScheme},
		"https://app.example.com.evil/callback":   {OtherHost},
		"https://app.example.com:8443/callback":   {OtherPort},
		"https://app.example.com/call":            {OtherPath},
		"https://app.example.com/callback/":       {OtherSlash},
		"https://app.example.com/Callback":        {OtherCase},
		"https://APP.example.com/callback":        {OtherCase},
		"HTTPS://app.example.com/callback":        {OtherCase},
		"https://app.example.com/Callback/":       {OtherSlash, OtherCase},
		"https://app.example.com/callback?…":      {OtherQuery},
		"http://localhost:3000/callback":          {OtherScheme, OtherHost, OtherPort},
		"https://…@app.example.com/callback":      {OtherForm},
		"https://app.example.com/%63allback":      {OtherPath},
		"javascript:alert(1)":                     {OtherScheme, OtherHost, OtherPath},
		"/callback":                               {OtherForm},
		`https://\xD0\xB0pp.example.com/callback`: {OtherForm},
	} {
		if diff := cmp.Diff(want, differences(registered, refused)); diff != "" {
			t.Errorf("%s: %s", refused, diff)
		}
	}
}

func TestBeside(t *testing.T) {
	app := &accounts.Client{Type: accounts.WebClient, RedirectURIs: []string{"https://two.example.com/cb", "https://app.example.com/callback"}}
	for uri, want := range map[string]struct {
		nearest string
		may     bool
	}{
		"https://app.example.com/callback/":  {"https://app.example.com/callback", true},
		"https://two.example.com/Cb":         {"https://two.example.com/cb", true},
		"http://two.example.com/cb":          {"https://two.example.com/cb", false}, // not on loopback
		"https://app.example.com/callback?…": {"https://app.example.com/callback", false},
		"javascript:alert(1)":                {"https://two.example.com/cb", false},
	} {
		got := beside(app, accounts.RefusedRedirect{URI: uri})
		if got.Nearest != want.nearest || (got.Problem == nil) != want.may {
			t.Errorf("%s: %q, %v", uri, got.Nearest, got.Problem)
		}
	}
	if got := beside(&accounts.Client{Type: accounts.WebClient}, accounts.RefusedRedirect{URI: "https://a.example/"}); got.Nearest != "" || got.Differences != nil {
		t.Errorf("beside nothing: %+v", got)
	}
}
