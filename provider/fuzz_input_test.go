package provider

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// FuzzScope: what parseScope accepts is a canonical list, and reads back as itself.
func FuzzScope(f *testing.F) {
	for _, seed := range []string{
		"", "openid", "openid profile posts:add", "openid openid", " openid", "openid ", "a  b", "a\tb", "a\"b", "a\\b", "é", "a\x00b",
		strings.Repeat("x", 5000), strings.Repeat("y ", 120) + "z",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		scopes, err := parseScope(raw)
		if err != nil {
			if len(scopes) != 0 || asError(err).Code != "invalid_scope" {
				t.Fatalf("%q and %v", scopes, err)
			}
			return
		}
		if len(scopes) > maxScopes {
			t.Fatalf("%d scopes", len(scopes))
		}
		for i, s := range scopes {
			if !validScopeToken(s) || strings.ContainsAny(s, " \t\r\n\"\\") || !strings.Contains(raw, s) {
				t.Fatalf("scope %q of %q", s, raw)
			}
			if slices.Contains(scopes[:i], s) {
				t.Fatalf("%q twice", s)
			}
		}
		again, err := parseScope(strings.Join(scopes, " "))
		if err != nil || !slices.Equal(again, scopes) {
			t.Fatalf("%q reads back as %q, %v", scopes, again, err)
		}
		if (len(scopes) == 0) != (raw == "") {
			t.Fatalf("%q became %q", raw, scopes)
		}
	})
}

// FuzzBasic: what parseBasic accepts is fit for a log and a database, and any
// client's credentials survive the way there and back.
func FuzzBasic(f *testing.F) {
	for _, seed := range []string{
		"Basic YTpi", "basic YTpi", "Basic  YTpi", "Basic YTpi=", "Basic YTo=", "Basic OmI=", "Bearer YTpi", "Basic", "",
		"Basic YSUwMDpi", "Basic JTI1NDE6Yg==", "Basic YTpi\n", "Basic /+8=", "Basic " + base64.StdEncoding.EncodeToString([]byte("a:b:c")),
		"Basic " + base64.StdEncoding.EncodeToString([]byte("%zz:b")), "Basic " + base64.StdEncoding.EncodeToString([]byte("https%3A%2F%2Fapp:s+e")),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		clientID, password, err := parseBasic(header)
		if err != nil {
			if clientID != "" || password != "" || err.Error() != "malformed Basic credentials" {
				t.Fatalf("an error with %q, %q: %v", clientID, password, err)
			}
		} else {
			for _, s := range []string{clientID, password} {
				if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
					t.Fatalf("%q of %q", s, header)
				}
			}
			if clientID == "" {
				t.Fatal("nobody")
			}
		}
		if !clean(header) || header == "" {
			return
		}
		joined := url.QueryEscape(header) + ":" + url.QueryEscape(header)
		gotID, gotPassword, err := parseBasic("Basic " + base64.StdEncoding.EncodeToString([]byte(joined)))
		if err != nil || gotID != header || gotPassword != header {
			t.Fatalf("%q became %q, %q, %v", header, gotID, gotPassword, err)
		}
	})
}

// FuzzOpaque: each code and each refresh token has one text, and none that the
// fuzzer invents is genuine.
func FuzzOpaque(f *testing.F) {
	keyring, err := secret.NewKeyring(secret.Text(strings.Repeat("k", 40)))
	if err != nil {
		f.Fatal(err)
	}
	code, refresh := newCode(id.New()).String(), firstRefresh(keyring, id.New()).String()
	for _, made := range []string{code, refresh} {
		for _, seed := range []string{made, made + "=", made + "A", made[:len(made)-1], strings.ToUpper(made), made[:8] + "\n" + made[8:], made[4:]} {
			f.Add(seed)
		}
	}
	f.Add(codePrefix + strings.Repeat("A", 64))
	f.Add("")
	// The seeds were made under another secret than the one that judges.
	stranger, err := secret.NewKeyring(secret.Text(strings.Repeat("s", 40)))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if c, err := parseCode(raw); err == nil && c.String() != raw {
			t.Fatalf("the code %q has the text %q too", c, raw)
		}
		r, err := parseRefresh(raw)
		if err != nil {
			return
		}
		if r.String() != raw {
			t.Fatalf("the refresh token %q has the text %q too", r, raw)
		}
		if r.genuine(stranger) {
			t.Fatalf("%q is genuine", raw)
		}
		if r.generation < 0 {
			t.Fatalf("generation %d", r.generation)
		}
	})
}

// FuzzClaimsParameter: whatever it holds, it asks for a bounded number of claims,
// demands what is a string, and never gets a claim past its scope.
func FuzzClaimsParameter(f *testing.F) {
	for _, seed := range []string{
		"", "{}", "null", "[]", `{"userinfo":{"email":null},"id_token":{"acr":{"essential":true,"values":["aal1",2,null]}}}`,
		`{"id_token":{"sub":{"value":"ada"}}}`, `{"id_token":{"sub":{"value":["ada"]}}}`, `{"userinfo":[]}`, `{"userinfo":{"a":1}}`,
		` {"userinfo":{}}`, `{"userinfo":{}}x`, `{"USERINFO":{"email":{}}}`, `{"userinfo":{"email":{"essential":"yes"}}}`,
		strings.Repeat("[", 3000), `{"userinfo":{` + strings.Repeat(`"a":null,`, 300) + `"b":null}}`,
	} {
		f.Add(seed)
	}
	person := &accounts.User{Username: "ada", Name: "Ada", Email: "ada@example.com", UpdatedAt: 1}
	f.Fuzz(func(t *testing.T, raw string) {
		wanted, err := parseClaims(raw)
		if err != nil {
			if asError(err).Code != "invalid_request" || wanted.Userinfo != nil || wanted.IDToken != nil {
				t.Fatalf("%+v, %v", wanted, err)
			}
			return
		}
		if len(raw) > maxClaimsLength || len(wanted.Userinfo)+len(wanted.IDToken) > maxClaims {
			t.Fatalf("%d bytes, %d claims", len(raw), len(wanted.Userinfo)+len(wanted.IDToken))
		}
		_, _ = wanted.demandedSubject(), wanted.demandedACR()
		for _, wishes := range []map[string]*claimWish{wanted.Userinfo, wanted.IDToken} {
			if out := release(person, []string{"g"}, []string{scopeOpenID}, wishes, []string{scopeOpenID}); len(out) != 0 {
				t.Fatalf("with the scope openid alone: %v", out)
			}
		}
	})
}
