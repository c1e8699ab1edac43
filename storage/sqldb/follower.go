package sqldb

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/gatehouse-id/gatehouse/revocation/feed"
)

var _ feed.FollowerStore = (*DB)(nil)

// All reports travel as one parameter (SQLite) or one array for each column
// (PostgreSQL), so that a second's reports are one statement for each table.
const (
	reportsPostgres = `unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::bigint[], $8::bigint[])
  AS t (client_id, instance, audience, timeline, position, state, lag, reported_at)`
	reportsSQLite = `(SELECT json_extract(value, '$[0]') AS client_id, json_extract(value, '$[1]') AS instance,
  json_extract(value, '$[2]') AS audience, json_extract(value, '$[3]') AS timeline, json_extract(value, '$[4]') AS position,
  json_extract(value, '$[5]') AS state, json_extract(value, '$[6]') AS lag, json_extract(value, '$[7]') AS reported_at
  FROM json_each($1)) AS t`

	upsertFollowers = `INSERT INTO followers (client_id, instance, audience, timeline, position, state, lag, first_at, reported_at)
SELECT t.client_id, t.instance, t.audience, t.timeline, t.position, t.state, t.lag, t.reported_at, t.reported_at
FROM %s WHERE true
ON CONFLICT (client_id, instance) DO UPDATE SET audience = excluded.audience, timeline = excluded.timeline,
  position = excluded.position, state = excluded.state, lag = excluded.lag, reported_at = excluded.reported_at
WHERE followers.reported_at <= excluded.reported_at`

	// The first time that a position was reported is the one that counts.
	insertAcknowledgements = `INSERT INTO acknowledgements (client_id, instance, position, at)
SELECT t.client_id, t.instance, t.position, t.reported_at FROM %s WHERE true
ON CONFLICT (client_id, instance, position) DO NOTHING`
)

// WriteReports implements feed.FollowerStore. What a power cut takes with it is
// reported again.
func (d *DB) WriteReports(ctx context.Context, reports []feed.Applied) error {
	type key struct{ clientID, instance string }
	at := make(map[key]int, len(reports))
	var latest []feed.Applied
	for _, r := range reports {
		k := key{r.ClientID, r.Instance}
		i, twice := at[k]
		if !twice {
			at[k] = len(latest)
			latest = append(latest, r)
		} else if latest[i].ReportedAt <= r.ReportedAt {
			latest[i] = r
		}
	}
	if len(latest) == 0 {
		return nil
	}
	from := d.either(reportsPostgres, reportsSQLite)
	for _, text := range []string{upsertFollowers, insertAcknowledgements} {
		if _, err := d.execRelaxed(ctx, fmt.Sprintf(text, from), reportArgs(d.dialect, latest)...); err != nil {
			return fmt.Errorf("write reports of followers: %w", err)
		}
	}
	return nil
}

// reportArgs are the arguments for one of the two tables of reports.
func reportArgs(dialect Dialect, reports []feed.Applied) []any {
	n := len(reports)
	if dialect == SQLite {
		table := make([][8]any, n)
		for i, r := range reports {
			table[i] = [8]any{r.ClientID, r.Instance, r.Audience, r.Timeline, r.Position, r.State, r.Lag, r.ReportedAt}
		}
		text, _ := json.Marshal(table) // strings and numbers cannot fail
		return []any{string(text)}
	}
	clients, instances, audiences, timelines, states := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	positions, lags, times := make([]int64, n), make([]int64, n), make([]int64, n)
	for i, r := range reports {
		clients[i], instances[i], audiences[i], timelines[i], states[i] = r.ClientID, r.Instance, r.Audience, r.Timeline, r.State
		positions[i], lags[i], times[i] = r.Position, r.Lag, r.ReportedAt
	}
	return []any{clients, instances, audiences, timelines, positions, states, lags, times}
}

const listFollowers = `SELECT client_id, instance, audience, timeline, position, state, lag, first_at, reported_at
FROM followers ORDER BY audience, client_id, instance`

// ListFollowers returns the last report of every instance, in the order of
// audience, client and instance.
func (d *DB) ListFollowers(ctx context.Context) ([]feed.Applied, error) {
	var list []feed.Applied
	err := d.query(ctx, listFollowers, func(row scanner) error {
		var a feed.Applied
		err := row.Scan(&a.ClientID, &a.Instance, &a.Audience, &a.Timeline, &a.Position, &a.State, &a.Lag, &a.FirstAt, &a.ReportedAt)
		list = append(list, a)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list followers: %w", err)
	}
	return list, nil
}

const acknowledged = `SELECT f.client_id, f.instance, f.audience, COALESCE((
  SELECT min(a.at) FROM acknowledgements AS a
  WHERE a.client_id = f.client_id AND a.instance = f.instance AND a.position >= $1), 0)
FROM followers AS f ORDER BY f.audience, f.client_id, f.instance`

// Acknowledged returns every instance that has reported, with the first time at
// which it had applied the position, in the order of ListFollowers.
func (d *DB) Acknowledged(ctx context.Context, position int64) ([]feed.Acknowledgement, error) {
	var list []feed.Acknowledgement
	err := d.query(ctx, acknowledged, func(row scanner) error {
		var a feed.Acknowledgement
		err := row.Scan(&a.ClientID, &a.Instance, &a.Audience, &a.FirstAt)
		list = append(list, a)
		return err
	}, position)
	if err != nil {
		return nil, fmt.Errorf("who has acknowledged a position: %w", err)
	}
	return list, nil
}

const (
	cleanAcknowledgements = `DELETE FROM acknowledgements WHERE at < $1`
	cleanFollowers        = `DELETE FROM followers WHERE reported_at < $1`
)

// CleanFollowers forgets the instances that have not reported since a time, and
// what was acknowledged before it, and returns how many rows that were. The rows
// of the ledger that were acknowledged must be gone by then.
func (d *DB) CleanFollowers(ctx context.Context, before int64) (int, error) {
	removed := 0
	for _, text := range []string{cleanFollowers, cleanAcknowledgements} {
		n, err := d.execRelaxed(ctx, text, before)
		removed += int(n)
		if err != nil {
			return removed, fmt.Errorf("clean followers: %w", err)
		}
	}
	return removed, nil
}
