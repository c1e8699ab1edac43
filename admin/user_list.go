package admin

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// MaxPage is how many things a page of a list has at most.
const MaxPage = 200

// UserQuery says which users are meant. Nil members do not narrow.
type UserQuery struct {
	// Search finds a sub, and beginnings of usernames, mail addresses, names and last
	// words of names; what fits closest comes first, but for a search among members of
	// a group or those of whom a member below that is true, which keep their order.
	Search string
	// Group is the name of a group: its direct members, in the order in which their
	// accounts were made, or, if the group is large, as without it.
	Group  string
	Newest bool // the accounts made last first; not together with Search or Group
	// Who is one of these, is to leave, or has something required of them comes in the
	// order of usernames.
	Staff     *bool
	Superuser *bool
	Banned    *bool
	Leaving   *bool           // an account whose deletion is planned
	Required  accounts.Action // asked of the person by an operator; empty does not narrow
}

// UserPosition is where a list goes on.
type UserPosition struct {
	Stage int    `json:",omitzero"` // of a search
	Key   string `json:",omitzero"` // by which the list is in order
	ID    id.ID  `json:",omitzero"`
}

// UserPages reads lists of users, by keyset and without counting.
type UserPages interface {
	// UserPage returns at most limit users after a position, whose zero value begins,
	// and the position of what follows; nil if nothing does. A page may be short, even
	// empty, and have one after it: no more rows are looked at for one than a person
	// wants to wait for. ErrNotFound of package accounts is returned for a group that
	// does not exist.
	UserPage(ctx context.Context, q UserQuery, after UserPosition, limit int) ([]accounts.User, *UserPosition, error)
}

// ListUsers returns a page of users. It needs accounts.AdminUsersRead.
func (a *Admin) ListUsers(ctx context.Context, c *Caller, q UserQuery, after UserPosition, limit int) ([]accounts.User, *UserPosition, error) {
	if err := c.need(accounts.AdminUsersRead); err != nil {
		return nil, nil, err
	}
	found, next, err := a.UserPages.UserPage(ctx, q, after, min(max(limit, 1), MaxPage))
	if err != nil {
		return nil, nil, fmt.Errorf("page of users: %w", err)
	}
	a.Log.InfoContext(ctx, "administrator lists users", "actor_kind", c.Actor.Kind, "actor", c.Actor.ID, "client_id", c.ClientID, "users", len(found))
	return found, next, nil
}
