// Package revocation is the ledger: the one truth about which access tokens are
// dead before they expire.
//
// A cause (a sign-out, a ban, a permission taken from a group, ...) appends a row
// in its own transaction. Rows are numbered in commit order by a counter row that
// is locked last and held to the commit; that number, the position, is the only
// clock. A token carries rev, the smallest position at which every input of its
// decision was known true, and is dead if a row with a higher position matches
// one of its keys. Rows of the kinds Token, Session, Grant and Key match whatever
// rev says: rev is worth nothing in the hand of who holds a stolen key, and
// sessions and grants never come back.
package revocation

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/resource/wire"
)

// Kind says which key of a token a row is matched with.
type Kind string

// The kinds of rows.
const (
	Token      Kind = "token"      // key: jti
	Session    Kind = "session"    // key: sid
	Grant      Kind = "grant"      // key: gid
	User       Kind = "user"       // key: sub; the person's tokens, grants and sessions die
	Membership Kind = "membership" // key: sub; what the person may has shrunk: refresh
	Permission Kind = "permission" // key: scope; refresh
	Client     Kind = "client"     // key: client_id
	Key        Kind = "key"        // key: kid
	All        Kind = "all"        // no key; every access token refreshes once, or every one for an audience
)

// Kinds lists every kind, in the order of docs/architecture.md.
func Kinds() []Kind {
	return []Kind{Token, Session, Grant, User, Membership, Permission, Client, Key, All}
}

// KeyLife is how long rows of the kind Key live at least. Who stole a key writes
// rev and exp himself, so neither the floor nor any lifetime ends what he signs: it
// ends when nobody has the public key any more (L1). A verifier may use a key set for
// wire.KeySetFor after it was fetched, and that fetch may have been answered from a
// cache on the way which had not heard of the row; the margin is twice what such a
// cache may keep it.
const KeyLife = wire.KeySetFor*time.Millisecond + 10*time.Minute

// Absolute reports whether rows of the kind match tokens of any rev.
func (k Kind) Absolute() bool {
	return k == Token || k == Session || k == Grant || k == Key
}

// Entry is a row to be appended; storage gives it its position and time.
type Entry struct {
	Kind   Kind
	Key    string // empty for All
	Reason string // short and fixed, for people and events: "sign-out", "ban", ...
	// Audience is set where it is static (kinds Token and Permission, and All when
	// it is about one API): the only property by which followers may be spared a
	// row (L3).
	Audience string
	// ExpiresAt is when no token can need the row any more, in Unix
	// milliseconds; zero means the longest lifetime of a token plus leeway from
	// now (L12), for the kind Key KeyLife at least. Only the kind Token knows better.
	ExpiresAt int64
}

// Row is an entry in the ledger.
type Row struct {
	Position  int64
	Kind      Kind
	Key       string
	Audience  string
	Reason    string
	At        int64 // Unix milliseconds
	ExpiresAt int64 // Unix milliseconds
}

// Keys are what of a token a row can match.
type Keys struct {
	ID        string // jti
	SessionID string // sid, empty if the token has none
	GrantID   string // gid, empty for client credentials
	Subject   string
	ClientID  string
	KeyID     string // kid that signed it
	Audience  string // aud: the one API that it is for
	Scopes    []string
	Rev       int64
}

// Matches reports whether the row kills a token with these keys. It is the
// definition; the SQL of the storage must agree with it.
func (r Row) Matches(k Keys) bool {
	if !r.Kind.Absolute() && r.Position <= k.Rev {
		return false
	}
	switch r.Kind {
	case Token:
		return r.Key == k.ID
	case Session:
		return k.SessionID != "" && r.Key == k.SessionID
	case Grant:
		return k.GrantID != "" && r.Key == k.GrantID
	case User, Membership:
		return r.Key == k.Subject
	case Permission:
		// Machine clients hold permissions of their own (L19): only tokens of a
		// grant carry what a group gave.
		return k.GrantID != "" && slices.Contains(k.Scopes, r.Key)
	case Client:
		return r.Key == k.ClientID
	case Key:
		return r.Key == k.KeyID
	case All:
		return r.Audience == "" || r.Audience == k.Audience
	}
	return true // an unknown kind must never be silently ignored
}

// Head is the state of the ledger's counter row.
type Head struct {
	Position int64
	Change   int64  // bumped by changes of cached tables that revoke nothing
	Floor    int64  // highest position dropped (kind Token apart); a rev below it is refused (L12)
	Timeline string // random; another one means another history
	Hash     []byte // of everything ever appended, in order (L8)
}

// ErrNotInTx is returned by an Appender outside a transaction: a row without its
// cause, or a cause without its row, must not exist.
var ErrNotInTx = errors.New("revocation: append outside a transaction")

// Subject is what a Stamp is put on.
type Subject string

// The things that remember a position (L2).
const (
	UserValidFrom    Subject = "user"    // ID: sub; sessions, codes and grants with an earlier rev are dead
	ClientValidFrom  Subject = "client"  // ID: client_id; the same for what the client was given
	ConsentValidFrom Subject = "consent" // ID: sub + " " + client_id; the same for that pair
	SessionRev       Subject = "session" // ID: sid; the session that is meant to survive its user's stamp
)

// Stamp asks for the transaction's position to be written beside its rows: what
// was decided before the cause, and is written only after it, must be dead when
// it arrives. Causes that only shrink (membership, reduced scopes) stamp nothing.
type Stamp struct {
	Subject Subject
	ID      string
}

// Appender queues rows and stamps that are written as the last statements of
// the transaction in ctx, so that the counter's lock is held for the commit
// alone (L21). Stamps without any row append one row of the kind Session without
// a key, which kills nothing: a stamp needs a position of its own.
type Appender interface {
	Append(ctx context.Context, entries ...Entry) error
	Stamp(ctx context.Context, stamps ...Stamp) error
}

// Reader answers from the ledger.
type Reader interface {
	// Head reads the counter row from the primary.
	Head(ctx context.Context) (Head, error)
	// Revoked reports, in one statement, whether a row kills a token with these
	// keys or its rev lies below the floor.
	Revoked(ctx context.Context, k Keys) (bool, error)
	// After returns at most limit rows with a position above the given one, in
	// order.
	After(ctx context.Context, position int64, limit int) ([]Row, error)
}
