package accounts_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// TestBanBecause: why somebody was banned stands in the audit log, as something that is
// forgotten with them, and a note that nobody could read is refused.
func TestBanBecause(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	bob := w.user("bob")
	for _, wrong := range []string{strings.Repeat("x", 501), "a\x00b", " "} {
		if err := w.users.BanBecause(ctx, operator(), bob.Subject, wrong); !errors.Is(err, accounts.ErrInvalid) {
			t.Errorf("%.20q: %v", wrong, err)
		}
	}
	w.must(w.users.BanBecause(ctx, operator(), bob.Subject, "sold the keys"))
	tail, err := w.db.AuditTail(ctx, 1)
	w.must(err)
	if len(tail) != 1 || tail[0].Action != "user.ban" || tail[0].Details["note"] != "sold the keys" {
		t.Errorf("event %+v", tail)
	}
}

// TestRequireAlso: what is asked of somebody twice at once is asked.
func TestRequireAlso(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	bob := w.user("bob")
	if err := w.users.RequireAlso(ctx, operator(), bob.Subject, accounts.ActionKeepAccount); !errors.Is(err, accounts.ErrInvalid) {
		t.Errorf("an action that nobody asks for: %v", err)
	}
	if err := w.users.RequireAlso(ctx, operator(), "nobody", accounts.ActionAcceptTerms); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("of nobody: %v", err)
	}
	asked := []accounts.Action{accounts.ActionVerifyEmail, accounts.ActionChangePassword, accounts.ActionEnrolFactor}
	var all sync.WaitGroup
	for _, a := range slices.Concat(asked, asked) {
		all.Go(func() {
			if err := w.users.RequireAlso(ctx, operator(), bob.Subject, a); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	u, err := w.db.UserBySubject(ctx, bob.Subject)
	w.must(err)
	if !slices.Equal(u.RequiredActions, asked) {
		t.Errorf("asked of bob: %v", u.RequiredActions)
	}
}
