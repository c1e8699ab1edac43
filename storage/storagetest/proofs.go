package storagetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// Entrance is what the contract of proofs and of the first run is about.
type Entrance interface {
	Identity
	accounts.ProofStore
	accounts.SetupStore
}

// Proofs is the contract of what mails prove and of the first run. open returns an
// empty database for the test that it is called with.
func Proofs(t *testing.T, open func(t *testing.T) Entrance) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Entrance){
		"Kept":        proofKept,
		"Newer":       proofNewer,
		"NewerRace":   proofNewerRace,
		"Open":        proofsOpen,
		"Spend":       proofSpend,
		"SpendRace":   proofSpendRace,
		"TryRace":     proofTryRace,
		"UserDeleted": proofUserDeleted,
		"Setup":       setupKept,
		"SetupRace":   setupRace,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func newProof(purpose accounts.Purpose, email string, userID id.ID) *accounts.Proof {
	return &accounts.Proof{
		ID: id.New(), Purpose: purpose, UserID: userID, EmailKey: email, SecretHash: []byte("secret"), CodeHash: []byte("code"),
		BrowserHash: []byte("browser"), Binding: []byte("binding"), Data: []byte("data"), CreatedAt: 100, ExpiresAt: 1000,
	}
}

func live(t *testing.T, s Entrance, p *accounts.Proof) bool {
	t.Helper()
	got, err := s.ProofByID(t.Context(), p.ID)
	must(t, err)
	return got.Live(101)
}

func proofKept(t *testing.T, s Entrance) {
	u := plainUser("ada")
	must(t, s.InsertUser(t.Context(), u))
	for _, want := range []*accounts.Proof{newProof("reset", "ada@example.org", u.ID), newProof("sign-up", "new@example.org", id.ID{})} {
		must(t, s.InsertProof(t.Context(), want))
		got, err := s.ProofByID(t.Context(), want.ID)
		must(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("proof (-want +got):\n%s", diff)
		}
	}
	_, err := s.ProofByID(t.Context(), id.New())
	wantError(t, err, accounts.ErrNotFound)
}

func proofsOpen(t *testing.T, s Entrance) {
	ctx := t.Context()
	late, other, spent := newProof("invitation", "d@x.org", id.ID{}), newProof("sign-up", "b@x.org", id.ID{}), newProof("invitation", "c@x.org", id.ID{})
	late.ExpiresAt = 200
	for _, p := range []*accounts.Proof{late, other, spent} {
		must(t, s.InsertProof(ctx, p))
	}
	must(t, s.SpendProof(ctx, spent.ID, spent.Binding, 150))
	var want []accounts.Proof
	for _, email := range []string{"a@x.org", "e@x.org", "f@x.org"} {
		p := newProof("invitation", email, id.ID{})
		must(t, s.InsertProof(ctx, p))
		want = append(want, *p)
	}
	var got []accounts.Proof
	for after := ""; ; after = got[len(got)-1].EmailKey {
		page, err := s.OpenProofs(ctx, "invitation", after, 2, 200)
		must(t, err)
		if got = append(got, page...); len(page) == 0 {
			break
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("open proofs, page by page (-want +got):\n%s", diff)
	}
}

// proofNewer: a newer proof makes older ones of the same purpose, address and user
// void, and no others.
func proofNewer(t *testing.T, s Entrance) {
	u, v := plainUser("ada"), plainUser("bob")
	must(t, s.InsertUser(t.Context(), u))
	must(t, s.InsertUser(t.Context(), v))
	old := newProof("reset", "a@x.org", u.ID)
	stranger := newProof("reset", "a@x.org", id.ID{})
	others := []*accounts.Proof{
		newProof("verify", "a@x.org", u.ID), newProof("reset", "b@x.org", u.ID), newProof("reset", "a@x.org", v.ID), stranger,
	}
	for _, p := range append(others, old) {
		must(t, s.InsertProof(t.Context(), p))
	}
	if got, err := s.OpenProof(t.Context(), "reset", "a@x.org"); err != nil || got.ID != stranger.ID {
		t.Errorf("open: %+v, %v", got, err)
	}
	_, err := s.OpenProof(t.Context(), "verify", "a@x.org") // which is a user's
	wantError(t, err, accounts.ErrNotFound)
	must(t, s.InsertProof(t.Context(), newProof("reset", "a@x.org", u.ID)))
	if live(t, s, old) {
		t.Error("the older proof is still good")
	}
	if got, err := s.ProofByID(t.Context(), old.ID); err != nil || len(got.Data) != 0 {
		t.Errorf("a void proof keeps %q, %v", got.Data, err)
	}
	for i, p := range others {
		if !live(t, s, p) {
			t.Errorf("proof %d of something else was made void", i)
		}
	}
	newer := newProof("reset", "a@x.org", id.ID{})
	must(t, s.InsertProof(t.Context(), newer))
	if live(t, s, stranger) {
		t.Error("the older proof without a user is still good")
	}
	if got, err := s.OpenProof(t.Context(), "reset", "a@x.org"); err != nil || got.ID != newer.ID {
		t.Errorf("open: %+v, %v", got, err)
	}
	must(t, s.SpendProof(t.Context(), newer.ID, newer.Binding, 101))
	_, err = s.OpenProof(t.Context(), "reset", "a@x.org")
	wantError(t, err, accounts.ErrNotFound)
}

func proofNewerRace(t *testing.T, s Entrance) {
	for round := range 5 {
		email := fmt.Sprintf("race%d@example.org", round)
		proofs := make([]*accounts.Proof, 8)
		together(len(proofs), func(i int) {
			proofs[i] = newProof("sign-up", email, id.ID{})
			if err := s.InsertProof(t.Context(), proofs[i]); err != nil {
				t.Error(err)
			}
		})
		left := 0
		for _, p := range proofs {
			if live(t, s, p) {
				left++
			}
		}
		if left != 1 {
			t.Fatalf("%d proofs of one address are good", left)
		}
	}
}

func proofSpend(t *testing.T, s Entrance) {
	ctx := t.Context()
	p := newProof("reset", "a@x.org", id.ID{})
	must(t, s.InsertProof(ctx, p))
	wantError(t, s.SpendProof(ctx, p.ID, []byte("another"), 500), accounts.ErrNotFound)
	wantError(t, s.SpendProof(ctx, p.ID, p.Binding, 1000), accounts.ErrNotFound) // expired
	wantError(t, s.SpendProof(ctx, id.New(), p.Binding, 500), accounts.ErrNotFound)
	undo := errors.New("undo")
	wantError(t, s.InTx(ctx, func(ctx context.Context) error {
		must(t, s.SpendProof(ctx, p.ID, p.Binding, 500))
		return undo
	}), undo)
	must(t, s.SpendProof(ctx, p.ID, p.Binding, 999))
	if got, err := s.ProofByID(ctx, p.ID); err != nil || got.SpentAt != 999 || len(got.Data) != 0 {
		t.Errorf("a spent proof %+v, %v", got, err)
	}
	wantError(t, s.SpendProof(ctx, p.ID, p.Binding, 999), accounts.ErrNotFound)
	_, err := s.TryProof(ctx, p.ID, 5, 999)
	wantError(t, err, accounts.ErrNotFound)
}

func proofSpendRace(t *testing.T, s Entrance) {
	for range 5 {
		p := newProof("reset", "a@x.org", id.ID{})
		must(t, s.InsertProof(t.Context(), p))
		var won atomic.Int64
		together(16, func(int) {
			switch err := s.SpendProof(t.Context(), p.ID, p.Binding, 500); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, accounts.ErrNotFound):
				t.Error(err)
			}
		})
		if won.Load() != 1 {
			t.Fatalf("spent %d times", won.Load())
		}
	}
}

func proofTryRace(t *testing.T, s Entrance) {
	p := newProof("code", "a@x.org", id.ID{})
	must(t, s.InsertProof(t.Context(), p))
	if _, err := s.TryProof(t.Context(), p.ID, 5, 1000); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("an expired proof was tried: %v", err)
	}
	var sum, won atomic.Int64
	together(16, func(int) {
		switch n, err := s.TryProof(t.Context(), p.ID, 5, 500); {
		case err == nil:
			won.Add(1)
			sum.Add(int64(n))
		case !errors.Is(err, accounts.ErrNotFound):
			t.Error(err)
		}
	})
	if won.Load() != 5 || sum.Load() != 1+2+3+4+5 {
		t.Fatalf("%d tries, numbered to %d", won.Load(), sum.Load())
	}
}

func proofUserDeleted(t *testing.T, s Entrance) {
	u := plainUser("ada")
	must(t, s.InsertUser(t.Context(), u))
	p := newProof("reset", "a@x.org", u.ID)
	must(t, s.InsertProof(t.Context(), p))
	must(t, s.DeleteUser(t.Context(), u.ID))
	_, err := s.ProofByID(t.Context(), p.ID)
	wantError(t, err, accounts.ErrNotFound)
	wantError(t, s.InsertProof(t.Context(), newProof("reset", "a@x.org", u.ID)), accounts.ErrNotFound)
}

func setupKept(t *testing.T, s Entrance) {
	ctx := t.Context()
	wantError(t, s.EndSetup(ctx, "one"), accounts.ErrNotFound)
	for _, value := range []string{"one", "two"} {
		kept, err := s.BeginSetup(ctx, value)
		must(t, err)
		if kept != "one" {
			t.Errorf("kept %q, want the first", kept)
		}
	}
	if has, err := s.HasUsers(ctx); has || err != nil {
		t.Errorf("users in an empty database: %v, %v", has, err)
	}
	wantError(t, s.EndSetup(ctx, "two"), accounts.ErrNotFound)
	u := plainUser("ada")
	must(t, s.InsertUser(ctx, u))
	if has, err := s.HasUsers(ctx); !has || err != nil {
		t.Errorf("no users with one: %v, %v", has, err)
	}
	wantError(t, s.EndSetup(ctx, "one"), accounts.ErrNotFound)
	must(t, s.DeleteUser(ctx, u.ID))
	must(t, s.EndSetup(ctx, "one"))
	_, err := s.Setup(ctx)
	wantError(t, err, accounts.ErrNotFound)
}

func setupRace(t *testing.T, s Entrance) {
	kept, err := s.BeginSetup(t.Context(), "value")
	must(t, err)
	var won atomic.Int64
	together(16, func(i int) {
		err := s.InTx(t.Context(), func(ctx context.Context) error {
			if err := s.EndSetup(ctx, kept); err != nil {
				return err
			}
			return s.InsertUser(ctx, plainUser(fmt.Sprintf("first%d", i)))
		})
		switch {
		case err == nil:
			won.Add(1)
		case !errors.Is(err, accounts.ErrNotFound):
			t.Error(err)
		}
	})
	if won.Load() != 1 {
		t.Fatalf("%d first users", won.Load())
	}
}

// together calls f n times at once.
func together(n int, f func(i int)) {
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-begin
			f(i)
		})
	}
	close(begin)
	wg.Wait()
}
