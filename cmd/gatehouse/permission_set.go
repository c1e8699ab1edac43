package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
)

type permissionSetCommand struct {
	Create   setCreate   `cmd:"" help:"Make a permission set."`
	List     setList     `cmd:"" help:"List permission sets and what they hold."`
	Show     setShow     `cmd:"" help:"Show a permission set and the apps that hold it."`
	Describe setDescribe `cmd:"" help:"Say what a permission set is for."`
	Delete   setDelete   `cmd:"" help:"Remove a permission set; its apps lose what nothing else gives them."`
	Grant    setGrant    `cmd:"" help:"Put a permission into a set."`
	Revoke   setRevoke   `cmd:"" help:"Take a permission out of a set."`
	Assign   setAssign   `cmd:"" help:"Give a set to an app that acts for itself."`
	Unassign setUnassign `cmd:"" help:"Take a set from an app."`
}

// whichSet names a permission set on the command line.
type whichSet struct {
	Set string `required:"" placeholder:"S" help:"Name of the permission set."`
}

func (s whichSet) find(ctx context.Context, d *domain) (*accounts.PermissionSet, error) {
	found, err := d.sets.Find(ctx, s.Set)
	if errors.Is(err, accounts.ErrNotFound) {
		return nil, fmt.Errorf("there is no permission set %q", s.Set)
	}
	return found, err
}

// change finds the set, changes it and says so.
func (s whichSet) change(c *call, did string, f func(ctx context.Context, d *domain, by audit.Actor) error) error {
	return c.with(false, func(ctx context.Context, d *domain, by audit.Actor) error {
		found, err := s.find(ctx, d)
		if err != nil {
			return err
		}
		if err := f(ctx, d, by); err != nil {
			return err
		}
		return c.done("permission set %s %s", plain(found.Name), did)
	})
}

type setAnswer struct {
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	Permissions []string `json:"permissions"`
	Clients     []string `json:"clients,omitempty"` // client_ids; only when one set is shown
}

func setAnswerOf(p *accounts.PermissionSet) setAnswer {
	return setAnswer{Name: p.Name, Description: p.Description, Permissions: append([]string{}, p.Permissions...), Clients: p.Clients}
}

type setCreate struct {
	Name        string `required:"" help:"Name of the permission set."`
	Description string `help:"What it is for."`
}

// Run makes a set.
func (s *setCreate) Run(c *call) error {
	return c.with(true, func(ctx context.Context, d *domain, by audit.Actor) error {
		made, err := d.sets.Create(ctx, by, s.Name, s.Description)
		if errors.Is(err, accounts.ErrConflict) {
			return fmt.Errorf("there is a permission set %q already", s.Name)
		}
		if err != nil {
			return err
		}
		return c.answer(setAnswerOf(made), func(w io.Writer) {
			_, _ = fmt.Fprintf(w, "permission set %s created\n", plain(made.Name))
		})
	})
}

type setList struct {
	After string `placeholder:"S" help:"Begin after this set's name."`
	Limit int    `default:"100" help:"How many at most."`
}

// Run lists sets.
func (s *setList) Run(c *call) error {
	return c.with(false, func(ctx context.Context, d *domain, _ audit.Actor) error {
		after := ""
		if s.After != "" {
			found, err := whichSet{s.After}.find(ctx, d)
			if err != nil {
				return err
			}
			after = found.NameKey
		}
		page, err := d.sets.Page(ctx, "", after, s.Limit)
		if err != nil {
			return err
		}
		list := make([]setAnswer, len(page))
		rows := [][]string{{"PERMISSION SET", "PERMISSIONS"}}
		for i := range page {
			list[i] = setAnswerOf(&page[i])
			rows = append(rows, []string{list[i].Name, words(list[i].Permissions)})
		}
		return c.answer(map[string]any{"permission_sets": list}, func(w io.Writer) { table(w, rows...) })
	})
}

type setShow struct{ whichSet }

// Run shows a set.
func (s *setShow) Run(c *call) error {
	return c.with(false, func(ctx context.Context, d *domain, _ audit.Actor) error {
		found, err := s.find(ctx, d)
		if err != nil {
			return err
		}
		a := setAnswerOf(found)
		return c.answer(a, func(w io.Writer) {
			table(w, [][]string{
				{"name", a.Name}, {"description", a.Description}, {"permissions", words(a.Permissions)}, {"clients", words(a.Clients)},
			}...)
		})
	})
}

type setDescribe struct {
	whichSet
	Description string `required:"" help:"What it is for; empty for nothing."`
}

// Run describes a set.
func (s *setDescribe) Run(c *call) error {
	return s.change(c, "described", func(ctx context.Context, d *domain, by audit.Actor) error {
		return d.sets.Describe(ctx, by, s.Set, s.Description)
	})
}

type setDelete struct{ whichSet }

// Run removes a set.
func (s *setDelete) Run(c *call) error {
	return s.change(c, "deleted", func(ctx context.Context, d *domain, by audit.Actor) error {
		return d.sets.Delete(ctx, by, s.Set)
	})
}

type setGrant struct {
	whichSet
	whichPermission
}

// Run puts a permission into a set.
func (s *setGrant) Run(c *call) error {
	return s.change(c, "holds "+s.Permission, func(ctx context.Context, d *domain, by audit.Actor) error {
		return s.explain(d.sets.Grant(ctx, by, s.Set, s.Permission))
	})
}

type setRevoke struct {
	whichSet
	whichPermission
}

// Run takes a permission out of a set.
func (s *setRevoke) Run(c *call) error {
	return s.change(c, "does not hold "+s.Permission, func(ctx context.Context, d *domain, by audit.Actor) error {
		return s.explain(d.sets.Revoke(ctx, by, s.Set, s.Permission))
	})
}

type setAssign struct {
	whichSet
	whichClient
}

// Run gives a set to an app.
func (s *setAssign) Run(c *call) error {
	return s.whichSet.change(c, "is held by "+plain(s.Client), func(ctx context.Context, d *domain, by audit.Actor) error {
		return s.explain(d.sets.Assign(ctx, by, s.Set, s.Client))
	})
}

type setUnassign struct {
	whichSet
	whichClient
}

// Run takes a set from an app.
func (s *setUnassign) Run(c *call) error {
	return s.whichSet.change(c, "is not held by "+plain(s.Client), func(ctx context.Context, d *domain, by audit.Actor) error {
		return s.explain(d.sets.Unassign(ctx, by, s.Set, s.Client))
	})
}
