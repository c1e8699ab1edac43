package sqldb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/auditlog"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// auditHouse is a database with what works on its audit log.
type auditHouse struct {
	*testing.T
	d       *DB
	keyring *secret.Keyring
	sealer  *auditlog.Sealer
}

func newAuditHouse(t *testing.T, d *DB) *auditHouse {
	t.Helper()
	k, err := secret.NewKeyring(secret.Text(strings.Repeat("k", 40)))
	must(t, err)
	h := &auditHouse{T: t, d: d, keyring: k}
	h.sealer = h.newSealer(k)
	return h
}

func (h *auditHouse) newSealer(k *secret.Keyring) *auditlog.Sealer {
	return &auditlog.Sealer{Store: h.d, Keyring: k, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
}

// write writes events about a user, by another.
func (h *auditHouse) write(ctx context.Context, action, actor, target string) {
	h.Helper()
	ctx = audit.WithOrigin(ctx, audit.Origin{RequestID: "req", Address: "192.0.2.9", Session: "sid"})
	must(h.T, h.d.WriteAudit(ctx, audit.Event{
		Actor: audit.Actor{Kind: audit.Person, ID: actor, Name: "Name of " + actor}, Action: action, TargetKind: "user", TargetID: target,
		Details: map[string]any{"n": 1}, Before: map[string]any{"email": "old@" + target}, After: map[string]any{"email": "new@" + target, "staff": true},
	}))
}

func (h *auditHouse) seal() {
	h.Helper()
	must(h.T, h.sealer.CatchUp(h.Context()))
}

func (h *auditHouse) verify(ctx context.Context, noted *auditlog.Point) *auditlog.Report {
	h.Helper()
	v := &auditlog.Verifier{Store: h.d, Keyring: h.keyring, Now: time.Now}
	r, err := v.Verify(ctx, noted)
	must(h.T, err)
	return r
}

func (h *auditHouse) exec(ctx context.Context, sql string, args ...any) {
	h.Helper()
	n, err := h.d.exec(ctx, sql, args...)
	if err != nil || n == 0 {
		h.Fatalf("%d rows, %v\nby %s", n, err, sql)
	}
}

var errUndo = errors.New("undo")

// undone runs f in a transaction and takes back what it did.
func (h *auditHouse) undone(f func(ctx context.Context)) {
	h.Helper()
	err := h.d.InTx(h.Context(), func(ctx context.Context) error {
		f(ctx)
		return errUndo
	})
	if !errors.Is(err, errUndo) {
		h.Fatal(err)
	}
}

// TestAttack_AuditTamper: whatever somebody does to the log from outside is found,
// at the row where it was done.
func TestAttack_AuditTamper(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		h := newAuditHouse(t, open(t))
		for i := range 6 {
			h.write(t.Context(), "user.ban", "ada", fmt.Sprint("user", i))
			if i%2 == 1 {
				h.seal()
			}
		}
		report := h.verify(t.Context(), nil)
		if report.Bad != nil || report.Verified != 6 || report.Head.Seq != 6 || report.Waiting != 0 {
			t.Fatalf("untouched: %+v", report)
		}
		noted := report.Head
		const row = ` WHERE id = (SELECT audit_id FROM audit_chain WHERE seq = $1)`
		for name, tt := range map[string]struct {
			seq    int64
			tamper func(ctx context.Context)
		}{
			"an event cut out": {3, func(ctx context.Context) { h.exec(ctx, `DELETE FROM audit`+row, 3) }},
			"an event and its link": {3, func(ctx context.Context) {
				h.exec(ctx, `DELETE FROM audit`+row, 3)
				h.exec(ctx, `DELETE FROM audit_chain WHERE seq = 3`)
			}},
			"an action changed": {2, func(ctx context.Context) { h.exec(ctx, `UPDATE audit SET action = 'user.unban'`+row, 2) }},
			"a target changed":  {4, func(ctx context.Context) { h.exec(ctx, `UPDATE audit SET target_id = 'x'`+row, 4) }},
			"a time changed":    {4, func(ctx context.Context) { h.exec(ctx, `UPDATE audit SET at = at + 1`+row, 4) }},
			"a session changed": {4, func(ctx context.Context) { h.exec(ctx, `UPDATE audit SET session = ''`+row, 4) }},
			"a value changed":   {5, func(ctx context.Context) { h.exec(ctx, `UPDATE audit SET after_values = '{}'`+row, 5) }},
			"a personal value changed": {5, func(ctx context.Context) {
				h.exec(ctx, `UPDATE audit SET personal = replace(personal, '192.0.2.9', '192.0.2.8')`+row, 5)
			}},
			"a personal value gone": {1, func(ctx context.Context) { h.exec(ctx, `UPDATE audit SET personal = '{}'`+row, 1) }},
			"a commitment changed":  {5, func(ctx context.Context) { h.exec(ctx, `UPDATE audit SET commitments = '{}', personal = '{}'`+row, 5) }},
			"erased, nobody is deleted": {5, func(ctx context.Context) {
				h.exec(ctx, `UPDATE audit SET personal = '{}', salt = $2, erased_at = 1`+row, 5, []byte{})
			}},
			"two places exchanged": {2, func(ctx context.Context) {
				h.exec(ctx, `UPDATE audit_chain SET seq = 100 WHERE seq = 2`)
				h.exec(ctx, `UPDATE audit_chain SET seq = 2 WHERE seq = 4`)
				h.exec(ctx, `UPDATE audit_chain SET seq = 4 WHERE seq = 100`)
			}},
			"a hash changed": {3, func(ctx context.Context) {
				h.exec(ctx, `UPDATE audit_chain SET hash = $1 WHERE seq = 3`, make([]byte, 32))
			}},
			"the end cut off": {5, func(ctx context.Context) {
				h.exec(ctx, `DELETE FROM audit`+row, 5)
				h.exec(ctx, `DELETE FROM audit_chain WHERE seq > 4`)
			}},
			"the end and the head": {5, func(ctx context.Context) {
				h.exec(ctx, `DELETE FROM audit_chain WHERE seq > 5`)
				h.exec(ctx, `UPDATE audit_head SET seq = 5, hash = (SELECT hash FROM audit_chain WHERE seq = 5)`)
			}},
			"everything but the log": {0, func(ctx context.Context) {
				h.exec(ctx, `DELETE FROM audit_chain`)
				h.exec(ctx, `UPDATE audit_head SET seq = 0, hash = $1, mac = $1`, []byte{})
			}},
			"the anchor moved": {6, func(ctx context.Context) {
				h.exec(ctx, `UPDATE audit_head SET anchor_seq = 2, anchor_hash = (SELECT hash FROM audit_chain WHERE seq = 2)`)
			}},
			"a link put behind the end": {6, func(ctx context.Context) {
				h.exec(ctx, `INSERT INTO audit_chain (seq, audit_id, hash) VALUES (7, $1, $2)`, id.New(), []byte("x"))
			}},
			"an event put in beside the chain": {0, func(ctx context.Context) {
				h.write(ctx, "user.create", "eve", "mallory")
				h.exec(ctx, `DELETE FROM audit_waiting`)
			}},
			"an event taken before it was sealed": {0, func(ctx context.Context) {
				h.write(ctx, "user.create", "eve", "mallory")
				h.exec(ctx, `DELETE FROM audit WHERE target_id = 'mallory'`)
			}},
		} {
			h.undone(func(ctx context.Context) {
				tt.tamper(ctx)
				if r := h.verify(ctx, nil); r.Bad == nil || r.Bad.Seq != tt.seq {
					t.Errorf("%s: found %+v, want row %d", name, r.Bad, tt.seq)
				}
			})
		}
		h.rebuilt(noted)
	})
}

// rebuilt: somebody without the secret writes the chain anew, and the sealer extends
// nothing that is not authentic.
func (h *auditHouse) rebuilt(noted auditlog.Point) {
	t := h.T
	h.undone(func(ctx context.Context) {
		other, err := secret.NewKeyring(secret.Text(strings.Repeat("e", 40)))
		must(t, err)
		h.exec(ctx, `UPDATE audit SET action = 'nothing' WHERE action = 'user.ban'`)
		h.exec(ctx, `INSERT INTO audit_waiting (audit_id) SELECT audit_id FROM audit_chain`)
		h.exec(ctx, `DELETE FROM audit_chain`)
		h.exec(ctx, `UPDATE audit_head SET seq = 0, hash = $1, mac = $1`, []byte{})
		must(t, h.newSealer(other).CatchUp(ctx))
		r := h.verify(ctx, nil)
		if r.Bad == nil || !strings.Contains(r.Bad.Text, auditlog.ErrHead.Error()) {
			t.Errorf("a chain under another secret: %+v", r.Bad)
		}
		if r := h.verify(ctx, &noted); r.Bad == nil || r.Bad.Seq != noted.Seq {
			t.Errorf("with a noted head: %+v", r.Bad)
		}
		h.write(ctx, "user.ban", "ada", "later")
		if err := h.sealer.CatchUp(ctx); !errors.Is(err, auditlog.ErrHead) {
			t.Errorf("the sealer went on: %v", err)
		}
	})
	// An old head put back with its MAC: only a noted head tells.
	h.write(t.Context(), "user.ban", "ada", "last")
	var seq int64
	var hash, mac []byte
	must(t, h.d.queryRow(t.Context(), `SELECT seq, hash, mac FROM audit_head`, nil, &seq, &hash, &mac))
	h.seal()
	later := h.verify(t.Context(), &noted)
	if later.Bad != nil || later.Verified != 1 || later.First != noted.Seq {
		t.Errorf("behind the noted head: %+v", later)
	}
	h.undone(func(ctx context.Context) {
		h.exec(ctx, `DELETE FROM audit WHERE target_id = 'last'`)
		h.exec(ctx, `DELETE FROM audit_chain WHERE seq > $1`, seq)
		h.exec(ctx, `UPDATE audit_head SET seq = $1, hash = $2, mac = $3`, seq, hash, mac)
		if r := h.verify(ctx, nil); r.Bad != nil {
			t.Errorf("nothing but a noted head can tell, and %+v", r.Bad)
		}
		if r := h.verify(ctx, &later.Head); r.Bad == nil || !strings.Contains(r.Bad.Text, "cut off") {
			t.Errorf("the end was cut off: %+v", r.Bad)
		}
		if r := h.verify(ctx, &noted); r.Bad != nil {
			t.Errorf("an older noted head: %+v", r.Bad)
		}
	})
	h.accepts()
}

// accepts: after somebody has looked, the chain goes on, and the log says so.
func (h *auditHouse) accepts() {
	t := h.T
	by := audit.Actor{Kind: audit.CommandLine, ID: "root"}
	if _, err := h.sealer.Accept(t.Context(), by, "no reason", h.d); !errors.Is(err, auditlog.ErrNothingToAccept) {
		t.Errorf("an authentic end accepted: %v", err)
	}
	h.undone(func(ctx context.Context) {
		h.exec(ctx, `UPDATE audit_head SET mac = $1`, []byte("x"))
		from, err := h.sealer.Accept(ctx, by, "looked into", h.d)
		must(t, err)
		must(t, h.sealer.CatchUp(ctx))
		if r := h.verify(ctx, nil); r.Bad != nil || r.Head.Seq != from.Seq+1 {
			t.Errorf("accepted: %+v from %d", r, from.Seq)
		}
		tail, err := h.d.AuditTail(ctx, 1)
		if err != nil || tail[0].Action != auditlog.ActionAccept || tail[0].Details["reason"] != "looked into" {
			t.Errorf("%+v, %v", tail, err)
		}
	})
}

// TestAuditSealer: rows are chained in the order in which they become visible. One
// whose transaction was held open, with an older id, is chained later and not missed,
// and however many seal at once, each row has one place.
func TestAuditSealer(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		h := newAuditHouse(t, open(t))
		written, commit, done := make(chan struct{}), make(chan struct{}), make(chan error)
		late := func() {
			done <- h.d.InTx(t.Context(), func(ctx context.Context) error {
				h.write(ctx, "late", "ada", "u")
				close(written)
				<-commit
				return nil
			})
		}
		if h.d.dialect == Postgres { // SQLite has one writer: nobody commits past it
			go late()
			<-written
		}
		const nodes, each = 4, 30
		var wg sync.WaitGroup
		for range nodes {
			wg.Go(func() {
				s := h.newSealer(h.keyring)
				for range each {
					h.write(t.Context(), "soon", "ada", "u")
					if err := s.CatchUp(t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		h.seal()
		want := int64(nodes * each)
		if r := h.verify(t.Context(), nil); r.Bad != nil || r.Verified != want {
			t.Fatalf("%+v", r)
		}
		if h.d.dialect == Postgres {
			close(commit)
			must(t, <-done)
			want++
			if r := h.verify(t.Context(), nil); r.Bad != nil || r.Waiting != 1 {
				t.Errorf("before it is sealed: %+v", r)
			}
			h.seal()
			links, err := h.d.AuditLinks(t.Context(), want-1, 5)
			if err != nil || len(links) != 1 || links[0].Row.Action != "late" {
				t.Errorf("%+v, %v", links, err)
			}
		}
		if r := h.verify(t.Context(), nil); r.Bad != nil || r.Verified != want || r.Late {
			t.Errorf("%+v", r)
		}
	})
}

// TestAuditLooksBesideTheSealer: whoever looks while events are sealed, and leave,
// never sees an end that was not there.
func TestAuditLooksBesideTheSealer(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		h, ctx := newAuditHouse(t, open(t)), t.Context()
		done := make(chan error, 1)
		go func() {
			done <- func() error {
				r := h.retention()
				for i := range 60 {
					if err := h.d.WriteAudit(ctx, audit.Event{Actor: audit.Actor{Kind: audit.System, ID: "x"}, Action: "a"}); err != nil {
						return err
					}
					if err := h.sealer.CatchUp(ctx); err != nil {
						return err
					}
					if i%4 == 3 {
						if _, err := r.Cut(ctx); err != nil {
							return err
						}
					}
				}
				return nil
			}()
		}()
		v := &auditlog.Verifier{Store: h.d, Keyring: h.keyring, Now: time.Now}
		for i := 0; ; i++ {
			select {
			case err := <-done:
				must(t, err)
				return
			default:
			}
			if _, err := auditlog.Head(ctx, h.d, h.keyring); err != nil {
				t.Fatalf("look %d: %v", i, err)
			}
			if i%10 == 0 {
				r, err := v.Verify(ctx, nil)
				if err != nil && !errors.Is(err, auditlog.ErrMoved) || err == nil && r.Bad != nil {
					t.Fatalf("verification %d: %+v, %+v, %v", i, r, r.Bad, err)
				}
			}
		}
	})
}
