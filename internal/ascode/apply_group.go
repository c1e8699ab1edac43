package ascode

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

func (r *run) groupTarget(w *Group) *target {
	t := &target{kind: accounts.ManagedGroup, name: w.key(), label: w.label(), line: w.line}
	t.read = func(ctx context.Context) (id.ID, facts, error) {
		if t.want == nil { // the first look
			if err := r.people(ctx, w); err != nil {
				return id.ID{}, nil, err
			}
			t.want = w.facts().fold("parents")
		}
		found, err := r.Groups.Find(ctx, w.Name)
		if errors.Is(err, accounts.ErrNotFound) {
			return id.ID{}, nil, nil
		}
		if err != nil {
			return id.ID{}, nil, err
		}
		have := fileGroup(found)
		if w.Members != nil {
			if have.Members, err = r.subjects(ctx, found.Name); err != nil {
				return id.ID{}, nil, err
			}
		}
		if w.Managers != nil {
			have.Managers = some(found.Managers)
		}
		return found.ID, have.facts().fold("parents"), nil
	}
	t.steps[stageTake] = func(ctx context.Context) error { return r.unnest(ctx, t, w) }
	t.steps[stageGroups] = func(ctx context.Context) error { return r.group(ctx, t, w) }
	t.steps[stageNest] = func(ctx context.Context) error { return r.nest(ctx, w) }
	return t
}

// fold turns names of groups or sets, which count in any case, into their keys.
func (f facts) fold(member string) facts {
	list, ok := f[member].([]string)
	if !ok {
		return f
	}
	keys := make([]string, len(list))
	for i, name := range list {
		keys[i] = folded(name)
	}
	f[member] = set(keys)
	return f
}

// people replaces names by subs, which tell the same person for ever.
func (r *run) people(ctx context.Context, w *Group) error {
	members, managers := w.Members, w.Managers
	w.Members, w.Managers = nil, nil
	now := r.Groups.Now()
	for _, m := range members {
		if !m.Until.IsZero() && !m.Until.After(now) {
			continue // it has ended by itself, which nobody did by hand
		}
		u, err := r.person(ctx, m.User)
		if err != nil {
			return err
		}
		w.Members = append(w.Members, Member{User: u, Until: m.Until})
	}
	for _, name := range managers {
		u, err := r.person(ctx, name)
		if err != nil {
			return err
		}
		w.Managers = append(w.Managers, u)
	}
	if members != nil && w.Members == nil {
		w.Members = []Member{}
	}
	if managers != nil && w.Managers == nil {
		w.Managers = []string{}
	}
	return nil
}

func (r *run) person(ctx context.Context, name string) (string, error) {
	u, err := r.Users.Find(ctx, name)
	if errors.Is(err, accounts.ErrNotFound) {
		return "", fmt.Errorf("there is no user %q", name)
	}
	if err != nil {
		return "", err
	}
	r.names[u.Subject] = u.Username
	return u.Subject, nil
}

// subjects are the members by sub.
func (r *run) subjects(ctx context.Context, group string) ([]Member, error) {
	found, err := r.members(ctx, group)
	if err != nil {
		return nil, err
	}
	list := []Member{}
	for _, m := range found {
		r.names[m.Subject] = m.Username
		list = append(list, member(m.Subject, m.EndsAt))
	}
	return list, nil
}

func member(user string, endsAt int64) Member {
	m := Member{User: user}
	if endsAt != 0 {
		m.Until = time.UnixMilli(endsAt).UTC()
	}
	return m
}

// group makes a group or brings it up to what is wanted.
func (r *run) group(ctx context.Context, t *target, w *Group) error {
	if t.object.IsZero() {
		if _, err := r.Groups.Create(ctx, r.by, w.Name, value(w.Description)); err != nil {
			return err
		}
	}
	found, err := r.Groups.Find(ctx, w.Name)
	if err != nil {
		return err
	}
	if w.Description != nil {
		if err := r.Groups.Describe(ctx, r.by, found.Name, *w.Description); err != nil {
			return err
		}
	}
	if w.SecondFactor != nil && found.SecondFactor != *w.SecondFactor {
		if err := r.Groups.SetSecondFactor(ctx, r.by, found.Name, *w.SecondFactor); err != nil {
			return err
		}
	}
	if w.Permissions != nil {
		err := exactly(found.Permissions, w.Permissions,
			permissionOf(ctx, r.by, found.Name, r.Groups.GrantPermission), permissionOf(ctx, r.by, found.Name, r.Groups.RevokePermission))
		if err != nil {
			return err
		}
	}
	if w.Managers != nil {
		err := exactly(found.Managers, w.Managers,
			func(sub string) error { return r.Groups.AddManager(ctx, r.by, found.Name, sub) },
			func(sub string) error { return r.Groups.RemoveManager(ctx, r.by, found.Name, sub) })
		if err != nil {
			return err
		}
	}
	return r.join(ctx, found, w)
}

// join brings the members to those that are wanted, if the file says any.
func (r *run) join(ctx context.Context, found *accounts.Group, w *Group) error {
	if w.Members == nil {
		return nil
	}
	present, err := r.subjects(ctx, found.Name)
	if err != nil {
		return err
	}
	have, want := ends(present), ends(w.Members)
	for _, sub := range slices.Sorted(maps.Keys(have)) {
		if _, stays := want[sub]; !stays {
			if err := r.Groups.RemoveMember(ctx, r.by, found.Name, sub); err != nil {
				return err
			}
		}
	}
	for _, sub := range slices.Sorted(maps.Keys(want)) {
		if end, is := have[sub]; !is || end != want[sub] {
			if err := r.Groups.AddMember(ctx, r.by, found.Name, sub, want[sub]); err != nil {
				return err
			}
		}
	}
	return nil
}

// ends tells until when each is a member, in Unix milliseconds; zero is without end.
func ends(list []Member) map[string]int64 {
	out := make(map[string]int64, len(list))
	for _, m := range list {
		out[m.User] = 0
		if !m.Until.IsZero() {
			out[m.User] = m.Until.UnixMilli()
		}
	}
	return out
}

// unnest takes a group out of those that it is inside no more, before others go in:
// two groups may change places.
func (r *run) unnest(ctx context.Context, t *target, w *Group) error {
	if t.object.IsZero() || w.Parents == nil {
		return nil
	}
	return r.parents(ctx, w, func(string) error { return nil }, func(parent string) error {
		return r.Groups.RemoveChild(ctx, r.by, parent, w.Name)
	})
}

func (r *run) nest(ctx context.Context, w *Group) error {
	if w.Parents == nil {
		return nil
	}
	return r.parents(ctx, w, func(parent string) error {
		err := r.Groups.AddChild(ctx, r.by, parent, w.Name)
		if errors.Is(err, accounts.ErrNotFound) {
			return fmt.Errorf("there is no group %q to be inside of", parent)
		}
		return err
	}, func(string) error { return nil })
}

func (r *run) parents(ctx context.Context, w *Group, add, remove func(parent string) error) error {
	found, err := r.Groups.Find(ctx, w.Name)
	if err != nil {
		return err
	}
	have, want := make([]string, 0, len(found.Parents)), make([]string, 0, len(w.Parents))
	for _, name := range found.Parents {
		have = append(have, folded(name))
	}
	for _, name := range w.Parents {
		want = append(want, folded(name))
	}
	return exactly(have, want, add, remove)
}

// readable shows people by username.
func (r *run) readable(fields []Field) []Field {
	for i, f := range fields {
		if f.Name == factMembers || f.Name == "managers" {
			fields[i].Old, fields[i].New = r.named(f.Old), r.named(f.New)
		}
	}
	return fields
}

func (r *run) named(v any) any {
	list, ok := asSet(v)
	if !ok {
		return v
	}
	out := make([]string, len(list))
	for i, item := range list {
		sub, rest := cutSubject(item)
		if name := r.names[sub]; name != "" {
			item = name + rest
		}
		out[i] = item
	}
	return set(out)
}
