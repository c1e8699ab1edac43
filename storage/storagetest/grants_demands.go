package storagetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// standingDemands: where a code is issued, the standing tells what is asked of the
// person and what decides it.
func standingDemands(t *testing.T, w *World) {
	u := *w.User
	u.RequiredActions = []accounts.Action{accounts.ActionVerifyEmail, accounts.ActionAcceptTerms}
	u.TermsVersion, u.DeleteAt, u.Staff, u.EmailVerified = "2026-11", w.At+1, true, false
	must(t, w.UpdateUser(t.Context(), &u))
	got := w.standing(t, nil).User
	want := gateUser(&u)
	want.Staff = true
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("user (-want +got):\n%s", diff)
	}
	must(t, w.UpdateUser(t.Context(), w.User))
	if got := w.standing(t, nil).User; got.RequiredActions != nil || got.TermsVersion != "" || got.DeleteAt != 0 || got.Staff {
		t.Errorf("taken back: %+v", got)
	}
}
