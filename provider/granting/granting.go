// Package granting holds what the protocol keeps about a person's decision, and
// what its gate must know to decide again: codes, grants, and the standing of one
// person and one client in one snapshot. It is apart from package provider so
// that storage can implement its interfaces without knowing fosite.
package granting

import (
	"context"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// Code is an authorization code that was issued. It is kept under the id of the
// grant that its redemption will create, so that the grant's primary key decides
// who redeems it (L14), and a grant can be ended before it exists.
type Code struct {
	GrantID     id.ID
	SecretHash  []byte
	ClientID    id.ID
	UserID      id.ID
	SessionID   id.ID
	RedirectURI string
	Challenge   string // S256 code_challenge, empty only for clients excepted from PKCE
	Nonce       string
	Scopes      []string // asked, of those that the client may ask
	Resources   []string // asked (RFC 8707), in registered form
	Claims      string   // the claims parameter, JSON, empty if none
	Rev         int64
	AuthTime    int64 // Unix milliseconds
	AMR         []string
	ACR         string
	CreatedAt   int64
	ExpiresAt   int64
}

// Grant is a redeemed code: what a client was given by a person.
type Grant struct {
	accounts.Grant
	CodeHash  []byte // of the code that made it, for replays after the code's row is gone
	Challenge string
	Claims    string
	Rev       int64
	AuthTime  int64
	AMR       []string
	ACR       string
	Refresh   RefreshState
	// PurgeAt is when nothing can refer to the grant any more.
	PurgeAt int64
}

// RefreshState is the one live refresh token of a grant. Tokens of earlier
// generations prove themselves by their own tag, so none of them is kept.
type RefreshState struct {
	Hash       []byte // of the live token; nil if the grant has none
	Generation int64  // of the live token
	// Recent are the times, in Unix milliseconds, at which the last generations
	// were rotated away, newest first: Recent[0] is when Generation-1 was. A token
	// presented shortly after its rotation is answered with the same successor.
	Recent     []int64
	IdleEndsAt int64
	ExpiresAt  int64
}

// Rotation replaces a grant's refresh token: it holds the new state, which is
// written only if Old is still the live token's hash.
type Rotation struct {
	GrantID    id.ID
	Old        []byte
	Hash       []byte
	Generation int64
	Recent     []int64
	IdleEndsAt int64
}

// Membership says that a person is in a group now.
type Membership struct {
	Group  id.ID
	EndsAt int64 // Unix milliseconds; zero means without end (L11)
}

// Held is a permission that a person or a machine holds now, with what tokens for
// its API need.
type Held struct {
	Permission string
	EndsAt     int64 // Unix milliseconds at which the membership ends; zero means without end (L11)
	API        Audience
}

// Audience is an enabled API as far as a token for it needs it.
type Audience struct {
	URI                  string
	TokenLifetime        int64 // milliseconds, zero for the default
	TokenAlgorithm       string
	AuthenticationClaims bool
	StatusList           bool // tokens name their place in a status list
}

// Standing is everything that the gate must know of one person and one client,
// read in one statement: one snapshot, with the ledger's head in it (L9). Of the
// person, the session and the consent it holds what the gate and the claims need;
// password, lookup keys, and where a session came from are not read.
type Standing struct {
	accounts.Mark
	User    *accounts.User    // nil when deleted
	Session *accounts.Session // nil when there is none
	Consent *accounts.Consent // nil when the person was never asked
	// Groups are those that the person is in, in no order.
	Groups []Membership
	// Held are the permissions among the scopes asked. The provider fills them in,
	// from Groups and what it remembers of permissions; the store does for names that
	// it is given, without their API.
	Held []Held
	// APIs are the enabled ones among the resources asked, filled in by the provider.
	APIs []Audience
}

// Permission is what is known of a permission without looking at anybody.
type Permission struct {
	Permission string
	API        Audience
	Groups     []id.ID // those that hold it, sorted
}

// Catalogue says which API each of some permissions belongs to, and which groups
// hold it: what is the same for everybody, and changes seldom. It is one snapshot.
type Catalogue struct {
	accounts.Mark
	// Permissions are those that exist and belong to an enabled API, sorted by name.
	Permissions []Permission
	// APIs are the enabled ones among the resources asked, sorted.
	APIs []Audience
}

// Person is whom userinfo tells of: the person of a grant, what its client asked to
// be told, and what they allow it now. It is one snapshot.
type Person struct {
	accounts.Mark
	User    *accounts.User
	Consent *accounts.Consent // nil when the person was never asked
	Claims  string            // the grant's claims parameter, JSON, empty if none
	Groups  []string          // sorted; read only if asked for
}

// StandingStore reads standings, each in one statement.
type StandingStore interface {
	// SessionStanding is for the authorization endpoint: the session of a cookie,
	// its user with what is asked of them, and what the client may be given. Without
	// such a session only Mark is filled. names are permissions that Held is wanted of.
	SessionStanding(ctx context.Context, tokenHash []byte, clientID id.ID, names []string, now int64) (*Standing, error)
	// CodeStanding returns the code kept under a grant's id, the grant if it
	// exists already, and the standing of the code's person. Either may be nil;
	// ErrNotFound if both are. A code without a grant is one statement; the grant of
	// one that was redeemed, which nothing is issued for, may be read by another.
	CodeStanding(ctx context.Context, grantID id.ID, now int64) (*Code, *Grant, *Standing, error)
	// GrantStanding returns a grant, ended or not, with its person's standing.
	GrantStanding(ctx context.Context, grantID id.ID, now int64) (*Grant, *Standing, error)
	// Audiences returns the APIs and the groups of permissions, and the APIs that
	// resources name.
	Audiences(ctx context.Context, permissions, resources []string) (*Catalogue, error)
	// GrantPerson returns the person of a grant, ended or not, with the groups they
	// are in now if those are wanted.
	GrantPerson(ctx context.Context, grantID id.ID, groups bool, now int64) (*Person, error)
	// UserStanding returns a person and the groups they are in now, by sub.
	UserStanding(ctx context.Context, subject string, now int64) (*accounts.User, []string, error)
}

// GrantStore writes what may happen once. Each write is one statement with one
// winner.
type GrantStore interface {
	// InsertCode reports false if a code or a grant of that id exists. Its loss
	// is harmless, so it need not be durable (L15).
	InsertCode(ctx context.Context, c *Code) (bool, error)
	// RedeemCode inserts the grant; it reports false if the id exists: the code
	// was redeemed before.
	RedeemCode(ctx context.Context, g *Grant) (bool, error)
	// RotateRefresh replaces the token if Old is still the live one and the
	// grant has not ended; it reports whether it did.
	RotateRefresh(ctx context.Context, r Rotation) (bool, error)
	// UseAssertion records the jti of a client's assertion until it expires; it
	// reports false if it was used before (RFC 7523 §3).
	UseAssertion(ctx context.Context, clientID, jti string, expiresAt int64) (bool, error)
}
