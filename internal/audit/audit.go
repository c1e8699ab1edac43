// Package audit holds the words in which a change is recorded: who did what to
// whom. Every function of the domain that changes something takes an Actor and
// writes an Event in the transaction of the change, so that the log can neither
// miss a change nor tell of one that was rolled back.
package audit

import "context"

// Kinds of actors.
const (
	Person      = "person"  // a signed-in user; ID is the user's sub
	Client      = "client"  // an OAuth client; ID is its client_id
	CommandLine = "command" // somebody at the server's shell; ID is the system user
	System      = "system"  // Gatehouse itself, on a schedule or by a rule
)

// MaxListed is how many items of a list an event tells; the log cuts longer ones.
// Whoever changes more people than that at once writes an event for each so many, so
// that all are named and no event gets too long for its way to others.
const MaxListed = 100

// Actor is who makes a change.
type Actor struct {
	Kind string
	ID   string
	Name string // for the reader of the log; never used for decisions
}

// Event is one line of the log.
type Event struct {
	Actor      Actor
	Action     string // dotted, subject first: "user.ban", "group.permission.revoke"
	TargetKind string // "user", "group", "client", "api", "session", "grant", "key", ...
	TargetID   string // the public id: sub, name, client_id, sid, gid, kid
	Details    map[string]any
	// Before and After hold what the change made different, by name: the old value
	// and the new one. A name that is in one of them alone was, or is, not set.
	// Neither they nor Details ever hold a secret, a password's hash or a token.
	Before, After map[string]any
}

// Origin is where a change came from, as far as a request tells it.
type Origin struct {
	RequestID string
	Address   string
	Session   string // sid of the signed-in person's browser, empty without
	Client    string // client_id of the app by whose token it was asked, empty without
}

type originKey struct{}

// WithOrigin returns a context whose events carry o.
func WithOrigin(ctx context.Context, o Origin) context.Context {
	return context.WithValue(ctx, originKey{}, &o)
}

// SignedIn notes in the origin of a context, where there is one, in whose session the
// request turned out to be. The request's own goroutine calls it.
func SignedIn(ctx context.Context, sid string) {
	if o, ok := ctx.Value(originKey{}).(*Origin); ok {
		o.Session = sid
	}
}

// Through notes in the origin of a context, where there is one, by the token of which
// app the request was made, and of which session (empty without), as SignedIn does.
func Through(ctx context.Context, clientID, sid string) {
	if o, ok := ctx.Value(originKey{}).(*Origin); ok {
		o.Client, o.Session = clientID, sid
	}
}

// OriginFrom returns the origin put there by WithOrigin, or none.
func OriginFrom(ctx context.Context) Origin {
	if o, ok := ctx.Value(originKey{}).(*Origin); ok {
		return *o
	}
	return Origin{}
}
