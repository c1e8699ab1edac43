package storagetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/provider/keys"
)

// SigningKeys is what the contract of signing keys is about.
type SigningKeys interface {
	keys.Store
	keys.Source
}

// Keys is the contract of keys.Store. open returns an empty database for the test
// that it is called with.
func Keys(t *testing.T, open func(t *testing.T) SigningKeys) {
	t.Helper()
	t.Run("Kept", func(t *testing.T) { keysKept(t, open(t)) })
	t.Run("Lock", func(t *testing.T) { keysLock(t, open(t)) })
}

func keysKept(t *testing.T, s SigningKeys) {
	ctx := t.Context()
	none, counter, err := s.Keys(ctx)
	if len(none) != 0 || counter != 0 || err != nil {
		t.Fatalf("keys of an empty database: %v, %d, %v", none, counter, err)
	}
	first := keys.Record{
		KID: "k2", Algorithm: keys.ES256, State: keys.Active, Sealed: []byte{0, 1, 255}, Public: []byte(`{"kty":"EC"}`),
		CreatedAt: 1, PublishedAt: 2, ActivatedAt: 3, RetiredAt: 4, GoneAt: 5,
	}
	second := keys.Record{KID: "k1", Algorithm: keys.RS256, State: keys.Next, Public: []byte(`{}`), CreatedAt: 6}
	must(t, s.InsertKey(ctx, second))
	must(t, s.InsertKey(ctx, first))
	wantError(t, s.InsertKey(ctx, first), accounts.ErrConflict)
	wantKeys(t, s, 2, first, second)
	first.State, first.Sealed, first.Public, first.RetiredAt, first.GoneAt = keys.Gone, nil, []byte(`{"x":1}`), 7, 8
	must(t, s.UpdateKey(ctx, first))
	wantKeys(t, s, 3, first, second)
	unknown := first
	unknown.KID = "k3"
	wantError(t, s.UpdateKey(ctx, unknown), accounts.ErrNotFound)
	wantKeys(t, s, 3, first, second)
}

func wantKeys(t *testing.T, s SigningKeys, counter int64, want ...keys.Record) {
	t.Helper()
	got, at, err := s.Keys(t.Context())
	must(t, err)
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" || at != counter {
		t.Errorf("change counter %d, want %d; keys (-want +got):\n%s", at, counter, diff)
	}
	if at, err = s.Change(t.Context()); at != counter || err != nil {
		t.Errorf("change counter %d, %v", at, err)
	}
}

// keysLock: of several nodes that start at once and find no key, one makes it.
func keysLock(t *testing.T, s SigningKeys) {
	if err := s.LockKeys(t.Context()); err == nil {
		t.Error("locked outside a transaction")
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			err := s.InTx(t.Context(), func(ctx context.Context) error {
				if err := s.LockKeys(ctx); err != nil {
					return err
				}
				have, _, err := s.Keys(ctx)
				if err != nil || len(have) > 0 {
					return err
				}
				return s.InsertKey(ctx, keys.Record{KID: fmt.Sprint(i), Algorithm: keys.ES256, State: keys.Active})
			})
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if have, _, err := s.Keys(t.Context()); len(have) != 1 || err != nil {
		t.Errorf("%d keys were made, %v", len(have), err)
	}
}
