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
}

// Origin is where a change came from, as far as a request tells it.
type Origin struct {
	RequestID string
	Address   string
}

type originKey struct{}

// WithOrigin returns a context whose events carry o.
func WithOrigin(ctx context.Context, o Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

// OriginFrom returns the origin put there by WithOrigin, or none.
func OriginFrom(ctx context.Context) Origin {
	o, _ := ctx.Value(originKey{}).(Origin)
	return o
}
