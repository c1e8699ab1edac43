package sqldb

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/auditlog"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

var (
	_ auditlog.ChainStore  = (*DB)(nil)
	_ auditlog.CutStore    = (*DB)(nil)
	_ auditlog.StreamStore = (*DB)(nil)
	_ auditlog.ExportStore = (*DB)(nil)
)

const (
	auditLinks       = `SELECT seq, audit_id, hash FROM audit_chain WHERE seq > $1 ORDER BY seq LIMIT $2`
	auditByIDs       = `SELECT ` + auditColumns + ` FROM audit WHERE id IN ids($1)`
	auditIDs         = `SELECT id FROM audit WHERE id > $1 ORDER BY id LIMIT $2`
	auditWaitIn      = `SELECT audit_id FROM audit_waiting WHERE audit_id IN ids($1)`
	auditLinkIn      = `SELECT audit_id FROM audit_chain WHERE audit_id IN ids($1)`
	auditIn          = `SELECT id FROM audit WHERE id IN ids($1)`
	auditWaitingRows = `SELECT count(e.id), COALESCE(min(e.at), 0), count(*) - count(e.id)
FROM audit_waiting w LEFT JOIN audit e ON e.id = w.audit_id`
	// Events that were sealed late stand behind younger ones, so the number from which
	// on an export looks lies before the first event of that time.
	auditSeqAt = `SELECT min(c.seq) FROM (SELECT id FROM audit WHERE at >= $1 ORDER BY at, id LIMIT 1000) AS e
JOIN audit_chain c ON c.audit_id = e.id HAVING count(*) > 0`

	keepGone = `INSERT INTO audit_gone (sub) SELECT target_id FROM audit
WHERE id IN ids($1) AND target_kind = 'user' AND action = 'user.delete' ON CONFLICT DO NOTHING`
	cutAudit  = `DELETE FROM audit WHERE id IN ids($1)`
	cutChain  = `DELETE FROM audit_chain WHERE audit_id IN ids($1)`
	setAnchor = `UPDATE audit_head SET anchor_seq = $1, anchor_hash = $2, anchor_mac = $3 WHERE id = 1`

	ensureAuditStream = `INSERT INTO audit_streams (name, seq) SELECT $1, seq FROM audit_head WHERE id = 1 ON CONFLICT DO NOTHING`
	claimAuditStream  = `UPDATE audit_streams SET owner = $2, lease_until = $4
WHERE name = $1 AND (owner = $2 OR lease_until < $3) RETURNING seq`
	moveAuditStream = `UPDATE audit_streams SET seq = $3, failing_since = $4, error = $5 WHERE name = $1 AND owner = $2`
	freeAuditStream = `UPDATE audit_streams SET lease_until = $3 WHERE name = $1 AND owner = $2`
	auditStreams    = `SELECT name, seq, lease_until, failing_since, error FROM audit_streams ORDER BY name`
)

// AuditLinks implements auditlog.ChainStore.
func (d *DB) AuditLinks(ctx context.Context, after int64, limit int) ([]auditlog.Link, error) {
	var links []auditlog.Link
	var ids []id.ID
	err := d.query(ctx, auditLinks, func(row scanner) error {
		var l auditlog.Link
		err := row.Scan(&l.Seq, &l.ID, &l.Hash)
		links, ids = append(links, l), append(ids, l.ID)
		return err
	}, after, limit)
	if err != nil || len(links) == 0 {
		return nil, wrapped("read the audit chain", err)
	}
	rows, err := d.auditRecords(ctx, ids)
	if err != nil {
		return nil, err
	}
	for i := range links {
		if links[i].Row = rows[links[i].ID]; links[i].Row != nil {
			links[i].Row.Seq = links[i].Seq
		}
	}
	return links, nil
}

// auditRecords returns those of the rows that there are.
func (d *DB) auditRecords(ctx context.Context, ids []id.ID) (map[id.ID]*auditlog.Record, error) {
	rows := make(map[id.ID]*auditlog.Record, len(ids))
	err := d.query(ctx, auditByIDs, func(row scanner) error {
		r := new(auditlog.Record)
		err := row.Scan(auditDest(r)...)
		rows[r.ID] = r
		return err
	}, ids)
	return rows, wrapped("read audit events", err)
}

func wrapped(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// AuditStrays implements auditlog.ChainStore. Those that wait are read before those
// that are chained: what is sealed in between is seen in one of them.
func (d *DB) AuditStrays(ctx context.Context, after id.ID, limit int) (strays []id.ID, last id.ID, err error) {
	const what = "look for audit events without a place"
	strays, err = d.returned(ctx, auditIDs, after, limit)
	if err != nil || len(strays) == 0 {
		return nil, last, wrapped(what, err)
	}
	last = strays[len(strays)-1]
	for _, text := range []string{auditWaitIn, auditLinkIn} {
		known, err := d.returned(ctx, text, slices.Clone(strays))
		if err != nil {
			return nil, last, wrapped(what, err)
		}
		strays = without(strays, known)
	}
	if len(strays) > 0 { // some may have left by age by now
		strays, err = d.returned(ctx, auditIn, strays)
	}
	return strays, last, wrapped(what, err)
}

func without(ids, known []id.ID) []id.ID {
	in := make(map[id.ID]bool, len(known))
	for _, i := range known {
		in[i] = true
	}
	return slices.DeleteFunc(ids, func(i id.ID) bool { return in[i] })
}

// AuditWaitingRows implements auditlog.ChainStore.
func (d *DB) AuditWaitingRows(ctx context.Context) (auditlog.Waiting, error) {
	var w auditlog.Waiting
	err := d.queryRow(ctx, auditWaitingRows, nil, &w.Rows, &w.Oldest, &w.Lost)
	return w, wrapped("look for unsealed audit events", err)
}

// AuditSeqAt implements auditlog.ExportStore.
func (d *DB) AuditSeqAt(ctx context.Context, since int64) (int64, bool, error) {
	var seq int64
	err := d.queryRow(ctx, auditSeqAt, []any{since}, &seq)
	if errors.Is(err, accounts.ErrNotFound) {
		return 0, false, nil
	}
	return seq, err == nil, wrapped("time in the audit chain", err)
}

// CutAudit implements auditlog.CutStore.
func (d *DB) CutAudit(ctx context.Context, c auditlog.Cut) error {
	for _, text := range []string{keepGone, cutAudit, cutChain} {
		if _, err := d.exec(ctx, text, c.IDs); err != nil {
			return wrapped("cut the audit chain", err)
		}
	}
	return wrapped("move the anchor of the audit chain", d.touched(ctx, setAnchor, c.Through.Seq, c.Through.Hash, c.MAC))
}

// EnsureAuditStream implements auditlog.StreamStore.
func (d *DB) EnsureAuditStream(ctx context.Context, name string) error {
	_, err := d.exec(ctx, ensureAuditStream, name)
	return wrapped("make audit stream", err)
}

// ClaimAuditStream implements auditlog.StreamStore.
func (d *DB) ClaimAuditStream(ctx context.Context, name, owner string, now, until int64) (seq int64, mine bool, err error) {
	err = d.queryRow(ctx, claimAuditStream, []any{name, owner, now, until}, &seq)
	if errors.Is(err, accounts.ErrNotFound) {
		return 0, false, nil
	}
	return seq, err == nil, wrapped("claim audit stream", err)
}

// MoveAuditStream implements auditlog.StreamStore.
func (d *DB) MoveAuditStream(ctx context.Context, owner string, s auditlog.StreamState) error {
	return wrapped("move audit stream", d.touched(ctx, moveAuditStream, s.Name, owner, s.Seq, s.FailingSince, s.Error))
}

// FreeAuditStream implements auditlog.StreamStore.
func (d *DB) FreeAuditStream(ctx context.Context, name, owner string, ended int64) error {
	_, err := d.exec(ctx, freeAuditStream, name, owner, ended)
	return wrapped("free audit stream", err)
}

// AuditStreams tells how far each stream of the log is.
func (d *DB) AuditStreams(ctx context.Context) ([]auditlog.StreamState, error) {
	var streams []auditlog.StreamState
	err := d.query(ctx, auditStreams, func(row scanner) error {
		var s auditlog.StreamState
		err := row.Scan(&s.Name, &s.Seq, &s.TouchedUntil, &s.FailingSince, &s.Error)
		streams = append(streams, s)
		return err
	})
	return streams, wrapped("audit streams", err)
}
