package importing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
)

// factGroup is followed by the key of a group that an import made, and its value is
// the group's id: one of the same name that somebody made later is another one.
const factGroup = "imported.group."

// builder makes what a plan says. Each object is a transaction.
type builder struct {
	*Target
	ctx    context.Context
	by     audit.Actor
	plan   *Plan
	report *Report
	merge  bool

	result  Result
	carried map[string]bool  // permissions that are there, at the API that the plan says
	groups  []accounts.Group // that were made
}

// all may run again from its beginning.
func (b *builder) all(again func()) error {
	again()
	b.result, b.groups, b.carried = Result{}, nil, map[string]bool{}
	if err := b.freeNames(); err != nil {
		return err
	}
	for _, a := range b.plan.APIs {
		if err := b.api(a); err != nil {
			return fmt.Errorf("API %s: %w", a.Audience, err)
		}
	}
	for _, g := range b.plan.Groups {
		if err := b.group(g); err != nil {
			return fmt.Errorf("group %q: %w", Short(g.Name), err)
		}
	}
	for _, g := range b.plan.Groups {
		if err := b.nest(g); err != nil {
			return fmt.Errorf("group %q: %w", Short(g.Name), err)
		}
	}
	for _, c := range b.plan.Clients {
		if err := b.client(c); err != nil {
			return fmt.Errorf("client %q: %w", Short(c.ClientID), err)
		}
	}
	return nil
}

// freeNames stops before anything is made if groups of the file's names are somebody
// else's.
func (b *builder) freeNames() error {
	if b.merge {
		return nil
	}
	there, err := b.Groups.Store.ListGroups(b.ctx)
	if err != nil {
		return fmt.Errorf("groups: %w", err)
	}
	var taken []string
	for _, g := range there {
		if b.plan.groups[g.NameKey] == nil {
			continue
		}
		made, err := b.Import.Store.Instance(b.ctx, factGroup+g.NameKey)
		if err != nil && !errors.Is(err, accounts.ErrNotFound) {
			return fmt.Errorf("groups: %w", err)
		}
		if made != g.ID.String() {
			taken = append(taken, g.Name)
		}
	}
	if len(taken) > 0 {
		return fmt.Errorf("%w: %s", ErrGroupsThere, named(taken))
	}
	return nil
}

// api makes an API, or the permissions that it does not have yet.
func (b *builder) api(a *API) error {
	free, err := b.freePermissions(a)
	if err != nil {
		return err
	}
	found, err := b.APIs.Find(b.ctx, a.Audience)
	if errors.Is(err, accounts.ErrNotFound) {
		made, client, text, err := b.APIs.Create(b.ctx, b.by, accounts.NewAPI{Audience: a.Audience, Name: a.Name, Permissions: free})
		if err != nil {
			return err
		}
		b.result.APIs.Made++
		b.result.Permissions.Made += len(free)
		b.result.NewAPIs = append(b.result.NewAPIs, NewAPI{Audience: made.Audience, ClientID: client.ClientID, Secret: text})
		for _, p := range free {
			b.carried[p.Name] = true
		}
		return nil
	}
	if err != nil {
		return err
	}
	b.result.APIs.Present++
	for _, p := range free {
		if slices.ContainsFunc(found.Permissions, func(q accounts.Permission) bool { return q.Name == p.Name }) {
			b.result.Permissions.Present++
		} else if err := b.APIs.AddPermission(b.ctx, b.by, a.Audience, p); err != nil {
			return err
		} else {
			b.result.Permissions.Made++
		}
		b.carried[p.Name] = true
	}
	return nil
}

// freePermissions leaves out those whose name is a permission of another API: who held
// the one must not get the other.
func (b *builder) freePermissions(a *API) ([]accounts.NewPermission, error) {
	const atOnce = 500
	var free []accounts.NewPermission
	own, err := b.APIs.Find(b.ctx, a.Audience)
	if err != nil && !errors.Is(err, accounts.ErrNotFound) {
		return nil, err
	}
	for chunk := range slices.Chunk(a.Permissions, atOnce) {
		names := make([]string, len(chunk))
		for i, p := range chunk {
			names[i] = p.Name
		}
		there, err := b.Groups.Permissions.PermissionsByName(b.ctx, names)
		if err != nil {
			return nil, fmt.Errorf("permissions: %w", err)
		}
		for _, p := range chunk {
			if found, taken := there[p.Name]; taken && (own == nil || found.APIID != own.ID) {
				b.report.Note("permission", p.Name, "another API has a permission of this name")
				continue
			}
			free = append(free, p)
		}
	}
	return free, nil
}

// group makes a group and lets it hold what it held.
func (b *builder) group(g *Group) error {
	found, err := b.Groups.Find(b.ctx, g.Name)
	switch {
	case errors.Is(err, accounts.ErrNotFound):
		err := b.Import.Tx.InTx(b.ctx, func(ctx context.Context) error {
			var err error
			if found, err = b.Groups.Create(ctx, b.by, g.Name, g.Description); err != nil {
				return err
			}
			return b.Import.Store.SetInstance(ctx, factGroup+found.NameKey, found.ID.String())
		})
		if errors.Is(err, accounts.ErrInvalid) && g.Description != "" {
			g.Description = ""
			b.report.Note("group", g.Name, "its description is too long, or holds what nobody sees")
			return b.group(g)
		}
		if err != nil {
			return err
		}
		b.result.Groups.Made++
		b.groups = append(b.groups, *found)
	case err != nil:
		return err
	default:
		b.result.Groups.Present++
	}
	for _, name := range g.Permissions {
		if !b.carried[name] {
			b.report.Note("group", g.Name, "a permission that it held was not carried over")
			continue
		}
		if slices.Contains(found.Permissions, name) {
			continue
		}
		if err := b.Groups.GrantPermission(b.ctx, b.by, g.Name, name); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) nest(g *Group) error {
	for _, parent := range g.Parents {
		err := b.Groups.AddChild(b.ctx, b.by, parent, g.Name)
		switch {
		case errors.Is(err, accounts.ErrNestingLoop):
			b.report.Note("group", g.Name, "it would be inside itself")
		case errors.Is(err, accounts.ErrNestingDepth):
			b.report.Note("group", g.Name, "too many groups would be inside one another")
		case err != nil:
			return err
		}
	}
	return nil
}

// client registers an app, which is disabled at once if it was.
func (b *builder) client(c *Client) error {
	_, _, err := b.Clients.Store.ClientByID(b.ctx, c.ClientID, b.Clients.Now().UnixMilli())
	if err == nil {
		b.result.Clients.Present++
		return nil
	}
	if !errors.Is(err, accounts.ErrNotFound) {
		return err
	}
	r := c.Registration
	r.Permissions = nil
	for _, name := range c.Permissions {
		if b.carried[name] {
			r.Permissions = append(r.Permissions, name)
		} else {
			b.report.Note("client", c.ClientID, "a permission that it held was not carried over")
		}
	}
	if c.Secret != "" {
		if r.SecretHash, err = b.Clients.Hasher.Hash(b.ctx, c.Secret); err != nil {
			return fmt.Errorf("hash the secret: %w", err)
		}
	}
	err = b.Import.Tx.InTx(b.ctx, func(ctx context.Context) error {
		if _, _, err := b.Clients.Register(ctx, b.by, r); err != nil || !c.Disabled {
			return err
		}
		return b.Clients.Disable(ctx, b.by, c.ClientID)
	})
	if errors.Is(err, accounts.ErrInvalid) {
		b.report.Note("client", c.ClientID, "not made: "+strings.ReplaceAll(err.Error(), accounts.ErrInvalid.Error()+": ", ""))
		return nil
	}
	if errors.Is(err, accounts.ErrConflict) {
		b.report.Note("client", c.ClientID, "not made: its client_id is the sub of a person")
		return nil
	}
	if err == nil {
		b.result.Clients.Made++
	}
	return err
}
