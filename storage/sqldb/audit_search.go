package sqldb

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/auditlog"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

var _ auditlog.SearchStore = (*DB)(nil)

// A walk goes down one index from $1 to $2, looks at $3 rows at most, and of these
// returns $4 that match the rest. Each index has a text of its own: one text with
// all conditions would have one plan for all of them, and an order by id alone would
// let PostgreSQL walk through the whole log for what is rare in it.
const (
	auditSeq = `COALESCE((SELECT c.seq FROM audit_chain c WHERE c.audit_id = e.id), 0)`
	walkHead = `SELECT ` + auditSeq + `, ` + auditColumns + ` FROM (SELECT ` + auditColumns + ` FROM audit
WHERE `
	walkTail = ` LIMIT $3) AS e
WHERE ($5 = '' OR actor_kind = $5) AND ($6 = '' OR actor_id = $6) AND ($7 = '' OR target_kind = $7)
  AND ($8 = '' OR target_id = $8) AND ($9 = '' OR request_id = $9) AND ($10 = '' OR substr(action, 1, length($10)) = $10)
  AND at >= $11 AND at < $12 AND ($13 = '' OR actor_id = $13 OR target_id = $13 OR request_id = $13 OR session = $13
    OR EXISTS (SELECT 1 FROM audit_concerns x WHERE x.concern = $13 AND x.audit_id = e.id))`
	walkEnd       = ` LIMIT $4`
	walkByTime    = walkHead + inTime + latestFirst + walkTail + latestFirst + walkEnd
	walkByActor   = walkHead + inTime + ` AND actor_kind = one($14) AND actor_id = $15` + latestByActor + walkTail + latestByActor + walkEnd
	walkByTarget  = walkHead + inTime + ` AND target_kind = one($14) AND target_id = $15` + latestByTarget + walkTail + latestByTarget + walkEnd
	walkByRequest = walkHead + inTime + ` AND request_id = one($14) AND request_id <> ''` + latestByRequest + walkTail + latestByRequest + walkEnd
	walkByAction  = walkHead + inTime + ` AND action = one($14)` + latestByAction + walkTail + latestByAction + walkEnd
	walkBySession = walkHead + inTime + ` AND session = one($14) AND session <> ''` + latestBySession + walkTail + latestBySession + walkEnd
	walkByConcern = `SELECT ` + auditSeq + `, ` + auditColumns + ` FROM (SELECT concern, audit_id, ` + auditColumns + `
FROM audit_concerns JOIN audit ON id = audit_id
WHERE audit_id < $1 AND audit_id >= $2 AND concern = one($14)` + latestByConcern + walkTail + latestByConcern + walkEnd

	// Where a walk of $3 rows ends.
	floorHead      = `SELECT id FROM audit WHERE `
	floorTail      = ` LIMIT 1 OFFSET $3`
	floorByTime    = floorHead + inTime + latestFirst + floorTail
	floorByActor   = floorHead + inTime + ` AND actor_kind = one($4) AND actor_id = $5` + latestByActor + floorTail
	floorByTarget  = floorHead + inTime + ` AND target_kind = one($4) AND target_id = $5` + latestByTarget + floorTail
	floorByRequest = floorHead + inTime + ` AND request_id = one($4) AND request_id <> ''` + latestByRequest + floorTail
	floorByAction  = floorHead + inTime + ` AND action = one($4)` + latestByAction + floorTail
	floorBySession = floorHead + inTime + ` AND session = one($4) AND session <> ''` + latestBySession + floorTail
	floorByConcern = `SELECT audit_id FROM audit_concerns
WHERE audit_id < $1 AND audit_id >= $2 AND concern = one($4)` + latestByConcern + floorTail

	inTime          = `id < $1 AND id >= $2`
	latestFirst     = ` ORDER BY id DESC`
	latestByActor   = ` ORDER BY actor_kind DESC, actor_id DESC, id DESC`
	latestByTarget  = ` ORDER BY target_kind DESC, target_id DESC, id DESC`
	latestByRequest = ` ORDER BY request_id DESC, id DESC`
	latestByAction  = ` ORDER BY action DESC, id DESC`
	latestBySession = ` ORDER BY session DESC, id DESC`
	latestByConcern = ` ORDER BY concern DESC, audit_id DESC`

	// A jump from each word to the next, as many as there are words.
	auditActions = `WITH RECURSIVE w (v) AS (SELECT min(action) FROM audit UNION ALL
SELECT (SELECT min(action) FROM audit WHERE action > w.v) FROM w WHERE w.v IS NOT NULL) SELECT v FROM w WHERE v IS NOT NULL`
	auditTargets = `WITH RECURSIVE w (v) AS (SELECT min(target_kind) FROM audit UNION ALL
SELECT (SELECT min(target_kind) FROM audit WHERE target_kind > w.v) FROM w WHERE w.v IS NOT NULL) SELECT v FROM w WHERE v IS NOT NULL`

	auditFrom = `SELECT id FROM audit WHERE at >= $1 ORDER BY at, id LIMIT 1`
	auditByID = `SELECT ` + auditSeq + `, ` + auditColumns + ` FROM audit AS e WHERE id = $1`
)

// lastTime is above every time.
const lastTime = int64(1) << 62

// walkTexts returns the text of a walk, that of its end, and the arguments that name
// its place in the index.
func walkTexts(w auditlog.Walk) (walk, floor string, at []any) {
	switch w.By {
	case auditlog.ByActor:
		return walkByActor, floorByActor, []any{w.Kind, w.Key}
	case auditlog.ByTarget:
		return walkByTarget, floorByTarget, []any{w.Kind, w.Key}
	case auditlog.ByRequest:
		return walkByRequest, floorByRequest, []any{w.Key}
	case auditlog.ByAction:
		return walkByAction, floorByAction, []any{w.Key}
	case auditlog.BySession:
		return walkBySession, floorBySession, []any{w.Key}
	case auditlog.ByConcern:
		return walkByConcern, floorByConcern, []any{w.Key}
	}
	return walkByTime, floorByTime, nil
}

// AuditWalk implements auditlog.SearchStore.
func (d *DB) AuditWalk(ctx context.Context, w auditlog.Walk) (found []AuditEntry, floor id.ID, err error) {
	w.Before = orLast(w.Before)
	q := w.Match
	if q.Until == 0 {
		q.Until = lastTime
	}
	walk, end, at := walkTexts(w)
	args := []any{
		w.Before, w.From, w.Scan, w.Limit, q.ActorKind, q.ActorID, q.TargetKind, q.TargetID, q.RequestID, q.Action, q.Since, q.Until, q.Text,
	}
	found, err = d.numberedEntries(ctx, walk, append(args, at...)...)
	if err != nil || len(found) == w.Limit {
		return found, floor, err
	}
	err = d.queryRow(ctx, end, append([]any{w.Before, w.From, w.Scan - 1}, at...), &floor)
	if errors.Is(err, accounts.ErrNotFound) {
		err = nil
	}
	return found, floor, err
}

// numberedEntries is auditEntries with the number in the chain before the columns.
func (d *DB) numberedEntries(ctx context.Context, sql string, args ...any) ([]AuditEntry, error) {
	var found []AuditEntry
	err := d.query(ctx, sql, func(row scanner) error {
		var r auditlog.Record
		if err := row.Scan(append([]any{&r.Seq}, auditDest(&r)...)...); err != nil {
			return err
		}
		e, err := r.Entry()
		found = append(found, e)
		return err
	}, args...)
	return found, err
}

// AuditWords implements auditlog.SearchStore.
func (d *DB) AuditWords(ctx context.Context) (actions, targetKinds []string, err error) {
	actions, err = d.texts(ctx, auditActions)
	if err != nil {
		return nil, nil, fmt.Errorf("actions in the audit log: %w", err)
	}
	if targetKinds, err = d.texts(ctx, auditTargets); err != nil {
		return nil, nil, fmt.Errorf("targets in the audit log: %w", err)
	}
	return actions, targetKinds, nil
}

// AuditSpan implements auditlog.SearchStore.
func (d *DB) AuditSpan(ctx context.Context, since, until int64) (from, to id.ID, err error) {
	for _, bound := range []struct {
		at int64
		to *id.ID
	}{{since, &from}, {until, &to}} {
		if bound.at == 0 {
			continue
		}
		err := d.queryRow(ctx, auditFrom, []any{bound.at}, bound.to)
		if err != nil && !errors.Is(err, accounts.ErrNotFound) {
			return from, to, fmt.Errorf("time in the audit log: %w", err)
		}
	}
	return from, to, nil
}

// AuditEvent implements auditlog.SearchStore.
func (d *DB) AuditEvent(ctx context.Context, eventID id.ID) (*AuditEntry, error) {
	found, err := d.numberedEntries(ctx, auditByID, eventID)
	if err != nil {
		return nil, fmt.Errorf("audit event: %w", err)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("audit event: %w", accounts.ErrNotFound)
	}
	return &found[0], nil
}
