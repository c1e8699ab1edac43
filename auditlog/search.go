package auditlog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// Entry is an event as it was written.
type Entry struct {
	ID id.ID
	At int64 // Unix milliseconds
	audit.Event
	audit.Origin
	Seq      int64 // its place in the chain; zero until it is sealed
	ErasedAt int64 // when what was personal in it was erased; Unix milliseconds, zero: it was not
}

// Query says which events are meant; empty members mean all.
type Query struct {
	ActorKind string // audit.Person, ...
	ActorID   string // sub, client_id, system user
	Action    string // prefix: "user.", or a whole action
	// TargetKind is "user", "group", ...
	TargetKind string
	TargetID   string // sub, name, client_id, sid, gid, kid
	RequestID  string
	// Since and Until bound the time in Unix milliseconds: Since is the first that
	// counts, Until the first that no longer does. Zero means no bound.
	Since, Until int64
	// Text is an id in any place: of the event, its actor, its target, its request, the
	// session in which a person acted, or whom and what else the event concerns: people
	// whom it names, an app that it names or by whose token somebody acted, groups.
	Text string
}

// Cursor is where a page begins: behind the event of this id. The zero Cursor is
// the newest event. Its text is that of an id.
type Cursor = id.ID

// Page is some events, newest first.
type Page struct {
	Entries []Entry
	// Next continues; zero when there is nothing more. A page may be short, even
	// empty, and have a Next: a search looks at no more rows at a time than a
	// person wants to wait for.
	Next Cursor
}

// By is the index that a walk goes along.
type By int

// The indexes of the log.
const (
	ByTime By = iota
	ByActor
	ByTarget
	ByRequest
	ByAction
	BySession
	ByConcern
)

// Walk asks for rows along one index, newest first, that also match the query.
type Walk struct {
	By        By
	Kind, Key string // of the actor or target; Key alone along the other indexes
	Match     Query
	From      id.ID // the oldest that counts; zero for all
	Before    id.ID // newer ones do not count, nor does this one; zero for all
	Limit     int   // how many rows are wanted
	Scan      int   // how many rows are looked at
}

// SearchStore reads the log.
type SearchStore interface {
	// AuditWalk returns the rows of a walk, and where it stopped looking: the id
	// of the oldest row that was looked at, or zero if it saw all.
	AuditWalk(ctx context.Context, w Walk) (found []Entry, floor id.ID, err error)
	// AuditWords returns all actions and all kinds of targets in the log.
	AuditWords(ctx context.Context) (actions, targetKinds []string, err error)
	// AuditSpan returns the oldest id at or after since and the oldest at or after
	// until, zero where there is none.
	AuditSpan(ctx context.Context, since, until int64) (from, to id.ID, err error)
	// AuditEvent returns one row, or an error that wraps accounts.ErrNotFound.
	AuditEvent(ctx context.Context, eventID id.ID) (*Entry, error)
}

// Log searches. It is safe for concurrent use.
type Log struct {
	Store SearchStore
}

const (
	// MaxPage is the most events of one page.
	MaxPage = 500
	// searchScan bounds how many rows one walk of a search looks at.
	searchScan = 20_000
)

// ErrQuery is wrapped by the errors about a Query that cannot be answered.
var ErrQuery = errors.New("bad search")

// Event returns one event; the error wraps accounts.ErrNotFound if there is none.
func (l *Log) Event(ctx context.Context, eventID id.ID) (*Entry, error) {
	return l.Store.AuditEvent(ctx, eventID)
}

// Search returns events behind a cursor, newest first, at most limit of them (1 to
// MaxPage). Errors: ErrQuery.
func (l *Log) Search(ctx context.Context, q Query, after Cursor, limit int) (*Page, error) {
	if err := q.check(limit); err != nil {
		return nil, err
	}
	from, before, empty, err := l.span(ctx, q, after)
	if err != nil || empty {
		return &Page{}, err
	}
	walks, err := l.walks(ctx, q)
	if err != nil {
		return nil, err
	}
	var found []Entry
	var floor id.ID
	for _, w := range walks {
		w.Match, w.From, w.Before, w.Limit, w.Scan = q, from, before, limit+1, searchScan
		rows, stopped, err := l.Store.AuditWalk(ctx, w)
		if err != nil {
			return nil, fmt.Errorf("search the audit log: %w", err)
		}
		found = append(found, rows...)
		if newer(stopped, floor) {
			floor = stopped
		}
	}
	if err := l.itself(ctx, q, from, before, &found); err != nil {
		return nil, err
	}
	return page(found, floor, limit), nil
}

func (q Query) check(limit int) error {
	if limit < 1 || limit > MaxPage {
		return fmt.Errorf("%w: a page has 1 to %d events", ErrQuery, MaxPage)
	}
	if q.Until != 0 && q.Until <= q.Since {
		return fmt.Errorf("%w: it ends before it begins", ErrQuery)
	}
	for _, text := range []string{q.ActorKind, q.ActorID, q.Action, q.TargetKind, q.TargetID, q.RequestID, q.Text} {
		// PostgreSQL keeps no NUL in a text and would say so with an error.
		if len(text) > 2048 || strings.ContainsRune(text, 0) || !utf8.ValidString(text) {
			return fmt.Errorf("%w: a text that no event has", ErrQuery)
		}
	}
	return nil
}

// span turns times into ids, which rise with them. empty means that nothing can
// match.
func (l *Log) span(ctx context.Context, q Query, after Cursor) (from, before id.ID, empty bool, err error) {
	before = after
	if q.Since == 0 && q.Until == 0 {
		return from, before, false, nil
	}
	from, to, err := l.Store.AuditSpan(ctx, q.Since, q.Until)
	if err != nil {
		return from, before, false, fmt.Errorf("search the audit log: %w", err)
	}
	if q.Since != 0 && from.IsZero() {
		return from, before, true, nil
	}
	if !to.IsZero() && (before.IsZero() || newer(before, to)) {
		before = to
	}
	return from, before, false, nil
}

// walks chooses the index that leaves least to look at.
func (l *Log) walks(ctx context.Context, q Query) ([]Walk, error) {
	switch {
	case q.RequestID != "":
		return []Walk{{By: ByRequest, Key: q.RequestID}}, nil
	case q.TargetID != "" && q.TargetKind != "":
		return []Walk{{By: ByTarget, Kind: q.TargetKind, Key: q.TargetID}}, nil
	case q.ActorID != "" && q.ActorKind != "":
		return []Walk{{By: ByActor, Kind: q.ActorKind, Key: q.ActorID}}, nil
	case q.ActorID != "" && q.TargetID == "":
		return ofActor(q.ActorID), nil
	case q.TargetID == "" && q.Action == "" && q.Text == "":
		return []Walk{{By: ByTime}}, nil
	}
	actions, kinds, err := l.Store.AuditWords(ctx)
	if err != nil {
		return nil, fmt.Errorf("search the audit log: %w", err)
	}
	var walks []Walk
	switch {
	case q.TargetID != "":
		return ofTarget(kinds, q.TargetID), nil
	case q.Text != "":
		walks = append(ofTarget(kinds, q.Text), ofActor(q.Text)...)
		for _, by := range []By{ByRequest, BySession, ByConcern} {
			walks = append(walks, Walk{By: by, Key: q.Text})
		}
		return walks, nil
	}
	for _, action := range actions {
		if strings.HasPrefix(action, q.Action) {
			walks = append(walks, Walk{By: ByAction, Key: action})
		}
	}
	return walks, nil
}

func ofActor(actorID string) []Walk {
	var walks []Walk
	for _, kind := range []string{audit.Person, audit.Client, audit.CommandLine, audit.System} {
		walks = append(walks, Walk{By: ByActor, Kind: kind, Key: actorID})
	}
	return walks
}

func ofTarget(kinds []string, targetID string) []Walk {
	var walks []Walk
	for _, kind := range kinds {
		walks = append(walks, Walk{By: ByTarget, Kind: kind, Key: targetID})
	}
	return walks
}

// itself adds the event whose own id the text is, if it matches the rest.
func (l *Log) itself(ctx context.Context, q Query, from, before id.ID, found *[]Entry) error {
	own, err := id.Parse(q.Text)
	if err != nil || newer(from, own) || !before.IsZero() && !newer(before, own) {
		return nil
	}
	q.Text = ""
	rows, _, err := l.Store.AuditWalk(ctx, Walk{By: ByTime, Match: q, From: own, Before: after(own), Limit: 1, Scan: 1})
	if err != nil {
		return fmt.Errorf("search the audit log: %w", err)
	}
	*found = append(*found, rows...)
	return nil
}

// after is the id behind i.
func after(i id.ID) id.ID {
	for n := len(i) - 1; n >= 0; n-- {
		if i[n]++; i[n] != 0 {
			break
		}
	}
	return i
}

// page puts what several walks found together. A walk that stopped looking bounds
// how far the others count: what it has not seen may lie between theirs.
func page(found []Entry, floor id.ID, limit int) *Page {
	slices.SortFunc(found, func(a, b Entry) int { return slices.Compare(b.ID[:], a.ID[:]) })
	found = slices.CompactFunc(found, func(a, b Entry) bool { return a.ID == b.ID })
	p := &Page{Next: floor}
	for _, e := range found {
		if newer(floor, e.ID) {
			break
		}
		if len(p.Entries) == limit {
			p.Next = p.Entries[limit-1].ID
			break
		}
		p.Entries = append(p.Entries, e)
	}
	return p
}

func newer(a, b id.ID) bool { return slices.Compare(a[:], b[:]) > 0 }
