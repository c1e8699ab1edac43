package provider_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// TestAttack_168_StepsAreNotSkipped: whatever a browser sends to the flow, the page
// that is due stays due.
func TestAttack_168_StepsAreNotSkipped(t *testing.T) {
	besiegedOnEach(t, func(t *testing.T, w *world) {
		w.authenticator(w.user)
		w.allow(w.user, w.web, "openid")
		ledgerMust(t, w.users.Require(t.Context(), tester, w.reader.Subject, accounts.ActionChangePassword))
		request := w.web.request("openid", "acr_values", twoFactors)
		for name, tt := range map[string]struct {
			browser *browser
			path    string
		}{
			"signed out":       {w.browser(), flow.PathSignIn},
			"no second factor": {w.signedIn(w.user), flow.PathSecondFactor},
			"something to do":  {w.signedIn(w.reader), flow.PathNewPassword},
		} {
			b := tt.browser
			flowID := flowAt(t, b.authorize(request), tt.path)
			for what, resp := range map[string]*http.Response{
				"again":        b.resume(flowID),
				"empty POST":   b.post(flow.PathAuthorize, url.Values{"flow": {flowID}}),
				"a new begin":  b.authorize(request),
				"the POST way": b.post(flow.PathAuthorize, request),
			} {
				t.Run(name+", "+what, func(t *testing.T) { flowAt(t, resp, tt.path) })
			}
			// Somebody else who has done it all does not do it for this browser.
			other := w.browser()
			other.signInBy(w.user, "pwd", "otp", "mfa")
			wantPage(t, other.resume(flowID), http.StatusForbidden)
			// What pages write down about the flow is not taken from a request.
			for _, extra := range []string{"account_chosen_at=1", "consented_by=" + w.user.Subject, "reauthenticate=false", "acr=aal2", "step=issue"} {
				resp := b.get(issuer + flow.PathAuthorize + "?flow=" + flowID + "&" + extra)
				if strings.Contains(resp.Header.Get("Location"), "code=") {
					t.Errorf("%s: a code for %s", name, extra)
				}
			}
		}
	})
}

// TestAttack_199_PendingIsNoSession: who is half-way through a sign-in or a reset has
// nothing that counts as a session.
func TestAttack_199_PendingIsNoSession(t *testing.T) {
	besiegedOnEach(t, func(t *testing.T, w *world) {
		w.authenticator(w.user)
		w.allow(w.user, w.web, "openid")
		raw := secret.Random(32)
		hash := sha256.Sum256(raw)
		now := w.clock.now().UnixMilli()
		ledgerMust(t, w.db.InsertWaiting(t.Context(), &accounts.WaitingSignIn{
			ID: id.New(), TokenHash: hash[:], UserID: w.user.ID, Binding: []byte{1}, AMR: []string{"pwd"}, CreatedAt: now, ExpiresAt: now + 600_000,
		}))
		token := base64.RawURLEncoding.EncodeToString(raw)
		for _, cookie := range []string{flow.PendingCookie, flow.SessionCookie, flow.DeviceCookie} {
			b := w.browser()
			name := w.provider.Cookies.Name(cookie)
			b.cookies[name] = &http.Cookie{Name: name, Value: token}
			flowAt(t, b.authorize(w.web.request("openid")), flow.PathSignIn)
			wantRedirect(t, b.authorize(w.web.request("openid", "prompt", "none")), callback, "login_required")
		}
	})
}

// TestAttack_204_LockedOnEveryGrant: while an account is blocked, nothing that was
// proven for it counts, by whichever grant it comes.
func TestAttack_204_LockedOnEveryGrant(t *testing.T) {
	besiegedOnEach(t, func(t *testing.T, w *world) {
		w.allow(w.user, w.web, "openid", "offline_access")
		request := w.web.request("openid offline_access")
		b := w.signedIn(w.user)
		unspent := b.code(request)
		a := w.redeem(w.web, b.code(request))
		ledgerMust(t, w.users.Ban(t.Context(), tester, w.user.Subject))
		refused := func(what string) {
			t.Helper()
			wantError(t, w.redeem(w.web, unspent), http.StatusBadRequest, "invalid_grant")
			wantError(t, w.refresh(w.web, a.str("refresh_token")), http.StatusBadRequest, "invalid_grant")
			if w.introspect(w.web, a.str("refresh_token")).json["active"] != false {
				t.Errorf("%s: the refresh token is active", what)
			}
			wantUserinfo(t, w, a.str("access_token"), http.StatusUnauthorized)
			flowAt(t, b.authorize(request), flow.PathSignIn)
		}
		refused("blocked")
		ledgerMust(t, w.users.Unban(t.Context(), tester, w.user.Subject))
		refused("no longer blocked") // what it ended stays ended
		w.redeem(w.web, w.signedIn(w.user).code(request))
	})
}

// TestAttack_208_OneFactorIsOne: no way of signing in with one factor reaches what
// needs two, at any endpoint.
func TestAttack_208_OneFactorIsOne(t *testing.T) {
	besiegedOnEach(t, func(t *testing.T, w *world) {
		w.authenticator(w.user)
		w.allow(w.user, w.web, "openid", "offline_access")
		request := w.web.request("openid offline_access")
		for name, amr := range map[string][]string{
			"password, or remembered browser": {"pwd"},
			"code by mail":                    {"otp"},
			"a word that says more":           {"pwd", "mfa"},
			"passkey without verification":    {"pop"},
			"passkey that only says so":       {"pop", "mfa"},
			"two of one kind":                 {"otp", "pop"},
			"nothing":                         nil,
		} {
			t.Run(name, func(t *testing.T) {
				w.require(w.web, "")
				b := w.browser()
				b.signInBy(w.user, amr...)
				unspent, spent := b.code(request), w.redeem(w.web, b.code(request))
				w.require(w.web, twoFactors)
				flowAt(t, b.authorize(request), flow.PathSecondFactor)
				wantRedirect(t, b.authorize(w.web.request("openid", "prompt", "none")), callback, "login_required")
				wantError(t, w.redeem(w.web, unspent), http.StatusBadRequest, "invalid_grant")
				wantError(t, w.refresh(w.web, spent.str("refresh_token")), http.StatusBadRequest, "invalid_grant")
			})
		}
	})
}

// TestAttack_213_DeletedIsDead: nothing of a deleted account works, nor does a later
// account of the same name inherit anything; one that is to be deleted gives apps
// nothing until its person has said that they keep it.
func TestAttack_213_DeletedIsDead(t *testing.T) {
	besiegedOnEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		deletion := &accounts.Deletion{Journal: w.consents.Journal, Users: w.users, Links: accounts.Links{Issuer: issuer}}
		w.allow(w.user, w.web, "openid", "offline_access")
		request := w.web.request("openid offline_access")
		b := w.signedIn(w.user)
		unspent, a := b.code(request), answer{}
		dead := func() {
			t.Helper()
			wantError(t, w.redeem(w.web, unspent), http.StatusBadRequest, "invalid_grant")
			wantError(t, w.refresh(w.web, a.str("refresh_token")), http.StatusBadRequest, "invalid_grant")
			wantUserinfo(t, w, a.str("access_token"), http.StatusUnauthorized)
			flowAt(t, b.authorize(request), flow.PathSignIn)
		}
		a = w.redeem(w.web, b.code(request))
		if _, err := deletion.Plan(ctx, tester, w.user.Subject); err != nil {
			t.Fatal(err)
		}
		dead()
		b.signIn(w.user)
		flowID := flowAt(t, b.authorize(request), accounts.PathKeepAccount)
		wantRedirect(t, b.authorize(w.web.request("openid", "prompt", "none")), callback, "interaction_required")
		ledgerMust(t, deletion.Undo(ctx, tester, w.user.Subject))
		unspent = location(t, b.resume(flowID), callback).Get("code")
		a = w.redeem(w.web, b.code(request))
		if a.status != http.StatusOK {
			t.Fatal(a.raw)
		}

		ledgerMust(t, w.users.Delete(ctx, tester, w.user.Subject))
		dead()
		again := w.person("ada")
		if again.Subject == w.user.Subject || again.ID == w.user.ID {
			t.Error("the sub came again")
		}
		dead()
		b = w.signedIn(again)
		flowAt(t, b.authorize(request), flow.PathConsent)
		wantError(t, w.refresh(w.web, a.str("refresh_token")), http.StatusBadRequest, "invalid_grant")
	})
}

// TestAttack_223_WeakerSignInRaisesNothing: who has shown a passkey and then signs in
// by password alone has a fresh sign-in of one factor, and not of two; and what was
// issued before tells no later time.
func TestAttack_223_WeakerSignInRaisesNothing(t *testing.T) {
	besiegedOnEach(t, func(t *testing.T, w *world) {
		w.authenticator(w.user)
		w.allow(w.user, w.web, "openid", "offline_access")
		b := w.browser()
		first := b.signInBy(w.user, "pwd", "pop", "mfa")
		request := w.web.request("openid offline_access", "acr_values", twoFactors, "max_age", "300")
		a := w.redeem(w.web, b.code(request))
		w.clock.advance(10 * time.Minute)
		flowID := flowAt(t, b.authorize(request), flow.PathSignIn)
		b.signInBy(w.user, "pwd")
		flowAt(t, b.resume(flowID), flow.PathSecondFactor)
		plain := w.redeem(w.web, b.code(w.web.request("openid", "max_age", "300")))
		if c := claims(t, plain.str("id_token")); c["acr"] != accounts.ACRPassword {
			t.Errorf("ID token after the password: %v", c)
		}
		refreshed := w.refresh(w.web, a.str("refresh_token"))
		if c := claims(t, refreshed.str("id_token")); c["auth_time"] != float64(first.AuthTime/1000) || c["acr"] != twoFactors {
			t.Errorf("ID token after the refresh: %v", c)
		}
	})
}
