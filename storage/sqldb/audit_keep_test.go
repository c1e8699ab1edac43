package sqldb

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/auditlog"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// TestAuditErasure: when a person's deletion is sealed, what is personal leaves their
// rows, also those that commit later, and the chain still holds. Who deleted them
// stays named.
func TestAuditErasure(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		h, ctx := newAuditHouse(t, open(t)), t.Context()
		h.write(ctx, "user.create", "admin", "ada")
		h.write(ctx, "user.sign_in", "ada", "ada")
		h.write(ctx, "group.create", "ada", "other")
		h.write(ctx, "user.sign_in", "bob", "bob")
		h.seal()
		h.write(ctx, "user.delete", "admin", "ada")
		h.seal()
		h.write(ctx, "user.sign_in.refuse", "bob", "ada")
		h.write(ctx, "user.delete", "bob", "bob")
		h.seal()
		r := h.verify(ctx, nil)
		if r.Bad != nil || r.Verified != 7 || r.Erased != 6 {
			t.Errorf("%+v", r)
		}
		tail, err := h.d.AuditTail(ctx, 10)
		must(t, err)
		named := map[string]bool{}
		for _, e := range tail {
			named[e.Action+" "+e.TargetID] = e.ErasedAt == 0
			bare := e.Address == "" && e.Actor.Name == "" && e.Before["email"] == nil && e.After["email"] == nil
			if bare == (e.ErasedAt == 0) || e.After["staff"] != true || e.Actor.ID == "" {
				t.Errorf("%+v", e)
			}
		}
		want := map[string]bool{
			"user.create ada": false, "user.sign_in ada": false, "group.create other": false, "user.sign_in bob": false,
			"user.delete ada": true, "user.sign_in.refuse ada": false, "user.delete bob": false,
		}
		if diff := cmp.Diff(want, named); diff != "" {
			t.Error(diff)
		}
		h.retires(ctx)
	})
}

// retires: the oldest rows leave by age, what remains is proven from the anchor on,
// and a deleted person's sub stays taken.
func (h *auditHouse) retires(ctx context.Context) {
	t := h.T
	noted := h.verify(ctx, nil).Head
	links, err := h.d.AuditLinks(ctx, 0, 10)
	must(t, err)
	sent := int64(5)
	now := time.UnixMilli(links[5].Row.At + 1000)
	if links[4].Row.At+1000 <= now.UnixMilli()-1000 {
		now = now.Add(time.Second)
	}
	r := &auditlog.Retention{
		Store: h.d, Keyring: h.keyring, Keep: time.Nanosecond, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler),
		Sent: func(context.Context) (int64, error) { return sent, nil },
	}
	n, err := r.Cut(ctx)
	if n != 5 || err != nil {
		t.Errorf("%d left, %v: what was not sent stays", n, err)
	}
	h.seal()
	report := h.verify(ctx, nil)
	if report.Bad != nil || report.First != 6 || report.Verified != 3 {
		t.Errorf("after rows have left: %+v, %+v", report, report.Bad)
	}
	for _, from := range []auditlog.Point{noted, {Seq: 5, Hash: links[4].Hash}, {Seq: 2, Hash: links[1].Hash}} {
		if r := h.verify(ctx, &from); r.Bad != nil {
			t.Errorf("from noted %d: %+v", from.Seq, r.Bad)
		}
	}
	if r := h.verify(ctx, &auditlog.Point{Seq: 5, Hash: []byte("x")}); r.Bad == nil {
		t.Error("another row than the noted one is the anchor")
	}
	gone, err := h.d.AuditGone(ctx, []string{"ada", "bob", "eve"})
	slices.Sort(gone)
	if diff := cmp.Diff([]string{"ada", "bob"}, gone); diff != "" || err != nil {
		t.Error(diff, err)
	}
	tail, err := h.d.AuditTail(ctx, 1)
	if err != nil || tail[0].Action != auditlog.ActionCut || fmt.Sprint(tail[0].Details["events"]) != "5" {
		t.Errorf("%+v, %v", tail, err)
	}
	// What does not fit is evidence and stays.
	sent = 100
	h.exec(ctx, `UPDATE audit SET action = 'x' WHERE id = (SELECT audit_id FROM audit_chain WHERE seq = 6)`)
	if n, err := r.Cut(ctx); n != 0 || err == nil {
		t.Errorf("%d left, %v", n, err)
	}
}

// TestAuditOldRows: what the code before the chain wrote is brought into the present
// form when it is sealed.
func TestAuditOldRows(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		h, ctx := newAuditHouse(t, open(t)), t.Context()
		h.exec(ctx, `INSERT INTO audit (id, at, actor_kind, actor_id, actor_name, action, target_kind, target_id, details, request_id, address)
VALUES ($1, 42, 'person', 'ada', 'Ada', 'user.create', 'user', 'bob', '{"username":"bob","big":9007199254740993}', 'req', '192.0.2.1')`, id.New())
		before, err := h.d.AuditTail(ctx, 1)
		must(t, err)
		h.seal()
		after, err := h.d.AuditTail(ctx, 1)
		must(t, err)
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("it reads otherwise: %s", diff)
		}
		var personal, details, address string
		must(t, h.d.queryRow(ctx, `SELECT personal, details, address FROM audit`, nil, &personal, &details, &address))
		if details != `{"big":9007199254740993}` || address != "" || personal != `{"actor_name":"Ada","address":"192.0.2.1","details.username":"bob"}` {
			t.Errorf("%s %s %s", personal, details, address)
		}
		if r := h.verify(ctx, nil); r.Bad != nil || r.Verified != 1 {
			t.Errorf("%+v", r)
		}
	})
}

// retention lets everything leave.
func (h *auditHouse) retention() *auditlog.Retention {
	now := time.Now().Add(time.Hour)
	return &auditlog.Retention{
		Store: h.d, Keyring: h.keyring, Keep: time.Minute, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler),
	}
}

// TestAuditCutTold: each batch that leaves is told of with it, whatever becomes of the
// next one. One look of the sealer seals all that is committed, in several batches.
func TestAuditCutTold(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		h, ctx := newAuditHouse(t, open(t)), t.Context()
		const many, broken = 1100, 1050
		insert := `INSERT INTO audit (id, at, actor_kind, actor_id, actor_name, action, target_kind, target_id, details, request_id, address)
SELECT ` + h.d.either(`decode(lpad(to_hex(n), 32, '0'), 'hex')`, `unhex(printf('%032x', n))`) + `, n, 'system', 'x', '', 'a', 'user', 'u', '{}', '', ''
FROM (WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < ` + fmt.Sprint(many) + `) SELECT n FROM s) AS numbers`
		h.exec(ctx, insert)
		h.seal()
		if r := h.verify(ctx, nil); r.Bad != nil || r.Verified != many || r.Waiting != 0 {
			t.Fatalf("one look: %+v", r)
		}
		h.exec(ctx, `UPDATE audit SET action = 'x' WHERE id = (SELECT audit_id FROM audit_chain WHERE seq = $1)`, broken)
		r := h.retention()
		for range 2 {
			if _, err := r.Cut(ctx); err == nil {
				t.Error("what does not fit has left")
			}
		}
		h.exec(ctx, `UPDATE audit SET action = 'a' WHERE id = (SELECT audit_id FROM audit_chain WHERE seq = $1)`, broken)
		if n, err := r.Cut(ctx); n != many-1000 || err != nil {
			t.Errorf("%d left, %v", n, err)
		}
		tail, err := h.d.AuditTail(ctx, 10)
		must(t, err)
		var told []string
		for _, e := range tail {
			told = append(told, fmt.Sprint(e.Action, " ", e.Details["events"], " ", e.Details["through"]))
		}
		if diff := cmp.Diff([]string{"audit.cut 100 1100", "audit.cut 1000 1000"}, told); diff != "" {
			t.Error(diff)
		}
	})
}
