package sqldb

import (
	"context"
	"fmt"
	"time"
)

const serverFacts = `SELECT current_setting('server_version_num')::bigint / 10000, (extract(epoch FROM clock_timestamp()) * 1000)::bigint`

// Server returns the major version of the PostgreSQL server and its clock. SQLite
// has no server: its version is zero and its clock ours.
func (d *DB) Server(ctx context.Context) (version int, now time.Time, err error) {
	if d.dialect != Postgres {
		return 0, d.opts.Now(), nil
	}
	var at int64
	if err := d.queryRow(ctx, serverFacts, nil, &version, &at); err != nil {
		return 0, time.Time{}, fmt.Errorf("ask the database server: %w", err)
	}
	return version, time.UnixMilli(at), nil
}
