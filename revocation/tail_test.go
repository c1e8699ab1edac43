package revocation_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-id/gatehouse/revocation"
)

// database is a ledger that can be stopped, and restored from a backup.
type database struct {
	mu       sync.Mutex
	head     revocation.Head
	rows     []revocation.Row
	chains   map[int64][]byte
	down     error
	looks    int
	asked    int
	repaired [][]revocation.Row
}

func newDatabase() *database {
	return &database{head: revocation.Head{Timeline: "t"}, chains: map[int64][]byte{}}
}

func (d *database) write(rows ...revocation.Row) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range rows {
		d.head.Position++
		r.Position = d.head.Position
		if r.ExpiresAt == 0 {
			r.ExpiresAt = time.Now().Add(time.Hour).UnixMilli()
		}
		d.rows = append(d.rows, r)
	}
	sum := sha256.Sum256(fmt.Append(d.head.Hash, rows))
	d.head.Hash = sum[:]
	d.chains[d.head.Position] = sum[:]
	return d.head.Position
}

// backup returns a way to bring back what is there now.
func (d *database) backup() (restore func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	head, rows := d.head, slices.Clone(d.rows)
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.head, d.rows = head, rows
		for p := range d.chains {
			if p > head.Position {
				delete(d.chains, p)
			}
		}
	}
}

func (d *database) Catch(_ context.Context, after int64, limit int) (revocation.Batch, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.looks++
	if d.down != nil {
		return revocation.Batch{}, d.down
	}
	b := revocation.Batch{Head: d.head, Chain: d.chains[after]}
	for _, r := range d.rows {
		if r.Position > after {
			b.Rows = append(b.Rows, r)
		}
	}
	if len(b.Rows) > limit {
		b.Rows, b.More = b.Rows[:limit], true
	}
	if n := len(b.Rows); n > 0 {
		b.Last = d.chains[b.Rows[n-1].Position]
	}
	return b, nil
}

func (d *database) Head(context.Context) (revocation.Head, error) { return d.head, d.down }

func (d *database) After(context.Context, int64, int) ([]revocation.Row, error) { return nil, d.down }

func (d *database) Revoked(_ context.Context, k revocation.Keys) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	return slices.ContainsFunc(d.rows, func(r revocation.Row) bool { return r.Matches(k) }), d.down
}

// repair does again what was lost, and goes on above it.
func (d *database) repair(_ context.Context, position int64, rows []revocation.Row) error {
	d.mu.Lock()
	d.repaired = append(d.repaired, rows)
	d.head.Position = max(d.head.Position, position)
	d.mu.Unlock()
	d.write(append(slices.Clone(rows), revocation.Row{Kind: revocation.All})...)
	return nil
}

func (d *database) set(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.down = err
}

func (d *database) counts() (looks, asked int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.looks, d.asked
}

func newTail(d *database) *revocation.Tail {
	return revocation.NewTail(revocation.Options{
		Source: d, Ledger: d, Now: time.Now, Log: slog.New(slog.DiscardHandler), Lost: d.repair,
	})
}

func start(t *testing.T, d *database) *revocation.Tail {
	t.Helper()
	tail := newTail(d)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- tail.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return tail
}

func user(sub string) revocation.Row { return revocation.Row{Kind: revocation.User, Key: sub} }

// isRevoked asks for a token of a person.
func isRevoked(t *testing.T, tail *revocation.Tail, sub string, rev int64) bool {
	t.Helper()
	k := revocation.Keys{ID: "j", SessionID: "s", GrantID: "g", Subject: sub, ClientID: "c", KeyID: "k", Rev: rev}
	q := tail.Query(k)
	revoked, err := tail.Revoked(t.Context(), &q, func() revocation.Keys { return k })
	if err != nil {
		t.Fatal(err)
	}
	return revoked
}

// TestL4_WithoutHints: a node that nobody tells anything looks each second.
func TestL4_WithoutHints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDatabase()
		tail := start(t, d)
		synctest.Wait()
		d.write(user("a"))
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()
		if p := tail.Last(); p.Position != 1 {
			t.Errorf("at %d after a second", p.Position)
		}
		looks, _ := d.counts()
		time.Sleep(10 * time.Second)
		if now, _ := d.counts(); now-looks < 9 {
			t.Errorf("%d looks in ten seconds", now-looks)
		}
	})
}

// TestL4_Hints: a hint makes it look at once; hints that lie do no harm.
func TestL4_Hints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDatabase()
		tail := start(t, d)
		synctest.Wait()
		d.write(user("a"))
		before := time.Now()
		tail.Hint()
		tail.Hint()
		for tail.Last().Position != 1 {
			<-tail.Changed()
		}
		if waited := time.Since(before); waited > 100*time.Millisecond {
			t.Errorf("it took %s", waited)
		}
		for range 100 {
			tail.Hint()
		}
		time.Sleep(100 * time.Millisecond)
		if p := tail.Last(); p.Position != 1 {
			t.Errorf("hints moved it to %d", p.Position)
		}
	})
}

// TestReadYourWrites: what this process wrote counts in its next answer, without
// waiting for any tick.
func TestReadYourWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDatabase()
		tail := start(t, d)
		synctest.Wait()
		for i := range int64(50) {
			sub := fmt.Sprint("u", i)
			if isRevoked(t, tail, sub, i) {
				t.Fatalf("%s is revoked before", sub)
			}
			tail.Wrote(d.write(user(sub)), 0)
			if !isRevoked(t, tail, sub, i) {
				t.Fatalf("%s is not revoked after", sub)
			}
			if p, err := tail.Point(t.Context()); err != nil || p.Position != i+1 {
				t.Fatalf("%+v, %v", p, err)
			}
		}
		if _, asked := d.counts(); asked != 0 {
			t.Errorf("the database was asked %d times about tokens", asked)
		}
	})
}

// TestL5_StaleNode: without its database a node answers from memory for three
// seconds, then not at all.
func TestL5_StaleNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDatabase()
		tail := start(t, d)
		synctest.Wait()
		d.set(errors.New("down"))
		time.Sleep(2900 * time.Millisecond)
		if _, err := tail.Point(t.Context()); err != nil {
			t.Errorf("after 2.9 s: %v", err)
		}
		time.Sleep(1200 * time.Millisecond)
		if _, err := tail.Point(t.Context()); !errors.Is(err, revocation.ErrStale) {
			t.Errorf("after 4.1 s: %v", err)
		}
		k := revocation.Keys{ID: "j", Subject: "a"}
		q := tail.Query(k)
		if _, err := tail.Revoked(t.Context(), &q, func() revocation.Keys { return k }); err == nil {
			t.Error("a token was judged without a database")
		}
		d.set(nil)
		if p, err := tail.Point(t.Context()); err != nil {
			t.Errorf("healed: %+v, %v", p, err)
		}
	})
}

// TestL17_RevAboveTheNode: a token whose rev this node has not reached makes it
// look; one that the database does not know of is refused.
func TestL17_RevAboveTheNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDatabase()
		tail := start(t, d)
		synctest.Wait()
		d.write(user("x"), user("y"))
		if isRevoked(t, tail, "a", 2) {
			t.Error("a token of another node's position was refused")
		}
		if !isRevoked(t, tail, "a", 3) {
			t.Error("a token from nowhere was accepted")
		}
	})
}

// TestL8_RestoredDatabase: a head that goes back, another hash at a known
// position, and another timeline are found, repaired, and every token refreshes.
func TestL8_RestoredDatabase(t *testing.T) {
	for name, after := range map[string]func(d *database){
		"behind":           func(*database) {},
		"another of them":  func(d *database) { d.write(user("other")) },
		"longer":           func(d *database) { d.write(user("other")); d.write(user("else")); d.write(user("more")) },
		"another timeline": func(d *database) { d.mu.Lock(); d.head.Timeline = "new"; d.mu.Unlock() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDatabase()
				tail := start(t, d)
				d.write(user("a"))
				restore := d.backup()
				synctest.Wait()
				time.Sleep(2 * time.Second)
				d.write(user("banned"))
				d.write(user("banned too"))
				time.Sleep(2 * time.Second)
				before := tail.Last()
				restore()
				after(d)
				time.Sleep(2 * time.Second)
				synctest.Wait()
				if len(d.repaired) != 1 {
					t.Fatalf("repaired %d times", len(d.repaired))
				}
				var lost []string
				for _, r := range d.repaired[0] {
					lost = append(lost, r.Key)
				}
				if !slices.Equal(lost, []string{"banned", "banned too"}) {
					t.Errorf("lost: %q", lost)
				}
				p := tail.Last()
				if p.Position <= before.Position {
					t.Errorf("at %d, it was at %d", p.Position, before.Position)
				}
				for rev := range before.Position + 1 {
					if !isRevoked(t, tail, "anybody", rev) {
						t.Errorf("a token of position %d lives on", rev)
					}
				}
				if isRevoked(t, tail, "anybody", p.Position) {
					t.Error("a token that was refreshed is refused")
				}
			})
		})
	}
}

// TestL8_NothingIsDecidedDuringALoss: a decision read from a database that lies
// behind is refused, and so is everything while the repair fails.
func TestL8_NothingIsDecidedDuringALoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDatabase()
		restore := d.backup()
		d.write(user("a"))
		tail := revocation.NewTail(revocation.Options{
			Source: d, Ledger: d, Now: time.Now, Log: slog.New(slog.DiscardHandler),
			Lost: func(context.Context, int64, []revocation.Row) error { return errors.New("not now") },
		})
		if err := tail.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
		before := tail.Last()
		if err := tail.Check(before, 1); err != nil {
			t.Errorf("a sound decision: %v", err)
		}
		restore()
		if err := tail.Check(before, 0); !errors.Is(err, revocation.ErrLost) {
			t.Errorf("a decision from behind: %v", err)
		}
		if err := tail.Look(t.Context()); !errors.Is(err, revocation.ErrLost) {
			t.Errorf("look: %v", err)
		}
		if _, err := tail.Point(t.Context()); !errors.Is(err, revocation.ErrLost) {
			t.Errorf("point: %v", err)
		}
		if err := tail.Check(before, 5); !errors.Is(err, revocation.ErrLost) {
			t.Errorf("any decision: %v", err)
		}
	})
}

// TestL8_Evidence: a follower that was told more than the database knows reveals
// the loss to a node that has just started; one that is merely ahead of its node
// does not.
func TestL8_Evidence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDatabase()
		restore := d.backup()
		d.write(user("a"))
		d.write(user("b"))
		seen := d.head
		tail := newTail(d)
		check := func(tail *revocation.Tail, d *database, wantTrue bool, wantRepairs int) {
			t.Helper()
			ok, err := tail.Evidence(t.Context(), seen.Position, seen.Hash)
			if err != nil || ok != wantTrue || len(d.repaired) != wantRepairs {
				t.Fatalf("evidence is %v, %v; repaired %d times", ok, err, len(d.repaired))
			}
		}
		check(tail, d, true, 0)
		d.write(user("c"))
		check(tail, d, true, 0)
		restore()
		fresh := newTail(d)
		if err := fresh.Look(t.Context()); err != nil || len(d.repaired) != 0 {
			t.Fatalf("a node that knows nothing cannot know of a loss: %v", err)
		}
		check(fresh, d, false, 1)
		if p := fresh.Last(); p.Position <= seen.Position || !isRevoked(t, fresh, "anybody", seen.Position) {
			t.Errorf("after the repair: %+v", p)
		}
		check(fresh, d, false, 1)
		// A fork of the same length, found once however many come with it.
		d2 := newDatabase()
		restore = d2.backup()
		d2.write(user("a"))
		seen = d2.head
		restore()
		d2.write(user("z"))
		d2.write(user("y"))
		forked := newTail(d2)
		check(forked, d2, false, 1)
		check(forked, d2, false, 1)
		check(newTail(d2), d2, false, 1)
	})
}

// TestL8_NothingBetween: a node that stands on a position which a repair by another
// node has left out, or whose row was dropped, reads everything anew: rows may
// stand below it that it has never seen.
func TestL8_NothingBetween(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDatabase()
		tail := newTail(d)
		d.write(user("a"))
		restore := d.backup()
		for range 5 {
			d.write(user("lost"))
		}
		if err := tail.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
		restore()
		d.write(revocation.Row{Kind: revocation.Key, Key: "stolen"}) // at 2, before anybody has noticed
		_ = d.repair(t.Context(), 6, []revocation.Row{user("lost")}) // by another node
		if err := tail.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
		k := revocation.Keys{ID: "j", Subject: "s", KeyID: "stolen", Rev: 1000}
		q := tail.Query(k)
		if q.Rev = tail.Last().Position; len(d.repaired) != 1 {
			t.Errorf("repaired %d times", len(d.repaired))
		}
		if revoked, err := tail.Revoked(t.Context(), &q, func() revocation.Keys { return k }); err != nil || !revoked {
			t.Errorf("the row below is not known: %v, %v", revoked, err)
		}
	})
}

func TestSince(t *testing.T) {
	d := newDatabase()
	tail := newTail(d)
	if _, _, ok := tail.Since(0); ok {
		t.Error("something is known before the first look")
	}
	const n = 12_000 // more than one look reads at once
	for i := range n {
		d.write(user(fmt.Sprint(i)))
	}
	if err := tail.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, after := range []int64{0, 1, 4999, 5000, 5001, n - 1, n, n + 5} {
		rows, p, ok := tail.Since(after)
		if !ok || p.Position != n || len(rows) != int(max(n-after, 0)) || len(rows) > 0 && rows[0].Position != after+1 {
			t.Errorf("after %d: %d rows, %+v, %v", after, len(rows), p, ok)
		}
	}
	if rows, size := tail.Size(); rows != n || size == 0 {
		t.Errorf("the set has %d rows in %d bytes", rows, size)
	}
}

// TestSinceForgets: memory is bounded, and what is no longer there is not passed
// off as nothing.
func TestSinceForgets(t *testing.T) {
	d := newDatabase()
	tail := newTail(d)
	const n = 100_000
	rows := make([]revocation.Row, n)
	for i := range rows {
		rows[i] = user(fmt.Sprint(i))
	}
	d.write(rows...)
	if err := tail.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, _, ok := tail.Since(0); ok {
		t.Error("all rows are kept")
	}
	kept, _, ok := tail.Since(n - 60_000)
	if !ok || len(kept) != 60_000 || kept[0].Position != n-60_000+1 {
		t.Errorf("%d rows, %v", len(kept), ok)
	}
}

// TestUnknownKindInMemory: a row of a kind that this release does not know kills
// what was minted before it.
func TestUnknownKindInMemory(t *testing.T) {
	d := newDatabase()
	tail := newTail(d)
	d.write(revocation.Row{Kind: "planet", Key: "earth"})
	if !isRevoked(t, tail, "a", 0) || isRevoked(t, tail, "a", 1) {
		t.Error("a row of an unknown kind was ignored, or kills what came after it")
	}
}

// TestManyAsk: who asks at the same time shares a look, and none is answered by
// one that began before its question.
func TestManyAsk(t *testing.T) {
	d := newDatabase()
	tail := start(t, d)
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			sub := fmt.Sprint("u", i)
			p := d.write(user(sub))
			tail.Wrote(p, 0)
			if !isRevoked(t, tail, sub, p-1) {
				t.Errorf("%s at %d is not revoked", sub, p)
			}
		})
	}
	wg.Wait()
}

// TestTailTellsAudiencesApart: a row about all tokens for one API matches those, also
// a machine's, and no others.
func TestTailTellsAudiencesApart(t *testing.T) {
	d := newDatabase()
	p := d.write(revocation.Row{Kind: revocation.All, Audience: "https://a"})
	tail := start(t, d)
	if _, err := tail.Point(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, k := range []revocation.Keys{
		{ID: "j", GrantID: "g", Audience: "https://a", Scopes: []string{"openid"}},
		{ID: "j", Audience: "https://a"},
		{ID: "j", Audience: "https://a", Rev: p},
		{ID: "j", GrantID: "g", Audience: "https://b", Scopes: []string{"https://a"}},
		{ID: "j", GrantID: "g", Scopes: []string{"openid"}},
	} {
		q := tail.Query(k)
		got, err := tail.Revoked(t.Context(), &q, nil)
		if want := k.Audience == "https://a" && k.Rev < p; got != want || err != nil {
			t.Errorf("%+v: revoked %t (%v), want %t", k, got, err, want)
		}
	}
}

// TestRevokedAllocatesNothing and takes no lock that a writer holds.
func TestRevokedAllocatesNothing(t *testing.T) {
	d := newDatabase()
	d.write(user("a"))
	tail := start(t, d)
	k := revocation.Keys{ID: "j", SessionID: "s", GrantID: "g", Subject: "u", ClientID: "c", KeyID: "k", Scopes: []string{"x", "y"}}
	q := tail.Query(k)
	keys := func() revocation.Keys { return k }
	ctx := t.Context()
	if _, err := tail.Point(ctx); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = tail.Revoked(ctx, &q, keys) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
