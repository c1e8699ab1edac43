package accounts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

const (
	// ActivityShown is how far back people see what has happened to their account.
	ActivityShown = 90 * 24 * time.Hour

	// shownSessions bounds for how many sessions and grants events are looked for.
	shownSessions = 200
)

// Activity tells people what has happened to their account, and which apps have to
// do with it.
type Activity struct {
	Store ActivityStore
	Now   func() time.Time
}

// ActivityStore reads what people are told of.
type ActivityStore interface {
	// SessionsSince returns the sessions of a user that were used since, ended or not,
	// newest first.
	SessionsSince(ctx context.Context, userID id.ID, since int64, limit int) ([]Session, error)
	// EndedGrants returns the gids of a user's grants that ended since, newest first.
	EndedGrants(ctx context.Context, userID id.ID, since int64, limit int) ([]string, error)
	// EventsAbout returns events about a person, newest first.
	EventsAbout(ctx context.Context, q EventQuery) ([]PastEvent, error)
	// AppsOf returns the apps that a person allowed something, or that hold a grant of
	// theirs with which they can get tokens at the given time, in the order of names.
	AppsOf(ctx context.Context, userID id.ID, now int64) ([]ConnectedApp, error)
	// ConsentOf returns ErrNotFound when the person was never asked.
	ConsentOf(ctx context.Context, userID, clientID id.ID) (*Consent, error)
	// ClientNames returns the names of clients by their client_id.
	ClientNames(ctx context.Context, clientIDs []string) (map[string]AppName, error)
}

// EventQuery says which events are meant: those about a user, and those about some of
// their sessions and grants.
type EventQuery struct {
	Subject  string
	Sessions []string // sids
	Grants   []string // gids
	Since    int64    // Unix milliseconds
	Before   id.ID    // older than the event of this id; zero means the newest
	Limit    int
}

// PastEvent is an event of the audit log.
type PastEvent struct {
	ID id.ID
	At int64 // Unix milliseconds
	audit.Event
	Address string
}

// ByThem reports whether the person did it themselves.
func (e *PastEvent) ByThem(subject string) bool {
	return e.Actor.Kind == audit.Person && e.Actor.ID == subject
}

// ConnectedApp is an app that has to do with somebody's account.
type ConnectedApp struct {
	ClientID   string
	Name       string
	Texts      Texts
	HomeURI    string
	FirstParty bool // connected without asking
	Disabled   bool
	Scopes     []string // what it may do
	Offline    bool     // also when the person is away
	Since      int64    // Unix milliseconds
	LastUsedAt int64    // when it last got a token, as far as that is kept; zero if it never did
}

// Happened is an event with what there is to say about it.
type Happened struct {
	PastEvent
	Session *Session // whose event it is or which it names, if it is still known
	App     AppName  // of the app that it names, empty without
}

// Events returns at most limit events of somebody's account of the last ActivityShown,
// newest first, older than the event before (zero: from the newest on), and whether
// there are more.
func (a *Activity) Events(ctx context.Context, u *User, before id.ID, limit int) (events []Happened, more bool, err error) {
	since := a.Now().Add(-ActivityShown).UnixMilli()
	sessions, err := a.Store.SessionsSince(ctx, u.ID, since, shownSessions)
	if err != nil {
		return nil, false, fmt.Errorf("sessions of a person: %w", err)
	}
	q := EventQuery{Subject: u.Subject, Since: since, Before: before, Limit: limit + 1}
	known := map[string]*Session{}
	for i := range sessions {
		known[sessions[i].ID.String()] = &sessions[i]
		q.Sessions = append(q.Sessions, sessions[i].ID.String())
	}
	if q.Grants, err = a.Store.EndedGrants(ctx, u.ID, since, shownSessions); err != nil {
		return nil, false, fmt.Errorf("grants of a person: %w", err)
	}
	found, err := a.Store.EventsAbout(ctx, q)
	if err != nil {
		return nil, false, fmt.Errorf("events about a person: %w", err)
	}
	if more = len(found) > limit; more {
		found = found[:limit]
	}
	names, err := a.names(ctx, found)
	if err != nil {
		return nil, false, err
	}
	for _, e := range found {
		events = append(events, Happened{PastEvent: e, Session: known[sessionOf(&e)], App: names[e.clientID()]})
	}
	return events, more, nil
}

// sessionOf is the sid that an event is about, empty without.
func sessionOf(e *PastEvent) string {
	if e.TargetKind == "session" {
		return e.TargetID
	}
	return e.detail("session")
}

func (e *PastEvent) clientID() string { return e.detail("client_id") }

func (e *PastEvent) detail(name string) string {
	s, _ := e.Details[name].(string)
	return s
}

func (a *Activity) names(ctx context.Context, events []PastEvent) (map[string]AppName, error) {
	var ids []string
	for i := range events {
		if c := events[i].clientID(); c != "" && !slices.Contains(ids, c) {
			ids = append(ids, c)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	names, err := a.Store.ClientNames(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("names of apps: %w", err)
	}
	return names, nil
}

// Apps returns the apps that have to do with somebody's account, in the order of
// their names in a language (BCP 47).
func (a *Activity) Apps(ctx context.Context, u *User, lang string) ([]ConnectedApp, error) {
	apps, err := a.Store.AppsOf(ctx, u.ID, a.Now().UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("apps of a person: %w", err)
	}
	slices.SortFunc(apps, func(a, b ConnectedApp) int {
		if n := strings.Compare(strings.ToLower(a.NameIn(lang)), strings.ToLower(b.NameIn(lang))); n != 0 {
			return n
		}
		return strings.Compare(a.ClientID, b.ClientID)
	})
	return apps, nil
}

// Disconnected reports whether somebody took back within the given time what they had
// allowed a client.
func (a *Activity) Disconnected(ctx context.Context, u *User, client *Client, within time.Duration) (bool, error) {
	k, err := a.Store.ConsentOf(ctx, u.ID, client.ID)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("find consent: %w", err)
	}
	return k.RevokedAt != 0 && a.Now().UnixMilli()-k.RevokedAt < within.Milliseconds(), nil
}
