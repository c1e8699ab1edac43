package sqldb

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"math/bits"
	"time"

	"github.com/gatehouse-id/gatehouse/provider/statuslist"
)

var _ statuslist.Store = (*DB)(nil)

const (
	// Another node may use up the list between the two SELECTs; then the outer
	// condition is looked at again.
	takeStatusIndexes = `UPDATE status_lists SET next = next + $3, taken_at = $5
WHERE number = (
  SELECT l.number FROM status_lists l WHERE l.audience = $1 AND l.algorithm = $2 AND l.next <= $4 ORDER BY l.number LIMIT 1
) AND next <= $4
RETURNING number, next - $3`
	insertStatusList = `INSERT INTO status_lists (number, audience, algorithm, next, taken_at)
VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`

	// Only into a list that is there: what is kept for another one is never read.
	insertStatusEntry = `INSERT INTO status_entries (place, jti, sid, gid, sub, client_id, kid, scopes, rev, expires_at)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10 FROM status_lists WHERE number = $11`

	statusListByNumber = `SELECT audience, algorithm FROM status_lists WHERE number = $1`
	statusListNumbers  = `SELECT number FROM status_lists ORDER BY number LIMIT $1`
	statusEntries      = `SELECT place, jti, sid, gid, sub, client_id, kid, scopes, rev, expires_at FROM status_entries
WHERE place >= $1 AND place < $2 AND expires_at > $3 ORDER BY place LIMIT $4`
	retireStatusLists = `DELETE FROM status_lists`
)

// indexBits is how many bits of a place are the index; the rest is the list.
var indexBits = bits.Len(statuslist.Size - 1)

func placeColumn(p statuslist.Place) int64 { return p.List<<indexBits | p.Index }

// statusTables lists what is cleaned of status lists, and why rows may go when
// they go.
func statusTables() []growing {
	return []growing{
		// Verifiers allow for clocks, and keep a list for a while; both are less.
		{"status_entries", "place", "expires_at", 10 * time.Minute},
		// No token lives for a day, and no node gives an index an hour after it
		// was taken.
		{"status_lists", "number", "taken_at", 25 * time.Hour},
	}
}

// TakeStatusIndexes implements statuslist.Store.
func (d *DB) TakeStatusIndexes(ctx context.Context, audience, algorithm string, n int) (statuslist.Place, error) {
	var at statuslist.Place
	found := false
	err := d.query(ctx, takeStatusIndexes, func(row scanner) error {
		found = true
		return row.Scan(&at.List, &at.Index)
	}, audience, algorithm, n, statuslist.Size-n, d.now())
	if err != nil {
		return at, fmt.Errorf("take status indexes: %w", err)
	}
	if found {
		return at, nil
	}
	// Nodes that get here at once make a list each, and all of them are used.
	at = statuslist.Place{List: randomNumber()}
	err = d.inserted(ctx, insertStatusList, at.List, audience, algorithm, n, d.now())
	if err != nil {
		return at, fmt.Errorf("make a status list: %w", err)
	}
	return at, nil
}

// randomNumber is positive and leaves room for the index in a column.
func randomNumber() int64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the process instead
	return int64(binary.BigEndian.Uint64(b[:])>>(64-42)) | 1
}

// InsertStatusEntry implements statuslist.Store.
func (d *DB) InsertStatusEntry(ctx context.Context, e statuslist.Entry) error {
	err := d.touched(ctx, insertStatusEntry, placeColumn(e.Place), e.ID, e.SessionID, e.GrantID, e.Subject, e.ClientID,
		e.KeyID, words(e.Scopes), e.Rev, e.ExpiresAt, e.List)
	if err != nil {
		return fmt.Errorf("insert status entry: %w", err)
	}
	return nil
}

// StatusList implements statuslist.Store.
func (d *DB) StatusList(ctx context.Context, number int64) (statuslist.List, error) {
	l := statuslist.List{Number: number}
	if err := d.queryRow(ctx, statusListByNumber, []any{number}, &l.Audience, &l.Algorithm); err != nil {
		return l, fmt.Errorf("status list by number: %w", err)
	}
	return l, nil
}

// StatusEntries implements statuslist.Store.
func (d *DB) StatusEntries(ctx context.Context, number, from, now int64, limit int) ([]statuslist.Entry, error) {
	var found []statuslist.Entry
	first, end := placeColumn(statuslist.Place{List: number, Index: from}), placeColumn(statuslist.Place{List: number + 1})
	err := d.query(ctx, statusEntries, func(row scanner) error {
		var e statuslist.Entry
		var place int64
		err := row.Scan(&place, &e.ID, &e.SessionID, &e.GrantID, &e.Subject, &e.ClientID, &e.KeyID,
			(*words)(&e.Scopes), &e.Rev, &e.ExpiresAt)
		e.List, e.Index = place>>indexBits, place%statuslist.Size
		found = append(found, e)
		return err
	}, first, end, now, limit)
	if err != nil {
		return nil, fmt.Errorf("read status entries: %w", err)
	}
	return found, nil
}

// StatusLists implements statuslist.Store.
func (d *DB) StatusLists(ctx context.Context, limit int) ([]int64, error) {
	var found []int64
	err := d.query(ctx, statusListNumbers, func(row scanner) error {
		var n int64
		err := row.Scan(&n)
		found = append(found, n)
		return err
	}, limit)
	if err != nil {
		return nil, fmt.Errorf("list status lists: %w", err)
	}
	return found, nil
}

// RetireStatusLists makes every token that names a list refresh once: a database
// that came back behind what it had given cannot say which of them were revoked,
// and a verifier refuses what a missing list says nothing about (L8).
func (d *DB) RetireStatusLists(ctx context.Context) error {
	if _, err := d.exec(ctx, retireStatusLists); err != nil {
		return fmt.Errorf("retire status lists: %w", err)
	}
	return nil
}
