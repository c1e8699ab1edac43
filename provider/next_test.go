package provider

import (
	"errors"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
)

func TestNextStep(t *testing.T) {
	const signIn, choose, consent, issue = stepSignIn, stepSelectAccount, stepConsent, stepIssue
	const signUp, factor, enrol, password, two = stepSignUp, stepSecondFactor, step(flow.PathEnrolFactor), step(flow.PathNewPassword), accounts.ACRTwoFactors
	type world struct {
		situation
		a *authorization
		f *flow.Flow
		d *demands
	}
	now := passing().ask.now
	tests := []struct {
		name   string
		change func(w *world)
		want   step
		code   string
	}{
		{name: "all is known", want: issue},
		{name: "declined", change: func(w *world) { w.f.DeniedAt = 1 }, code: "access_denied"},
		{name: "signed out", change: func(w *world) { w.standing.Session = nil }, want: signIn},
		{name: "banned meanwhile", change: func(w *world) { w.standing.User.BannedAt = 1 }, want: signIn},
		{name: "prompt login", change: func(w *world) { w.a.prompt = []string{"login"} }, want: signIn},
		{name: "prompt login, done", change: func(w *world) {
			w.a.prompt, w.standing.Session.AuthTime = []string{"login"}, w.f.CreatedAt
		}, want: issue},
		{name: "prompt login and consent", change: func(w *world) { w.a.prompt = []string{"login", "consent"} }, want: signIn},
		{name: "max_age kept", change: func(w *world) { w.a.maxAge = 2 * time.Hour }, want: issue},
		{name: "max_age passed", change: func(w *world) { w.a.maxAge = time.Minute }, want: signIn},
		{name: "max_age zero", change: func(w *world) {
			w.a.maxAge, w.standing.Session.AuthTime = 0, w.f.CreatedAt-1
		}, want: signIn},
		{name: "max_age passed while on the way", change: func(w *world) {
			w.a.maxAge, w.f.CreatedAt = time.Second, now.Add(-time.Minute).UnixMilli()
			w.standing.Session.AuthTime = now.Add(-30 * time.Second).UnixMilli()
		}, want: issue},
		{name: "an operator's own", change: func(w *world) { w.a.operator = w.standing.User.Subject }, want: issue},
		{name: "an operator's, signed out", change: func(w *world) { w.a.operator, w.standing.Session = w.standing.User.Subject, nil }, want: signIn},
		{name: "another operator's", change: func(w *world) { w.a.operator = "other" }, code: "access_denied"},
		{name: "another operator's, however asked for", change: func(w *world) {
			w.a.operator, w.a.prompt, w.standing.Session.AuthTime = "other", []string{"login"}, w.f.CreatedAt
		}, code: "access_denied"},
		{name: "somebody else is meant", change: func(w *world) { w.a.subject = "other" }, want: signIn},
		{name: "somebody else signed in", change: func(w *world) {
			w.a.subject, w.standing.Session.AuthTime = "other", w.f.CreatedAt
		}, code: "login_required"},
		{name: "select_account", change: func(w *world) { w.a.prompt = []string{"select_account"} }, want: choose},
		{name: "select_account, done", change: func(w *world) {
			w.a.prompt, w.f.AccountChosenAt = []string{"select_account"}, 1
		}, want: issue},
		{name: "wished acr reached", change: func(w *world) { w.a.wished = []string{accounts.ACRPassword, two} }, want: issue},
		{name: "more is wished and can be had", change: func(w *world) { w.a.wished, w.d.has = []string{two, accounts.ACRPassword}, true }, want: factor},
		{name: "more is wished rather, and cannot be had", change: func(w *world) { w.a.wished = []string{two, accounts.ACRPassword} }, want: issue},
		{name: "only more is wished, and cannot be had yet", change: func(w *world) { w.a.wished = []string{two} }, want: enrol},
		{name: "essential acr reached", change: func(w *world) { w.a.essential = []string{two, accounts.ACRPassword} }, want: issue},
		{name: "essential acr above", change: func(w *world) { w.a.essential, w.d.has = []string{two}, true }, want: factor},
		{name: "essential acr above, no factor", change: func(w *world) { w.a.essential = []string{two} }, want: enrol},
		{name: "essential acr below", change: func(w *world) {
			w.a.essential, w.standing.Session.ACR = []string{accounts.ACRPassword}, two
		}, want: issue},
		{name: "essential acr does for the wish", change: func(w *world) {
			w.a.essential, w.a.wished, w.d.has = []string{two}, []string{accounts.ACRPassword}, true
		}, want: factor},
		{name: "the client requires more", change: func(w *world) { w.client.RequiredACR, w.d.has = two, true }, want: factor},
		{name: "the client requires more, no factor", change: func(w *world) { w.client.RequiredACR = two }, want: enrol},
		{name: "the client requires more, shown", change: func(w *world) {
			w.client.RequiredACR, w.d.has, w.standing.Session.ACR = two, true, two
		}, want: issue},
		{name: "the client requires what does not exist", change: func(w *world) {
			w.client.RequiredACR, w.d.has, w.standing.Session.ACR = "aal9", true, two
		}, code: "unmet_authentication_requirements"},
		{name: "the group requires more", change: func(w *world) { w.d.mustHave, w.d.has = true, true }, want: factor},
		{name: "the group requires more, no factor", change: func(w *world) { w.d.mustHave = true }, want: enrol},
		{name: "sign in before the second factor", change: func(w *world) {
			w.a.maxAge, w.client.RequiredACR, w.d.has = time.Minute, two, true
		}, want: signIn},
		{name: "the second factor before what is required", change: func(w *world) {
			w.client.RequiredACR, w.d.has, w.standing.User.RequiredActions = two, true, []accounts.Action{accounts.ActionChangePassword}
		}, want: factor},
		{name: "a required action", change: func(w *world) {
			w.standing.User.RequiredActions = []accounts.Action{accounts.ActionChangePassword}
		}, want: password},
		{name: "a required action before the factor that is to be enrolled", change: func(w *world) {
			w.a.wished, w.standing.User.RequiredActions = []string{two}, []accounts.Action{accounts.ActionChangePassword}
		}, want: password},
		{name: "a required action before the choice of the account and consent", change: func(w *world) {
			w.a.prompt = []string{"select_account", "consent"}
			w.standing.User.RequiredActions = []accounts.Action{accounts.ActionChangePassword}
		}, want: password},
		{name: "terms", change: func(w *world) { w.d.policy.TermsVersion = "2" }, want: step(flow.PathTerms)},
		{name: "an address to verify", change: func(w *world) { w.d.policy.VerifyEmail, w.standing.User.Email = true, "a@b.example" }, want: step(flow.PathVerifyEmail)},
		{name: "an account that is to be deleted", change: func(w *world) { w.standing.User.DeleteAt = 1 }, want: step(accounts.PathKeepAccount)},
		{name: "an unknown required action", change: func(w *world) { w.standing.User.RequiredActions = []accounts.Action{"dance"} }, want: issue},
		{name: "prompt create", change: func(w *world) { w.a.prompt, w.d.signUp = []string{"create"}, true }, want: signUp},
		{name: "prompt create, signed out", change: func(w *world) {
			w.a.prompt, w.d.signUp, w.standing.Session = []string{"create"}, true, nil
		}, want: signUp},
		{name: "prompt create, done", change: func(w *world) {
			w.a.prompt, w.d.signUp, w.standing.Session.AuthTime = []string{"create"}, true, w.f.CreatedAt
		}, want: issue},
		{name: "prompt create where nobody can", change: func(w *world) { w.a.prompt = []string{"create"} }, want: signIn},
		{name: "never consented", change: func(w *world) { w.standing.Consent = nil }, want: consent},
		{name: "disconnected", change: func(w *world) { w.standing.Consent.RevokedAt = 1 }, want: consent},
		{name: "consent expired", change: func(w *world) { w.standing.Consent.ExpiresAt = 1 }, want: consent},
		{name: "more is asked", change: func(w *world) { w.a.covered = append(w.a.covered, "photos:add") }, want: consent},
		{name: "prompt consent", change: func(w *world) { w.a.prompt = []string{"consent"} }, want: consent},
		{name: "prompt consent, done", change: func(w *world) {
			w.a.prompt, w.f.ConsentedBy = []string{"consent"}, "ada"
		}, want: issue},
		{name: "prompt consent, done by somebody else", change: func(w *world) {
			w.a.prompt, w.f.ConsentedBy = []string{"consent"}, "bob"
		}, want: consent},
		{name: "public client on loopback, consented before", change: func(w *world) {
			w.client.AuthMethod, w.a.redirectURI = accounts.AuthNone, "http://127.0.0.1:4000/cb"
		}, want: consent},
		{name: "public client of its own scheme, consented now", change: func(w *world) {
			w.client.AuthMethod, w.a.redirectURI, w.f.ConsentedBy = accounts.AuthNone, "com.example.app:/cb", "ada"
		}, want: issue},
		{name: "the console plays a public client on loopback", change: func(w *world) {
			w.client.AuthMethod, w.a.operator, w.client.RedirectURIs = accounts.AuthNone, w.standing.User.Subject, []string{"http://127.0.0.1/cb"}
		}, want: consent},
		{name: "the console on loopback plays a public client on https", change: func(w *world) {
			w.client.AuthMethod, w.a.operator, w.client.RedirectURIs = accounts.AuthNone, w.standing.User.Subject, []string{"https://app.example.com/cb"}
			w.a.redirectURI = "http://localhost:8400" + accounts.PathDebugCallback
		}, want: issue},
		{name: "public client on https, consented before", change: func(w *world) { w.client.AuthMethod = accounts.AuthNone }, want: issue},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := &world{situation: passing()}
			w.client.AuthMethod = accounts.AuthSecret
			w.standing.User.Subject = "ada"
			w.standing.Session.AuthTime, w.standing.Session.ACR = now.Add(-time.Hour).UnixMilli(), accounts.ACRPassword
			w.standing.Consent.Asked = []string{"openid", "posts:add"}
			w.a = &authorization{
				client: &client{Client: w.client}, redirectURI: "https://app.example.com/cb",
				scopes: []string{"openid", "posts:add"}, covered: []string{"openid", "posts:add"}, maxAge: -1,
			}
			w.f, w.d = &flow.Flow{CreatedAt: now.UnixMilli()}, &demands{}
			if tt.change != nil {
				tt.change(w)
			}
			got, err := nextStep(w.a, w.f, w.standing, w.d, now)
			var e *Error
			if errors.As(err, &e); tt.code != "" && (e == nil || e.Code != tt.code) || tt.code == "" && (err != nil || got != tt.want) {
				t.Errorf("step %s, %v; want %s %s", got, err, tt.want, tt.code)
			}
		})
	}
}

// TestOperatorConsents: the operator's word counts for a first-party app that only the
// holder of a domain can be, whoever plays it.
func TestOperatorConsents(t *testing.T) {
	const https, loopback = "https://app.example.com/cb", "http://127.0.0.1/cb"
	for name, c := range map[string]struct {
		at, operator string
		registered   []string
		want         bool
	}{
		"itself on https":                      {https, "", []string{https, loopback}, true},
		"itself on loopback":                   {loopback, "", []string{https, loopback}, false},
		"the console, on https":                {https, "ada", []string{https}, true},
		"the console, also on loopback":        {https, "ada", []string{https, loopback}, false},
		"the console on loopback, on https":    {loopback, "ada", []string{https}, true},
		"the console, of an app that is gone":  {https, "ada", nil, false},
		"the console, of an app of its scheme": {https, "ada", []string{"com.example.app:/cb"}, false},
	} {
		a := &authorization{
			client: &client{Client: &accounts.Client{FirstParty: true, RedirectURIs: c.registered}}, redirectURI: c.at, operator: c.operator,
		}
		if got := a.operatorConsents(); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
		a.prompt = []string{"consent"}
		if a.operatorConsents() {
			t.Errorf("%s: for a request that wants the person asked", name)
		}
	}
}
