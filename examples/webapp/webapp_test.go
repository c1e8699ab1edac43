package webapp

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

// fake is an issuer's token endpoint and an API in one.
type fake struct {
	*httptest.Server

	mu      sync.Mutex
	valid   string // the access token that the API accepts
	issued  int
	refuses string // error code of the token endpoint, empty to answer
	scope   string
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, _ *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		if f.refuses != "" {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprintf(w, `{"error":%q}`, f.refuses)
			return
		}
		f.issued++
		f.valid = fmt.Sprint("access-", f.issued)
		_, _ = fmt.Fprintf(w, `{"access_token":%q,"refresh_token":"r","token_type":"Bearer","expires_in":600,"scope":%q}`, f.valid, f.scope)
	})
	mux.HandleFunc("/posts", func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		switch {
		case r.Header.Get("Authorization") != "Bearer "+f.valid:
			w.WriteHeader(http.StatusUnauthorized)
		case r.Method == http.MethodPost:
			w.WriteHeader(http.StatusForbidden)
		default:
			_ = json.NewEncoder(w).Encode(map[string]any{"posts": []post{{ID: 1, Title: "<b>", Body: "x"}}})
		}
	})
	f.Server = httptest.NewServer(mux)
	t.Cleanup(f.Close)
	return f
}

// newApp returns an app that has discovered the fake.
func newApp(t *testing.T, f *fake) (*app, http.Handler) {
	t.Helper()
	views, err := newViews()
	if err != nil {
		t.Fatal(err)
	}
	plain, err := New(Config{Issuer: f.URL, ClientID: "app", ClientSecret: "secret", URL: "http://localhost:1", API: f.URL})
	if err != nil || plain == nil {
		t.Fatal(err)
	}
	a := &app{
		cfg: Config{Issuer: f.URL, ClientID: "app", ClientSecret: "secret", URL: "http://localhost:1", API: f.URL},
		log: slog.New(slog.DiscardHandler), client: f.Client(), now: time.Now, views: views,
	}
	a.sessions = newSessions(a.now)
	a.op = relyingParty{cfg: a.cfg, client: a.client, found: &provider{
		oauth2: oauth2.Config{
			ClientID: "app", ClientSecret: "secret", RedirectURL: a.cfg.URL + CallbackPath, Scopes: Scopes(),
			Endpoint: oauth2.Endpoint{AuthURL: f.URL + "/authorize", TokenURL: f.URL + "/token", AuthStyle: oauth2.AuthStyleInHeader},
		},
		endSession: f.URL + "/logout?x=y",
	}}
	h, err := a.routes()
	if err != nil {
		t.Fatal(err)
	}
	return a, h
}

// signedIn makes a session as a callback would.
func signedIn(a *app, access string, scopes ...string) (*session, *http.Cookie) {
	rec := httptest.NewRecorder()
	s := a.sessions.start(rec, nil)
	s.idToken, s.claims = "id-token", map[string]any{"sub": "s", "name": "Ada <i>"}
	s.token = &oauth2.Token{AccessToken: access, RefreshToken: "r", Expiry: time.Now().Add(time.Hour)}
	s.scopes = scopes
	return s, rec.Result().Cookies()[0]
}

func send(h http.Handler, cookie *http.Cookie, method, target, form string, headers ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, target, strings.NewReader(form))
	if form != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	if cookie != nil {
		req.AddCookie(cookie)
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	return rec
}

func TestRefusedTokenIsRefreshedOnce(t *testing.T) {
	f := newFake(t)
	f.valid, f.scope = "another", "openid posts:delete"
	a, h := newApp(t, f)
	s, cookie := signedIn(a, "stale", "openid")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if rec := send(h, cookie, http.MethodGet, "/posts", ""); rec.Code != http.StatusOK {
				t.Errorf("%d", rec.Code)
			}
		})
	}
	all.Wait()
	if f.issued != 1 {
		t.Errorf("%d refreshes for eight requests", f.issued)
	}
	if !s.holds(permissionDelete) || s.holds("nothing") {
		t.Error("the scopes of the new token are not known")
	}
	rec := send(h, cookie, http.MethodGet, "/posts", "")
	if !strings.Contains(rec.Body.String(), "Delete") || strings.Contains(rec.Body.String(), "<b>") {
		t.Error(rec.Body.String())
	}
	// An expired token is refreshed before it is sent.
	s.token.Expiry = time.Now().Add(-time.Second)
	if rec := send(h, cookie, http.MethodGet, "/posts", ""); rec.Code != http.StatusOK || f.issued != 2 {
		t.Errorf("%d, %d refreshes", rec.Code, f.issued)
	}
	// The API forbids.
	rec = send(h, cookie, http.MethodPost, "/posts/new", "title=a&body=b", "Sec-Fetch-Site", "same-origin")
	if rec.Code != http.StatusForbidden || !strings.Contains(rec.Body.String(), permissionAdd) {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}

func TestEndedGrant(t *testing.T) {
	f := newFake(t)
	a, h := newApp(t, f)
	f.refuses = "temporarily_unavailable"
	_, cookie := signedIn(a, "stale")
	if rec := send(h, cookie, http.MethodGet, "/posts", ""); rec.Code != http.StatusServiceUnavailable {
		t.Errorf("issuer away: %d", rec.Code)
	}
	f.refuses = "invalid_grant"
	rec := send(h, cookie, http.MethodGet, "/posts", "")
	if rec.Code != http.StatusSeeOther || rec.Header().Get("Location") != "/signin?return=%2Fposts" {
		t.Errorf("%d to %s", rec.Code, rec.Header().Get("Location"))
	}
	if rec := send(h, cookie, http.MethodGet, "/", ""); strings.Contains(rec.Body.String(), "Sign out") {
		t.Error("still signed in")
	}
}

func TestSignInRequest(t *testing.T) {
	f := newFake(t)
	_, h := newApp(t, f)
	rec := send(h, nil, http.MethodGet, "/signin?return=https://evil.example.com/", "")
	target, err := url.Parse(rec.Header().Get("Location"))
	if err != nil || rec.Code != http.StatusSeeOther {
		t.Fatal(rec.Code, err)
	}
	q := target.Query()
	for name, want := range map[string]string{
		"response_type": "code", "client_id": "app", "redirect_uri": "http://localhost:1/callback",
		"code_challenge_method": "S256", "resource": f.URL, "scope": strings.Join(Scopes(), " "),
	} {
		if q.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, q.Get(name), want)
		}
	}
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if len(q.Get(name)) < 26 {
			t.Errorf("%s is %q", name, q.Get(name))
		}
	}
	cookie := rec.Result().Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Name != cookieName {
		t.Errorf("%v", cookie)
	}
}

func TestCallbackRefuses(t *testing.T) {
	f := newFake(t)
	tests := []struct {
		name, query string
		status      int
		want        string
	}{
		{"another state", "state=x&code=c", http.StatusBadRequest, "did not begin here"},
		{"no state", "code=c", http.StatusBadRequest, "did not begin here"},
		{"another issuer", "state=S&iss=https://evil.example.com&code=c", http.StatusBadRequest, "from elsewhere"},
		{"denied", "state=S&error=access_denied", http.StatusForbidden, "You chose not to sign in"},
		{"hostile text", "state=S&error=invalid_scope&error_description=%3Cscript%3E", http.StatusBadGateway, "&lt;script&gt;"},
		{"away", "state=S&error=temporarily_unavailable", http.StatusServiceUnavailable, "try again soon"},
		{"no code", "state=S", http.StatusBadGateway, "did not work"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a, h := newApp(t, f)
			rec := httptest.NewRecorder()
			s := a.sessions.start(rec, nil)
			s.begin(attempt{state: "S", nonce: "n", verifier: "v", returnTo: "/"})
			cookie := rec.Result().Cookies()[0]
			rec = send(h, cookie, http.MethodGet, "/callback?"+test.query, "")
			if rec.Code != test.status || !strings.Contains(rec.Body.String(), test.want) {
				t.Errorf("%d %s", rec.Code, rec.Body)
			}
			if s.signedIn() || strings.Contains(rec.Body.String(), "<script") {
				t.Error("signed in, or script in the page")
			}
		})
	}
}

func TestStateIsGoodOnce(t *testing.T) {
	s := &session{}
	for i := range maxAttempts + 1 {
		s.begin(attempt{state: fmt.Sprint(i)})
	}
	if _, ok := s.take("0"); ok {
		t.Error("the oldest of too many is still known")
	}
	if _, ok := s.take("3"); !ok {
		t.Error("not found")
	}
	if _, ok := s.take("3"); ok {
		t.Error("found twice")
	}
	if _, ok := s.take(""); ok {
		t.Error("an empty state is known")
	}
}

func TestSessions(t *testing.T) {
	now := time.Now()
	all := newSessions(func() time.Time { return now })
	rec := httptest.NewRecorder()
	before := all.start(rec, nil)
	after := all.start(rec, before)
	request := func(id string) *http.Request {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.AddCookie(&http.Cookie{Name: cookieName, Value: id})
		return r
	}
	if before.id == after.id || all.of(request(before.id)) != nil {
		t.Error("the session before a sign-in lives on")
	}
	if all.of(request(after.id)) != after || all.of(request("")) != nil {
		t.Error("not found by its id")
	}
	now = now.Add(sessionLife + time.Second)
	if all.of(request(after.id)) != nil {
		t.Error("it has no end")
	}
	for range maxSessions + 10 {
		all.start(rec, nil)
	}
	if len(all.byID) > maxSessions {
		t.Errorf("%d sessions", len(all.byID))
	}
}

func TestForeignFormsAreRefused(t *testing.T) {
	f := newFake(t)
	a, h := newApp(t, f)
	s, cookie := signedIn(a, "t", permissionAdd)
	for _, path := range []string{"/signout", "/posts/new", "/posts/1/delete", "/refresh"} {
		if rec := send(h, cookie, http.MethodPost, path, "title=a&body=b", "Sec-Fetch-Site", "cross-site"); rec.Code != http.StatusForbidden {
			t.Errorf("%s: %d", path, rec.Code)
		}
	}
	if !s.signedIn() || f.issued != 0 {
		t.Error("a foreign form had an effect")
	}
	rec := send(h, cookie, http.MethodGet, "/", "")
	if policy := rec.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "form-action 'self' "+f.URL) {
		t.Error(policy)
	}
	if !strings.Contains(rec.Body.String(), "Ada &lt;i&gt;") {
		t.Error(rec.Body.String())
	}
}

func TestSignOut(t *testing.T) {
	f := newFake(t)
	a, h := newApp(t, f)
	_, cookie := signedIn(a, "t")
	rec := send(h, cookie, http.MethodPost, "/signout", "", "Sec-Fetch-Site", "same-origin")
	target, err := url.Parse(rec.Header().Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	q := target.Query()
	if target.Path != "/logout" || q.Get("x") != "y" || q.Get("id_token_hint") != "id-token" || q.Get("post_logout_redirect_uri") != "http://localhost:1/" {
		t.Error(target)
	}
	if len(a.sessions.byID) != 0 {
		t.Error("the session lives on")
	}
}

func TestInvalidPosts(t *testing.T) {
	f := newFake(t)
	f.valid = "t"
	a, h := newApp(t, f)
	_, cookie := signedIn(a, "t", permissionAdd)
	for name, form := range map[string]string{"no title": "body=b", "no text": "title=a", "long title": "body=b&title=" + strings.Repeat("a", 201)} {
		rec := send(h, cookie, http.MethodPost, "/posts/new", form, "Sec-Fetch-Site", "same-origin")
		if rec.Code != http.StatusUnprocessableEntity || !strings.Contains(rec.Body.String(), `role="alert"`) {
			t.Errorf("%s: %d", name, rec.Code)
		}
	}
	if rec := send(h, cookie, http.MethodPost, "/posts/x/delete", "", "Sec-Fetch-Site", "same-origin"); rec.Code != http.StatusNotFound {
		t.Errorf("%d", rec.Code)
	}
}

func TestNewRefuses(t *testing.T) {
	good := Config{Issuer: "http://localhost:1", ClientID: "a", ClientSecret: "b", URL: "http://localhost:2", API: "http://localhost:3"}
	for name, change := range map[string]func(*Config){
		"issuer": func(c *Config) { c.Issuer = "localhost" }, "client": func(c *Config) { c.ClientID = "" },
		"secret": func(c *Config) { c.ClientSecret = "" }, "url": func(c *Config) { c.URL = "" }, "api": func(c *Config) { c.API = "/posts" },
	} {
		cfg := good
		change(&cfg)
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := New(good); err != nil {
		t.Error(err)
	}
}

func TestIssuerAway(t *testing.T) {
	h, err := New(Config{
		Issuer: "http://127.0.0.1:1", ClientID: "a", ClientSecret: "b", URL: "http://localhost:2", API: "http://localhost:3",
		Client: &http.Client{Transport: failing{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if rec := send(h, nil, http.MethodGet, "/signin", ""); rec.Code != http.StatusServiceUnavailable || !strings.Contains(rec.Body.String(), "Not reachable") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	if rec := send(h, nil, http.MethodGet, "/", ""); rec.Code != http.StatusOK {
		t.Errorf("%d", rec.Code)
	}
}

type failing struct{}

func (failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("no route") }
