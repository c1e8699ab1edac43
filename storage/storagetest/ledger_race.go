package storagetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// ledgerWriters: positions have no gaps and are in commit order: whoever reads
// the head finds every row up to it, then and for ever.
func ledgerWriters(t *testing.T, l Ledger) {
	writers, each := 8, size(25, 500)
	done := make(chan struct{})
	var wg, reader sync.WaitGroup
	reader.Go(func() { followWithoutGaps(t, l, done) })
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				err := l.InTx(t.Context(), func(ctx context.Context) error {
					if err := l.Append(ctx, revocation.Entry{Kind: revocation.User, Key: fmt.Sprintf("%d-%d", w, i)}); err != nil {
						return err
					}
					if i%3 == 0 { // a block of two
						return l.Append(ctx, revocation.Entry{Kind: revocation.Session, Key: fmt.Sprintf("%d-%d", w, i)})
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	close(done)
	reader.Wait()
	want := writers * (each + (each+2)/3)
	if rows := rowsAfter(t, l, 0); len(rows) != want || rows[want-1].Position != int64(want) {
		t.Errorf("%d rows, want %d", len(rows), want)
	}
}

// followWithoutGaps reads the ledger as a node does, until done is closed.
func followWithoutGaps(t *testing.T, l Ledger, done <-chan struct{}) {
	var last int64
	for {
		select {
		case <-done:
			return
		default:
		}
		h, err := l.Head(t.Context())
		if err != nil {
			t.Error(err)
			return
		}
		rows, err := l.After(t.Context(), last, 10_000)
		if err != nil {
			t.Error(err)
			return
		}
		for _, r := range rows {
			if r.Position != last+1 {
				t.Errorf("position %d after %d", r.Position, last)
				return
			}
			last = r.Position
		}
		if last < h.Position {
			t.Errorf("the head was %d, but there were rows up to %d only", h.Position, last)
			return
		}
	}
}

// ledgerSnapshot: a user is banned and let in again, over and over, each ban with
// its row, while others mint by the statement that returns the user and the head.
// No mint may see the user unbanned at a position at which a ban was in force: its
// token would outlive the ban (L9).
func ledgerSnapshot(t *testing.T, l Ledger) {
	u := newUser(t, l, "x")
	bans := size(40, 3000)
	var stop atomic.Bool
	var wg sync.WaitGroup
	type mint struct{ rev int64 }
	minted := make([][]mint, 4)
	for i := range minted {
		wg.Go(func() {
			for !stop.Load() {
				got, position, err := l.UserByLogin(t.Context(), "x")
				if err != nil {
					t.Error(err)
					return
				}
				if got.Active() {
					minted[i] = append(minted[i], mint{position})
				}
			}
		})
	}
	set := func(bannedAt int64) int64 {
		must(t, l.InTx(t.Context(), func(ctx context.Context) error {
			locked, err := l.LockUser(ctx, u.Subject)
			if err != nil {
				return err
			}
			locked.BannedAt = bannedAt
			// The row is queued first: where it stands in the function must not matter.
			if err := l.Append(ctx, revocation.Entry{Kind: revocation.User, Key: u.Subject, Reason: fmt.Sprint(bannedAt)}); err != nil {
				return err
			}
			return l.UpdateUser(ctx, locked)
		}))
		return head(t, l).Position
	}
	banned := make(map[int64]bool) // position -> the user was banned at it
	for i := range bans {
		banned[set(int64(i)+1)] = true
		banned[set(0)] = false
	}
	stop.Store(true)
	wg.Wait()
	n := 0
	for _, list := range minted {
		for _, m := range list {
			n++
			if banned[m.rev] {
				t.Fatalf("a token was minted at position %d, where its user was banned", m.rev)
			}
		}
	}
	if n == 0 {
		t.Error("nothing was minted: the test says nothing")
	}
}

// ledgerDeadlocks: causes of every mix, which lock and stamp users, clients,
// consents and sessions in the order of L22, never wait for each other in a
// circle. Stamps are queued in any order.
func ledgerDeadlocks(t *testing.T, l Ledger) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	users, clients, sids := ledgerPeople(t, l)
	var tries atomic.Int64
	var wg sync.WaitGroup
	const writers, each = 8, 15
	for w := range writers {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(7, uint64(w)))
			for range each {
				a, b := users[r.IntN(3)], users[r.IntN(3)]
				k := clients[r.IntN(3)]
				sid := sids[r.IntN(3)]
				order := r.Perm(5)
				err := l.InTx(ctx, func(ctx context.Context) error {
					tries.Add(1)
					if r.IntN(2) == 0 {
						// Of two users the one with the smaller sub comes first.
						if _, err := l.LockUser(ctx, min(a.Subject, b.Subject)); err != nil {
							return err
						}
					}
					stamps := []revocation.Stamp{
						{Subject: revocation.UserValidFrom, ID: a.Subject},
						{Subject: revocation.UserValidFrom, ID: b.Subject},
						{Subject: revocation.ClientValidFrom, ID: k.ClientID},
						{Subject: revocation.ConsentValidFrom, ID: b.Subject + " " + k.ClientID},
						{Subject: revocation.SessionRev, ID: sid},
					}
					for _, i := range order[:1+r.IntN(5)] {
						if err := l.Stamp(ctx, stamps[i]); err != nil {
							return err
						}
					}
					return l.Append(ctx, revocation.Entry{Kind: revocation.User, Key: a.Subject})
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if h := head(t, l); h.Position != writers*each {
		t.Errorf("head %+v, want position %d", h, writers*each)
	}
	if n := tries.Load(); n != writers*each {
		t.Errorf("%d tries for %d causes: some were in each other's way", n, writers*each)
	}
}

// ledgerPeople inserts three users with a session each, three clients, and a
// consent for each pair.
func ledgerPeople(t *testing.T, l Ledger) (users []*accounts.User, clients []*accounts.Client, sids []string) {
	t.Helper()
	ctx := t.Context()
	for i := range 3 {
		u := newUser(t, l, fmt.Sprintf("u%d", i))
		c := plainClient(fmt.Sprintf("c%d", i))
		must(t, l.InsertClient(ctx, c))
		s := newSession(u.ID)
		must(t, l.InsertSession(ctx, s))
		users, clients, sids = append(users, u), append(clients, c), append(sids, s.ID.String())
	}
	for _, u := range users {
		for _, c := range clients {
			must(t, l.PutConsent(ctx, &accounts.Consent{UserID: u.ID, ClientID: c.ID}))
		}
	}
	return users, clients, sids
}
