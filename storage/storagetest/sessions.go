package storagetest

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// Sessions checks the sessions of browsers.
func Sessions(t *testing.T, open Nodes) {
	inWorlds(t, open(t, 1)[0], map[string]func(*testing.T, *World){
		"a session is kept as it was":        sessionIsKept,
		"a session that does not exist":      sessionNotFound,
		"a session of nobody":                sessionOfNobody,
		"the hash of a token is unique":      sessionHashUnique,
		"a touch moves the idle end":         touchMoves,
		"a touch brings nothing back":        touchBringsNothingBack,
		"sessions of a user":                 sessionsOfUser,
		"sessions end by filter":             sessionsEndByFilter,
		"an expired session does not end":    expiredSessionDoesNotEnd,
		"sessions leave with their user":     sessionsLeaveWithUser,
		"a session that is idle can end too": idleSessionEnds,
	})
}

func (w *World) mustStart(tb testing.TB, change func(*accounts.Session)) *accounts.Session {
	tb.Helper()
	s := w.NewSession(w.User.ID)
	change(s)
	if err := w.InsertSession(tb.Context(), s); err != nil {
		tb.Fatal(err)
	}
	return s
}

func asItIs(*accounts.Session) {}

func sessionIsKept(t *testing.T, w *World) {
	want := w.mustStart(t, func(s *accounts.Session) { s.Rev, s.AMR = 4, []string{"pwd", "otp"} })
	got, u, err := w.SessionByToken(t.Context(), want.TokenHash)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("by token (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(w.User, u); diff != "" {
		t.Errorf("user (-want +got):\n%s", diff)
	}
	got, err = w.SessionByID(t.Context(), want.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("by id (-want +got):\n%s", diff)
	}
}

func sessionNotFound(t *testing.T, w *World) {
	if _, _, err := w.SessionByToken(t.Context(), secretHash(66)); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("by token: %v", err)
	}
	if _, err := w.SessionByID(t.Context(), id.New()); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("by id: %v", err)
	}
}

func sessionOfNobody(t *testing.T, w *World) {
	if err := w.InsertSession(t.Context(), w.NewSession(id.New())); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("session of nobody: %v", err)
	}
}

func sessionHashUnique(t *testing.T, w *World) {
	s := w.NewSession(w.User.ID)
	s.TokenHash = w.Session.TokenHash
	if err := w.InsertSession(t.Context(), s); !errors.Is(err, accounts.ErrConflict) {
		t.Errorf("second session of one token: %v", err)
	}
}

func (w *World) session(tb testing.TB, sessionID id.ID) *accounts.Session {
	tb.Helper()
	s, err := w.SessionByID(tb.Context(), sessionID)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func touchMoves(t *testing.T, w *World) {
	if err := w.TouchSession(t.Context(), w.Session.ID, w.At+10, w.At+1010); err != nil {
		t.Fatal(err)
	}
	got := w.session(t, w.Session.ID)
	if got.LastSeenAt != w.At+10 || got.IdleEndsAt != w.At+1010 {
		t.Errorf("seen %d, idle until %d", got.LastSeenAt-w.At, got.IdleEndsAt-w.At)
	}
	// A touch that comes late does not take time back.
	if err := w.TouchSession(t.Context(), w.Session.ID, w.At+5, w.At+1005); err != nil {
		t.Fatal(err)
	}
	if got := w.session(t, w.Session.ID); got.IdleEndsAt != w.At+1010 {
		t.Errorf("idle until %d after a late touch", got.IdleEndsAt-w.At)
	}
}

func touchBringsNothingBack(t *testing.T, w *World) {
	ended := w.mustStart(t, asItIs)
	if _, err := w.EndSessions(t.Context(), accounts.SessionFilter{SessionID: ended.ID}, w.At+1, "sign-out"); err != nil {
		t.Fatal(err)
	}
	expired := w.mustStart(t, func(s *accounts.Session) { s.ExpiresAt = w.At + 10 })
	for name, touch := range map[string]struct {
		session *accounts.Session
		at      int64
	}{
		"ended": {ended, w.At + 20}, "expired": {expired, w.At + 20}, "idle": {w.Session, w.Session.IdleEndsAt},
	} {
		if err := w.TouchSession(t.Context(), touch.session.ID, touch.at, touch.at+1000); err != nil {
			t.Fatal(err)
		}
		if got := w.session(t, touch.session.ID); got.IdleEndsAt != touch.session.IdleEndsAt {
			t.Errorf("%s session was prolonged to %d", name, got.IdleEndsAt-w.At)
		}
	}
}

func sessionsOfUser(t *testing.T, w *World) {
	second := w.mustStart(t, asItIs)
	ended := w.mustStart(t, asItIs)
	w.mustStart(t, func(s *accounts.Session) { s.IdleEndsAt = w.At + 1 })
	w.mustStart(t, func(s *accounts.Session) { s.ExpiresAt = w.At + 1 })
	if err := w.InsertSession(t.Context(), w.NewSession(w.AddUser(t, "other").ID)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.EndSessions(t.Context(), accounts.SessionFilter{SessionID: ended.ID}, w.At, "sign-out"); err != nil {
		t.Fatal(err)
	}
	got, err := w.SessionsOf(t.Context(), w.User.ID, w.At+1)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]accounts.Session{*second, *w.Session}, got); diff != "" {
		t.Errorf("sessions (-want +got):\n%s", diff)
	}
}

func sessionsEndByFilter(t *testing.T, w *World) {
	second := w.mustStart(t, asItIs)
	third := w.mustStart(t, asItIs)
	other := w.AddUser(t, "other")
	if err := w.InsertSession(t.Context(), w.NewSession(other.ID)); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name   string
		filter accounts.SessionFilter
		want   []id.ID
	}{
		{"one of somebody else", accounts.SessionFilter{UserID: other.ID, SessionID: second.ID}, nil},
		{"one", accounts.SessionFilter{UserID: w.User.ID, SessionID: second.ID}, []id.ID{second.ID}},
		{"one again", accounts.SessionFilter{SessionID: second.ID}, nil},
		{"one but itself", accounts.SessionFilter{SessionID: third.ID, Except: third.ID}, nil},
		{"all but one", accounts.SessionFilter{UserID: w.User.ID, Except: third.ID}, []id.ID{w.Session.ID}},
		{"all", accounts.SessionFilter{UserID: w.User.ID}, []id.ID{third.ID}},
		{"all again", accounts.SessionFilter{UserID: w.User.ID}, nil},
	} {
		got, err := w.EndSessions(t.Context(), step.filter, w.At+7, step.name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(step.want, got, anyOrder(), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s ended (-want +got):\n%s", step.name, diff)
		}
	}
	if got := w.session(t, third.ID); got.EndedAt != w.At+7 || got.EndReason != "all" {
		t.Errorf("ended at %d for %q", got.EndedAt, got.EndReason)
	}
	left, err := w.SessionsOf(t.Context(), other.ID, w.At)
	if err != nil || len(left) != 1 {
		t.Errorf("sessions of somebody else: %d, %v", len(left), err)
	}
}

func expiredSessionDoesNotEnd(t *testing.T, w *World) {
	s := w.mustStart(t, func(s *accounts.Session) { s.ExpiresAt = w.At + 5 })
	got, err := w.EndSessions(t.Context(), accounts.SessionFilter{SessionID: s.ID}, w.At+5, "sign-out")
	if err != nil || len(got) != 0 {
		t.Errorf("ended %v, %v", got, err)
	}
}

func idleSessionEnds(t *testing.T, w *World) {
	// To a node whose clock is behind it is not idle yet, and a touch would
	// prolong it.
	got, err := w.EndSessions(t.Context(), accounts.SessionFilter{UserID: w.User.ID}, w.Session.IdleEndsAt+1, "ban")
	if err != nil || !slices.Equal(got, []id.ID{w.Session.ID}) {
		t.Errorf("ended %v, %v", got, err)
	}
}

func sessionsLeaveWithUser(t *testing.T, w *World) {
	if err := w.DeleteUser(t.Context(), w.User.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.SessionByID(t.Context(), w.Session.ID); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("session of a deleted user: %v", err)
	}
}
