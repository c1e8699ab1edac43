package admin

import (
	"context"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// ListStore reads the lists of operators a page at a time, each in one statement
// that walks an index from where the last page ended. No list counts.
type ListStore interface {
	// ListedClients returns clients in the order of their keys, or newest first.
	ListedClients(ctx context.Context, q ClientQuery) ([]ListedClient, error)
	// ListedSessions returns sessions that have not been ended, newest first.
	ListedSessions(ctx context.Context, q SessionQuery) ([]ListedSession, error)
	// ListedGrants returns grants, ended ones too, newest first.
	ListedGrants(ctx context.Context, q GrantQuery) ([]ListedGrant, error)
	// ListedConsents returns consents that were not taken back, in the order of the
	// ids of people or, of one person, of clients.
	ListedConsents(ctx context.Context, q ConsentQuery) ([]ListedConsent, error)
	// ListedMemberships returns the groups that somebody is in, in the order of their ids.
	ListedMemberships(ctx context.Context, q MembershipQuery) ([]ListedMembership, error)
	// ListedRevocations returns the rows of the ledger, newest first.
	ListedRevocations(ctx context.Context, q RevocationQuery) ([]revocation.Row, error)
}

// ClientKey is a client's place in the list of clients.
type ClientKey struct {
	Name     string `json:"n"` // in lower case, as the database folds it
	ClientID string `json:"c"`
}

// ClientQuery asks for a page of clients. Zero members do not restrict.
type ClientQuery struct {
	Prefix       string // of the name, in any case
	RedirectHost string // of one of the redirect URIs, without port, in any case
	ClientID     string // the whole of it
	// OrHost lists also those whose name begins otherwise, but one of whose redirect
	// URIs has Prefix as its host. It goes alone: not with RedirectHost or ClientID.
	OrHost bool
	Type   accounts.ClientType
	State  string // "enabled" or "disabled"
	After  ClientKey
	// Newest lists those that were made last first, without regard to Prefix and
	// RedirectHost, before the one with an id; zero begins at the newest.
	Newest bool
	Before id.ID
	Limit  int
}

// ListedClient is a client, without its secrets, and its place in the list.
type ListedClient struct {
	accounts.Client
	Key ClientKey
}

// SessionQuery asks for a page of sessions, of everybody or of one person, or for one
// session.
type SessionQuery struct {
	ID      id.ID
	Subject string
	Before  id.ID // zero begins at the newest
	// Oldest begins at the other end, after the session with an id.
	Oldest bool
	After  id.ID
	Limit  int
}

// ListedSession is a session and whose it is.
type ListedSession struct {
	accounts.Session
	Subject  string
	Username string
}

// GrantQuery asks for a page of grants, of a client or a person or both, or for one
// grant.
type GrantQuery struct {
	ID       id.ID
	ClientID string
	Subject  string
	Before   id.ID // zero begins at the newest
	Limit    int
}

// ListedGrant is a grant, who gave it and to whom.
type ListedGrant struct {
	accounts.Grant
	Subject, Username    string
	ClientID, ClientName string
	// RefreshEndsAt is when the refresh token ends if it is not used; zero for a
	// grant without one.
	RefreshEndsAt int64
}

// ConsentQuery asks for a page of consents of one client or one person.
type ConsentQuery struct {
	ClientID string
	Subject  string
	After    id.ID // of the person, or of the client when a person is named
	Limit    int
}

// ListedConsent is a consent, whose it is and for whom.
type ListedConsent struct {
	accounts.Consent
	Subject, Username    string
	ClientID, ClientName string
}

// RevocationQuery asks for a page of the ledger. Zero members do not restrict.
type RevocationQuery struct {
	Kind   revocation.Kind
	Key    string
	Before int64 // position; zero begins at the newest
	// Oldest begins at the other end, after a position.
	Oldest bool
	After  int64
	Limit  int
}
