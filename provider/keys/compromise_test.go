package keys_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/provider/keys"
)

// Attack 111.
func TestCompromise(t *testing.T) {
	t.Run("active", func(t *testing.T) {
		h := newHouse(t)
		bad, next := h.one(t, keys.ES256, keys.Active), h.one(t, keys.ES256, keys.Next)
		if _, err := h.keeper.Compromise(t.Context(), actor, bad.KID, "leaked"); err != nil {
			t.Fatal(err)
		}
		if got := h.one(t, keys.ES256, keys.Active); got.KID != next.KID {
			t.Errorf("%s signs, want %s", got.KID, next.KID)
		}
		h.one(t, keys.ES256, keys.Next)
		if gone := h.one(t, keys.ES256, keys.Gone); gone.KID != bad.KID || len(gone.Sealed) != 0 {
			t.Errorf("%+v", gone)
		}
		s := h.set(t)
		if _, ok := s.Verifier(bad.KID); ok || strings.Contains(string(body(s)), bad.KID) {
			t.Error("the key still verifies or is published")
		}
		if d := cmp.Diff([]string{bad.KID + " leaked"}, h.revoked); d != "" {
			t.Error(d)
		}
		// Again: nothing more to change, but revoked once more.
		changes, err := h.keeper.Compromise(t.Context(), actor, bad.KID, "again")
		if err != nil || len(changes) != 0 || len(h.revoked) != 2 {
			t.Errorf("%v %v %v", changes, err, h.revoked)
		}
	})
	t.Run("next", func(t *testing.T) {
		h := newHouse(t)
		active, bad := h.one(t, keys.PS256, keys.Active), h.one(t, keys.PS256, keys.Next)
		if _, err := h.keeper.Compromise(t.Context(), actor, bad.KID, "leaked"); err != nil {
			t.Fatal(err)
		}
		if h.one(t, keys.PS256, keys.Active).KID != active.KID || h.one(t, keys.PS256, keys.Next).KID == bad.KID {
			t.Error("wrong key removed")
		}
	})
	t.Run("retiring", func(t *testing.T) {
		h := newHouse(t)
		bad := h.one(t, keys.EdDSA, keys.Active)
		if _, err := h.keeper.Rotate(t.Context(), actor, keys.EdDSA, true); err != nil {
			t.Fatal(err)
		}
		changes, err := h.keeper.Compromise(t.Context(), actor, bad.KID, "leaked")
		if err != nil || len(changes) != 1 {
			t.Fatal(changes, err)
		}
	})
	t.Run("damaged", func(t *testing.T) {
		h := newHouse(t)
		bad := h.one(t, keys.ES256, keys.Active)
		h.edit(func(records []keys.Record) []keys.Record {
			for i := range records {
				if records[i].KID == bad.KID {
					records[i].Sealed = []byte("rubbish")
				}
			}
			return records
		})
		if _, err := h.keeper.Compromise(t.Context(), actor, bad.KID, "damaged"); err != nil {
			t.Fatal(err)
		}
		h.set(t)
	})
	t.Run("wrong secret", func(t *testing.T) {
		h := newHouse(t)
		bad := h.one(t, keys.ES256, keys.Active)
		h.keeper.Keyring = newKeyring(t, "other")
		if _, err := h.keeper.Compromise(t.Context(), actor, bad.KID, "x"); !errors.Is(err, keys.ErrCannotOpen) {
			t.Fatal(err)
		}
	})
	t.Run("unknown", func(t *testing.T) {
		h := newHouse(t)
		if _, err := h.keeper.Compromise(t.Context(), actor, "nosuch01", "x"); !errors.Is(err, keys.ErrUnknownKey) {
			t.Fatal(err)
		}
	})
	t.Run("ledger fails", func(t *testing.T) {
		h := newHouse(t)
		bad, change := h.one(t, keys.ES256, keys.Active), h.change
		broken := errors.New("no ledger today")
		h.keeper.Revoke = func(context.Context, string, string) error { return broken }
		if _, err := h.keeper.Compromise(t.Context(), audit.Actor{}, bad.KID, "x"); !errors.Is(err, broken) {
			t.Fatal(err)
		}
		if h.change != change || h.one(t, keys.ES256, keys.Active).KID != bad.KID {
			t.Error("the key went without its row")
		}
	})
}
