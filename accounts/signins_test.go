package accounts_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

func TestSignIns_TwoFactors(t *testing.T) {
	w := newFactorWorld(t)
	u, _, key, _ := w.enrolled("alice")
	p := w.signIn(u, "")
	if p.Token != "" || p.Session != nil || p.Known != "" || p.Device != "" || p.Pending == "" {
		t.Fatalf("before the second factor: %+v", p)
	}
	if p.PendingUntil != w.now().Add(10*time.Minute).UnixMilli() {
		t.Errorf("until %d", p.PendingUntil)
	}
	if _, _, err := w.sessions.Find(t.Context(), p.Pending); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("a pending sign-in is a session: %v", err)
	}
	found, err := w.signIns.Pending(t.Context(), p.Pending)
	w.must(err)
	if found.User.Subject != u.Subject || !found.TOTP || found.Passkeys || found.RecoveryCodes != 10 || found.StepUp {
		t.Errorf("%+v", found)
	}
	code := w.code(key)
	if _, err := w.signIns.Code(t.Context(), p.Pending, "000000", meta("192.0.2.1"), false); !errors.Is(err, accounts.ErrCode) {
		t.Errorf("a wrong code: %v", err)
	}
	if got := w.events(1); got[0] != "user.sign_in.refuse" {
		t.Errorf("a wrong code left %v", got)
	}
	done, err := w.signIns.Code(t.Context(), p.Pending, code[:3]+" "+code[3:], meta("192.0.2.1"), false)
	w.must(err)
	s := done.Session
	if done.Token == "" || done.Known == "" || done.Device != "" || done.Pending != "" {
		t.Errorf("%+v", done)
	}
	if s.ACR != accounts.ACRTwoFactors || !slices.Equal(s.AMR, []string{"pwd", "otp", "mfa"}) || s.AuthTime != w.now().UnixMilli() {
		t.Errorf("session %+v", s)
	}
	if _, found, err := w.sessions.Find(t.Context(), done.Token); err != nil || found.Subject != u.Subject {
		t.Errorf("its session: %v", err)
	}
	w.pass(30 * time.Second)
	if _, err := w.signIns.Code(t.Context(), p.Pending, w.code(key), meta("192.0.2.1"), false); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("spent: %v", err)
	}
}

// What happens to the person between the two factors ends the sign-in (L2).
func TestSignIns_PendingDies(t *testing.T) {
	w := newFactorWorld(t)
	u, session, key, recovery := w.enrolled("alice")
	for _, tt := range []struct {
		name  string
		cause func()
		want  error
	}{
		{"banned", func() { w.must(w.users.Ban(t.Context(), operator(), u.Subject)) }, accounts.ErrBanned},
		{"banned and unbanned", func() {
			w.must(w.users.Ban(t.Context(), operator(), u.Subject))
			w.must(w.users.Unban(t.Context(), operator(), u.Subject))
		}, accounts.ErrNotFound},
		{"signed out everywhere", func() { w.must(w.users.SignOutEverywhere(t.Context(), operator(), u.Subject)) }, accounts.ErrNotFound},
		{"own new password", func() {
			r, err := w.attempt("alice", password, "192.0.2.1")
			w.must(err)
			w.must(w.users.ChangePassword(t.Context(), actorOf(u), r, "another long password", session.ID))
			r, err = w.attempt("alice", "another long password", "192.0.2.1")
			w.must(err)
			w.must(w.users.ChangePassword(t.Context(), actorOf(u), r, password, session.ID))
		}, accounts.ErrNotFound},
		{"password reset", func() { w.must(w.users.SetPassword(t.Context(), operator(), u.Subject, password)) }, accounts.ErrNotFound},
		{"time", func() { w.pass(10 * time.Minute) }, accounts.ErrNotFound},
	} {
		w.must(w.users.Unban(t.Context(), operator(), u.Subject))
		pending := w.signIn(u, "").Pending
		tt.cause()
		before := len(w.events(1000))
		if _, err := w.signIns.Code(t.Context(), pending, w.code(key), meta("192.0.2.1"), true); !errors.Is(err, tt.want) {
			t.Errorf("%s: code: %v", tt.name, err)
		}
		if _, err := w.signIns.RecoveryCode(t.Context(), pending, recovery[0], meta("192.0.2.1")); !errors.Is(err, tt.want) {
			t.Errorf("%s: recovery code: %v", tt.name, err)
		}
		if _, err := w.signIns.Pending(t.Context(), pending); !errors.Is(err, accounts.ErrNotFound) {
			t.Errorf("%s: pending: %v", tt.name, err)
		}
		if got := w.events(1000)[:len(w.events(1000))-before]; len(got) != 0 {
			t.Errorf("%s: events %v", tt.name, got)
		}
	}
	w.must(w.users.Unban(t.Context(), operator(), u.Subject))
	pending := w.signIn(u, "").Pending
	strong, err := w.signIns.Code(t.Context(), w.signIn(u, "").Pending, w.code(key), meta("192.0.2.1"), false)
	w.must(err)
	w.app(u, strong.Session, "another")
	if _, err := w.signIns.Pending(t.Context(), pending); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("after a factor change: %v", err)
	}
	for _, text := range []string{"", "x", pending + "\n", strings.Repeat("A", 43), strings.Repeat("A", 1<<20)} {
		if _, err := w.signIns.Pending(t.Context(), text); !errors.Is(err, accounts.ErrNotFound) {
			t.Errorf("%.10q: %v", text, err)
		}
	}
	// A change of the password elsewhere that is not undone.
	pending = w.signIn(u, "").Pending
	r, err := w.attempt("alice", password, "192.0.2.1")
	w.must(err)
	w.must(w.users.ChangePassword(t.Context(), actorOf(u), r, "another long password", id.ID{}))
	w.pass(30 * time.Second)
	if _, err := w.signIns.Code(t.Context(), pending, w.code(key), meta("192.0.2.1"), false); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("after a change of the password: %v", err)
	}
	if _, err := w.signIns.Proceed(t.Context(), r, meta(""), ""); !errors.Is(err, accounts.ErrCredentials) {
		t.Errorf("the first factor after a change of the password: %v", err)
	}
}

// Attack 208: no way in passes by the second factor.
func TestAttack_208_EveryWayAsks(t *testing.T) {
	w := newFactorWorld(t)
	u, session, key, _ := w.enrolled("alice")
	found, position, err := w.db.UserByLogin(t.Context(), u.UsernameKey)
	w.must(err)
	byMail, err := w.signIns.Proved(t.Context(), found, position, []string{"otp"}, meta("192.0.2.1"), "")
	w.must(err)
	for name, p := range map[string]*accounts.Passage{
		"password": w.signIn(u, ""), "over a session": w.signInOver(u, "", session.ID), "code by mail": byMail,
		"forged device": w.signIn(u, strings.Repeat("A", 64)),
	} {
		if p.Session != nil || p.Token != "" || p.Pending == "" {
			t.Errorf("%s: %+v", name, p)
		}
	}
	done, err := w.signIns.Code(t.Context(), byMail.Pending, w.code(key), meta("192.0.2.1"), false)
	w.must(err)
	// A code by mail and one of an app are one kind of factor.
	if done.Session.ACR != accounts.ACRPassword || !slices.Equal(done.Session.AMR, []string{"otp"}) {
		t.Errorf("session %+v", done.Session)
	}
	if _, err := w.signIns.Raise(t.Context(), done.Session, u, meta("")); !errors.Is(err, accounts.ErrNoFactor) {
		t.Errorf("raise by the same kind: %v", err)
	}
}

// Step-up raises the live session and never lowers it.
func TestSignIns_Raise(t *testing.T) {
	w := newFactorWorld(t)
	u, session, key, recovery := w.enrolled("alice")
	p, err := w.signIns.Code(t.Context(), w.signIn(u, "").Pending, w.code(key), meta("192.0.2.1"), true)
	w.must(err)
	weak := w.signIn(u, p.Device)
	w.pass(time.Hour)
	up, err := w.signIns.Raise(t.Context(), weak.Session, u, meta("192.0.2.1"))
	w.must(err)
	if up.Token != "" || up.Session != nil {
		t.Fatalf("raised without a factor: %+v", up)
	}
	found, err := w.signIns.Pending(t.Context(), up.Pending)
	w.must(err)
	if !found.StepUp || !found.TOTP {
		t.Errorf("%+v", found)
	}
	done, err := w.signIns.Code(t.Context(), up.Pending, w.code(key), meta("192.0.2.1"), false)
	w.must(err)
	s := done.Session
	if s.ID != weak.Session.ID || s.ACR != accounts.ACRTwoFactors || s.AuthTime != w.now().UnixMilli() || s.Rev != weak.Session.Rev || s.ExpiresAt != weak.Session.ExpiresAt {
		t.Errorf("raised %+v\nfrom %+v", s, weak.Session)
	}
	if _, _, err := w.sessions.Find(t.Context(), weak.Token); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("the token from before is still good: %v", err)
	}
	if _, _, err := w.sessions.Find(t.Context(), done.Token); err != nil {
		t.Errorf("the new token: %v", err)
	}
	// Of a session that ends meanwhile nothing is raised, and no code is lost.
	up, err = w.signIns.Raise(t.Context(), s, u, meta("192.0.2.1"))
	w.must(err)
	w.must(w.sessions.SignOut(t.Context(), actorOf(u), u.Subject, s.ID))
	if _, err := w.signIns.RecoveryCode(t.Context(), up.Pending, recovery[0], meta("192.0.2.1")); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("an ended session was raised: %v", err)
	}
	if _, err := w.signIns.Raise(t.Context(), s, u, meta("")); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("raise an ended session: %v", err)
	}
	if list, err := w.factors.List(t.Context(), u); err != nil || list.RecoveryCodes != 10 {
		t.Errorf("%d codes left, %v", list.RecoveryCodes, err)
	}
	bob := w.person("bob")
	if _, err := w.signIns.Raise(t.Context(), w.signIn(bob, "").Session, bob, meta("")); !errors.Is(err, accounts.ErrNoFactor) {
		t.Errorf("raise without a factor: %v", err)
	}
	if _, err := w.signIns.Raise(t.Context(), session, bob, meta("")); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("raise the session of another: %v", err)
	}
}

// Whoever enrols a factor while a password is being proven is asked for it, or their
// change ends the session that began.
func TestSignIns_RaceWithEnrolment(t *testing.T) { withFactorsOnBoth(t, raceWithEnrolment) }

func raceWithEnrolment(t *testing.T, w *factorWorld) {
	for i := range 12 {
		u := w.person(fmt.Sprint("person", i))
		own := w.signIn(u, "").Session
		key, _, sealed, err := w.factors.BeginTOTP(t.Context(), u)
		w.must(err)
		r, err := w.attempt(u.Username, password, "192.0.2.1")
		w.must(err)
		code := w.code(key)
		var p *accounts.Passage
		var wg sync.WaitGroup
		wg.Go(func() {
			var err error
			if p, err = w.signIns.Proceed(t.Context(), r, meta(""), ""); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			if _, err := w.factors.ConfirmTOTP(t.Context(), actorOf(u), own, "", sealed, code); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		if p != nil && p.Session != nil && w.live(p.Session) {
			t.Fatal("a session of one factor lives beside a new factor")
		}
	}
}

// The parameters of the password's hash are renewed on the way to the second factor.
func TestSignIns_Rehash(t *testing.T) {
	w := newFactorWorld(t)
	w.argon()
	u, _, key, _ := w.enrolled("alice")
	stored, err := w.db.UserBySubject(t.Context(), u.Subject)
	w.must(err)
	salt := []byte("sixteen byte salt"[:16])
	encode := base64.RawStdEncoding.EncodeToString
	weak := "$argon2id$v=19$m=4096,t=1,p=1$" + encode(salt) + "$" +
		encode(argon2.IDKey([]byte(password.Reveal()), salt, 1, 4096, 1, 32))
	stored.PasswordHash = weak
	w.must(w.db.UpdateUser(t.Context(), stored))
	p := w.signIn(u, "")
	stored, err = w.db.UserBySubject(t.Context(), u.Subject)
	w.must(err)
	if stored.PasswordHash == weak {
		t.Error("not renewed")
	}
	if _, err := w.signIns.Code(t.Context(), p.Pending, w.code(key), meta("192.0.2.1"), false); err != nil {
		t.Errorf("after the renewal: %v", err)
	}
}

// No secret is kept or told in clear.
func TestSignIns_NoSecrets(t *testing.T) {
	w := newFactorWorld(t)
	u, _, key, recovery := w.enrolled("alice")
	p := w.signIn(u, "")
	code := w.code(key)
	_, _ = w.signIns.Code(t.Context(), p.Pending, "123456", meta("192.0.2.1"), false)
	done, err := w.signIns.Code(t.Context(), p.Pending, code, meta("192.0.2.1"), true)
	w.must(err)
	tail, err := w.db.AuditTail(t.Context(), 1000)
	w.must(err)
	text := fmt.Sprintf("%+v", tail) + w.log.String()
	for name, bad := range map[string]string{
		"secret": key, "code": `"` + code, "wrong code": "123456", "recovery code": recovery[0], "pending": p.Pending, "device": done.Device, "session": done.Token,
	} {
		if strings.Contains(text, bad) {
			t.Errorf("a %s in the log", name)
		}
	}
}
