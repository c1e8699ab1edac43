package provider_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

// TestResourceMetadata: receivers of signals and followers find whom to ask for a
// token and for which scope, and a refusal says where (RFC 9728 §3, §5.1).
func TestResourceMetadata(t *testing.T) {
	s := newServer(t, sqliteURL(t))
	const at = issuer + "/.well-known/oauth-protected-resource"
	ask := func(method, target string) *httptest.ResponseRecorder {
		a, r := httptest.NewRecorder(), httptest.NewRequest(method, target, nil)
		r.Header.Set("Origin", "https://anybody.example")
		s.handler.ServeHTTP(a, r)
		return a
	}
	a := ask(http.MethodGet, at)
	if h := a.Header(); a.Code != http.StatusOK || h.Get("Content-Type") != "application/json" || h.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("%d %v", a.Code, h)
	}
	var got bytes.Buffer
	if err := json.Indent(&got, a.Body.Bytes(), "", "  "); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/oauth-protected-resource.json")
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != strings.TrimSpace(string(want)) {
		t.Errorf("the document is\n%s", got.String())
	}
	if a := ask(http.MethodPost, at); a.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", a.Code)
	}
	challenge := ask(http.MethodGet, issuer+"/userinfo").Header().Get("WWW-Authenticate")
	if challenge != `Bearer realm="Gatehouse", resource_metadata="`+at+`"` {
		t.Errorf("challenge %s", challenge)
	}
}
