package ascode

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// mostGrants is up to where the grants of a client are counted.
const mostGrants = 100_000

// pruned is an object that the file managed and does not name any more.
type pruned struct {
	mark    *accounts.Managed
	label   string
	object  id.ID // zero if it is not there
	touches string
	keep    bool // it cannot be removed by itself
	remove  func(ctx context.Context) error
}

// prune removes what this file managed and does not name any more: only objects
// that bear its mark, and are still those that bore it. Clients go first, and APIs
// after all that hold their permissions; settings are forgotten with keepSettings.
func (r *run) prune(ctx context.Context, targets []*target) error {
	if !r.opts.Prune {
		return nil
	}
	named := map[markKey]bool{}
	for _, t := range targets {
		named[markKey{t.kind, t.name}] = true
		if t.mark != nil {
			named[markKey{t.kind, t.mark.Name}] = true
		}
	}
	for name := range r.file.Settings { // also what the configuration gives by now
		named[markKey{accounts.ManagedSetting, name}] = true
	}
	var gone []pruned
	for key, m := range r.marks {
		if m.Manager != r.plan.Manager || named[key] {
			continue
		}
		p, err := r.prunable(ctx, m)
		if err != nil {
			return fmt.Errorf("%s %q: %w", kindName(m.Kind), m.Name, err)
		}
		gone = append(gone, p)
	}
	order := []accounts.ManagedKind{accounts.ManagedClient, accounts.ManagedGroup, accounts.ManagedPermissionSet, accounts.ManagedAPI, accounts.ManagedSetting}
	slices.SortFunc(gone, func(a, b pruned) int {
		return cmp.Or(slices.Index(order, a.mark.Kind)-slices.Index(order, b.mark.Kind), cmp.Compare(a.mark.Name, b.mark.Name))
	})
	for _, p := range gone {
		if !p.object.IsZero() {
			c := &Change{Kind: kindName(p.mark.Kind), Name: p.label, Action: Removed, Touches: p.touches}
			if p.keep {
				c.Action = Released
			}
			r.plan.Changes = append(r.plan.Changes, c)
		}
	}
	if err := r.agreed(); err != nil {
		return err
	}
	for _, p := range gone {
		if err := r.removePruned(ctx, p); err != nil {
			return fmt.Errorf("%s %q: %w", kindName(p.mark.Kind), p.label, err)
		}
	}
	return nil
}

func (r *run) removePruned(ctx context.Context, p pruned) error {
	if !p.object.IsZero() && !p.keep {
		if err := p.remove(ctx); err != nil {
			return err
		}
	}
	return r.Marks.Release(ctx, r.by, p.mark)
}

// prunable looks what a mark is on.
func (r *run) prunable(ctx context.Context, m *accounts.Managed) (pruned, error) {
	p := pruned{mark: m, label: m.Name}
	var err error
	switch m.Kind {
	case accounts.ManagedAPI:
		err = r.prunableAPI(ctx, m, &p)
	case accounts.ManagedPermissionSet:
		err = r.prunableSet(ctx, m, &p)
	case accounts.ManagedGroup:
		err = r.prunableGroup(ctx, m, &p)
	case accounts.ManagedClient:
		err = r.prunableClient(ctx, m, &p)
	case accounts.ManagedSetting:
		err = r.prunableSetting(ctx, m, &p)
	default:
		err = errors.New("of a release that knows more than this one")
	}
	if errors.Is(err, accounts.ErrNotFound) {
		return p, nil
	}
	if p.object != m.Object { // made by hand after the file's was removed
		p.object = id.ID{}
	}
	return p, err
}

func (r *run) prunableAPI(ctx context.Context, m *accounts.Managed, p *pruned) error {
	found, err := r.APIs.Find(ctx, m.Name)
	if err != nil {
		return err
	}
	if builtin(found) {
		return explain(accounts.ErrBuiltin)
	}
	p.object, p.label = found.ID, found.Audience
	p.touches = fmt.Sprintf("%d permissions, which everybody loses, and its resource server's client", len(found.Permissions))
	p.remove = func(ctx context.Context) error { return r.APIs.Delete(ctx, r.by, found.Audience) }
	return nil
}

func (r *run) prunableSet(ctx context.Context, m *accounts.Managed, p *pruned) error {
	found, err := r.Sets.Find(ctx, m.Name)
	if err != nil {
		return err
	}
	p.object, p.label = found.ID, found.Name
	p.touches = fmt.Sprintf("%d clients", len(found.Clients))
	p.remove = func(ctx context.Context) error { return r.Sets.Delete(ctx, r.by, found.Name) }
	return nil
}

func (r *run) prunableGroup(ctx context.Context, m *accounts.Managed, p *pruned) error {
	found, err := r.Groups.Find(ctx, m.Name)
	if err != nil {
		return err
	}
	p.object, p.label = found.ID, found.Name
	p.touches = fmt.Sprintf("%s members and %d groups inside it", found.Count(), len(found.Children))
	p.remove = func(ctx context.Context) error { return r.Groups.Delete(ctx, r.by, found.Name) }
	return nil
}

func (r *run) prunableClient(ctx context.Context, m *accounts.Managed, p *pruned) error {
	found, err := r.Clients.Store.LockClient(ctx, m.Name)
	if err != nil {
		return err
	}
	n, err := r.Grants.LiveGrants(ctx, found.ID, mostGrants)
	if err != nil {
		return err
	}
	p.object, p.keep = found.ID, found.Type == accounts.ResourceClient
	if !p.keep {
		p.touches = fmt.Sprintf("%d grants, with their tokens", n)
	}
	p.remove = func(ctx context.Context) error { return r.Clients.Delete(ctx, r.by, found.ClientID) }
	return nil
}
