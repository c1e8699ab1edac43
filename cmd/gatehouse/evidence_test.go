package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/config"
	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/revocation"
	"github.com/gatehouse-id/gatehouse/storage/cache"
)

// restoring is a deployment whose database comes back as it was before.
type restoring struct {
	t      *testing.T
	folder string
	backup []byte
}

// open opens it as any command does. What remembers beside the file how far it went
// is not what this is about.
func (r *restoring) open(redis string) *domain {
	r.t.Helper()
	flags := config.Flags{DataDir: r.folder, RedisURL: redis}
	cfg, err := config.Load(flags, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	_ = os.Remove(cfg.DatabaseFile() + "-ledger") // there is none the first time
	d, err := openDomain(r.t.Context(), cfg, slog.New(slog.DiscardHandler), time.Now, true)
	if err != nil {
		r.t.Fatal(err)
	}
	return d
}

// session is a command that revokes something, n times.
func (r *restoring) session(redis string, n int) revocation.Head {
	r.t.Helper()
	d := r.open(redis)
	defer d.close()
	for range n {
		err := d.db.InTx(r.t.Context(), func(ctx context.Context) error {
			return d.db.Append(ctx, revocation.Entry{Kind: revocation.User, Key: "somebody", Reason: "ban"})
		})
		if err != nil {
			r.t.Fatal(err)
		}
	}
	return r.head(d)
}

func (r *restoring) head(d *domain) revocation.Head {
	r.t.Helper()
	h, err := d.db.Head(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return h
}

func (r *restoring) file() string { return filepath.Join(r.folder, "gatehouse.db") }

func (r *restoring) keep() {
	r.t.Helper()
	var err error
	if r.backup, err = os.ReadFile(r.file()); err != nil {
		r.t.Fatal(err)
	}
}

func (r *restoring) restore() {
	r.t.Helper()
	_ = os.Remove(r.file() + "-wal") // gone with the last who closed it
	if err := os.WriteFile(r.file(), r.backup, 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// repairs counts the rows by which every token refreshes.
func (r *restoring) repairs(d *domain) int {
	r.t.Helper()
	rows, err := d.db.After(r.t.Context(), 0, 100)
	if err != nil {
		r.t.Fatal(err)
	}
	n := 0
	for _, row := range rows {
		if row.Kind == revocation.All {
			n++
		}
	}
	return n
}

// TestRestoredBackupIsFoundByWhoeverComesFirst: a database comes back as it was before
// three revocations that Redis was told of. Whoever opens it with that Redis finds
// out before it writes, and what others have written meanwhile hides nothing.
func TestRestoredBackupIsFoundByWhoeverComesFirst(t *testing.T) {
	redis := testenv.Redis(t)
	for _, test := range []struct {
		name  string
		after func(r *restoring, lost revocation.Head)
		want  int
	}{
		{"nobody was there before", func(*restoring, revocation.Head) {}, 1},
		{"a command that knows of no Redis has written less", func(r *restoring, _ revocation.Head) { r.session("", 1) }, 1},
		{"as much", func(r *restoring, _ revocation.Head) { r.session("", 3) }, 1},
		{"and more", func(r *restoring, _ revocation.Head) { r.session("", 9) }, 1},
		{"a command with Redis has found it", func(r *restoring, _ revocation.Head) { r.session(redis, 9) }, 1},
		{"hints came late and out of order", func(r *restoring, lost revocation.Head) {
			d := r.open("")
			defer d.close()
			early := lost
			early.Position, early.Hash = 1, nil
			r.tell(redis, proven(d.keyring, early))
		}, 1},
		{"somebody else's hint", func(r *restoring, lost revocation.Head) {
			r.session("", 3)
			r.session(redis, 0) // has repaired it
			r.tell(redis, cache.Moved{Timeline: lost.Timeline, Position: 1 << 40, Proof: "AAAA"})
		}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := &restoring{t: t, folder: t.TempDir()}
			r.session(redis, 2)
			r.keep()
			lost := r.session(redis, 3)
			if d := r.open(redis); r.repairs(d) != 0 {
				t.Fatal("nothing was lost yet")
			} else {
				d.close()
			}
			r.restore()
			test.after(r, lost)
			for range 2 { // the second time there is nothing to find
				d := r.open(redis)
				if got, head := r.repairs(d), r.head(d); got != test.want || head.Position <= lost.Position {
					t.Errorf("%d repairs, the head is at %d and was at %d", got, head.Position, lost.Position)
				}
				d.close()
			}
		})
	}
	t.Run("an emptied Redis knows nothing", func(t *testing.T) {
		r := &restoring{t: t, folder: t.TempDir()}
		r.session(redis, 2)
		r.keep()
		r.session(redis, 3)
		r.restore()
		d := r.open(testenv.Redis(t))
		defer d.close()
		if r.repairs(d) != 0 {
			t.Error("a loss was found that nothing shows")
		}
	})
}

// tell puts a hint on the stream.
func (r *restoring) tell(url string, m cache.Moved) {
	r.t.Helper()
	c, err := cache.OpenRedis(cache.RedisOptions{URL: url})
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.Publish(r.t.Context(), m); err != nil {
		r.t.Fatal(err)
	}
}

// TestProofOfBefore: what a release before put on the stream still counts, and nobody
// can take the hash away from what a later one did.
func TestProofOfBefore(t *testing.T) {
	r := &restoring{t: t, folder: t.TempDir()}
	redis := testenv.Redis(t)
	d := r.open("")
	h := r.head(d)
	h.Position, h.Hash = 7, nil
	r.tell(redis, proven(d.keyring, h))
	h.Position, h.Hash = 9, []byte(strings.Repeat("h", 32))
	forged := proven(d.keyring, h)
	forged.Chain = ""
	r.tell(redis, forged)
	d.close()
	d = r.open(redis)
	defer d.close()
	if head := r.head(d); head.Position != 8 || r.repairs(d) != 1 {
		t.Errorf("the head is at %d after %d repairs", head.Position, r.repairs(d))
	}
}
