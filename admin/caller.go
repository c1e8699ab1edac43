package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
)

// Caller is who asks for an operation, and what they hold at this moment.
type Caller struct {
	Actor    audit.Actor
	Subject  string // sub of the person, empty for a machine
	ClientID string // of the app by which they ask, which audit events tell too; empty in the console
	// Superuser holds every permission; Staff may enter the console.
	Superuser, Staff bool
	// Held is every permission that the caller holds now, of all APIs, by their
	// names. A superuser's may be empty.
	Held map[string]bool
	// Scope is what the access token allows. Nil means that there is no token, and so
	// nothing to narrow.
	Scope map[string]bool
}

// May reports whether the caller may use a permission.
func (c *Caller) May(permission string) bool {
	return (c.Scope == nil || c.Scope[permission]) && (c.Superuser || c.Held[permission])
}

// holds reports whether the caller can give a permission, or stand above somebody
// who has it. A token narrows the permissions of the deployment itself: with one that
// may only change groups nobody can make themselves administrator of the keys. All
// other permissions are what such a token is for, and count as the person holds them.
func (c *Caller) holds(permission string) bool {
	if accounts.IsBuiltinPermission(permission) {
		return c.May(permission) || c.supreme()
	}
	return c.Superuser || c.Held[permission]
}

// supreme reports whether the caller can make and unmake superusers. A token does so
// only if it holds all that there is to administer.
func (c *Caller) supreme() bool {
	if !c.Superuser {
		return false
	}
	return !slices.ContainsFunc(accounts.AdminPermissions(), func(p string) bool { return !c.May(p) })
}

// Standing is what storage knows of a caller at one moment.
type Standing struct {
	Name             string // username, or name of the client
	Active           bool   // not banned, not disabled
	Superuser, Staff bool
	Held             []string // names of permissions, directly and through groups or sets
}

// CallerStore reads the standing of callers, each in one statement. ErrNotFound of
// package accounts means that there is no such user or client.
type CallerStore interface {
	PersonStanding(ctx context.Context, subject string, now int64) (*Standing, error)
	// MachineStanding is for clients that act for themselves.
	MachineStanding(ctx context.Context, clientID string) (*Standing, error)
}

// Callers tells who asks.
type Callers struct {
	Store CallerStore
	Now   func() time.Time
}

// ErrNoCaller is returned for somebody who is gone or banned, and for a client that
// is disabled.
var ErrNoCaller = errors.New("nobody who may ask")

// Person returns the caller that a person is, by their sub. With a token, client is
// its app and scope what it allows; in the console they are empty and nil. Errors:
// ErrNoCaller.
func (c *Callers) Person(ctx context.Context, subject, client string, scope []string) (*Caller, error) {
	s, err := c.Store.PersonStanding(ctx, subject, c.Now().UnixMilli())
	caller, err := callerOf(s, err, client, scope)
	if err != nil {
		return nil, err
	}
	caller.Subject = subject
	caller.Actor = audit.Actor{Kind: audit.Person, ID: subject, Name: s.Name}
	return caller, nil
}

// Machine returns the caller that a client is which acts for itself. Errors:
// ErrNoCaller.
func (c *Callers) Machine(ctx context.Context, client string, scope []string) (*Caller, error) {
	s, err := c.Store.MachineStanding(ctx, client)
	caller, err := callerOf(s, err, client, scope)
	if err != nil {
		return nil, err
	}
	// A machine is never a superuser, whatever storage says.
	caller.Superuser, caller.Staff = false, false
	caller.Actor = audit.Actor{Kind: audit.Client, ID: client, Name: s.Name}
	return caller, nil
}

func callerOf(s *Standing, err error, client string, scope []string) (*Caller, error) {
	switch {
	case errors.Is(err, accounts.ErrNotFound):
		return nil, ErrNoCaller
	case err != nil:
		return nil, fmt.Errorf("standing of a caller: %w", err)
	case !s.Active:
		return nil, ErrNoCaller
	}
	c := &Caller{ClientID: client, Superuser: s.Superuser, Staff: s.Staff, Held: setOf(s.Held)}
	if scope != nil {
		c.Scope = setOf(scope)
	}
	return c, nil
}

func setOf(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, n := range names {
		set[n] = true
	}
	return set
}
