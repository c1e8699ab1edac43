package follow

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/resource/revset"
	"github.com/gatehouse-id/gatehouse/resource/wire"
)

// Secrets of audiences are 16 to 64 bytes long.
const (
	minHashKey = 16
	maxHashKey = 64
)

// Frame takes in a frame of the connection that Connected began; it arrived at the
// local time now and cursor continues after it. Errors: ErrGap, ErrTimeline,
// ErrUnknown, ErrMalformed, ErrClock, ErrBehind, [revset.ErrFull].
func (f *Follower) Frame(cursor string, fr wire.Frame, now time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.continues(cursor, fr); err != nil {
		return err
	}
	rows, failure := convert(fr.Rows)
	rows, failure = upTo(fr.Position, rows, failure)
	set := f.view.Load().Set
	// What is understood counts, whatever stands beside it.
	if err := set.Add(rows...); err != nil {
		failure = errors.Join(failure, err)
	}
	if failure != nil {
		f.block()
		return fmt.Errorf("follow: position %d: %w", fr.Position, failure)
	}
	set.Raise(fr.Floor)
	f.cursor = cursor
	return f.confirm(fr, now)
}

// continues reports whether fr is what comes next.
func (f *Follower) continues(cursor string, fr wire.Frame) error {
	switch {
	case fr.Version != wire.Version:
		f.block()
		return ErrUnknown
	case f.view.Load() == nil:
		return ErrGap
	case fr.Timeline != f.timeline:
		f.cursor = ""
		f.block()
		return ErrTimeline
	case cursor == "" || !sane(fr):
		f.block()
		return ErrMalformed
	case fr.Prev != f.position.Load():
		return ErrGap
	}
	return nil
}

// maxMillis is the last millisecond of the year 9999: sums of what lies below do
// not overflow.
const maxMillis = 253402300799999

func sane(fr wire.Frame) bool {
	return fr.Timeline != "" && fr.Prev >= 0 && fr.Position >= fr.Prev && fr.Floor >= 0 &&
		fr.Time > 0 && fr.Time <= maxMillis && fr.Age >= 0
}

// upTo returns the rows up to a position, and ErrMalformed if there are others: a
// row from nowhere would make every token below it dead for good.
func upTo(position int64, rows []revset.Row, failure error) ([]revset.Row, error) {
	n := len(rows)
	rows = slices.DeleteFunc(rows, func(r revset.Row) bool { return r.Position > position })
	if len(rows) < n && failure == nil {
		failure = ErrMalformed
	}
	return rows, failure
}

// convert returns the rows that are understood, and why others are not.
func convert(rows []wire.Row) ([]revset.Row, error) {
	out := make([]revset.Row, 0, len(rows))
	var failure error
	for _, r := range rows {
		row, err := Row(r)
		if err != nil {
			failure = err
			continue
		}
		out = append(out, row)
	}
	return out, failure
}

// confirm publishes that everything up to fr's position is in the set.
func (f *Follower) confirm(fr wire.Frame, now time.Time) error {
	f.position.Store(fr.Position)
	at, ok := f.clock.confirmed(fr.Time, fr.Age, now)
	f.edit(func(m *moment) {
		m.server, m.arrived = fr.Time, now
		switch {
		case !ok:
			m.confirmed = time.Time{}
		case passed(at, now) < 0: // by both clocks: one of them does not count a sleep
			m.confirmed = now
		case at.After(m.confirmed) || slept(m.confirmed, now):
			// An earlier confirmation of less is still one: the set only grows.
			m.confirmed = at
		}
	})
	if !ok {
		return ErrClock
	}
	return f.compare(at, now)
}

// compare finds out whether a token that was seen is ahead of a head that was
// confirmed well after it.
func (f *Follower) compare(confirmed, now time.Time) error {
	seen := f.ahead.Load()
	if seen == nil {
		return nil
	}
	if seen.rev <= f.position.Load() {
		f.ahead.Store(nil)
		return nil
	}
	if confirmed.Sub(seen.at) < settle {
		return nil
	}
	f.ahead.Store(nil)
	if !f.behindAt.IsZero() && now.Sub(f.behindAt) < quiet {
		return nil
	}
	f.behindAt = now
	return ErrBehind
}

// Snapshot takes in what was asked for at the local time requestedAt and had
// arrived at now. Errors: as Frame.
func (f *Follower) Snapshot(s wire.Snapshot, requestedAt, now time.Time) error {
	rows, err := convert(s.Rows)
	return f.Load(s, rows, err, requestedAt, now)
}

// Load is Snapshot for who has converted s.Rows already, with [Row], and met
// failure if any: a set of millions is not held twice.
func (f *Follower) Load(s wire.Snapshot, rows []revset.Row, failure error, requestedAt, now time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	defer f.edit(func(m *moment) { m.syncing = false })
	hashKey, err := accepts(s)
	rows, failure = upTo(s.Position, rows, failure)
	if err == nil && failure != nil {
		f.salvage(s, rows, hashKey)
		err = fmt.Errorf("follow: snapshot at %d: %w", s.Position, failure)
	}
	if err != nil {
		f.block()
		return err
	}
	if err := f.place(s, rows, hashKey); err != nil {
		if !errors.Is(err, ErrGap) {
			f.block()
		}
		return err
	}
	f.timeline, f.cursor = s.Timeline, s.Cursor
	f.clock = anchor{asked: requestedAt}
	f.edit(func(m *moment) { m.cold, m.blocked = false, false })
	return f.confirm(s.Frame, now)
}

// accepts returns the secret in s, or why s cannot be used.
func accepts(s wire.Snapshot) ([]byte, error) {
	if s.Version != wire.Version {
		return nil, ErrUnknown
	}
	if s.Cursor == "" || !sane(s.Frame) {
		return nil, ErrMalformed
	}
	hashKey, err := base64.RawURLEncoding.DecodeString(s.HashKey)
	if err != nil || len(hashKey) < minHashKey || len(hashKey) > maxHashKey {
		return nil, ErrMalformed
	}
	return hashKey, nil
}

// salvage adds what is understood of a snapshot that as a whole is not: policies
// other than deny go on with what there is.
func (f *Follower) salvage(s wire.Snapshot, rows []revset.Row, hashKey []byte) {
	if f.same(s, hashKey) {
		// The follower is stale whether all of them fit or not.
		_ = f.view.Load().Set.Add(rows...)
	}
}

// same reports whether s is of the history and under the secret that the set is.
func (f *Follower) same(s wire.Snapshot, hashKey []byte) bool {
	old := f.view.Load()
	return old != nil && s.Timeline == f.timeline && bytes.Equal(hashKey, old.hashKey)
}

// place brings the rows of s into the set.
func (f *Follower) place(s wire.Snapshot, rows []revset.Row, hashKey []byte) error {
	old := f.view.Load()
	same := f.same(s, hashKey)
	switch {
	case !s.Complete && (!same || s.Prev != f.position.Load()):
		f.cursor = ""
		return ErrGap
	case !s.Complete, same && s.Position < f.position.Load():
		// A node that lags knows less than this set; what it does not name may
		// still live.
		if err := old.Set.Add(rows...); err != nil {
			return err
		}
		old.Set.Raise(s.Floor)
		return nil
	case same:
		return old.Set.Replace(rows, s.Floor)
	case old != nil && s.Timeline == f.timeline && s.Position < f.position.Load():
		// The same under another secret, which cannot be joined with what is known.
		return ErrGap
	}
	view := &View{Set: revset.New(revset.Options{MaxRows: f.maxRows, Now: f.setClock}), hashKey: hashKey, Generation: 1}
	if old != nil {
		view.Generation = old.Generation + 1
	}
	if err := view.Set.Replace(rows, s.Floor); err != nil {
		return err
	}
	if old != nil && s.Timeline == f.timeline {
		view.Set.Raise(old.Set.Floor()) // what was too old stays so, under any secret
	}
	f.view.Store(view)
	return nil
}
