package api

import (
	"context"
	"net/http"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
)

// userStates adds the routes by which accounts are blocked, raised and ended.
func (s *surface) userStates() {
	for _, rt := range []struct {
		id, method, path, permission, summary, details string
		do                                             func(ctx context.Context, c *admin.Caller, subject string) error
	}{
		{
			"banUser", http.MethodPost, "ban", accounts.AdminUsersWrite, "Ban a user",
			"Sign-in is refused, and every session, grant and token ends. Banning again changes nothing.", s.Admin.BanUser,
		},
		{
			"unbanUser", http.MethodPost, "unban", accounts.AdminUsersWrite, "Let a banned user sign in again",
			"What the ban ended stays ended.", s.Admin.UnbanUser,
		},
		{
			"signOutUser", http.MethodPost, "sign-out", accounts.AdminSessionsWrite, "Sign a user out everywhere",
			"Every session, grant and token ends, those of apps that may act while the user is away too.", s.Admin.SignOutUser,
		},
		{
			"grantStaff", http.MethodPut, "staff", accounts.AdminUsersWrite, "Let a user enter the console",
			"Needs a superuser.", func(ctx context.Context, c *admin.Caller, subject string) error {
				return s.Admin.SetStaff(ctx, c, subject, true)
			},
		},
		{
			"revokeStaff", http.MethodDelete, "staff", accounts.AdminUsersWrite, "Keep a user out of the console",
			"Needs a superuser.", func(ctx context.Context, c *admin.Caller, subject string) error {
				return s.Admin.SetStaff(ctx, c, subject, false)
			},
		},
		{
			"grantSuperuser", http.MethodPut, "superuser", accounts.AdminUsersWrite, "Give a user every permission",
			"Needs a superuser, with a token for all that there is to administer.",
			func(ctx context.Context, c *admin.Caller, subject string) error {
				return s.Admin.SetSuperuser(ctx, c, subject, true)
			},
		},
		{
			"revokeSuperuser", http.MethodDelete, "superuser", accounts.AdminUsersWrite, "Take every permission from a superuser",
			"Needs a superuser, with a token for all that there is to administer. The last superuser who can sign in stays one.",
			func(ctx context.Context, c *admin.Caller, subject string) error {
				return s.Admin.SetSuperuser(ctx, c, subject, false)
			},
		},
		{
			"cancelDeletion", http.MethodDelete, "deletion", accounts.AdminUsersWrite, "Keep a user who was to be deleted",
			"What planning the deletion ended stays ended.", s.Admin.CancelDeletion,
		},
	} {
		register(s, Route{
			ID: rt.id, Method: rt.method, Path: "/users/{user}/" + rt.path, Tag: tagUsers, Permission: rt.permission,
			Status: http.StatusNoContent, Summary: rt.summary, Details: rt.details,
		}, func(ctx context.Context, c *admin.Caller, in *UserRef) (*nothing, error) {
			return s.forUser(in, func(subject string) error { return rt.do(ctx, c, subject) })
		})
	}
	s.userDemands()
}

// userDemands adds the routes by which accounts are to end, or to do something first.
func (s *surface) userDemands() {
	register(s, Route{
		ID: "planDeletion", Method: http.MethodPut, Path: "/users/{user}/deletion", Tag: tagUsers, Permission: accounts.AdminUsersWrite,
		Summary: "Delete a user later",
		Details: "Signs the user out now, and deletes the account after the days in which its owner can sign in and keep it.",
	}, s.planDeletion)
	register(s, Route{
		ID: "requireActions", Method: http.MethodPut, Path: "/users/{user}/required-actions", Tag: tagUsers, Permission: accounts.AdminUsersWrite, Status: http.StatusNoContent,
		Summary: "Ask a user to do something first", Details: "Replaces what was asked before; an empty list takes everything back.",
	}, s.requireActions)
}

type deletionOutput struct {
	Body struct {
		DeleteAt *timestamp `json:"delete_at"`
	}
}

func (s *surface) planDeletion(ctx context.Context, c *admin.Caller, in *UserRef) (*deletionOutput, error) {
	subject, err := in.subject()
	if err != nil {
		return nil, err
	}
	at, err := s.Admin.PlanDeletion(ctx, c, subject)
	if err != nil {
		return nil, err
	}
	var out deletionOutput
	out.Body.DeleteAt = timeOf(at)
	return &out, nil
}

type requireActionsInput struct {
	UserRef
	Body struct {
		Actions []string `json:"actions" maxItems:"4" nullable:"false" enum:"verify_email,change_password,enrol_factor,accept_terms"`
	}
}

func (s *surface) requireActions(ctx context.Context, c *admin.Caller, in *requireActionsInput) (*nothing, error) {
	actions := make([]accounts.Action, len(in.Body.Actions))
	for i, a := range in.Body.Actions {
		actions[i] = accounts.Action(a)
	}
	return s.forUser(&in.UserRef, func(subject string) error { return s.Admin.RequireActions(ctx, c, subject, actions) })
}
