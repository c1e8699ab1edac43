package accounts_test

import (
	"errors"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// TestAttack_213_SubNeverComesBack: the sub of somebody who was deleted is nobody
// else's, however it is asked for.
func TestAttack_213_SubNeverComesBack(t *testing.T) {
	w := newWorld(t)
	u, err := w.users.Create(t.Context(), operator(), accounts.NewUser{Username: "gone", Subject: "the-sub"})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.users.Delete(t.Context(), operator(), u.Subject); err != nil {
		t.Fatal(err)
	}
	_, err = w.users.Create(t.Context(), operator(), accounts.NewUser{Username: "another", Subject: "the-sub"})
	if !errors.Is(err, accounts.ErrConflict) {
		t.Errorf("%v, want a conflict", err)
	}
	if _, err := w.users.Create(t.Context(), operator(), accounts.NewUser{Username: "gone"}); err != nil {
		t.Errorf("the username is free again: %v", err)
	}
}
