package provider_test

import (
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// alive reports what the resource server of posts is told about a token.
func (w *world) alive(token string) bool {
	w.t.Helper()
	return w.introspect(w.resource, token).json["active"] == true
}

const postsScope = "openid offline_access posts:add"

// fresh returns a code that nobody has used.
func (w *world) fresh(c app, changes ...string) string {
	w.t.Helper()
	w.allow(w.user, c, strings.Fields(postsScope)...)
	return w.signedIn(w.user).code(c.request(postsScope, changes...))
}

func TestAttack_042_CodeReusedLater(t *testing.T) {
	for _, later := range []time.Duration{time.Second, time.Hour, 29 * 24 * time.Hour} {
		t.Run(later.String(), func(t *testing.T) {
			w := besieged(t)
			code := w.fresh(w.web)
			won := w.redeem(w.web, code)
			w.clock.advance(later)
			if _, err := w.db.Clean(t.Context(), 100); err != nil {
				t.Fatal(err)
			}
			live := w.refresh(w.web, won.str("refresh_token"))
			if live.status != http.StatusOK || !w.alive(live.str("access_token")) {
				t.Fatalf("before the replay: %s", live.raw)
			}
			wantError(t, w.redeem(w.web, code), http.StatusBadRequest, "invalid_grant")
			if w.alive(live.str("access_token")) {
				t.Error("the access token lives")
			}
			wantError(t, w.refresh(w.web, live.str("refresh_token")), http.StatusBadRequest, "invalid_grant")
		})
	}
}

func TestAttack_043_CodeOfAnotherClient(t *testing.T) {
	w := besieged(t)
	code := w.fresh(w.web)
	other := w.register(accounts.Registration{Name: "Other", Type: accounts.WebClient, RedirectURIs: []string{callback}})
	w.untouched(func() {
		for _, thief := range []app{other, w.spa} {
			wantError(t, w.redeem(thief, code, "redirect_uri", callback), http.StatusBadRequest, "invalid_grant")
		}
		wantError(t, w.call("/oauth2/token", w.machine, url.Values{"grant_type": {"authorization_code"}, "code": {code}, "code_verifier": {verifier}}),
			http.StatusBadRequest, "unauthorized_client")
	})
	a := w.redeem(w.web, code)
	if a.status != http.StatusOK {
		t.Fatalf("the code was burned: %s", a.raw)
	}
	// Nor does a replay by another client end what the owner got (P13).
	w.untouched(func() {
		wantError(t, w.redeem(other, code, "redirect_uri", callback), http.StatusBadRequest, "invalid_grant")
	})
	if !w.alive(a.str("access_token")) {
		t.Error("another client's replay ended the grant")
	}
}

func TestAttack_044_EachConditionAlone(t *testing.T) {
	w := besieged(t)
	expired := w.fresh(w.web)
	w.clock.advance(60 * time.Second)
	wantError(t, w.redeem(w.web, expired), http.StatusBadRequest, "invalid_grant")
	wantError(t, w.redeem(w.spa, w.fresh(w.web), "redirect_uri", callback), http.StatusBadRequest, "invalid_grant")
}

func TestAttack_045_FailedAttemptFirst(t *testing.T) {
	w := besieged(t)
	code := w.fresh(w.web)
	w.untouched(func() {
		for name, value := range map[string]string{"code_verifier": "", "redirect_uri": "https://evil.example/"} {
			wantError(t, w.redeem(w.web, code, name, value), http.StatusBadRequest, "invalid_grant")
		}
		wantError(t, w.redeem(w.web, code, "code_verifier", strings.Repeat("x", 43)), http.StatusBadRequest, "invalid_grant")
		wantError(t, w.redeem(w.web, code, "resource", "https://unknown.example"), http.StatusBadRequest, "invalid_target")
	})
	if a := w.redeem(w.web, code); a.status != http.StatusOK {
		t.Errorf("the honest client: %s", a.raw)
	}
}

// spoiled are a token's near neighbours: none of them may be taken for it.
func spoiled(token string) map[string]string {
	prefix, rest := token[:4], token[4:]
	raw, _ := base64.RawURLEncoding.DecodeString(rest)
	flip := func(at int) string {
		b := append([]byte(nil), raw...)
		b[at] ^= 1
		return prefix + base64.RawURLEncoding.EncodeToString(b)
	}
	// The last character carries bits that mean nothing, if any.
	last := rest[:len(rest)-1] + string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[(strings.IndexByte(
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", rest[len(rest)-1])+1)%64])
	others := map[string]string{
		"046 grant edited": flip(0), "046 secret edited": flip(20), "046 end edited": flip(len(raw) - 1), "046 other grant": prefix +
			base64.RawURLEncoding.EncodeToString(append(append([]byte(nil), newID()...), raw[16:]...)),
		"048 cut": token[:len(token)-1], "048 extended": token + "A", "048 newline": token + "\n", "048 space": " " + token, "048 padded": token + "=",
		"048 inner newline": token[:20] + "\n" + token[20:], "048 last bits": prefix + last, "048 no prefix": rest, "048 two prefixes": prefix + token,
		"048 case": strings.ToUpper(prefix) + rest, "048 prefix alone": prefix, "048 long": token + strings.Repeat("A", 30000),
		"048 other alphabet": prefix + strings.NewReplacer("-", "+", "_", "/").Replace(rest) + "!", "048 standard": prefix + base64.StdEncoding.EncodeToString(raw),
	}
	maps.DeleteFunc(others, func(_, v string) bool { return v == token }) // the two alphabets may agree
	return others
}

func newID() []byte {
	made := id.New()
	return made[:]
}

func TestAttack_046_and_048_SpoiledCodes(t *testing.T) {
	w := besieged(t)
	code := w.fresh(w.web)
	w.untouched(func() {
		for name, other := range spoiled(code) {
			if a := w.redeem(w.web, other); a.status != http.StatusBadRequest || a.str("error") != "invalid_grant" {
				t.Errorf("%s: %d %s", name, a.status, a.raw)
			}
		}
	})
	if a := w.redeem(w.web, code); a.status != http.StatusOK {
		t.Errorf("the code itself: %s", a.raw)
	}
}

func TestAttack_049_and_052_Verifiers(t *testing.T) {
	w := besieged(t)
	c, code := w.web, w.fresh(w.web)
	for name, v := range map[string]string{
		"049 none": "", "052 challenge": challengeOf(verifier), "052 short": verifier[:42], "052 long": verifier + strings.Repeat("a", 129-43),
		"052 characters": verifier[:42] + "+", "052 newline": verifier + "\n", "052 extended": verifier + "A", "052 case": strings.ToLower(verifier),
	} {
		if a := w.redeem(c, code, "code_verifier", v); a.status != http.StatusBadRequest || a.str("error") != "invalid_grant" {
			t.Errorf("%s: %d %s", name, a.status, a.raw)
		}
	}
	if a := w.redeem(c, code); a.status != http.StatusOK {
		t.Errorf("the verifier itself: %s", a.raw)
	}
}

// withoutPKCE registers an old confidential client.
func (w *world) withoutPKCE() app {
	w.t.Helper()
	return w.register(accounts.Registration{
		Name: "Old", Type: accounts.WebClient, RedirectURIs: []string{callback}, WithoutPKCE: true, Scopes: strings.Fields(postsScope),
	})
}

func TestAttack_050_VerifierWithoutChallenge(t *testing.T) {
	w := besieged(t)
	old := w.withoutPKCE()
	code := w.fresh(old, "code_challenge", "", "code_challenge_method", "")
	wantError(t, w.redeem(old, code), http.StatusBadRequest, "invalid_grant")
	if a := w.redeem(old, code, "code_verifier", ""); a.status != http.StatusOK {
		t.Errorf("without a verifier: %s", a.raw)
	}
	// A client that may do without is held to a challenge that it sent.
	code = w.fresh(old)
	wantError(t, w.redeem(old, code, "code_verifier", ""), http.StatusBadRequest, "invalid_grant")
}

func TestAttack_051_ChallengeMethods(t *testing.T) {
	w := besieged(t)
	b := w.signedIn(w.user)
	for _, c := range []app{w.web, w.withoutPKCE()} {
		for name, change := range map[string][]string{
			"plain": {"code_challenge_method", "plain", "code_challenge", verifier}, "unknown": {"code_challenge_method", "S512"},
			"missing": {"code_challenge_method", ""}, "lower case": {"code_challenge_method", "s256"}, "short": {"code_challenge", challengeOf(verifier)[:42]},
			"padded": {"code_challenge", challengeOf(verifier) + "="}, "characters": {"code_challenge", strings.Repeat("+", 43)},
			"method alone": {"code_challenge", ""},
		} {
			t.Run(c.Name+" "+name, func(t *testing.T) {
				wantRedirect(t, b.authorize(c.request("openid", change...)), callback, "invalid_request")
			})
		}
	}
	wantRedirect(t, b.authorize(w.web.request("openid", "code_challenge", "", "code_challenge_method", "")), callback, "invalid_request")
}

// causes end what a person gave a client.
func (w *world) causes() map[string]func(u *accounts.User, c app, b *browser) error {
	ctx := w.t.Context()
	return map[string]func(u *accounts.User, c app, b *browser) error{
		"banned":  func(u *accounts.User, _ app, _ *browser) error { return w.users.Ban(ctx, tester, u.Subject) },
		"deleted": func(u *accounts.User, _ app, _ *browser) error { return w.users.Delete(ctx, tester, u.Subject) },
		"everywhere": func(u *accounts.User, _ app, _ *browser) error {
			return w.users.SignOutEverywhere(ctx, tester, u.Subject)
		},
		"banned and unbanned": func(u *accounts.User, _ app, _ *browser) error {
			if err := w.users.Ban(ctx, tester, u.Subject); err != nil {
				return err
			}
			return w.users.Unban(ctx, tester, u.Subject)
		},
		"disconnected": func(u *accounts.User, c app, _ *browser) error {
			return w.consents.Disconnect(ctx, tester, u, c.Client)
		},
		"disabled":    func(_ *accounts.User, c app, _ *browser) error { return w.clients.Disable(ctx, tester, c.ClientID) },
		"client gone": func(_ *accounts.User, c app, _ *browser) error { return w.clients.Delete(ctx, tester, c.ClientID) },
		"compromised": func(_ *accounts.User, c app, _ *browser) error {
			return w.clients.Compromised(ctx, tester, c.ClientID)
		},
	}
}

func TestAttack_056_EndedBeforeRedemption(t *testing.T) {
	w := besieged(t)
	cases := w.causes()
	cases["signed out"] = func(u *accounts.User, _ app, b *browser) error {
		s, _, err := w.sessions.Find(t.Context(), b.cookies[w.provider.Cookies.Name("session")].Value)
		if err != nil {
			return err
		}
		return w.sessions.SignOut(t.Context(), tester, u.Subject, s.ID)
	}
	for name, end := range cases {
		t.Run(name, func(t *testing.T) {
			u := w.person("code" + strings.ReplaceAll(name, " ", ""))
			c := w.register(accounts.Registration{Name: name, Type: accounts.SPAClient, RedirectURIs: []string{callback}})
			w.allow(u, c, "openid", "offline_access")
			b := w.signedIn(u)
			code := b.code(c.request("openid offline_access"))
			if err := end(u, c, b); err != nil {
				t.Fatal(err)
			}
			a := w.redeem(c, code)
			if a.status != http.StatusBadRequest && a.status != http.StatusUnauthorized || a.str("error") != "invalid_grant" && a.str("error") != "invalid_client" {
				t.Errorf("%d %s", a.status, a.raw)
			}
		})
	}
}

// A client whose answer was lost after the commit has lost its code: to answer
// again would make codes reusable. The replay ends the grant like any other.
func TestAttack_057_LostAnswer(t *testing.T) {
	w := besieged(t)
	code := w.fresh(w.web)
	lost := w.redeem(w.web, code)
	wantError(t, w.redeem(w.web, code), http.StatusBadRequest, "invalid_grant")
	if w.alive(lost.str("access_token")) {
		t.Error("the first answer's token lives")
	}
}
