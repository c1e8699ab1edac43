package sqldb

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"slices"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// step is one of the statements that a commit begins with.
type step struct {
	sql      string
	args     []any
	advances bool // returns what an advanced holds
}

// advanced is what the counter said after it was advanced.
type advanced struct {
	position, change int64
	timeline         string // empty if the counter did not move
	hash             []byte
}

// The counter comes before everything that needs its position, and nothing after
// it waits for a lock: what is stamped was locked before it (L22).
const (
	advanceHead = `UPDATE ledger_head
SET position = CASE WHEN position < $1 THEN $1 ELSE position END + $2, change = change + $3, hash = sha256(hash || $4)
WHERE id = 1 RETURNING position, change, timeline, hash`
	bumpChange = `UPDATE ledger_head SET change = change + 1 WHERE id = 1 RETURNING position, change, timeline, hash`
	raiseFloor = `UPDATE ledger_head SET floor = $1 WHERE id = 1 AND floor < $1`

	// The counter's hash, which the statement before has moved, goes to the last row.
	// The others carry what is no hash: who knows one for such a place was told it by
	// another history (L8).
	appendRowsPostgres = `INSERT INTO revocations (position, kind, key, audience, reason, at, expires_at, chain, event)
SELECT h.position - $1 + t.n, t.kind, t.key, t.audience, t.reason, CAST($2 AS bigint), t.expires_at,
  CASE WHEN t.n = $1 THEN h.hash ELSE '\x00'::bytea END, t.event
FROM ledger_head AS h, unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bytea[])
  WITH ORDINALITY AS t (kind, key, audience, reason, expires_at, event, n)
WHERE h.id = 1`
	appendRowsSQLite = `INSERT INTO revocations (position, kind, key, audience, reason, at, expires_at, chain, event)
SELECT h.position - $1 + t.key + 1, json_extract(t.value, '$[0]'), json_extract(t.value, '$[1]'),
  json_extract(t.value, '$[2]'), json_extract(t.value, '$[3]'), $2, json_extract(t.value, '$[4]'),
  CASE WHEN t.key + 1 = $1 THEN h.hash ELSE x'00' END, unhex(json_extract(t.value, '$[5]'))
FROM ledger_head AS h, json_each($3) AS t
WHERE h.id = 1`
)

// Each row that a stamp will touch is locked before the counter, in the order of
// L22 and within a table in the order of its keys.
const (
	lockUsersToStamp   = `SELECT 1 FROM users WHERE sub IN strings($1) ORDER BY sub FOR NO KEY UPDATE`
	lockClientsToStamp = `SELECT 1 FROM clients WHERE client_id IN strings($1) ORDER BY client_id FOR NO KEY UPDATE`
	// A consent's row may not be there yet; its person's row is locked instead.
	lockConsentsToStamp = `SELECT 1 FROM consents AS k
JOIN users AS u ON u.id = k.user_id JOIN clients AS c ON c.id = k.client_id JOIN pairs($1, $2) AS p ON p.a = u.sub AND p.b = c.client_id
ORDER BY k.user_id, k.client_id FOR NO KEY UPDATE OF k`
	lockSessionsToStamp = `SELECT 1 FROM sessions WHERE id IN ids($1) ORDER BY id FOR NO KEY UPDATE`

	stampUsers    = `UPDATE users SET valid_from = (SELECT position FROM ledger_head WHERE id = 1) WHERE sub IN strings($1)`
	stampClients  = `UPDATE clients SET valid_from = (SELECT position FROM ledger_head WHERE id = 1) WHERE client_id IN strings($1)`
	stampConsents = `UPDATE consents SET valid_from = (SELECT position FROM ledger_head WHERE id = 1)
FROM pairs($1, $2) AS p JOIN users AS u ON u.sub = p.a JOIN clients AS c ON c.client_id = p.b
WHERE consents.user_id = u.id AND consents.client_id = c.id`
	stampSessions = `UPDATE sessions SET rev = (SELECT position FROM ledger_head WHERE id = 1) WHERE id IN ids($1)`
)

// steps returns what the commit must write.
func (q *queue) steps(d *DB) []step {
	var steps []step
	if q.floor > 0 {
		steps = append(steps, step{sql: raiseFloor, args: []any{q.floor}})
	}
	rows := q.rows(d)
	if len(rows) == 0 {
		if q.change {
			steps = append(steps, step{sql: bumpChange, advances: true})
		}
		return steps
	}
	locks, stamps := q.stampSteps()
	if d.dialect == Postgres { // SQLite has locked everything
		steps = append(locks, steps...)
	}
	change := 0
	if q.change || q.stampsClients() {
		change = 1
	}
	if q.above > 0 {
		change = lostChanges
	}
	steps = append(
		steps,
		step{sql: advanceHead, args: []any{q.above, len(rows), change, chunkHash(rows)}, advances: true},
		appendStep(d.dialect, rows, q.rowEvents()),
	)
	return append(steps, stamps...)
}

// lostChanges is by how much the change counter jumps when a part of the ledger was
// lost: it has gone back as well, and a number that it had before the loss must not
// come again, or what nodes remember of that time would seem true.
const lostChanges = 1 << 32

// stampsClients: a stamp writes a column of clients, which are remembered.
func (q *queue) stampsClients() bool {
	return slices.ContainsFunc(q.stamps, func(s revocation.Stamp) bool { return s.Subject == revocation.ClientValidFrom })
}

// rows are the entries without their positions.
func (q *queue) rows(d *DB) []revocation.Row {
	at := d.now()
	if len(q.entries) == 0 && len(q.stamps) > 0 {
		// A stamp needs a position of its own; a session without a key is nobody's.
		// It lives as long as others: to drop it raises the floor.
		return []revocation.Row{{Kind: revocation.Session, Reason: "stamp", At: at, ExpiresAt: d.rowEnd(revocation.Session, at)}}
	}
	rows := make([]revocation.Row, len(q.entries))
	for i, e := range q.entries {
		rows[i] = revocation.Row{Kind: e.Kind, Key: e.Key, Audience: e.Audience, Reason: e.Reason, At: at, ExpiresAt: e.ExpiresAt}
	}
	return rows
}

// rowEvents are the events of rows, nil for a row without one.
func (q *queue) rowEvents() [][]byte {
	events := q.events
	if len(events) == 0 { // the row of a stamp
		events = []id.ID{q.causes.last}
	}
	list := make([][]byte, len(events))
	for i, e := range events {
		if !e.IsZero() {
			list[i] = slices.Clone(e[:])
		}
	}
	return list
}

// appendStep takes a block of positions, whatever its size, in one statement.
func appendStep(dialect Dialect, rows []revocation.Row, events [][]byte) step {
	n, at := len(rows), rows[0].At
	if dialect == SQLite {
		table := make([][6]any, n)
		for i, r := range rows {
			table[i] = [6]any{r.Kind, r.Key, r.Audience, r.Reason, r.ExpiresAt}
			if events[i] != nil {
				table[i][5] = hex.EncodeToString(events[i])
			}
		}
		text, _ := json.Marshal(table) // strings and numbers cannot fail
		return step{sql: appendRowsSQLite, args: []any{n, at, string(text)}}
	}
	kinds, keys, audiences, reasons := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	expiries := make([]int64, n)
	for i, r := range rows {
		kinds[i], keys[i], audiences[i], reasons[i], expiries[i] = string(r.Kind), r.Key, r.Audience, r.Reason, r.ExpiresAt
	}
	return step{sql: appendRowsPostgres, args: []any{n, at, kinds, keys, audiences, reasons, expiries, events}}
}

// stampSteps returns the locks and the updates of all stamps, at most one of
// each for a table.
func (q *queue) stampSteps() (locks, updates []step) {
	by := make(map[revocation.Subject][]string)
	for _, s := range q.stamps {
		by[s.Subject] = append(by[s.Subject], s.ID)
	}
	add := func(lock, update string, args ...any) {
		locks = append(locks, step{sql: lock, args: slices.Clone(args)})
		updates = append(updates, step{sql: update, args: args})
	}
	if subs := by[revocation.UserValidFrom]; len(subs) > 0 {
		add(lockUsersToStamp, stampUsers, subs)
	}
	if clients := by[revocation.ClientValidFrom]; len(clients) > 0 {
		add(lockClientsToStamp, stampClients, clients)
	}
	if consents := by[revocation.ConsentValidFrom]; len(consents) > 0 {
		subs, clients := splitPairs(consents)
		add(lockConsentsToStamp, stampConsents, subs, clients)
	}
	if sessions := by[revocation.SessionRev]; len(sessions) > 0 {
		ids := make([]id.ID, len(sessions))
		for i, s := range sessions {
			ids[i], _ = id.Parse(s) // checked by Stamp
		}
		slices.SortFunc(ids, func(a, b id.ID) int { return cmp.Compare(string(a[:]), string(b[:])) })
		add(lockSessionsToStamp, stampSessions, ids)
	}
	return locks, updates
}

// splitPairs splits "sub client_id" at every space in it: either may hold
// spaces, and to stamp one consent too many only asks for another decision.
func splitPairs(pairs []string) (subs, clients []string) {
	for _, p := range pairs {
		for i := range len(p) {
			if p[i] == ' ' {
				subs, clients = append(subs, p[:i]), append(clients, p[i+1:])
			}
		}
	}
	return subs, clients
}
