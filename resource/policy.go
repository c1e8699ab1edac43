package resource

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/gatehouse-id/gatehouse/resource/follow"
	"github.com/gatehouse-id/gatehouse/resource/revset"
)

// Policy says what to do with a good token while the ledger is not [Fresh]. What
// the set is known to hold is refused under each.
type Policy uint8

// The policies.
const (
	// Introspect asks the issuer (RFC 7662), and answers [ErrUnavailable] when it
	// cannot be reached. Answers are kept for five seconds.
	Introspect Policy = iota
	// Deny answers ErrUnavailable.
	Deny
	// Allow lets the token pass, and logs that it does.
	Allow
)

// String returns the policy's name in lower case.
func (p Policy) String() string {
	switch p {
	case Introspect:
		return "introspect"
	case Deny:
		return "deny"
	case Allow:
		return "allow"
	}
	return "unknown"
}

// Reasons that [Events.Refused] is called with. Those from ReasonToken to
// ReasonInactive are what takes tokens back; their names are the ledger's. Those
// before ReasonInvalid only the middleware finds: it alone knows the route.
const (
	ReasonMissing        = "missing"        // no token
	ReasonMalformed      = "malformed"      // a request with two tokens, or with what is none
	ReasonScope          = "scope"          // a good token without the route's permission
	ReasonAuthentication = "authentication" // a good token of a sign-in that is not enough for the route

	ReasonInvalid     = "invalid"     // a bad token
	ReasonUnavailable = "unavailable" // keys or issuer out of reach
	ReasonStale       = "stale"       // the policy Deny
	ReasonToken       = "token"
	ReasonSession     = "session"
	ReasonGrant       = "grant"
	ReasonSubject     = "subject" // user and membership, which look the same here
	ReasonClient      = "client"
	ReasonPermission  = "permission"
	ReasonKey         = "key"
	ReasonAll         = "all"
	ReasonFloor       = "floor"    // older than the rows that are kept
	ReasonInactive    = "inactive" // the issuer said so when asked
)

// With returns v with another policy for its routes. It shares everything else,
// and follows nothing when v does not. It panics if policy is none.
func (v *Verifier) With(policy Policy) *Verifier {
	if policy > Allow {
		panic(fmt.Sprintf("resource: no such policy: %d", policy))
	}
	c := *v
	c.stale = policy
	return &c
}

// judge decides by the ledger whether a proven token may pass at the time now.
func (v *Verifier) judge(ctx context.Context, raw string, p *proof, now time.Time) error {
	if v.feed == nil {
		return nil
	}
	core := v.feed.core
	// The state first: rows that come after it only make the answer stricter.
	fresh := core.State(now) == follow.Fresh
	if view := core.View(); view != nil {
		if kind, hit := view.Set.Match(p.ask(view)); hit {
			return taken(kind)
		}
	}
	if fresh {
		core.Saw(p.token.Rev, now)
		return nil
	}
	switch v.stale {
	case Introspect:
		return v.feed.introspector.check(ctx, p.digest, raw)
	case Allow:
		v.feed.allowed(now)
		return nil
	}
	return denied()
}

// taken returns the refusal of a token that a row of this kind took back.
func taken(kind revset.Kind) error {
	switch kind {
	case revset.Token:
		return revokedToken(ReasonToken, "the access token has been revoked")
	case revset.Session:
		return revokedToken(ReasonSession, "the session has ended")
	case revset.Grant:
		return revokedToken(ReasonGrant, "the app's access has been withdrawn")
	case revset.Subject:
		return revokedToken(ReasonSubject, "the account or its permissions have changed, refresh the token")
	case revset.Client:
		return revokedToken(ReasonClient, "what the app may do has changed, refresh the token")
	case revset.Permission:
		return revokedToken(ReasonPermission, "permissions have changed, refresh the token")
	case revset.Key:
		return revokedToken(ReasonKey, "the access token's key has been withdrawn, refresh the token")
	case revset.All:
		return revokedToken(ReasonAll, "all access tokens have been withdrawn, refresh the token")
	case revset.Floor:
		return revokedToken(ReasonFloor, "the access token is too old, refresh it")
	}
	return revokedToken(ReasonInvalid, "the access token has been revoked")
}

// refused tells the hook why a token was refused.
func (v *Verifier) refused(err error) {
	var refusal *Error
	if errors.As(err, &refusal) && v.events.Refused != nil {
		v.events.Refused(refusal.reason)
	}
}

// latest returns the later one of this clock and the issuer's, as far as the feed
// tells: a clock that is behind would accept tokens whose rows have been dropped
// (H13).
func (v *Verifier) latest(now time.Time) time.Time {
	if v.feed == nil {
		return now
	}
	if server, ok := v.feed.core.ServerTime(now); ok && server.After(now) {
		return server
	}
	return now
}

// seldom lets something happen at most once a second.
type seldom struct{ next atomic.Int64 }

func (s *seldom) now(now time.Time) bool {
	next := s.next.Load()
	return now.UnixNano() >= next && s.next.CompareAndSwap(next, now.Add(time.Second).UnixNano())
}

// allowed notes that a token passed although the ledger was not fresh.
func (f *feed) allowed(now time.Time) {
	if f.events.Allowed != nil {
		f.events.Allowed()
	}
	if f.logAllowed.now(now) {
		f.log.Warn("resource: tokens accepted although revocations are not known",
			slog.String("state", f.core.State(now).String()))
	}
}
