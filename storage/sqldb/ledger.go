package sqldb

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/revocation"
)

var (
	_ revocation.Appender = (*DB)(nil)
	_ revocation.Reader   = (*DB)(nil)
)

// errBadEntry is returned for an entry that would kill nothing, or everything,
// by mistake.
var errBadEntry = errors.New("sqldb: not a row for the ledger")

// queue is what a transaction will write to the ledger with its commit.
type queue struct {
	causes  causes
	entries []revocation.Entry
	events  []id.ID           // of each entry
	seen    map[[3]string]int // kind, key, audience -> index in entries
	stamps  []revocation.Stamp
	change  bool  // bump the change counter
	above   int64 // go on above this position
	floor   int64 // raise the floor to this position
}

// Append queues entries for the transaction in ctx. Entries that differ only in
// reason and expiry become one. Their events in the audit log are those that the
// transaction has written before. It takes no lock (L21).
func (d *DB) Append(ctx context.Context, entries ...revocation.Entry) error {
	t := d.txOf(ctx)
	if t == nil || t.over {
		return revocation.ErrNotInTx
	}
	for _, e := range entries {
		if err := checkEntry(e); err != nil {
			return err
		}
		if e.ExpiresAt == 0 {
			e.ExpiresAt = d.rowEnd(e.Kind, d.now())
		}
		t.queue.add(e)
	}
	return nil
}

// rowEnd is when no token needs a row any more that was appended at a time (L12).
func (d *DB) rowEnd(kind revocation.Kind, at int64) int64 {
	life := d.opts.TokenLife
	if kind == revocation.Key {
		life = max(life, revocation.KeyLife)
	}
	return at + life.Milliseconds()
}

func checkEntry(e revocation.Entry) error {
	switch {
	case !slices.Contains(revocation.Kinds(), e.Kind):
		return fmt.Errorf("%w: kind %q", errBadEntry, e.Kind)
	case (e.Kind == revocation.All) != (e.Key == ""):
		return fmt.Errorf("%w: kind %s with key %q", errBadEntry, e.Kind, e.Key)
	}
	for _, text := range []string{e.Key, e.Audience, e.Reason} {
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return fmt.Errorf("%w: kind %s with a text that is not UTF-8 without NUL", errBadEntry, e.Kind)
		}
	}
	return nil
}

func (q *queue) add(e revocation.Entry) {
	same := [3]string{string(e.Kind), e.Key, e.Audience}
	if i, ok := q.seen[same]; ok {
		q.entries[i].ExpiresAt = max(q.entries[i].ExpiresAt, e.ExpiresAt)
		return
	}
	if q.seen == nil {
		q.seen = make(map[[3]string]int)
	}
	q.seen[same] = len(q.entries)
	q.entries, q.events = append(q.entries, e), append(q.events, q.causes.of(e.Key))
}

// Stamp queues stamps for the transaction in ctx. A stamp on what does not exist
// does nothing.
func (d *DB) Stamp(ctx context.Context, stamps ...revocation.Stamp) error {
	t := d.txOf(ctx)
	if t == nil || t.over {
		return revocation.ErrNotInTx
	}
	for _, s := range stamps {
		switch s.Subject {
		case revocation.UserValidFrom, revocation.ClientValidFrom:
		case revocation.ConsentValidFrom:
			if !strings.Contains(s.ID, " ") {
				return fmt.Errorf("%w: a consent's stamp without its client", errBadEntry)
			}
		case revocation.SessionRev:
			if _, err := id.Parse(s.ID); err != nil {
				return fmt.Errorf("%w: a session's stamp: %w", errBadEntry, err)
			}
		default:
			return fmt.Errorf("%w: stamp on %q", errBadEntry, s.Subject)
		}
		if !slices.Contains(t.queue.stamps, s) {
			t.queue.stamps = append(t.queue.stamps, s)
		}
	}
	return nil
}

// BumpChange moves the change counter with the commit of the transaction in ctx,
// or of one of its own: a copy in memory of clients, APIs, permissions or keys
// is no longer true.
func (d *DB) BumpChange(ctx context.Context) error {
	return d.InTx(ctx, func(ctx context.Context) error {
		d.txOf(ctx).queue.change = true
		return nil
	})
}

// changing runs f in a transaction that bumps the change counter.
func (d *DB) changing(ctx context.Context, f func(ctx context.Context) error) error {
	return d.InTx(ctx, func(ctx context.Context) error {
		if err := f(ctx); err != nil {
			return err
		}
		return d.BumpChange(ctx)
	})
}

// AppendAllAbove makes positions go on above the given one and writes a row of
// kind All there: every access token refreshes once, also those that carry a
// position which this database has lost (L8, L24). Status lists begin anew as well:
// places in them that were lost must be given to nobody else.
func (d *DB) AppendAllAbove(ctx context.Context, position int64, reason string) error {
	return d.InTx(ctx, func(ctx context.Context) error {
		q := &d.txOf(ctx).queue
		q.above = max(q.above, position)
		if err := d.RetireStatusLists(ctx); err != nil {
			return err
		}
		return d.Append(ctx, revocation.Entry{Kind: revocation.All, Reason: reason})
	})
}

// chunkHash is what a block of rows adds to the hash chain of the counter (L8):
// every field with its length before it, so that no two blocks are alike.
func chunkHash(rows []revocation.Row) []byte {
	h := sha256.New()
	var number [8]byte
	whole := func(n int64) {
		binary.BigEndian.PutUint64(number[:], uint64(n))
		h.Write(number[:])
	}
	for _, r := range rows {
		for _, text := range []string{string(r.Kind), r.Key, r.Audience, r.Reason} {
			whole(int64(len(text)))
			h.Write([]byte(text))
		}
		whole(r.At)
		whole(r.ExpiresAt)
	}
	return h.Sum(nil)
}
