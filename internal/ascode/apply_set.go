package ascode

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

func (r *run) setTarget(w *PermissionSet) *target {
	t := &target{kind: accounts.ManagedPermissionSet, name: w.key(), label: w.label(), line: w.line, want: factsOf(*w)}
	t.read = func(ctx context.Context) (id.ID, facts, error) {
		found, err := r.Sets.Find(ctx, w.Name)
		if errors.Is(err, accounts.ErrNotFound) {
			return id.ID{}, nil, nil
		}
		if err != nil {
			return id.ID{}, nil, err
		}
		return found.ID, factsOf(fileSet(found)), nil
	}
	t.steps[stageSets] = func(ctx context.Context) error { return r.set(ctx, t, w) }
	return t
}

// fileSet is Export's view of a permission set.
func fileSet(p *accounts.PermissionSet) PermissionSet {
	return PermissionSet{Name: p.Name, Description: new(p.Description), Permissions: set(p.Permissions)}
}

// set makes a permission set or brings it up to what is wanted.
func (r *run) set(ctx context.Context, t *target, w *PermissionSet) error {
	if t.object.IsZero() {
		if _, err := r.Sets.Create(ctx, r.by, w.Name, value(w.Description)); err != nil {
			return err
		}
	}
	found, err := r.Sets.Find(ctx, w.Name)
	if err != nil {
		return err
	}
	if w.Description != nil {
		if err := r.Sets.Describe(ctx, r.by, found.Name, *w.Description); err != nil {
			return err
		}
	}
	if w.Permissions == nil {
		return nil
	}
	return exactly(found.Permissions, w.Permissions, permissionOf(ctx, r.by, found.Name, r.Sets.Grant), permissionOf(ctx, r.by, found.Name, r.Sets.Revoke))
}

// permissionOf changes whether a group or a set holds a permission.
func permissionOf(ctx context.Context, by audit.Actor, holder string, change func(ctx context.Context, by audit.Actor, holder, permission string) error) func(string) error {
	return func(permission string) error {
		err := change(ctx, by, holder, permission)
		if errors.Is(err, accounts.ErrNotFound) {
			return fmt.Errorf("there is no permission %q: write it into an API of the file", permission)
		}
		return err
	}
}

// exactly brings a set to what is wanted.
func exactly(have, want []string, add, remove func(string) error) error {
	for _, item := range have {
		if !slices.Contains(want, item) {
			if err := remove(item); err != nil {
				return err
			}
		}
	}
	for _, item := range set(want) {
		if !slices.Contains(have, item) {
			if err := add(item); err != nil {
				return err
			}
		}
	}
	return nil
}
