package ascode

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

func (r *run) clientTarget(w *Client) *target {
	t := &target{kind: accounts.ManagedClient, name: w.ClientID, label: w.label(), line: w.line, want: w.facts().fold("permission_sets")}
	t.read = func(ctx context.Context) (id.ID, facts, error) {
		found, err := r.findClient(ctx, w, t.name)
		if err == nil && found == nil && t.name == "" {
			if t.name = r.before(w.Name); t.name != "" { // somebody gave it another name, or removed it
				found, err = r.findClient(ctx, w, t.name)
			}
		}
		if err != nil {
			return id.ID{}, nil, err
		}
		if found == nil {
			if w.SecretFile != "" {
				if err := r.Vacant(w.SecretFile); err != nil {
					return id.ID{}, nil, err
				}
			}
			return id.ID{}, nil, r.chosen(ctx, t, w, nil)
		}
		t.name = found.ClientID
		if w.Type != "" && w.Type != string(found.Type) {
			return id.ID{}, nil, fmt.Errorf("it is of the type %s, which cannot change: make another client", found.Type)
		}
		if err := r.chosen(ctx, t, w, found); err != nil {
			return id.ID{}, nil, err
		}
		return found.ID, fileClient(found).facts().fold("permission_sets"), nil
	}
	t.steps[stageClients] = func(ctx context.Context) error { return r.client(ctx, t, w) }
	return t
}

// findClient returns nil if there is none.
func (r *run) findClient(ctx context.Context, w *Client, clientID string) (*accounts.Client, error) {
	if clientID != "" {
		found, err := r.Clients.Store.LockClient(ctx, clientID)
		if errors.Is(err, accounts.ErrNotFound) {
			return nil, nil
		}
		return found, err
	}
	if w.Name == "" {
		return nil, errors.New("write a client_id, or a name to find it by")
	}
	var found *accounts.Client
	err := r.eachClient(ctx, func(c *accounts.Client) error {
		if c.Name != w.Name || c.Type == accounts.ResourceClient {
			return nil
		}
		if found != nil {
			return fmt.Errorf("%s and %s have this name: write the client_id", found.ClientID, c.ClientID)
		}
		found = c
		return nil
	})
	return found, err
}

// before is the client_id of the client that the file found by a name when it was
// last applied, or empty.
func (r *run) before(name string) string {
	for key, m := range r.marks {
		if key.kind == accounts.ManagedClient && m.Manager == r.plan.Manager && m.Applied["name"] == name {
			return m.Name
		}
	}
	return ""
}

// client makes an app or brings it up to what is wanted.
func (r *run) client(ctx context.Context, t *target, w *Client) error {
	clientID := t.name
	if t.object.IsZero() {
		made, text, err := r.Clients.Register(ctx, r.by, w.registration())
		if err != nil {
			return explainClient(err)
		}
		clientID, t.change.ClientID = made.ClientID, made.ClientID
		if w.SecretFrom == "" && text != "" {
			t.change.Secret, t.change.SecretFile = text, w.SecretFile
		}
		t.name = clientID
	}
	// Also what was just made: registration takes defaults where a list is empty.
	err := r.Clients.Update(ctx, r.by, clientID, func(c *accounts.Client) error {
		w.put(c)
		return nil
	})
	if err != nil {
		return explainClient(err)
	}
	found, err := r.Clients.Store.LockClient(ctx, clientID)
	if err != nil {
		return err
	}
	if w.PermissionSets != nil {
		if err := r.assign(ctx, found, w); err != nil {
			return err
		}
	}
	if err := r.choose(ctx, t, w); err != nil {
		return err
	}
	if w.Disabled == nil || *w.Disabled == (found.DisabledAt != 0) {
		return nil
	}
	if *w.Disabled {
		return r.Clients.Disable(ctx, r.by, clientID)
	}
	return r.Clients.Enable(ctx, r.by, clientID)
}

func (r *run) assign(ctx context.Context, found *accounts.Client, w *Client) error {
	have, want := []string{}, []string{}
	for _, name := range found.PermissionSets {
		have = append(have, folded(name))
	}
	for _, name := range w.PermissionSets {
		want = append(want, folded(name))
	}
	return exactly(have, want, func(name string) error {
		err := r.Sets.Assign(ctx, r.by, name, found.ClientID)
		if errors.Is(err, accounts.ErrNotFound) {
			return fmt.Errorf("there is no permission set %q", name)
		}
		return err
	}, func(name string) error { return r.Sets.Unassign(ctx, r.by, name, found.ClientID) })
}

func explainClient(err error) error {
	if errors.Is(err, accounts.ErrNotFound) {
		return fmt.Errorf("one of its permissions does not exist: write it into an API of the file (%w)", err)
	}
	return err
}
