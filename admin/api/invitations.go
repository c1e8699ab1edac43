package api

import (
	"context"
	"net/http"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
)

// Invitation is one that nobody has accepted yet.
type Invitation struct {
	Email       string     `json:"email"`
	Self        string     `json:"self" format:"uri-reference" doc:"Where the invitation is."`
	Groups      []string   `json:"groups" nullable:"false"`
	InviterKind string     `json:"inviter_kind,omitempty" doc:"person, client, command or system."`
	InviterID   string     `json:"inviter_id,omitempty" doc:"A sub, client_id or system user."`
	CreatedAt   *timestamp `json:"created_at"`
	ExpiresAt   *timestamp `json:"expires_at"`
}

func (s *surface) invitations() {
	register(s, Route{
		ID: "listInvitations", Method: http.MethodGet, Path: "/invitations", Tag: tagUsers, Permission: accounts.AdminUsersRead,
		Summary: "List invitations",
		Details: "Those that nobody has accepted and whose time has not passed, in the order of addresses.",
	}, func(ctx context.Context, c *admin.Caller, in *struct{ Paging }) (*List[Invitation], error) {
		var at nameKey
		if err := s.after(ctx, in.Cursor, &at); err != nil {
			return nil, err
		}
		read, err := s.Admin.ListInvitations(ctx, c, at.Key, in.Limit+1)
		if err != nil {
			return nil, err
		}
		found, more := cut(read, in.Limit)
		items := make([]Invitation, len(found))
		for i, n := range found {
			items[i] = Invitation{
				Email: n.Email, Self: s.base + "/invitations/" + segment(n.EmailKey), Groups: filled(n.Groups),
				InviterKind: n.Inviter.Kind, InviterID: n.Inviter.ID, CreatedAt: timeOf(n.CreatedAt), ExpiresAt: timeOf(n.ExpiresAt),
			}
		}
		if !more {
			return page(s, ctx, items, nil)
		}
		return page(s, ctx, items, nameKey{found[len(found)-1].EmailKey})
	})
	register(s, Route{
		ID: "withdrawInvitation", Method: http.MethodDelete, Path: "/invitations/{email}", Tag: tagUsers, Permission: accounts.AdminUsersWrite,
		Status: http.StatusNoContent, Summary: "Withdraw an invitation", Details: "Its link is void. Who has accepted it keeps the account.",
	}, func(ctx context.Context, c *admin.Caller, in *struct {
		Email string `path:"email" maxLength:"512" doc:"The mail address, written as ~ and its base64url."`
	},
	) (*nothing, error) {
		email, err := fromSegment(in.Email)
		if err != nil {
			return nil, err
		}
		return &nothing{}, s.Admin.WithdrawInvitation(ctx, c, email)
	})
}
