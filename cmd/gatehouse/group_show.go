package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

type groupShow struct{ whichGroup }

// Run shows a group.
func (g *groupShow) Run(c *call) error {
	return c.with(false, func(ctx context.Context, d *domain, _ audit.Actor) error {
		found, err := g.find(ctx, d)
		if err != nil {
			return err
		}
		a := groupAnswerOf(found)
		managers := make([]string, len(a.Managers))
		for i, subject := range a.Managers {
			u, err := d.db.UserBySubject(ctx, subject)
			if err != nil {
				return err
			}
			managers[i] = u.Username
		}
		return c.answer(a, func(w io.Writer) {
			table(w, [][]string{
				{"name", a.Name}, {"description", a.Description}, {"members", found.Count()},
				{"permissions", words(a.Permissions)}, {"inside", strings.Join(a.Parents, ", ")}, {"has inside it", strings.Join(a.Children, ", ")},
				{"managers", strings.Join(managers, ", ")}, {"second factor", mark(a.SecondFactor, "demanded")},
			}...)
		})
	})
}

type memberAnswer struct {
	Subject  string `json:"sub"`
	Username string `json:"username"`
	Name     string `json:"name,omitempty"`
	EndsAt   string `json:"ends_at,omitempty"`
	AddedAt  string `json:"added_at"`
}

type groupMembers struct {
	whichGroup
	After string `placeholder:"SUB" help:"Begin after this user's sub."`
	Limit int    `default:"100" help:"How many at most."`
}

// Run lists members in the order in which their accounts were made.
func (g *groupMembers) Run(c *call) error {
	return c.with(false, func(ctx context.Context, d *domain, _ audit.Actor) error {
		var after id.ID
		if g.After != "" {
			u, err := d.db.UserBySubject(ctx, g.After)
			if err != nil {
				return fmt.Errorf("after: %w", err)
			}
			after = u.ID
		}
		page, err := d.groups.MemberPage(ctx, g.Group, after, g.Limit)
		if errors.Is(err, accounts.ErrNotFound) {
			return fmt.Errorf("there is no group %q", g.Group)
		}
		if err != nil {
			return err
		}
		list := make([]memberAnswer, len(page))
		rows := [][]string{{"SUB", "USERNAME", "NAME", "ENDS"}}
		for i, m := range page {
			list[i] = memberAnswer{Subject: m.Subject, Username: m.Username, Name: m.Name, EndsAt: when(m.EndsAt), AddedAt: when(m.AddedAt)}
			rows = append(rows, []string{m.Subject, m.Username, m.Name, list[i].EndsAt})
		}
		return c.answer(map[string]any{"members": list}, func(w io.Writer) { table(w, rows...) })
	})
}

type heldAnswer struct {
	Permission string   `json:"permission"`
	Through    []string `json:"through"`
	Superuser  bool     `json:"superuser,omitempty"`
	EndsAt     string   `json:"ends_at,omitempty"`
}

type groupExplain struct {
	whom
	Permission string `placeholder:"P" help:"This permission alone."`
}

// Run shows why a user holds what they hold.
func (g *groupExplain) Run(c *call) error {
	return c.with(false, func(ctx context.Context, d *domain, _ audit.Actor) error {
		u, err := g.find(ctx, d)
		if err != nil {
			return err
		}
		held, err := d.groups.Effective(ctx, u.Subject)
		if err != nil {
			return err
		}
		list := []heldAnswer{}
		rows := [][]string{{"PERMISSION", "THROUGH", "ENDS"}}
		for _, h := range held {
			if g.Permission != "" && g.Permission != h.Permission {
				continue
			}
			a := heldAnswer{Permission: h.Permission, Through: h.Through, Superuser: h.Superuser, EndsAt: when(h.EndsAt)}
			list = append(list, a)
			rows = append(rows, []string{a.Permission, strings.Join(a.Through, " > "), a.EndsAt})
		}
		return c.answer(map[string]any{"held": list}, func(w io.Writer) { table(w, rows...) })
	})
}

type holderAnswer struct {
	Group   string   `json:"group"`
	Direct  bool     `json:"direct"`
	Through []string `json:"through,omitempty"`
}

type groupHolders struct {
	whichPermission
	After string `placeholder:"G" help:"Begin after this group's name."`
	Limit int    `default:"100" help:"How many at most."`
}

// Run lists the groups that hold a permission.
func (g *groupHolders) Run(c *call) error {
	return c.with(false, func(ctx context.Context, d *domain, _ audit.Actor) error {
		after := ""
		if g.After != "" {
			found, err := whichGroup{g.After}.find(ctx, d)
			if err != nil {
				return err
			}
			after = found.NameKey
		}
		page, err := d.groups.Holders(ctx, g.Permission, after, g.Limit)
		if err != nil {
			return err
		}
		list := make([]holderAnswer, len(page))
		rows := [][]string{{"GROUP", "HOLDS IT", "INSIDE"}}
		for i, h := range page {
			list[i] = holderAnswer{Group: h.Group, Direct: h.Direct, Through: h.Through}
			rows = append(rows, []string{h.Group, mark(h.Direct, "itself"), strings.Join(h.Through, ", ")})
		}
		return c.answer(map[string]any{"groups": list}, func(w io.Writer) { table(w, rows...) })
	})
}
