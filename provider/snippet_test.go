package provider_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/snippet"
)

// TestSnippetsNameOurEndpoints: what is pasted into frameworks that know no discovery, or
// into a shell, leads to the endpoints that there are.
func TestSnippetsNameOurEndpoints(t *testing.T) {
	w := newWorld(t, newServer(t, sqliteURL(t)))
	found := w.ask(newGet("/.well-known/openid-configuration")).json
	texts := map[string]string{}
	for _, c := range []*accounts.Client{w.web.Client, w.machine.Client} {
		for _, s := range snippet.For(snippet.App{Issuer: issuer, Client: c}) {
			texts[s.ID] = s.Text
		}
	}
	for line, name := range map[string]string{
		"OIDC_OP_AUTHORIZATION_ENDPOINT": "authorization_endpoint", "OIDC_OP_TOKEN_ENDPOINT": "token_endpoint",
		"OIDC_OP_USER_ENDPOINT": "userinfo_endpoint", "OIDC_OP_JWKS_ENDPOINT": "jwks_uri",
	} {
		if want := line + ` = "` + found[name].(string) + `"`; !strings.Contains(texts["django"], want) {
			t.Errorf("no %s in %s", want, texts["django"])
		}
	}
	if want := "curl '" + found["token_endpoint"].(string) + "'"; !strings.Contains(texts["curl"], want) {
		t.Errorf("no %s in %s", want, texts["curl"])
	}
}
