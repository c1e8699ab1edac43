package sqldb

import (
	"context"
	"encoding/hex"
	"encoding/json"

	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/counts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

var (
	_ counts.Store      = (*DB)(nil)
	_ admin.CountReader = (*DB)(nil)
)

// Rows travel as one JSON text, in the order in which they are locked. Those of all
// clients together are few, and have a table of their own, or every look at them
// would read those of each client.
const (
	countedPostgres = ` FROM json_to_recordset($1::json) AS r (client text, hour bigint, kind text, place text, name text, reason text, n bigint)`
	countedSQLite   = ` FROM (SELECT value->>'client' AS client, value->>'hour' AS hour, value->>'kind' AS kind, value->>'place' AS place,
  value->>'name' AS name, value->>'reason' AS reason, value->>'n' AS n FROM json_each($1)) AS r WHERE true`

	intoCounts       = `INSERT INTO counts (hour, kind, place, name, reason, n) SELECT hour, kind, place, name, reason, n`
	intoClientCounts = `INSERT INTO client_counts (client_id, hour, kind, place, name, reason, n) SELECT `
	onCounts         = ` ON CONFLICT (hour, kind, place, name, reason) DO UPDATE SET n = counts.n + excluded.n`
	onClientCounts   = ` ON CONFLICT (client_id, hour, kind, place, name, reason) DO UPDATE SET n = client_counts.n + excluded.n`
	restOfCounts     = `, hour, kind, place, name, reason, n`

	addCountsPostgres       = intoCounts + countedPostgres + onCounts
	addCountsSQLite         = intoCounts + countedSQLite + onCounts
	addClientCountsPostgres = intoClientCounts + `decode(client, 'hex')` + restOfCounts + countedPostgres + onClientCounts
	addClientCountsSQLite   = intoClientCounts + `unhex(client)` + restOfCounts + countedSQLite + onClientCounts

	// An hour at a time, so that nobody waits long for a lock.
	dropCounts       = `DELETE FROM counts WHERE hour = (SELECT min(hour) FROM counts WHERE hour < $1)`
	dropClientCounts = `DELETE FROM client_counts WHERE hour = (SELECT min(hour) FROM client_counts WHERE hour < $1)`

	countsSince = `SELECT hour - hour % $2, kind, place, name, reason, CAST(sum(n) AS bigint) FROM counts
WHERE hour >= $1 GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5`
	clientCountsSince = `SELECT kind, place, name, reason, CAST(sum(n) AS bigint) FROM client_counts
WHERE client_id = $1 AND hour >= $2 GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4`
	// Of a deployment with very many apps only the last of the time is looked at.
	mostRefused = `SELECT c.client_id, c.name, f.n FROM (
  SELECT client_id, CAST(sum(n) AS bigint) AS n FROM (
    SELECT client_id, n FROM client_counts WHERE hour >= $1 AND kind = 'refusal' ORDER BY hour DESC LIMIT $2
  ) AS seen GROUP BY client_id ORDER BY 2 DESC LIMIT $3
) AS f JOIN clients c ON c.id = f.client_id ORDER BY f.n DESC, c.client_id`
)

// countedRow is a row on its way.
type countedRow struct {
	Client string      `json:"client"` // hexadecimal digits
	Hour   int64       `json:"hour"`
	Kind   counts.Kind `json:"kind"`
	Place  string      `json:"place"`
	Name   string      `json:"name"`
	Reason string      `json:"reason"`
	N      int64       `json:"n"`
}

// AddCounts implements counts.Store.
func (d *DB) AddCounts(ctx context.Context, rows []counts.Row) error {
	return d.addCounts(ctx, d.either(addCountsPostgres, addCountsSQLite), rows)
}

// AddClientCounts implements counts.Store.
func (d *DB) AddClientCounts(ctx context.Context, rows []counts.Row) error {
	return d.addCounts(ctx, d.either(addClientCountsPostgres, addClientCountsSQLite), rows)
}

func (d *DB) addCounts(ctx context.Context, sql string, rows []counts.Row) error {
	list := make([]countedRow, len(rows))
	for i, r := range rows {
		list[i] = countedRow{hex.EncodeToString(r.Client[:]), r.Hour, r.Kind, r.Place, r.Name, r.Reason, r.N}
	}
	text, err := json.Marshal(list)
	if err == nil {
		_, err = d.execRelaxed(ctx, sql, string(text))
	}
	return wrapped("add to the counts", err)
}

// DropCounts implements counts.Store.
func (d *DB) DropCounts(ctx context.Context, before, clientsBefore int64) error {
	for sql, until := range map[string]int64{dropCounts: before, dropClientCounts: clientsBefore} {
		for {
			n, err := d.execRelaxed(ctx, sql, until)
			if err != nil {
				return wrapped("remove old counts", err)
			}
			if n == 0 {
				break
			}
		}
	}
	return nil
}

// CountsSince implements admin.CountReader.
func (d *DB) CountsSince(ctx context.Context, since, width int64) ([]counts.Row, error) {
	var list []counts.Row
	err := d.query(ctx, countsSince, func(row scanner) error {
		var r counts.Row
		err := row.Scan(&r.Hour, &r.Kind, &r.Place, &r.Name, &r.Reason, &r.N)
		list = append(list, r)
		return err
	}, since, width)
	return list, wrapped("read the counts", err)
}

// ClientCountsSince implements admin.CountReader.
func (d *DB) ClientCountsSince(ctx context.Context, clientID id.ID, since int64) ([]counts.Row, error) {
	var list []counts.Row
	err := d.query(ctx, clientCountsSince, func(row scanner) error {
		r := counts.Row{Hour: since, Client: clientID}
		err := row.Scan(&r.Kind, &r.Place, &r.Name, &r.Reason, &r.N)
		list = append(list, r)
		return err
	}, clientID, since)
	return list, wrapped("read the counts of a client", err)
}

// MostRefused implements admin.CountReader.
func (d *DB) MostRefused(ctx context.Context, since int64, rows, limit int) ([]admin.RefusedClient, error) {
	var list []admin.RefusedClient
	err := d.query(ctx, mostRefused, func(row scanner) error {
		var c admin.RefusedClient
		err := row.Scan(&c.ClientID, &c.Name, &c.Count)
		list = append(list, c)
		return err
	}, since, rows, limit)
	return list, wrapped("clients that are refused most", err)
}
