package storagetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// fullUser has something in every column but ValidFrom.
func fullUser(name string) *accounts.User {
	return &accounts.User{
		ID: id.New(), Subject: "sub-" + name, Username: "The " + name, UsernameKey: name,
		Email: name + "@Example.org", EmailKey: name + "@example.org", EmailVerified: true,
		PasswordHash: "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA", Name: "Ünïcode 名前",
		Profile: accounts.Profile{Locale: "de", PhoneVerified: true, Address: &accounts.Address{Country: "Österreich"}},
		Staff:   true, Superuser: true, Demo: true, BannedAt: 1, CreatedAt: 2, UpdatedAt: 3, LastSignInAt: 4,
		RequiredActions: []accounts.Action{accounts.ActionChangePassword, accounts.ActionAcceptTerms},
		TermsVersion:    "2026-11", TermsAcceptedAt: 5, PasswordChangedAt: 6, DeleteAt: 7,
	}
}

func plainUser(name string) *accounts.User {
	return &accounts.User{ID: id.New(), Subject: "sub-" + name, Username: name, UsernameKey: name, CreatedAt: 1, UpdatedAt: 1}
}

func wantUser(t *testing.T, got, want *accounts.User, err error) {
	t.Helper()
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("user (-want +got):\n%s", diff)
	}
}

func userKept(t *testing.T, s Identity) {
	ctx := t.Context()
	full, plain := fullUser("full"), plainUser("plain")
	must(t, s.InsertUser(ctx, full))
	must(t, s.InsertUser(ctx, plain))
	for _, want := range []*accounts.User{full, plain} {
		got, err := s.UserBySubject(ctx, want.Subject)
		wantUser(t, got, want, err)
		must(t, s.InTx(ctx, func(ctx context.Context) error {
			got, err := s.LockUser(ctx, want.Subject)
			wantUser(t, got, want, err)
			return nil
		}))
	}
	_, err := s.UserBySubject(ctx, "nobody")
	wantError(t, err, accounts.ErrNotFound)
	must(t, s.DeleteUser(ctx, full.ID))
	_, err = s.UserBySubject(ctx, full.Subject)
	wantError(t, err, accounts.ErrNotFound)
	wantError(t, s.DeleteUser(ctx, full.ID), accounts.ErrNotFound)
}

// userConflicts: a refused insert leaves the transaction usable.
func userConflicts(t *testing.T, s Identity) {
	ctx := t.Context()
	first := fullUser("first")
	must(t, s.InsertUser(ctx, first))
	for name, spoil := range map[string]func(*accounts.User){
		"username":       func(u *accounts.User) { u.UsernameKey = first.UsernameKey },
		"sub":            func(u *accounts.User) { u.Subject = first.Subject },
		"verified email": func(u *accounts.User) { u.EmailKey, u.EmailVerified = first.EmailKey, true },
		"id":             func(u *accounts.User) { u.ID = first.ID },
	} {
		t.Run(name, func(t *testing.T) {
			must(t, s.InTx(ctx, func(ctx context.Context) error {
				u := plainUser("second")
				spoil(u)
				wantError(t, s.InsertUser(ctx, u), accounts.ErrConflict)
				_, err := s.UserBySubject(ctx, first.Subject)
				return err
			}))
		})
	}
	unverified := plainUser("third")
	unverified.EmailKey = first.EmailKey
	must(t, s.InsertUser(ctx, unverified)) // an address proves nothing before it is verified
	must(t, s.InsertUser(ctx, plainUser("fourth")))
	unverified.EmailVerified = true
	wantError(t, s.UpdateUser(ctx, unverified), accounts.ErrConflict)
}

func userUpdate(t *testing.T, s Identity) {
	ctx := t.Context()
	u := plainUser("before")
	must(t, s.InsertUser(ctx, u))
	want := fullUser("after")
	want.ID, want.Subject, want.CreatedAt = u.ID, u.Subject, u.CreatedAt
	change := *want
	change.ValidFrom, change.Subject, change.CreatedAt = 99, "another", 77 // none of them is written
	must(t, s.UpdateUser(ctx, &change))
	got, err := s.UserBySubject(ctx, u.Subject)
	wantUser(t, got, want, err)
	wantError(t, s.UpdateUser(ctx, plainUser("nobody")), accounts.ErrNotFound)
}

func userLogin(t *testing.T, s Identity) {
	ctx := t.Context()
	u := fullUser("signer")
	must(t, s.InsertUser(ctx, u))
	unverified := plainUser("stranger")
	unverified.EmailKey = "stranger@example.org"
	must(t, s.InsertUser(ctx, unverified))
	for _, key := range []string{"signer", "signer@example.org"} {
		got, position, err := s.UserByLogin(ctx, key)
		wantUser(t, got, u, err)
		if position != 0 {
			t.Errorf("position %d of an empty ledger", position)
		}
	}
	for _, key := range []string{"", "@", "stranger@example.org", "Signer", "signer@example.or_"} {
		_, _, err := s.UserByLogin(ctx, key)
		wantError(t, err, accounts.ErrNotFound)
	}
}

func userList(t *testing.T, s Identity) {
	ctx := t.Context()
	for _, name := range []string{"carol", "alice", "dave", "bob"} {
		must(t, s.InsertUser(ctx, plainUser(name)))
	}
	var names []string
	for after := ""; ; {
		page, err := s.ListUsers(ctx, after, 3)
		must(t, err)
		if len(page) == 0 {
			break
		}
		for _, u := range page {
			names = append(names, u.Username)
		}
		after = page[len(page)-1].UsernameKey
	}
	if diff := cmp.Diff([]string{"alice", "bob", "carol", "dave"}, names); diff != "" {
		t.Error(diff)
	}
}

func superusers(t *testing.T, s Identity) {
	ctx := t.Context()
	proven, secret, ghost, leaver, banned := plainUser("proven"), plainUser("secret"), plainUser("ghost"), plainUser("leaver"), fullUser("banned")
	for _, u := range []*accounts.User{proven, secret, ghost, leaver} {
		u.Superuser = true
	}
	proven.Email, proven.EmailKey, proven.EmailVerified = "p@example.org", "p@example.org", true
	ghost.Email, ghost.EmailKey = "g@example.org", "g@example.org"
	secret.PasswordHash, leaver.PasswordHash, leaver.DeleteAt = banned.PasswordHash, banned.PasswordHash, 7
	other := plainUser("other")
	other.PasswordHash = banned.PasswordHash
	want := []id.ID{proven.ID, secret.ID}
	for _, u := range []*accounts.User{other, ghost, leaver, secret, banned, proven} {
		must(t, s.InsertUser(ctx, u))
	}
	got, err := s.ReadySuperusers(ctx)
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("superusers who can sign in (-want +got):\n%s", diff)
	}
}

// sharedNames: a client_id that is somebody's sub, or the reverse, would let the
// token of one pass for the other's (RFC 9700 §4.15).
func sharedNames(t *testing.T, s Identity) {
	ctx := t.Context()
	u, c := plainUser("x"), plainClient("app")
	must(t, s.InsertUser(ctx, u))
	must(t, s.InsertClient(ctx, c))
	wantError(t, s.InsertClient(ctx, plainClient(u.Subject)), accounts.ErrConflict)
	v := plainUser("y")
	v.Subject = c.ClientID
	wantError(t, s.InsertUser(ctx, v), accounts.ErrConflict)
}

func sharedNamesRace(t *testing.T, s Identity) {
	for round := range 10 {
		name := string(rune('a'+round)) + "-wanted"
		var won atomic.Int64
		var wg sync.WaitGroup
		begin := make(chan struct{})
		for i := range 8 {
			wg.Go(func() {
				<-begin
				var err error
				if i%2 == 0 {
					u := plainUser(id.New().String())
					u.Subject = name
					err = s.InsertUser(t.Context(), u)
				} else {
					err = s.InsertClient(t.Context(), plainClient(name))
				}
				switch {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, accounts.ErrConflict):
					t.Error(err)
				}
			})
		}
		close(begin)
		wg.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d got the name", won.Load())
		}
	}
}
