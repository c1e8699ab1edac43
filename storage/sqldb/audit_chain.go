package sqldb

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/auditlog"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

var (
	_ auditlog.SealStore   = (*DB)(nil)
	_ auditlog.AcceptStore = (*DB)(nil)
)

const (
	auditWaits    = `SELECT EXISTS (SELECT 1 FROM audit_waiting)`
	auditHead     = `SELECT seq, hash, mac, at, anchor_seq, anchor_hash, anchor_mac FROM audit_head WHERE id = 1`
	lockAuditHead = auditHead + ` FOR UPDATE SKIP LOCKED`
	auditLast     = `SELECT seq, hash FROM audit_chain ORDER BY seq DESC LIMIT 1`
	// Without the lock both ends and the last row have to come from one snapshot:
	// somebody may be sealing, or cutting.
	auditEnds = `SELECT seq, hash, mac, at, anchor_seq, anchor_hash, anchor_mac,
  COALESCE((SELECT c.seq FROM audit_chain c ORDER BY c.seq DESC LIMIT 1), 0), (SELECT c.hash FROM audit_chain c ORDER BY c.seq DESC LIMIT 1)
FROM audit_head WHERE id = 1`
	auditWaiting = `SELECT audit_id FROM audit_waiting WHERE audit_id > $1 ORDER BY audit_id LIMIT $2`
	// Those who were deleted, by the event that tells it or, once that has left the
	// log, by what is kept of it.
	auditGone = `SELECT target_id FROM audit WHERE target_kind = 'user' AND target_id IN strings($1) AND action = 'user.delete'
UNION SELECT sub FROM audit_gone WHERE sub IN strings($1)`

	chainAuditPostgres = `INSERT INTO audit_chain (seq, audit_id, hash) SELECT $1 + t.n, t.i, decode(t.h, 'hex')
FROM unnest($2::bytea[], $3::text[]) WITH ORDINALITY AS t (i, h, n)`
	chainAuditSQLite = `INSERT INTO audit_chain (seq, audit_id, hash) SELECT $1 + 1 + i.key, unhex(i.value), unhex(h.value)
FROM json_each($2) AS i JOIN json_each($3) AS h ON h.key = i.key`
	unwaitAudit   = `DELETE FROM audit_waiting WHERE audit_id IN ids($1)`
	moveAuditHead = `UPDATE audit_head SET seq = $1, hash = $2, mac = $3, at = $4 WHERE id = 1`
	putAuditEnds  = `UPDATE audit_head SET seq = $1, hash = $2, mac = $3, at = $4, anchor_seq = $5, anchor_hash = $6, anchor_mac = $7
WHERE id = 1`
	upgradeAudit = `UPDATE audit SET format = $2, actor_name = $3, address = $4, details = $5, before_values = $6,
  after_values = $7, commitments = $8, personal = $9, salt = $10 WHERE id = $1`

	// Who deleted somebody else stays named.
	eraseAudit    = `UPDATE audit SET personal = '{}', salt = $2, erased_at = $3 WHERE commitments <> '{}' AND erased_at = 0`
	eraseAsTarget = eraseAudit + ` AND target_kind = 'user' AND target_id IN strings($1)
  AND NOT (action = 'user.delete' AND NOT (actor_kind = 'person' AND actor_id = target_id))`
	eraseAsActor = eraseAudit + ` AND actor_kind = 'person' AND actor_id IN strings($1)`
)

// AuditWaits implements auditlog.SealStore.
func (d *DB) AuditWaits(ctx context.Context) (waits bool, err error) {
	if err := d.queryRow(ctx, auditWaits, nil, &waits); err != nil {
		return false, fmt.Errorf("look for unsealed audit events: %w", err)
	}
	return waits, nil
}

// LockAuditHead implements auditlog.SealStore. The last row is read behind the lock:
// the snapshot of the statement that locks may be older than what it locked.
func (d *DB) LockAuditHead(ctx context.Context) (*auditlog.Ends, bool, error) {
	if d.txOf(ctx) == nil {
		return nil, false, errLockOutsideTx
	}
	var e auditlog.Ends
	err := d.queryRow(ctx, d.either(lockAuditHead, auditHead), nil, endsDest(&e)...)
	if errors.Is(err, accounts.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("head of the audit chain: %w", err)
	}
	err = d.queryRow(ctx, auditLast, nil, &e.Last.Seq, &e.Last.Hash)
	if err != nil && !errors.Is(err, accounts.ErrNotFound) {
		return nil, false, fmt.Errorf("last row of the audit chain: %w", err)
	}
	return &e, true, nil
}

// AuditEnds implements auditlog.ChainStore.
func (d *DB) AuditEnds(ctx context.Context) (*auditlog.Ends, error) {
	var e auditlog.Ends
	if err := d.queryRow(ctx, auditEnds, nil, append(endsDest(&e), &e.Last.Seq, &e.Last.Hash)...); err != nil {
		return nil, fmt.Errorf("ends of the audit chain: %w", err)
	}
	return &e, nil
}

// endsDest is what the columns of auditHead are scanned into.
func endsDest(e *auditlog.Ends) []any {
	return []any{&e.Head.Seq, &e.Head.Hash, &e.HeadMAC, &e.At, &e.Anchor.Seq, &e.Anchor.Hash, &e.AnchorMAC}
}

// PutAuditEnds implements auditlog.AcceptStore.
func (d *DB) PutAuditEnds(ctx context.Context, e *auditlog.Ends) error {
	err := d.touched(ctx, putAuditEnds, e.Head.Seq, filled(e.Head.Hash), filled(e.HeadMAC), e.At,
		e.Anchor.Seq, filled(e.Anchor.Hash), filled(e.AnchorMAC))
	if err != nil {
		return fmt.Errorf("set the head of the audit chain: %w", err)
	}
	return nil
}

// filled is b, never NULL.
func filled(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// AuditWaiting implements auditlog.SealStore. What waits and is not there is passed
// over: it must not keep the others waiting.
func (d *DB) AuditWaiting(ctx context.Context, limit int) (rows []*auditlog.Record, gone []string, err error) {
	var after id.ID
	for len(rows) < limit {
		ids, err := d.returned(ctx, auditWaiting, after, limit)
		if err != nil {
			return nil, nil, wrapped("look for unsealed audit events", err)
		}
		found, err := d.auditRecords(ctx, ids)
		if err != nil {
			return nil, nil, err
		}
		for _, i := range ids {
			if r := found[i]; r != nil && len(rows) < limit {
				rows = append(rows, r)
			}
			after = i
		}
		if len(ids) < limit {
			break
		}
	}
	gone, err = d.AuditGone(ctx, auditlog.Persons(rows))
	return rows, gone, err
}

// AuditGone implements auditlog.ChainStore.
func (d *DB) AuditGone(ctx context.Context, subs []string) ([]string, error) {
	if len(subs) == 0 {
		return nil, nil
	}
	gone, err := d.texts(ctx, auditGone, subs)
	if err != nil {
		return nil, fmt.Errorf("people who were deleted: %w", err)
	}
	return gone, nil
}

// SealAudit implements auditlog.SealStore.
func (d *DB) SealAudit(ctx context.Context, b *auditlog.Batch) error {
	for _, r := range b.Changed {
		err := d.touched(ctx, upgradeAudit, r.ID, r.Format, r.ActorName, r.Address, r.Details, r.Before, r.After,
			r.Commitments, r.Personal, r.Salt)
		if err != nil {
			return fmt.Errorf("bring audit event %s into the present form: %w", r.ID, err)
		}
	}
	ids, hashes := make([]id.ID, len(b.Rows)), make([]string, len(b.Rows))
	for i, r := range b.Rows {
		ids[i], hashes[i] = r.ID, hex.EncodeToString(b.Hashes[i])
	}
	first := b.Head.Seq - int64(len(b.Rows))
	if _, err := d.exec(ctx, d.either(chainAuditPostgres, chainAuditSQLite), first, ids, hashes); err != nil {
		return fmt.Errorf("chain audit events: %w", err)
	}
	if _, err := d.exec(ctx, unwaitAudit, ids); err != nil {
		return fmt.Errorf("chain audit events: %w", err)
	}
	if len(b.Gone) > 0 {
		for _, text := range []string{eraseAsTarget, eraseAsActor} {
			if _, err := d.exec(ctx, text, b.Gone, []byte{}, b.At); err != nil {
				return fmt.Errorf("erase what is personal in audit events: %w", err)
			}
		}
	}
	if err := d.touched(ctx, moveAuditHead, b.Head.Seq, b.Head.Hash, b.HeadMAC, b.At); err != nil {
		return fmt.Errorf("move the head of the audit chain: %w", err)
	}
	return nil
}
