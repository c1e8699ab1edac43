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

func (r *run) clientTarget(w *Client) *target {
	t := &target{
		kind: accounts.ManagedClient, name: w.ClientID, label: w.label(), line: w.line,
		want: w.facts().fold("permission_sets"), place: w.SecretPlace, secretKey: w.key(),
	}
	t.read = func(ctx context.Context) (id.ID, facts, error) {
		found, err := r.findClient(ctx, t, w)
		if err != nil {
			return id.ID{}, nil, err
		}
		if found == nil {
			return id.ID{}, nil, r.chosen(ctx, t, "")
		}
		t.name = found.ClientID
		if w.Type != "" && w.Type != string(found.Type) {
			return id.ID{}, nil, fmt.Errorf("it is of the type %s, which cannot change: make another client", found.Type)
		}
		if err := r.chosen(ctx, t, found.ClientID); err != nil {
			return id.ID{}, nil, err
		}
		return found.ID, fileClient(found).facts().fold("permission_sets"), nil
	}
	t.steps[stageClients] = func(ctx context.Context) error { return r.client(ctx, t, w) }
	return t
}

// findClient returns nil if there is none. One without an id of its own is that which
// the file found by the name before, even if somebody gave it another name.
func (r *run) findClient(ctx context.Context, t *target, w *Client) (*accounts.Client, error) {
	if t.name != "" {
		return r.lockClient(ctx, t.name)
	}
	if w.Name == "" {
		return nil, errors.New("write a client_id, or a name to find it by")
	}
	var found []*accounts.Client
	for _, m := range r.before(w.Name) {
		switch c, err := r.lockClient(ctx, m.Name); {
		case err != nil:
			return nil, err
		case c != nil:
			found = append(found, c)
		case t.mark == nil:
			t.mark = m // of one that was removed
		}
	}
	if len(found) == 0 {
		var err error
		if found, err = r.clientsNamed(ctx, w.Name); err != nil {
			return nil, err
		}
	}
	switch {
	case len(found) > 1:
		return nil, fmt.Errorf("%s and %s have this name: write the client_id", found[0].ClientID, found[1].ClientID)
	case len(found) == 1:
		return found[0], nil
	case t.mark != nil:
		t.name = t.mark.Name
	}
	return nil, nil
}

func (r *run) lockClient(ctx context.Context, clientID string) (*accounts.Client, error) {
	found, err := r.Clients.Store.LockClient(ctx, clientID)
	if errors.Is(err, accounts.ErrNotFound) {
		return nil, nil
	}
	return found, err
}

// clientsNamed are the clients of a name, but for those that the file names by client_id.
func (r *run) clientsNamed(ctx context.Context, name string) ([]*accounts.Client, error) {
	var found []*accounts.Client
	err := r.eachClient(ctx, func(c *accounts.Client) error {
		if c.Name == name && c.Type != accounts.ResourceClient && !r.file.namesClient(c.ClientID) {
			found = append(found, c)
		}
		return nil
	})
	return found, err
}

// before are the marks of clients that the file has found by a name, the newest first.
func (r *run) before(name string) []*accounts.Managed {
	var marks []*accounts.Managed
	for key, m := range r.marks {
		if key.kind == accounts.ManagedClient && m.Manager == r.plan.Manager && m.Applied["name"] == name && !r.file.namesClient(m.Name) {
			marks = append(marks, m)
		}
	}
	slices.SortFunc(marks, func(a, b *accounts.Managed) int {
		return cmp.Or(cmp.Compare(b.AppliedAt, a.AppliedAt), cmp.Compare(a.Name, b.Name))
	})
	return marks
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
		t.tell(text)
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
	if err := r.choose(ctx, t, clientID); err != nil {
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
