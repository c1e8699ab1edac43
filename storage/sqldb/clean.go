package sqldb

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// growing is a table that is cleaned by time.
type growing struct {
	table, key, until string
	// kept is for how long a row stays after the time in its column until.
	kept time.Duration
}

// growingTables lists what is cleaned, and why rows may go when they go.
func growingTables() []growing {
	return append([]growing{
		// Nobody can use them; kept for their owner's list of recent sign-ins.
		{"sessions", "id", "expires_at", 30 * 24 * time.Hour},
		// An old page can begin again for a day.
		{"flows", "id", "expires_at", 24 * time.Hour},
		// The grant remembers the code's hash; see codeKept.
		{"codes", "grant_id", "expires_at", 24 * time.Hour},
		// purge_at lies after the last moment at which a reused code or refresh
		// token has anything to take back.
		{"grants", "id", "purge_at", 0},
		// The clock of another node may be behind, and still accept the assertion.
		{"used_assertions", "key", "expires_at", time.Hour},
		{"sign_ins", "id", "expires_at", 0},
		{"remembered_devices", "id", "expires_at", 0},
		// Who opens a link too late is told what who opens a wrong one is told.
		{"proofs", "id", "expires_at", 0},
		{"short_lived", "key", "expires_at", 0},
		{"rate_limits", "key", "expires_at", 0},
		{"idempotency_keys", "id", "expires_at", 0},
	}, statusTables()...)
}

// cleanText deletes a batch, those that are due first. Nodes that clean at the
// same time pass over each other's rows instead of waiting for them.
func (d *DB) cleanText(g growing) string {
	skip := d.either(" FOR UPDATE SKIP LOCKED", "")
	return `DELETE FROM ` + g.table + ` WHERE ` + g.key + ` IN (SELECT ` + g.key + ` FROM ` + g.table +
		` WHERE ` + g.until + ` < $1 ORDER BY ` + g.until + ` LIMIT $2` + skip + `)`
}

// Clean removes the rows that nothing needs any more, at most batch of them in
// one transaction so that nobody waits long for a lock, until none is left or
// ctx ends. It returns how many rows each table lost, also with an error: a
// table that could not be cleaned does not keep the others from it.
func (d *DB) Clean(ctx context.Context, batch int) (map[string]int, error) {
	if batch < 1 {
		return nil, fmt.Errorf("sqldb: clean: a batch of %d rows", batch)
	}
	removed := map[string]int{}
	now := d.now()
	var failed []error
	for _, g := range growingTables() {
		n, err := d.cleanTable(ctx, g, now, batch)
		removed[g.table] = n
		if err != nil {
			failed = append(failed, fmt.Errorf("clean %s: %w", g.table, err))
		}
	}
	n, err := d.cleanLedger(ctx, now, batch)
	removed["revocations"] = n
	return removed, errors.Join(append(failed, err)...)
}

func (d *DB) cleanLedger(ctx context.Context, now int64, batch int) (removed int, err error) {
	for {
		n, err := d.Purge(ctx, now, batch)
		removed += n
		if err != nil || n < batch {
			return removed, err
		}
	}
}

func (d *DB) cleanTable(ctx context.Context, g growing, now int64, batch int) (removed int, err error) {
	before := now - g.kept.Milliseconds()
	text := d.cleanText(g)
	for {
		n, err := d.execRelaxed(ctx, text, before, batch)
		removed += int(n)
		if err != nil || n < int64(batch) {
			return removed, err
		}
	}
}
