package accounts_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

func TestSessions_Start(t *testing.T) {
	w := newWorld(t)
	u := w.user("alice")
	r := w.proof(u)
	token, s, err := w.sessions.Start(t.Context(), r, accounts.Meta{UserAgent: "Fire\nfox\x1b[31m " + strings.Repeat("x", 9000), Address: "192.0.2.1"})
	w.must(err)
	if strings.ContainsAny(s.UserAgent, "\n\x1b") || len(s.UserAgent) > 256 {
		t.Errorf("user agent %q", s.UserAgent)
	}
	if string(tokenHash(t, token)) != string(s.TokenHash) {
		t.Error("the hash is not that of the token")
	}
	if s.Rev != r.Position || s.AuthTime != w.now().UnixMilli() {
		t.Errorf("rev %d, auth_time %d", s.Rev, s.AuthTime)
	}
	// Attack 162: never the same id or token twice.
	token2, s2 := w.session(u)
	if token2 == token || s2.ID == s.ID {
		t.Error("a session began with an old id or token")
	}
	after, err := w.db.UserBySubject(t.Context(), u.Subject)
	w.must(err)
	if after.LastSignInAt != w.now().UnixMilli() {
		t.Error("the time of the sign-in was not noted")
	}
	// Signed in again for one app: the others go on, under a new token.
	token3, again, err := w.sessions.Start(t.Context(), w.proof(u), accounts.Meta{Replaces: s2.ID})
	w.must(err)
	if again.ID != s2.ID || token3 == token2 || again.AuthTime < s2.AuthTime || again.ExpiresAt != s2.ExpiresAt {
		t.Errorf("signed in again: %+v", again)
	}
	if _, _, err := w.sessions.Find(t.Context(), token2); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("the old token still opens the session: %v", err)
	}
	if found, _, err := w.sessions.Find(t.Context(), token3); err != nil || found.ID != s2.ID {
		t.Errorf("the new token: %+v, %v", found, err)
	}
	// Attack 163: the browser's earlier session ends, also that of somebody else.
	_, s3, err := w.sessions.Start(t.Context(), w.proof(w.user("bob")), accounts.Meta{Replaces: s.ID})
	w.must(err)
	if _, _, err := w.sessions.Find(t.Context(), token); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("replaced session: %v", err)
	}
	if _, _, err := w.sessions.Start(t.Context(), w.proof(u), accounts.Meta{Replaces: id.New()}); err != nil {
		t.Errorf("an earlier session that is gone: %v", err)
	}
	if got, err := w.db.SessionByID(t.Context(), s3.ID); err != nil || got.EndedAt != 0 {
		t.Errorf("the new session: %+v, %v", got, err)
	}
}

// L2: a proof that was read before its user changed begins no session, however
// late it comes.
func TestSessions_Start_StaleProof(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(w *world, u *accounts.User) error
		want   error
	}{
		"own password changed": {func(w *world, u *accounts.User) error {
			return w.users.ChangePassword(w.t.Context(), operator(), w.proof(u), "another pass", id.ID{})
		}, accounts.ErrCredentials},
		"password reset": {func(w *world, u *accounts.User) error {
			return w.users.SetPassword(w.t.Context(), operator(), u.Subject, "another pass")
		}, accounts.ErrCredentials},
		"signed out everywhere": {func(w *world, u *accounts.User) error {
			return w.users.SignOutEverywhere(w.t.Context(), operator(), u.Subject)
		}, accounts.ErrCredentials},
		"banned": {func(w *world, u *accounts.User) error {
			return w.users.Ban(w.t.Context(), operator(), u.Subject)
		}, accounts.ErrBanned},
		"banned and let in again": {func(w *world, u *accounts.User) error {
			w.must(w.users.Ban(w.t.Context(), operator(), u.Subject))
			return w.users.Unban(w.t.Context(), operator(), u.Subject)
		}, accounts.ErrCredentials},
		"deleted": {func(w *world, u *accounts.User) error {
			return w.users.Delete(w.t.Context(), operator(), u.Subject)
		}, accounts.ErrCredentials},
		"another user's change": {func(w *world, _ *accounts.User) error {
			return w.users.SignOutEverywhere(w.t.Context(), operator(), w.user("bob").Subject)
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			u := w.user("alice")
			r := w.proof(u)
			w.must(tt.change(w, u))
			if _, _, err := w.sessions.Start(t.Context(), r, accounts.Meta{}); !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
}

func TestSessions_Find(t *testing.T) {
	w := newWorld(t)
	u := w.user("alice")
	token, _ := w.session(u)
	find := func() error {
		_, got, err := w.sessions.Find(t.Context(), token)
		if err == nil && got.Subject != u.Subject {
			t.Errorf("user %s", got.Subject)
		}
		return err
	}
	w.must(find())
	// Attack 165.
	for _, bad := range []string{"", "deadbeef", token + "=", token[:42], token + "A", token[:42] + "\n", strings.Repeat("A", 43), strings.Repeat("A", 1<<20)} {
		if _, _, err := w.sessions.Find(t.Context(), bad); !errors.Is(err, accounts.ErrNotFound) {
			t.Errorf("token %.50q: %v", bad, err)
		}
	}
	// Used every 11 hours it lives on, up to its absolute end.
	for range 65 {
		w.pass(11 * time.Hour)
		w.must(find())
	}
	w.pass(11 * time.Hour)
	if err := find(); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("after 30 days: %v", err)
	}
	token, s := w.session(u)
	w.pass(30 * time.Second)
	w.must(find())
	if got, _ := w.db.SessionByID(t.Context(), s.ID); got.LastSeenAt != s.LastSeenAt {
		t.Error("written more than once a minute")
	}
	w.pass(12 * time.Hour)
	if err := find(); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("idle for 12 hours: %v", err)
	}
}

// Attack 213: a user who is banned has no session, whatever the row says.
func TestSessions_Find_Banned(t *testing.T) {
	w := newWorld(t)
	u := w.user("alice")
	token, _ := w.session(u)
	w.must(w.users.Ban(t.Context(), operator(), u.Subject))
	w.must(w.users.Unban(t.Context(), operator(), u.Subject))
	if _, _, err := w.sessions.Find(t.Context(), token); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("a session from before the ban: %v", err)
	}
}

// A session belongs to its user: nobody ends another's by its id.
func TestSessions_End_OfAnother(t *testing.T) {
	w := newWorld(t)
	token, s := w.session(w.user("alice"))
	bob := w.user("bob")
	if err := w.sessions.End(t.Context(), operator(), bob.Subject, s.ID); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("End: %v", err)
	}
	w.must(w.sessions.SignOut(t.Context(), operator(), bob.Subject, s.ID))
	w.must(w.sessions.SignOut(t.Context(), operator(), bob.Subject, id.ID{}))
	if _, _, err := w.sessions.Find(t.Context(), token); err != nil {
		t.Errorf("alice's session: %v", err)
	}
}
