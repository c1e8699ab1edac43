package templates_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/templates"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// fixture is a page as a person could meet it.
type fixture struct {
	name   string
	render func(r *templates.Renderer, w http.ResponseWriter, lang templates.Language, page templates.Page) error
}

func board() *templates.ClientInfo {
	return &templates.ClientInfo{Name: "Post Board", Host: "board.example.com", HomeURL: "https://board.example.com/", PolicyURL: "https://board.example.com/privacy", TermsURL: "https://board.example.com/terms"}
}

func fixtures() []fixture {
	list := []fixture{
		signIn("sign_in", templates.SignIn{Client: board(), Action: "/signin", Flow: "AZr3"}),
		signIn("sign_in_own", templates.SignIn{Action: "/signin", Flow: "AZr3"}),
		signIn("sign_in_wrong", templates.SignIn{
			Client: board(), Action: "/signin", Flow: "AZr3", Username: "ada@example.org",
			Problems: []templates.SignInProblem{templates.WrongCredentials},
		}),
		signIn("sign_in_missing", templates.SignIn{
			Client: board(), Action: "/signin", Flow: "AZr3",
			Problems: []templates.SignInProblem{templates.UsernameMissing, templates.PasswordMissing},
		}),
		signIn("sign_in_wait", templates.SignIn{
			Client: board(), Action: "/signin", Flow: "AZr3", Username: "ada@example.org",
			Problems: []templates.SignInProblem{templates.TooManyAttempts}, RetryAfter: 4*time.Minute + time.Second,
		}),
		signIn("sign_in_again", templates.SignIn{
			Client: board(), Action: "/signin", Flow: "AZr3", Username: "ada@example.org",
			Reauthenticate: true, SwitchURL: "/signin?flow=AZr3&switch=1",
		}),
		consentPage("consent", fullConsent()),
		consentPage("consent_native", nativeConsent()),
		{"select_account", func(r *templates.Renderer, w http.ResponseWriter, lang templates.Language, page templates.Page) error {
			return r.SelectAccount(w, http.StatusOK, lang, templates.SelectAccount{
				Page: page, Client: board(), UserName: "Ada Lovelace", Email: "ada@example.org", Flow: "AZr3", Action: "/select-account",
			})
		}},
		{"sign_out", func(r *templates.Renderer, w http.ResponseWriter, lang templates.Language, page templates.Page) error {
			return r.SignOut(w, http.StatusOK, lang, templates.SignOut{
				Page: page, UserName: "ada@example.org", ClientName: "Post Board", Action: "/logout",
				Fields: []templates.Field{{Name: "state", Value: "af0ifjsldkj"}},
			})
		}},
		{"signed_out", func(r *templates.Renderer, w http.ResponseWriter, lang templates.Language, page templates.Page) error {
			return r.SignedOut(w, http.StatusOK, lang, templates.SignedOut{
				Page: page, ReturnURL: "com.example.board:/signed-out?state=1", ClientName: "Post Board", SignInURL: "/signin",
			})
		}},
		{"home", func(r *templates.Renderer, w http.ResponseWriter, lang templates.Language, page templates.Page) error {
			return r.Home(w, http.StatusOK, lang, templates.Home{Page: page, SignInURL: "/signin"})
		}},
		{"home_signed_in", func(r *templates.Renderer, w http.ResponseWriter, lang templates.Language, page templates.Page) error {
			return r.Home(w, http.StatusOK, lang, templates.Home{
				Page: page, SignedIn: true, UserName: "Ada Lovelace", Email: "ada@example.org", IsStaff: true, SignOutURL: "/logout", AccountURL: "/account/",
			})
		}},
		{"form_post", func(r *templates.Renderer, w http.ResponseWriter, lang templates.Language, page templates.Page) error {
			return r.FormPost(w, http.StatusOK, lang, templates.FormPost{
				Page: page, ClientName: "Post Board", Action: "com.example.board:/callback?keep=1",
				Fields: []templates.Field{{Name: "code", Value: "gh_code_Zm9v"}, {Name: "state", Value: "af0ifjsldkj"}},
			})
		}},
	}
	list = append(append(append(list, factorFixtures()...), accountFixtures()...), entranceFixtures()...)
	list = append(list, formFixtures()...)
	return append(list, errorFixtures()...)
}

func errorFixtures() []fixture {
	kinds := []templates.ErrorKind{
		templates.UnknownClient, templates.BadRedirectURI, templates.ExpiredPage, templates.AlreadyUsed,
		templates.InvalidRequest, templates.AccessDenied, templates.ServerError, templates.TemporarilyUnavailable,
		templates.NotFound, templates.Forbidden, templates.TooManyRequests, templates.MethodNotAllowed,
	}
	var list []fixture
	for _, kind := range kinds {
		p := templates.Error{Kind: kind}
		switch kind {
		case templates.ExpiredPage:
			p.RetryURL, p.BackURL, p.ClientName = "/oauth2/authorize?flow=AZr3", "https://board.example.com/", "Post Board"
		case templates.BadRedirectURI:
			p.Detail = `The parameter redirect_uri is not one of the URIs registered for this client.`
		}
		list = append(list, fixture{"error_" + string(kind), func(r *templates.Renderer, w http.ResponseWriter, lang templates.Language, page templates.Page) error {
			p.Page = page
			return r.Error(w, http.StatusBadRequest, lang, p)
		}})
	}
	return list
}

func signIn(name string, p templates.SignIn) fixture {
	return fixture{name, func(r *templates.Renderer, w http.ResponseWriter, lang templates.Language, page templates.Page) error {
		p.Page = page
		return r.SignIn(w, http.StatusOK, lang, p)
	}}
}

func consentPage(name string, p templates.Consent) fixture {
	return fixture{name, func(r *templates.Renderer, w http.ResponseWriter, lang templates.Language, page templates.Page) error {
		p.Page = page
		return r.Consent(w, http.StatusOK, lang, p)
	}}
}

func fullConsent() templates.Consent {
	return templates.Consent{
		Client: *board(), UserName: "ada@example.org", SwitchURL: "/consent?flow=AZr3&switch=1", Flow: "AZr3", Action: "/consent",
		Groups: []templates.ScopeGroup{
			{Kind: templates.ScopesIdentity, Scopes: []templates.ScopeItem{
				{Name: "openid"},
				{Name: "profile", Value: "Ada Lovelace"},
				{Name: "email", Value: "ada@example.org", Optional: true, Checked: true},
			}},
			{Kind: templates.ScopesAct, API: "Posts", Scopes: []templates.ScopeItem{
				{Name: "posts:add", Text: "Write posts in your name", Optional: true, Checked: true, New: true},
				{Name: "posts:delete", Text: "Delete posts", Optional: true, Unavailable: true},
				{Name: "posts:list"},
			}},
			{Kind: templates.ScopesOffline, Scopes: []templates.ScopeItem{{Name: "offline_access"}}},
		},
	}
}

func nativeConsent() templates.Consent {
	return templates.Consent{
		Client: templates.ClientInfo{Name: "postctl"}, UserName: "ada@example.org", Flow: "AZr3", Action: "/consent",
		Warnings: []templates.ConsentWarning{templates.WarnUnverified, templates.WarnLoopback},
		Groups: []templates.ScopeGroup{
			{Kind: templates.ScopesIdentity, Scopes: []templates.ScopeItem{{Name: "openid"}, {Name: "groups", Value: "Editors"}}},
		},
	}
}

// framePage is the frame that the fixtures are shown in.
func framePage(theme templates.Theme) templates.Page {
	return templates.Page{
		RequestID: "4fzyo82mvyr", Theme: theme,
		Preferences: templates.Preferences{Action: "/preferences", Return: "/oauth2/authorize?flow=AZr3"},
	}
}

func newRenderer(t *testing.T, opts templates.Options) *templates.Renderer {
	t.Helper()
	r, err := templates.New(opts)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return r
}

// show renders a fixture in English.
func show(t *testing.T, r *templates.Renderer, f fixture) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	if err := f.render(r, w, r.Language("en"), framePage(templates.ThemeSystem)); err != nil {
		t.Fatalf("render %s: %v", f.name, err)
	}
	return w
}
