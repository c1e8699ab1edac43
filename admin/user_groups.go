package admin

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// MembershipQuery asks for a page of the groups that somebody is in themselves, as far
// as their time has not ended.
type MembershipQuery struct {
	Subject string
	Now     int64 // Unix milliseconds
	After   id.ID // of the group; zero begins
	Limit   int
}

// ListedMembership is a group that somebody is in.
type ListedMembership struct {
	GroupID            id.ID
	Group, Description string
	EndsAt             int64 // Unix milliseconds; zero means without end
}

// UserGroups returns a page of the groups that somebody is in themselves, in the order
// in which the groups were made, after one of them. Errors: *Forbidden,
// accounts.ErrNotFound.
func (a *Admin) UserGroups(ctx context.Context, c *Caller, subject string, after id.ID, limit int) ([]ListedMembership, error) {
	if err := c.need(accounts.AdminUsersRead); err != nil {
		return nil, err
	}
	if _, err := a.findUser(ctx, subject); err != nil {
		return nil, err
	}
	list, err := a.Lists.ListedMemberships(ctx, MembershipQuery{Subject: subject, Now: a.now(), After: after, Limit: min(max(limit, 1), MaxPage)})
	if err != nil {
		return nil, fmt.Errorf("groups of a person: %w", err)
	}
	a.saw(ctx, c, "groups", subject)
	return list, nil
}
