package endtoend_test

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"golang.org/x/oauth2"
)

// site is somebody's web site: an empty page at every address. It keeps the form
// that was last posted to it.
type site struct {
	*httptest.Server

	mu   sync.Mutex
	form url.Values
}

// posted returns what was posted since the last call.
func (s *site) posted() url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	form := s.form
	s.form = nil
	return form
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			if err := r.ParseForm(); err != nil {
				t.Error(err)
			}
			s.mu.Lock()
			s.form = r.PostForm
			s.mu.Unlock()
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!doctype html><title>A site</title><p>Here you are.</p>")) // the browser may have gone
	}))
	t.Cleanup(s.Close)
	return s
}

// await evaluates a call of an async function.
func (v *visitor) await(function string, result any, arguments ...any) {
	v.t.Helper()
	wait := func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }
	v.do("run a script", chromedp.Evaluate(call(v.t, function, arguments...), result, wait))
}

// An app without a server does everything in the browser, from its own origin.
func TestAppInTheBrowser(t *testing.T) {
	s := start(t, embedded)
	spa, stranger := newSite(t), newSite(t)
	redirect := spa.URL + "/callback"
	c := s.register(t, "--name", "Browser app", "--type", "spa", "--redirect-uri", redirect, "--scope", everyScope)
	config := oauth2.Config{ClientID: c.ID, RedirectURL: redirect, Scopes: []string{"openid", "profile", "posts:add"}}
	config.Endpoint.AuthURL = s.issuer + "/oauth2/authorize"
	verifier := oauth2.GenerateVerifier()

	v := s.visitor(t)
	v.open(config.AuthCodeURL(rand.Text(), oauth2.S256ChallengeOption(verifier)))
	v.signIn("regular_user", password)
	v.press(buttonAllow)
	v.sees(redirect, 200, "Here you are.")
	answer, err := url.Parse(v.where())
	if err != nil {
		t.Fatal(err)
	}
	const redeem = `(async (issuer, form) => {
		const discovery = await (await fetch(issuer + "/.well-known/openid-configuration")).json();
		const redeemed = await fetch(discovery.token_endpoint, { method: "POST", body: new URLSearchParams(form) });
		const tokens = await redeemed.json();
		const asked = await fetch(discovery.userinfo_endpoint, { headers: { authorization: "Bearer " + tokens.access_token } });
		const revoked = await fetch(discovery.revocation_endpoint, {
			method: "POST", body: new URLSearchParams({ client_id: form.client_id, token: tokens.access_token }),
		});
		return { Token: redeemed.status, User: (await asked.json()).preferred_username, Revoke: revoked.status };
	})`
	form := map[string]string{
		"grant_type": "authorization_code", "client_id": c.ID, "redirect_uri": redirect,
		"code": answer.Query().Get("code"), "code_verifier": verifier,
	}
	var got struct {
		Token, Revoke int
		User          string
	}
	v.await(redeem, &got, s.issuer, form)
	if got.Token != http.StatusOK || got.User != "regular_user" || got.Revoke != http.StatusOK {
		t.Errorf("the app got %+v", got)
	}

	// Another site can read what is public, and nothing else.
	const pry = `(async (issuer, form) => {
		const open = await fetch(issuer + "/.well-known/jwks.json");
		try {
			await fetch(issuer + "/oauth2/token", { method: "POST", body: new URLSearchParams(form) });
		} catch (error) {
			return open.ok && error instanceof TypeError;
		}
		return false;
	})`
	v.open(stranger.URL + "/")
	var refused bool
	if v.await(pry, &refused, s.issuer, form); !refused {
		t.Error("another site could read the answer of the token endpoint")
	}
}

// The answer travels in a form that the page sends by itself, or by its button where
// there are no scripts. The app's page policy must allow neither more nor less.
func TestFormPost(t *testing.T) {
	s := start(t, embedded)
	app := newSite(t)
	redirect := app.URL + "/callback"
	c := s.register(t, "--name", "Posting app", "--type", "web", "--redirect-uri", redirect, "--scope", "openid")
	for _, scripts := range []bool{true, false} { // the first time consent is asked
		t.Run(fmt.Sprintf("scripts %t", scripts), func(t *testing.T) {
			config := oauth2.Config{ClientID: c.ID, RedirectURL: redirect, Scopes: []string{"openid"}}
			config.Endpoint.AuthURL = s.issuer + "/oauth2/authorize"
			state := rand.Text()
			v := s.visitor(t)
			if !scripts {
				v.withoutJavaScript()
			}
			v.open(config.AuthCodeURL(
				state, oauth2.S256ChallengeOption(oauth2.GenerateVerifier()), oauth2.SetAuthURLParam("response_mode", "form_post"),
			))
			v.signIn("regular_user", password)
			if scripts {
				v.press(buttonAllow)
			} else {
				v.sees(s.issuer+"/oauth2/authorize", 200, "One moment")
				v.press(`form#response button`)
			}
			v.do("wait for the app", chromedp.WaitVisible(`//p[text()="Here you are."]`, chromedp.BySearch))
			sent := app.posted()
			if v.where() != redirect || sent.Get("state") != state || sent.Get("iss") != s.issuer || sent.Get("code") == "" {
				t.Errorf("at %s the app was sent %v", v.where(), sent)
			}
		})
	}
}
