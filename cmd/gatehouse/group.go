package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
)

type groupCommand struct {
	Create       groupCreate       `cmd:"" help:"Make a group."`
	List         groupList         `cmd:"" help:"List groups and what they hold."`
	Show         groupShow         `cmd:"" help:"Show a group: what it holds, what it is inside, who manages it."`
	Members      groupMembers      `cmd:"" help:"List the members of a group."`
	Explain      groupExplain      `cmd:"" help:"Show which permissions a user holds, and through which groups."`
	Holders      groupHolders      `cmd:"" help:"Show which groups hold a permission, themselves or by what they are inside."`
	Delete       groupDelete       `cmd:"" help:"Remove a group; its members lose what it gave them."`
	Grant        groupGrant        `cmd:"" help:"Give the members of a group a permission."`
	Revoke       groupRevoke       `cmd:"" help:"Take a permission from a group."`
	Demand       groupDemand       `cmd:"" help:"Make a second factor a must for the members of a group, or no longer."`
	AddMember    groupAddMember    `cmd:"" help:"Put a user into a group."`
	RemoveMember groupRemoveMember `cmd:"" help:"Take a user out of a group."`

	AddChild      groupAddChild      `cmd:"" help:"Put a group inside another: its members become members of that one too."`
	RemoveChild   groupRemoveChild   `cmd:"" help:"Take a group out of another."`
	AddManager    groupAddManager    `cmd:"" help:"Let a user add and remove the members of a group."`
	RemoveManager groupRemoveManager `cmd:"" help:"End that."`
}

// whichGroup names a group on the command line.
type whichGroup struct {
	Group string `required:"" placeholder:"G" help:"Name of the group."`
}

func (g whichGroup) find(ctx context.Context, d *domain) (*accounts.Group, error) {
	found, err := d.groups.Find(ctx, g.Group)
	if errors.Is(err, accounts.ErrNotFound) {
		return nil, fmt.Errorf("there is no group %q", g.Group)
	}
	return found, err
}

// change finds the group, changes it and says so.
func (g whichGroup) change(c *call, did string, f func(ctx context.Context, d *domain, by audit.Actor) error) error {
	return c.with(false, func(ctx context.Context, d *domain, by audit.Actor) error {
		found, err := g.find(ctx, d)
		if err != nil {
			return err
		}
		if err := f(ctx, d, by); err != nil {
			return err
		}
		return c.done("group %s %s", plain(found.Name), did)
	})
}

type groupAnswer struct {
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	Members     int      `json:"members"`
	MoreMembers bool     `json:"more_members,omitempty"` // than were counted
	Permissions []string `json:"permissions"`
	// SecondFactor says that members need a second factor.
	SecondFactor bool     `json:"second_factor,omitempty"`
	Parents      []string `json:"parents,omitempty"`
	Children     []string `json:"children,omitempty"`
	Managers     []string `json:"managers,omitempty"` // subs
}

func groupAnswerOf(g *accounts.Group) groupAnswer {
	return groupAnswer{
		Name: g.Name, Description: g.Description, Members: min(g.Members, accounts.MaxCounted), MoreMembers: g.Members > accounts.MaxCounted, Permissions: append([]string{}, g.Permissions...),
		SecondFactor: g.SecondFactor, Parents: g.Parents, Children: g.Children, Managers: g.Managers,
	}
}

type groupCreate struct {
	Name        string `required:"" help:"Name of the group."`
	Description string `help:"What it is for."`
}

// Run makes a group.
func (g *groupCreate) Run(c *call) error {
	return c.with(true, func(ctx context.Context, d *domain, by audit.Actor) error {
		made, err := d.groups.Create(ctx, by, g.Name, g.Description)
		if errors.Is(err, accounts.ErrConflict) {
			return fmt.Errorf("there is a group %q already", g.Name)
		}
		if err != nil {
			return err
		}
		return c.answer(groupAnswerOf(made), func(w io.Writer) {
			_, _ = fmt.Fprintf(w, "group %s created\n", plain(made.Name))
		})
	})
}

type groupList struct{}

// Run lists groups.
func (groupList) Run(c *call) error {
	return c.with(false, func(ctx context.Context, d *domain, _ audit.Actor) error {
		found, err := d.db.ListGroups(ctx)
		if err != nil {
			return err
		}
		list := make([]groupAnswer, len(found))
		rows := [][]string{{"GROUP", "MEMBERS", "PERMISSIONS"}}
		for i := range found {
			list[i] = groupAnswerOf(&found[i])
			rows = append(rows, []string{list[i].Name, found[i].Count(), words(list[i].Permissions)})
		}
		return c.answer(map[string]any{"groups": list}, func(w io.Writer) { table(w, rows...) })
	})
}

type groupDelete struct{ whichGroup }

// Run removes a group.
func (g *groupDelete) Run(c *call) error {
	return g.change(c, "deleted", func(ctx context.Context, d *domain, by audit.Actor) error {
		return d.groups.Delete(ctx, by, g.Group)
	})
}

// whichPermission names a permission on the command line.
type whichPermission struct {
	Permission string `required:"" placeholder:"P" help:"Name of the permission, such as posts:add."`
}

func (p whichPermission) explain(err error) error {
	if errors.Is(err, accounts.ErrNotFound) {
		return fmt.Errorf("there is no permission %q: gatehouse api add-permission makes one", p.Permission)
	}
	return err
}

type groupGrant struct {
	whichGroup
	whichPermission
}

// Run gives a group a permission.
func (g *groupGrant) Run(c *call) error {
	return g.change(c, "holds "+g.Permission, func(ctx context.Context, d *domain, by audit.Actor) error {
		return g.explain(d.groups.GrantPermission(ctx, by, g.Group, g.Permission))
	})
}

type groupRevoke struct {
	whichGroup
	whichPermission
}

// Run takes a permission from a group.
func (g *groupRevoke) Run(c *call) error {
	return g.change(c, "does not hold "+g.Permission, func(ctx context.Context, d *domain, by audit.Actor) error {
		return g.explain(d.groups.RevokePermission(ctx, by, g.Group, g.Permission))
	})
}

type groupDemand struct {
	whichGroup
	SecondFactor bool `name:"second-factor" negatable:"" required:"" help:"A second factor, or with --no-second-factor none."`
}

// Run sets what members must have. Their sessions go on: who has one factor is asked
// for the second when they next come by.
func (g *groupDemand) Run(c *call) error {
	did := "does not demand a second factor"
	if g.SecondFactor {
		did = "demands a second factor"
	}
	return g.change(c, did, func(ctx context.Context, d *domain, by audit.Actor) error {
		return d.groups.SetSecondFactor(ctx, by, g.Group, g.SecondFactor)
	})
}

type groupAddMember struct {
	whichGroup
	whom
	Until time.Time `placeholder:"TIME" help:"End of the membership, such as 2030-01-31T00:00:00Z."`
}

// Run puts a user into a group.
func (g *groupAddMember) Run(c *call) error {
	return g.whichGroup.change(c, "has the member "+plain(g.User), func(ctx context.Context, d *domain, by audit.Actor) error {
		u, err := g.whom.find(ctx, d)
		if err != nil {
			return err
		}
		var ends int64
		if !g.Until.IsZero() {
			ends = max(g.Until.UnixMilli(), 1) // zero would mean without end
		}
		return d.groups.AddMember(ctx, by, g.Group, u.Subject, ends)
	})
}

type groupRemoveMember struct {
	whichGroup
	whom
}

// Run takes a user out of a group.
func (g *groupRemoveMember) Run(c *call) error {
	return g.whichGroup.change(c, "has "+plain(g.User)+" no more", func(ctx context.Context, d *domain, by audit.Actor) error {
		u, err := g.whom.find(ctx, d)
		if err != nil {
			return err
		}
		return d.groups.RemoveMember(ctx, by, g.Group, u.Subject)
	})
}
