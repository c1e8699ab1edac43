package provider_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

const twoFactors = accounts.ACRTwoFactors

// authenticator gives a person an authenticator app, which nobody asks for a code here.
func (w *world) authenticator(u *accounts.User) {
	w.t.Helper()
	err := w.db.InsertTOTP(w.t.Context(), &accounts.TOTP{ID: id.New(), UserID: u.ID, Name: "App", Sealed: []byte{1}, CreatedAt: 1})
	if err != nil {
		w.t.Fatal(err)
	}
}

// require changes the client's required acr.
func (w *world) require(c app, acr string) {
	w.t.Helper()
	err := w.clients.Update(w.t.Context(), tester, c.ClientID, func(c *accounts.Client) error { c.RequiredACR = acr; return nil })
	if err != nil {
		w.t.Fatal(err)
	}
}

// flowAt returns the flow's id in a redirect to a page.
func flowAt(t testing.TB, resp *http.Response, path string) string {
	t.Helper()
	return location(t, resp, issuer+path+"?flow=").Get("flow")
}

func (b *browser) resume(flowID string) *http.Response {
	return b.get(issuer + flow.PathAuthorize + "?flow=" + flowID)
}

// TestStepUp: whoever asks for two factors, the person is led to the second one, and
// the tokens tell of it.
func TestStepUp(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		w := newWorld(t, s)
		w.authenticator(w.user)
		w.allow(w.user, w.web, "openid")
		for name, wish := range map[string][]string{
			"acr_values":            {"acr_values", twoFactors},
			"preferred acr_values":  {"acr_values", "urn:example:gold " + twoFactors + " " + accounts.ACRPassword},
			"essential acr":         {"claims", `{"id_token":{"acr":{"essential":true,"values":["` + twoFactors + `"]}}}`},
			"acr as voluntary wish": {"claims", `{"id_token":{"acr":{"values":["` + twoFactors + `"]}}}`},
		} {
			t.Run(name, func(t *testing.T) {
				b := s.signedIn(w.user)
				request := w.web.request("openid", wish...)
				flowID := flowAt(t, b.authorize(request), flow.PathSecondFactor)
				wantRedirect(t, b.authorize(changed(cloneValues(request), "prompt", "none")), callback, "login_required")
				// Without the factor nothing has changed.
				flowAt(t, b.resume(flowID), flow.PathSecondFactor)

				b.signInBy(w.user, "pwd", "otp", "mfa")
				q := location(t, b.resume(flowID), callback)
				c := claims(t, s.redeem(w.web, q.Get("code")).str("id_token"))
				if diff := cmp.Diff([]any{twoFactors, []any{"pwd", "otp", "mfa"}}, []any{c["acr"], c["amr"]}); diff != "" {
					t.Errorf("ID token (-want +got):\n%s", diff)
				}
			})
		}
	})
}

// TestStepUp_Satisfied: what is reached is not asked for again.
func TestStepUp_Satisfied(t *testing.T) {
	w := newWorld(t, newServer(t, sqliteURL(t)))
	w.authenticator(w.user)
	w.allow(w.user, w.web, "openid")
	essential := func(acr string) []string {
		return []string{"claims", `{"id_token":{"acr":{"essential":true,"value":"` + acr + `"}}}`}
	}
	const one = accounts.ACRPassword
	for name, tt := range map[string]struct {
		amr  []string
		wish []string
		acr  string
	}{
		"a password does for no wish":      {[]string{"pwd"}, nil, one},
		"a password that is wished first":  {[]string{"pwd"}, []string{"acr_values", one + " " + twoFactors}, one},
		"two factors for two":              {[]string{"pwd", "otp", "mfa"}, []string{"acr_values", twoFactors}, twoFactors},
		"a verified passkey for two":       {[]string{"pop", "user", "mfa"}, essential(twoFactors), twoFactors},
		"two factors for a wish of one":    {[]string{"pwd", "pop", "mfa"}, []string{"acr_values", one}, twoFactors},
		"the essential acr is what counts": {[]string{"pwd", "otp", "mfa"}, essential(one), one},
	} {
		t.Run(name, func(t *testing.T) {
			b := w.browser()
			b.signInBy(w.user, tt.amr...)
			a := w.redeem(w.web, b.code(w.web.request("openid", tt.wish...)))
			if got := claims(t, a.str("id_token"))["acr"]; got != tt.acr {
				t.Errorf("acr %v, want %s", got, tt.acr)
			}
		})
	}
}

// TestStepUp_NoFactor: who has none enrols one, unless less will do.
func TestStepUp_NoFactor(t *testing.T) {
	w := newWorld(t, newServer(t, sqliteURL(t)))
	w.allow(w.user, w.web, "openid")
	b := w.signedIn(w.user)
	request := w.web.request("openid", "acr_values", twoFactors)
	flowID := flowAt(t, b.authorize(request), flow.PathEnrolFactor)
	wantRedirect(t, b.authorize(changed(cloneValues(request), "prompt", "none")), callback, "interaction_required")
	b.code(w.web.request("openid", "acr_values", twoFactors+" "+accounts.ACRPassword))

	w.authenticator(w.user)
	flowAt(t, b.resume(flowID), flow.PathSecondFactor)
}

// TestStepUp_MaxAge is the request of RFC 9470 §4: both factors, and lately.
func TestStepUp_MaxAge(t *testing.T) {
	w := newWorld(t, newServer(t, sqliteURL(t)))
	w.authenticator(w.user)
	w.allow(w.user, w.web, "openid")
	b := w.browser()
	b.signInBy(w.user, "pwd", "otp", "mfa")
	request := w.web.request("openid", "acr_values", twoFactors, "max_age", "60")
	b.code(request)
	w.clock.advance(2 * time.Minute)
	flowID := flowAt(t, b.authorize(request), flow.PathSignIn)
	wantRedirect(t, b.authorize(changed(cloneValues(request), "prompt", "none")), callback, "login_required")
	before := w.clock.now().Unix()
	b.signInBy(w.user, "pwd") // in a remembered browser
	flowAt(t, b.resume(flowID), flow.PathSecondFactor)
	b.signInBy(w.user, "pwd", "otp", "mfa")
	q := location(t, b.resume(flowID), callback)
	c := claims(t, w.redeem(w.web, q.Get("code")).str("id_token"))
	if at, _ := c["auth_time"].(float64); int64(at) < before || c["acr"] != twoFactors {
		t.Errorf("ID token: %v", c)
	}
}

// TestStepUp_AccessToken: an API that asks for it is told in access token and
// introspection how the person signed in, also after a refresh.
func TestStepUp_AccessToken(t *testing.T) {
	w := newWorld(t, newServer(t, sqliteURL(t)))
	tell := true
	if _, err := w.apis.Update(t.Context(), tester, posts, accounts.APISettings{AuthenticationClaims: &tell}); err != nil {
		t.Fatal(err)
	}
	w.authenticator(w.user)
	w.allow(w.user, w.web, "openid", "offline_access", "posts:add")
	b := w.browser()
	session := b.signInBy(w.user, "pwd", "otp", "mfa")
	a := w.redeem(w.web, b.code(w.web.request("openid offline_access posts:add", "acr_values", twoFactors)))
	w.clock.advance(time.Minute)
	for name, a := range map[string]answer{"first": a, "refreshed": w.refresh(w.web, a.str("refresh_token"))} {
		told := []map[string]any{claims(t, a.str("access_token")), w.introspect(w.resource, a.str("access_token")).json}
		for _, c := range told {
			got := []any{c["acr"], c["amr"], c["auth_time"]}
			want := []any{twoFactors, []any{"pwd", "otp", "mfa"}, float64(session.AuthTime / 1000)}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	}
}

// TestRequiredACR: a client that requires two factors gets nobody with less, and when
// it begins to, whoever got in with less is out: by each way that leads to a token.
func TestRequiredACR(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		w := newWorld(t, s)
		w.authenticator(w.user)
		w.allow(w.user, w.web, "openid", "offline_access")
		b := w.signedIn(w.user)
		request := w.web.request("openid offline_access")
		unspent := b.code(request)
		weak := w.redeem(w.web, b.code(request))
		if w.introspect(w.web, weak.str("refresh_token")).json["active"] != true {
			t.Fatal(weak.raw)
		}
		strong := w.browser()
		strong.signInBy(w.user, "pwd", "pop", "mfa")
		kept := w.redeem(w.web, strong.code(request))

		w.require(w.web, twoFactors)
		for name, a := range map[string]answer{"code": w.redeem(w.web, unspent), "refresh": w.refresh(w.web, weak.str("refresh_token"))} {
			if wantError(t, a, http.StatusBadRequest, "invalid_grant"); !strings.Contains(a.str("error_description"), "factor") {
				t.Errorf("%s: %s", name, a.raw)
			}
		}
		for _, token := range []string{"access_token", "refresh_token"} {
			if w.introspect(w.web, weak.str(token)).json["active"] != false {
				t.Errorf("the %s of a password is active", token)
			}
		}
		if got := ledgerUserinfo(s, weak.str("access_token")); got != http.StatusUnauthorized {
			t.Errorf("userinfo: %d", got)
		}
		flowAt(t, b.authorize(request), flow.PathSecondFactor)
		if a := w.refresh(w.web, kept.str("refresh_token")); a.status != http.StatusOK {
			t.Errorf("two factors do not do: %s", a.raw)
		}
		w.redeem(w.web, strong.code(request))

		w.require(w.web, "")
		if a := w.refresh(w.web, weak.str("refresh_token")); a.status != http.StatusOK {
			t.Errorf("a password does not do again: %s", a.raw)
		}
	})
}

// TestStrictGroup: members of a group that demands two factors get no code with
// less, from the moment at which it does; what they had goes on.
func TestStrictGroup(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		w := newWorld(t, s)
		w.allow(w.user, w.web, "openid", "offline_access")
		b := w.signedIn(w.user)
		request := w.web.request("openid offline_access")
		before := w.redeem(w.web, b.code(request))

		strict := func(must bool) {
			t.Helper()
			if err := w.groups.SetSecondFactor(t.Context(), tester, "Editors", must); err != nil {
				t.Fatal(err)
			}
		}
		strict(true)
		flowAt(t, b.authorize(request), flow.PathEnrolFactor)
		w.authenticator(w.user)
		flowAt(t, b.authorize(request), flow.PathSecondFactor)
		if a := w.refresh(w.web, before.str("refresh_token")); a.status != http.StatusOK {
			t.Errorf("refresh: %s", a.raw)
		}
		// Somebody outside of the group is not asked, until they are in it.
		w.allow(w.reader, w.web, "openid", "offline_access")
		other := w.signedIn(w.reader)
		other.code(request)
		if err := w.groups.AddMember(t.Context(), tester, "Editors", w.reader.Subject, 0); err != nil {
			t.Fatal(err)
		}
		flowAt(t, other.authorize(request), flow.PathEnrolFactor)
		strict(false)
		b.code(request)
		other.code(request)
	})
}

// TestStaffNeedFactor is the policy for staff and superusers.
func TestStaffNeedFactor(t *testing.T) {
	w := newWorld(t, newServer(t, sqliteURL(t)))
	w.provider.Settings = &accounts.Settings{Policy: accounts.SignInPolicy{StaffNeedFactor: true}}
	w.allow(w.user, w.web, "openid")
	w.allow(w.reader, w.web, "openid")
	request := w.web.request("openid")
	w.signedIn(w.user).code(request)
	for _, promote := range []error{
		w.users.SetStaff(t.Context(), tester, w.user.Subject, true),
		w.users.SetSuperuser(t.Context(), tester, w.reader.Subject, true),
	} {
		if promote != nil {
			t.Fatal(promote)
		}
	}
	flowAt(t, w.signedIn(w.user).authorize(request), flow.PathEnrolFactor)
	flowAt(t, w.signedIn(w.reader).authorize(request), flow.PathEnrolFactor)
}

// TestRequiredActions: what is required comes one after the other, whatever address
// the browser opens in between, and then the request goes on.
func TestRequiredActions(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		w := newWorld(t, s)
		settings := &accounts.Settings{Policy: accounts.SignInPolicy{VerifyEmail: true, TermsVersion: "2026-11"}}
		w.provider.Settings = settings
		w.allow(w.user, w.web, "openid")
		ctx := t.Context()
		must := func(err error) { t.Helper(); ledgerMust(t, err) }
		must(s.users.Require(ctx, tester, w.user.Subject, accounts.ActionAcceptTerms, accounts.ActionEnrolFactor, accounts.ActionChangePassword))
		update := func(f func(u *accounts.User)) {
			t.Helper()
			u, err := s.db.UserBySubject(ctx, w.user.Subject)
			must(err)
			f(u)
			must(s.db.UpdateUser(ctx, u))
		}
		update(func(u *accounts.User) { u.EmailVerified, u.DeleteAt = false, 1 })
		b := w.signedIn(w.user)
		flowID := flowAt(t, b.authorize(w.web.request("openid")), accounts.PathKeepAccount)
		for _, step := range []struct {
			path string
			done func()
		}{
			{accounts.PathKeepAccount, func() { update(func(u *accounts.User) { u.DeleteAt = 0 }) }},
			{flow.PathVerifyEmail, func() { update(func(u *accounts.User) { u.EmailVerified = true }) }},
			{flow.PathNewPassword, func() { update(func(u *accounts.User) { u.Did(accounts.ActionChangePassword) }) }},
			{flow.PathEnrolFactor, func() { w.authenticator(w.user) }},
			{flow.PathTerms, func() {
				update(func(u *accounts.User) { u.TermsVersion = "2026-11"; u.Did(accounts.ActionAcceptTerms) })
			}},
		} {
			flowAt(t, b.resume(flowID), step.path)
			flowAt(t, b.resume(flowID), step.path) // again, or by the back button
			flowAt(t, b.authorize(w.web.request("openid")), step.path)
			wantRedirect(t, b.authorize(w.web.request("openid", "prompt", "none")), callback, "interaction_required")
			step.done()
		}
		if location(t, b.resume(flowID), callback).Get("code") == "" {
			t.Error("no code after all of it")
		}
		settings.Policy.TermsVersion = "2026-12"
		flowAt(t, b.authorize(w.web.request("openid")), flow.PathTerms)
	})
}

// TestPromptCreate is OpenID Connect Initiating User Registration 1.0 §4.
func TestPromptCreate(t *testing.T) {
	for _, signUp := range []bool{true, false} {
		w := newWorld(t, newServer(t, sqliteURL(t)))
		w.provider.Settings = &accounts.Settings{}
		if signUp {
			w.provider.Settings = &accounts.Settings{SignUp: accounts.SignUpOpen}
		}
		w.allow(w.user, w.web, "openid")
		path := flow.PathSignIn
		if signUp {
			path = flow.PathSignUp
		}
		request := w.web.request("openid", "prompt", "create")
		flowAt(t, w.browser().authorize(request), path)
		b := w.signedIn(w.user)
		w.clock.advance(time.Second)
		flowID := flowAt(t, b.authorize(request), path)
		// From the one page to the other: who is signed in is asked all the same.
		key, err := id.Parse(flowID)
		ledgerMust(t, err)
		f, err := w.db.FlowByID(t.Context(), key)
		if err != nil || !f.Reauthenticate {
			t.Errorf("flow %+v, %v", f, err)
		}
		w.clock.advance(time.Second)
		b.signIn(w.user)
		location(t, b.resume(flowID), callback)
		wantRedirect(t, b.authorize(w.web.request("openid", "prompt", "none create")), callback, "invalid_request")

		metadata := w.ask(httptest.NewRequest(http.MethodGet, issuer+"/.well-known/openid-configuration", nil)).json
		values, _ := metadata["prompt_values_supported"].([]any)
		if slices.Contains(values, any("create")) != signUp {
			t.Errorf("sign-up %t: prompt_values_supported %v", signUp, values)
		}
		if diff := cmp.Diff([]any{"aal1", "aal2"}, metadata["acr_values_supported"]); diff != "" {
			t.Errorf("acr_values_supported (-want +got):\n%s", diff)
		}
	}
}

// TestPAR_UnmetACR: a pushed request that cannot be met is refused at once.
func TestPAR_UnmetACR(t *testing.T) {
	w := newWorld(t, newServer(t, sqliteURL(t)))
	a := w.call("/oauth2/par", w.web, w.web.request("openid", "acr_values", "urn:example:gold", "client_id", ""))
	if a.str("error") != "unmet_authentication_requirements" {
		t.Error(a.raw)
	}
}

// TestAssurance_CostsNoStatement: who needs two factors, and has shown them, is
// decided upon as cheaply as everybody else.
func TestAssurance_CostsNoStatement(t *testing.T) {
	w, counted, _ := tailWorld(t)
	authorize := func() int64 {
		t.Helper()
		request := func() {
			if got := w.browser.authorize(w.app.request(benchScope)).Header.Get("Location"); !strings.Contains(got, "code=") {
				t.Fatalf("no code: %s", got)
			}
		}
		request() // reads what has changed
		return counted.of(request)
	}
	before := authorize()
	if _, err := w.groups.Create(t.Context(), tester, "Strict", ""); err != nil {
		t.Fatal(err)
	}
	ledgerMust(t, w.groups.SetSecondFactor(t.Context(), tester, "Strict", true))
	ledgerMust(t, w.groups.AddMember(t.Context(), tester, "Strict", w.user.Subject, 0))
	w.authenticator(w.user)
	if got := w.browser.authorize(w.app.request(benchScope)).Header.Get("Location"); !strings.Contains(got, flow.PathSecondFactor) {
		t.Fatalf("not asked for the second factor: %s", got)
	}
	w.browser.signInBy(w.user, "pwd", "otp", "mfa")
	if after := authorize(); after != before {
		t.Errorf("%d statements, %d without the group", after, before)
	}
}

// TestStepUp_ByMail: a code by mail and one of an app are one kind of factor. Whoever
// demands two does not take them for two, wherever the demand comes from.
func TestStepUp_ByMail(t *testing.T) {
	w := newWorld(t, newServer(t, sqliteURL(t)))
	w.authenticator(w.user)
	w.allow(w.user, w.web, "openid")
	demand := func(must bool) {
		t.Helper()
		ledgerMust(t, w.groups.SetSecondFactor(t.Context(), tester, "Editors", must))
	}
	for name, tt := range map[string]struct {
		set, unset func()
		wish       []string
	}{
		"the request": {func() {}, func() {}, []string{"acr_values", twoFactors}},
		"the client":  {func() { w.require(w.web, twoFactors) }, func() { w.require(w.web, "") }, nil},
		"a group":     {func() { demand(true) }, func() { demand(false) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			tt.set()
			defer tt.unset()
			b := w.browser()
			b.signInBy(w.user, "otp")
			request := w.web.request("openid", tt.wish...)
			flowID := flowAt(t, b.authorize(request), flow.PathSecondFactor)
			wantRedirect(t, b.authorize(changed(cloneValues(request), "prompt", "none")), callback, "login_required")
			flowAt(t, b.resume(flowID), flow.PathSecondFactor)
			b.signInBy(w.user, "pwd", "otp", "mfa")
			location(t, b.resume(flowID), callback)
		})
	}
}
