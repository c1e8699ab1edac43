package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
)

type userInvitations struct {
	After string `placeholder:"A@B" help:"Begin after this address."`
	Limit int    `default:"100" help:"How many at most."`
}

// Run lists invitations in the order of their addresses.
func (u *userInvitations) Run(c *call) error {
	return c.with(false, func(ctx context.Context, d *domain, _ audit.Actor) error {
		if err := d.checkSecret(ctx); err != nil {
			return err
		}
		after := u.After
		if after != "" {
			key, err := accounts.EmailKey(after)
			if err != nil {
				return err
			}
			after = key
		}
		found, err := (&accounts.Invites{Proofs: d.proofs(nil)}).Open(ctx, after, u.Limit)
		if err != nil {
			return err
		}
		type invitation struct {
			Email     string   `json:"email"`
			Groups    []string `json:"groups"`
			InvitedBy string   `json:"invited_by"`
			ExpiresAt string   `json:"expires_at"`
		}
		list := make([]invitation, len(found))
		rows := [][]string{{"MAIL", "GROUPS", "INVITED BY", "UNTIL"}}
		for i, n := range found {
			list[i] = invitation{n.Email, append([]string{}, n.Groups...), strings.TrimSpace(n.Inviter.Kind + " " + n.Inviter.ID), when(n.ExpiresAt)}
			rows = append(rows, []string{n.Email, strings.Join(n.Groups, ", "), list[i].InvitedBy, list[i].ExpiresAt})
		}
		return c.answer(map[string]any{"invitations": list}, func(w io.Writer) { table(w, rows...) })
	})
}

type userUninvite struct {
	Email string `required:"" placeholder:"A@B" help:"Mail address that was invited."`
}

// Run withdraws an invitation.
func (u *userUninvite) Run(c *call) error {
	return c.with(false, func(ctx context.Context, d *domain, by audit.Actor) error {
		if err := d.checkSecret(ctx); err != nil {
			return err
		}
		err := (&accounts.Invites{Proofs: d.proofs(nil)}).Withdraw(ctx, by, u.Email)
		if errors.Is(err, accounts.ErrNotFound) {
			return fmt.Errorf("nobody is invited as %s", plain(u.Email))
		}
		if err != nil {
			return err
		}
		return c.answer(map[string]string{"email": u.Email}, func(w io.Writer) {
			_, _ = fmt.Fprintf(w, "%s is not invited any more\n", plain(u.Email))
		})
	})
}
