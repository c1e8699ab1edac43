package ascode

import (
	"context"
	"errors"
	"slices"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

func (r *run) apiTarget(w *API) *target {
	t := &target{
		kind: accounts.ManagedAPI, name: w.key(), label: w.label(), line: w.line,
		want: w.facts(), place: w.SecretPlace, secretKey: "api " + w.key(), // a client_id holds no space
	}
	t.read = func(ctx context.Context) (id.ID, facts, error) {
		found, err := r.APIs.Find(ctx, w.Audience)
		if errors.Is(err, accounts.ErrNotFound) {
			return id.ID{}, nil, r.chosen(ctx, t, "")
		}
		if err != nil {
			return id.ID{}, nil, err
		}
		if builtin(found) {
			return id.ID{}, nil, explain(accounts.ErrBuiltin)
		}
		if err := r.chosen(ctx, t, found.ResourceServer); err != nil {
			return id.ID{}, nil, err
		}
		return found.ID, fileAPI(found).facts(), nil
	}
	t.steps[stageTake] = func(ctx context.Context) error { return r.takePermissions(ctx, t, w) }
	t.steps[stageAPIs] = func(ctx context.Context) error { return r.api(ctx, t, w) }
	return t
}

// takePermissions removes what an API that is there has no more.
func (r *run) takePermissions(ctx context.Context, t *target, w *API) error {
	if t.object.IsZero() || w.Permissions == nil {
		return nil
	}
	found, err := r.APIs.Find(ctx, w.Audience)
	if err != nil {
		return err
	}
	for _, have := range found.Permissions {
		if slices.ContainsFunc(w.Permissions, func(p Permission) bool { return p.Name == have.Name }) {
			continue
		}
		if err := r.APIs.DeletePermission(ctx, r.by, found.Audience, have.Name); err != nil {
			return err
		}
	}
	return nil
}

// api makes an API or brings it up to what is wanted.
func (r *run) api(ctx context.Context, t *target, w *API) error {
	if t.object.IsZero() {
		made, client, text, err := r.APIs.Create(ctx, r.by, w.creation())
		if err != nil {
			return err
		}
		t.change.ClientID = client.ClientID
		t.tell(text)
		if err := r.choose(ctx, t, client.ClientID); err != nil {
			return err
		}
		return r.enableAPI(ctx, made, w)
	}
	found, err := r.APIs.Find(ctx, w.Audience)
	if err != nil {
		return err
	}
	next := accounts.APISettings{
		Texts: w.Texts, TokenLifetime: (*int64)(w.TokenLifetime), TokenAlgorithm: w.TokenAlgorithm,
		AuthenticationClaims: w.AuthenticationClaims, StatusList: w.StatusList,
	}
	if w.Name != "" {
		next.Name = &w.Name
	}
	if _, err := r.APIs.Update(ctx, r.by, found.Audience, next); err != nil {
		return err
	}
	for _, p := range w.Permissions {
		change := r.APIs.AddPermission
		if slices.ContainsFunc(found.Permissions, func(have accounts.Permission) bool { return have.Name == p.Name }) {
			change = r.APIs.DescribePermission // which does nothing where nothing differs
		}
		if err := change(ctx, r.by, found.Audience, p.domain()); err != nil {
			return err
		}
	}
	if err := r.choose(ctx, t, found.ResourceServer); err != nil {
		return err
	}
	return r.enableAPI(ctx, found, w)
}

func (r *run) enableAPI(ctx context.Context, found *accounts.API, w *API) error {
	if w.Disabled == nil || *w.Disabled == (found.DisabledAt != 0) {
		return nil
	}
	if *w.Disabled {
		return r.APIs.Disable(ctx, r.by, found.Audience)
	}
	return r.APIs.Enable(ctx, r.by, found.Audience)
}

func (p Permission) domain() accounts.NewPermission {
	return accounts.NewPermission{Name: p.Name, Description: p.Description, Texts: p.Texts}
}

func (a API) creation() accounts.NewAPI {
	n := accounts.NewAPI{
		Audience: a.Audience, Name: a.Name, Texts: a.Texts, TokenLifetime: int64(value(a.TokenLifetime)),
		TokenAlgorithm: value(a.TokenAlgorithm), AuthenticationClaims: value(a.AuthenticationClaims), StatusList: value(a.StatusList),
	}
	for _, p := range a.Permissions {
		n.Permissions = append(n.Permissions, p.domain())
	}
	return n
}

// value is what was given, or nothing.
func value[T any](given *T) (v T) {
	if given != nil {
		v = *given
	}
	return v
}
