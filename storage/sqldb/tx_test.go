package sqldb

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/revocation"
)

var oneRow = revocation.Entry{Kind: revocation.User, Key: "sub", Reason: "test"}

func aUser(name string) *accounts.User {
	return &accounts.User{ID: id.New(), Subject: name, Username: name, UsernameKey: name}
}

// committed collects what Options.Committed is told.
type committed struct {
	mu    sync.Mutex
	heads []revocation.Head
}

func (c *committed) option(o *Options) {
	o.Committed = func(h revocation.Head) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.heads = append(c.heads, h)
	}
}

func TestCommitted(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		var c committed
		d := open(t, c.option)
		ctx := t.Context()
		before, err := d.Head(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var hashes [][]byte
		for _, f := range []func(ctx context.Context) error{
			func(ctx context.Context) error { return d.Append(ctx, oneRow, revocation.Entry{Kind: revocation.All}) },
			d.BumpChange,
			func(ctx context.Context) error { return d.InsertUser(ctx, aUser(id.New().String())) },
			func(ctx context.Context) error { return errors.Join(d.Append(ctx, oneRow), d.BumpChange(ctx)) },
		} {
			if err := d.InTx(ctx, f); err != nil {
				t.Fatal(err)
			}
			h, err := d.Head(ctx)
			if err != nil {
				t.Fatal(err)
			}
			hashes = append(hashes, h.Hash)
		}
		head := func(position, change int64, hash []byte) revocation.Head {
			return revocation.Head{Position: before.Position + position, Change: before.Change + change, Timeline: before.Timeline, Hash: hash}
		}
		// A user is in no cache: nothing is told of it.
		want := []revocation.Head{head(2, 0, hashes[0]), head(2, 1, hashes[1]), head(3, 2, hashes[3])}
		if diff := cmp.Diff(want, c.heads); diff != "" {
			t.Errorf("told otherwise than written:\n%s", diff)
		}
	})
}

// TestFailedCommit: a statement that failed inside the function, and whose error
// the function forgot, must not let the rest be committed.
func TestFailedCommit(t *testing.T) {
	var p committed
	d := openerOf(postgresURL(t))(t, p.option)
	ctx := t.Context()
	for name, f := range map[string]func(ctx context.Context) error{
		"with rows":    func(ctx context.Context) error { return d.Append(ctx, oneRow) },
		"with nothing": func(context.Context) error { return nil },
	} {
		err := d.InTx(ctx, func(ctx context.Context) error {
			if err := d.InsertUser(ctx, aUser("x")); err != nil {
				return err
			}
			_, _ = d.exec(ctx, `SELECT 1 / 0`)
			return f(ctx)
		})
		if err == nil {
			t.Errorf("%s: a failed transaction was committed", name)
		}
	}
	if _, err := d.UserBySubject(ctx, "x"); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("its user is there: %v", err)
	}
	if len(p.heads) != 0 {
		t.Errorf("published %+v", p.heads)
	}
}

// TestFailedCommit_Steps: when the ledger cannot be written, the cause is not
// committed either.
func TestFailedCommit_Steps(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		var p committed
		d := open(t, p.option)
		ctx := t.Context()
		// The next position is taken, which cannot happen but for corruption.
		if _, err := d.exec(ctx, `INSERT INTO revocations (position, kind, key, reason, at, expires_at) VALUES (1, 'user', 'x', '', 0, 0)`); err != nil {
			t.Fatal(err)
		}
		err := d.InTx(ctx, func(ctx context.Context) error {
			return errors.Join(d.InsertUser(ctx, aUser("x")), d.Append(ctx, oneRow))
		})
		if err == nil {
			t.Error("committed")
		}
		if _, err := d.UserBySubject(ctx, "x"); !errors.Is(err, accounts.ErrNotFound) {
			t.Errorf("its user is there: %v", err)
		}
		if h, err := d.Head(ctx); h.Position != 0 || err != nil || len(p.heads) != 0 {
			t.Errorf("head %+v, %v, published %+v", h, err, p.heads)
		}
		if err := d.InsertUser(ctx, aUser("y")); err != nil {
			t.Errorf("the database is not usable any more: %v", err)
		}
	})
}

// TestAppendTakesNoLock: a transaction that has appended, and takes its time, is in
// nobody's way (L21). On SQLite any transaction is.
func TestAppendTakesNoLock(t *testing.T) {
	d := openerOf(postgresURL(t))(t)
	err := d.InTx(t.Context(), func(slow context.Context) error {
		if err := d.Append(slow, oneRow); err != nil {
			return err
		}
		if err := d.Stamp(slow, revocation.Stamp{Subject: revocation.UserValidFrom, ID: "sub"}); err != nil {
			return err
		}
		if err := d.BumpChange(slow); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		return d.InTx(ctx, func(ctx context.Context) error { return d.Append(ctx, oneRow) })
	})
	if err != nil {
		t.Fatal(err)
	}
	if h, err := d.Head(t.Context()); h.Position != 2 || err != nil {
		t.Errorf("head %+v, %v", h, err)
	}
}

// TestCommitIsOneRoundTrip: counter, rows, stamps and COMMIT travel together.
func TestCommitIsOneRoundTrip(t *testing.T) {
	d := openerOf(postgresURL(t))(t)
	var trips []string
	d.trace = func(sql string) { trips = append(trips, sql) }
	err := d.InTx(t.Context(), func(ctx context.Context) error {
		return errors.Join(
			d.Append(ctx, oneRow),
			d.Stamp(ctx, revocation.Stamp{Subject: revocation.UserValidFrom, ID: "sub"}),
			d.BumpChange(ctx),
		)
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(trips) != 2 || trips[0] != "begin" {
		t.Fatalf("round trips: %q", trips)
	}
	// What may wait comes before the counter's lock, nothing but the commit after.
	last := strings.Split(trips[1], ";\n")
	for i, prefix := range []string{"SELECT 1 FROM users", "UPDATE ledger_head", "INSERT INTO revocations", "UPDATE users", "commit"} {
		if i >= len(last) || !strings.HasPrefix(last[i], prefix) {
			t.Fatalf("statement %d is not %s: %q", i, prefix, last)
		}
	}
}

// TestDeadlockIsRetried: two transactions that lock in opposite orders both end
// well, and the ledger has each row once.
func TestDeadlockIsRetried(t *testing.T) {
	d := openerOf(postgresURL(t))(t)
	for _, name := range []string{"a", "b"} {
		if err := d.InsertUser(t.Context(), aUser(name)); err != nil {
			t.Fatal(err)
		}
	}
	var wg, both sync.WaitGroup
	both.Add(2)
	tries := make([]int, 2)
	for i, order := range [][]string{{"a", "b"}, {"b", "a"}} {
		wg.Go(func() {
			err := d.InTx(t.Context(), func(ctx context.Context) error {
				tries[i]++
				if err := d.Append(ctx, revocation.Entry{Kind: revocation.User, Key: order[0]}); err != nil {
					return err
				}
				if _, err := d.LockUser(ctx, order[0]); err != nil {
					return err
				}
				if tries[i] == 1 {
					both.Done()
					both.Wait()
				}
				_, err := d.LockUser(ctx, order[1])
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if tries[0]+tries[1] < 3 {
		t.Errorf("tries %v: there was no deadlock", tries)
	}
	if h, err := d.Head(t.Context()); h.Position != 2 || err != nil {
		t.Errorf("head %+v, %v", h, err)
	}
}

// TestDeadline: who waits for a lock gives up when the caller does.
func TestDeadline(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		d := open(t)
		if err := d.InsertUser(t.Context(), aUser("x")); err != nil {
			t.Fatal(err)
		}
		err := d.InTx(t.Context(), func(held context.Context) error {
			if _, err := d.LockUser(held, "x"); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			err := d.InTx(ctx, func(ctx context.Context) error {
				_, err := d.LockUser(ctx, "x")
				return err
			})
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v", err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// TestRelaxedStaysLocal: the setting ends with its transaction (L15).
func TestRelaxedStaysLocal(t *testing.T) {
	d := openerOf(postgresURL(t) + "&pool_max_conns=1")(t)
	ctx := t.Context()
	const insert = `INSERT INTO instance (key, value) VALUES ($1, current_setting('synchronous_commit'))`
	for key, f := range map[string]func(ctx context.Context, sql string, args ...any) (int64, error){
		"1 relaxed": d.execRelaxed, "2 after": d.exec,
	} {
		if n, err := f(ctx, insert, key); n != 1 || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
	}
	if _, err := d.execRelaxed(ctx, insert, "1 relaxed"); !errors.Is(err, accounts.ErrConflict) {
		t.Errorf("error %v", err)
	}
	if _, err := d.exec(ctx, insert, "3 after a failure"); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"1 relaxed": "off", "2 after": "on", "3 after a failure": "on"} {
		if got, err := d.Instance(ctx, key); got != want || err != nil {
			t.Errorf("%s: synchronous_commit is %s, %v", key, got, err)
		}
	}
}
