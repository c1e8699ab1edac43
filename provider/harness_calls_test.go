package provider_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
)

// browser holds cookies as a browser would.
type browser struct {
	s       *server
	cookies map[string]*http.Cookie
}

func (s *server) browser() *browser { return &browser{s: s, cookies: map[string]*http.Cookie{}} }

// signedIn returns a browser in which u has just signed in.
func (s *server) signedIn(u *accounts.User) *browser {
	s.t.Helper()
	b := s.browser()
	b.signIn(u)
	return b
}

func (b *browser) signIn(u *accounts.User) *accounts.Session {
	b.s.t.Helper()
	return b.signInBy(u, "pwd")
}

// signInBy signs in by the given methods (amr).
func (b *browser) signInBy(u *accounts.User, amr ...string) *accounts.Session {
	s := b.s
	s.t.Helper()
	_, position, err := s.db.UserByLogin(s.t.Context(), u.UsernameKey)
	if err != nil {
		s.t.Fatal(err)
	}
	proof := &accounts.Result{User: u, Position: position, AMR: amr, ACR: accounts.Assurance(amr)}
	token, session, err := s.sessions.Start(s.t.Context(), proof, accounts.Meta{})
	if err != nil {
		s.t.Fatal(err)
	}
	name := s.provider.Cookies.Name(flow.SessionCookie)
	b.cookies[name] = &http.Cookie{Name: name, Value: token}
	return session
}

func (b *browser) do(r *http.Request) *http.Response {
	for _, c := range b.cookies {
		r.AddCookie(c)
	}
	rec := httptest.NewRecorder()
	b.s.handler.ServeHTTP(rec, r)
	resp := rec.Result()
	for _, c := range resp.Cookies() {
		if b.cookies[c.Name] = c; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	return resp
}

func (b *browser) get(target string) *http.Response {
	return b.do(httptest.NewRequest(http.MethodGet, target, nil))
}

func (b *browser) post(path string, form url.Values) *http.Response {
	r := httptest.NewRequest(http.MethodPost, issuer+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(r)
}

// allow records what the person would have allowed on the consent page.
func (s *server) allow(u *accounts.User, c app, scopes ...string) {
	s.t.Helper()
	if err := s.consents.Allow(s.t.Context(), tester, u, c.Client, c.Scopes, scopes); err != nil {
		s.t.Fatal(err)
	}
}

const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// request are the parameters of an ordinary authorization request, with changes:
// pairs of name and value, an empty value removes.
func (a app) request(scope string, changes ...string) url.Values {
	v := url.Values{
		"response_type": {"code"}, "client_id": {a.ClientID}, "redirect_uri": {a.RedirectURIs[0]}, "scope": {scope},
		"state": {"state-1"}, "nonce": {"nonce-1"}, "code_challenge": {challengeOf(verifier)}, "code_challenge_method": {"S256"},
	}
	return changed(v, changes...)
}

func changed(v url.Values, changes ...string) url.Values {
	for i := 0; i < len(changes); i += 2 {
		if changes[i+1] == "" {
			v.Del(changes[i])
			continue
		}
		v.Set(changes[i], changes[i+1])
	}
	return v
}

func (b *browser) authorize(v url.Values) *http.Response {
	return b.get(issuer + "/oauth2/authorize?" + v.Encode())
}

// location returns the parameters of a redirect to the client, or fails.
func location(t testing.TB, resp *http.Response, want string) url.Values {
	t.Helper()
	if resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("status %d, want a redirect: %s", resp.StatusCode, body(t, resp))
	}
	at := resp.Header.Get("Location")
	if !strings.HasPrefix(at, want) {
		t.Fatalf("redirect to %s, want %s", at, want)
	}
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

func body(t testing.TB, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// code returns the code of an authorization that must succeed at once.
func (b *browser) code(v url.Values) string {
	b.s.t.Helper()
	params := location(b.s.t, b.authorize(v), v.Get("redirect_uri"))
	if params.Get("code") == "" {
		b.s.t.Fatalf("no code: %v", params)
	}
	return params.Get("code")
}

// answer is what a back channel said.
type answer struct {
	status int
	header http.Header
	json   map[string]any
	raw    string
}

func (a answer) str(name string) string {
	s, _ := a.json[name].(string)
	return s
}

// call posts a form, with the client's Basic credentials if it has a secret.
func (s *server) call(path string, c app, form url.Values) answer {
	s.t.Helper()
	if c.Client != nil && c.secret == "" && !form.Has("client_assertion") {
		form = changed(cloneValues(form), "client_id", c.ClientID)
	}
	r := httptest.NewRequest(http.MethodPost, issuer+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if c.secret != "" {
		r.SetBasicAuth(url.QueryEscape(c.ClientID), url.QueryEscape(c.secret))
	}
	return s.ask(r)
}

func cloneValues(v url.Values) url.Values {
	c := url.Values{}
	for name, values := range v {
		c[name] = append([]string(nil), values...)
	}
	return c
}

func (s *server) ask(r *http.Request) answer {
	rec := httptest.NewRecorder()
	s.handler.ServeHTTP(rec, r)
	a := answer{status: rec.Code, header: rec.Header(), raw: rec.Body.String()}
	_ = json.Unmarshal(rec.Body.Bytes(), &a.json) // pages and empty answers are no JSON
	return a
}

func (s *server) redeem(c app, code string, changes ...string) answer {
	s.t.Helper()
	return s.call("/oauth2/token", c, changed(url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {c.RedirectURIs[0]}, "code_verifier": {verifier},
	}, changes...))
}

func (s *server) refresh(c app, token string, changes ...string) answer {
	s.t.Helper()
	return s.call("/oauth2/token", c, changed(url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {token},
	}, changes...))
}

func (s *server) introspect(c app, token string) answer {
	s.t.Helper()
	return s.call("/oauth2/introspect", c, url.Values{"token": {token}})
}

// tokens runs the whole way for a person who has consented to the scope.
func (w *world) tokens(c app, u *accounts.User, scope string, changes ...string) answer {
	w.t.Helper()
	w.allow(u, c, strings.Fields(scope)...)
	a := w.redeem(c, w.signedIn(u).code(c.request(scope, changes...)))
	if a.status != http.StatusOK {
		w.t.Fatalf("no tokens: %d %s", a.status, a.raw)
	}
	return a
}

// claims decodes a JWT without verifying it.
func claims(t testing.TB, jwt string) map[string]any {
	t.Helper()
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		t.Fatalf("not a JWT: %q", jwt)
	}
	return decodePart(t, parts[1])
}

func decodePart(t testing.TB, part string) map[string]any {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func wantError(t testing.TB, a answer, status int, code string) {
	t.Helper()
	if a.status != status || a.str("error") != code {
		t.Errorf("got %d %s, want %d %s", a.status, a.raw, status, code)
	}
}
