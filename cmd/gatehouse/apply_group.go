package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// wantedGroup is a group as a file says it.
type wantedGroup struct {
	Name        string   `yaml:"name"`
	Description *string  `yaml:"description"`
	Permissions []string `yaml:"permissions"`
	// SecondFactor makes a second factor a must for the members.
	SecondFactor *bool `yaml:"second_factor"`
	// Members are usernames, verified addresses or subs. Left out, who is in the
	// group is not the file's business.
	Members []string `yaml:"members"`
}

// membersPage is how many members are read at once.
const membersPage = 500

// group makes a group or brings it up to what is wanted.
func (a *applier) group(ctx context.Context, w wantedGroup) error {
	found, err := a.groups.Find(ctx, w.Name)
	created := errors.Is(err, accounts.ErrNotFound)
	if created {
		found, err = a.groups.Create(ctx, a.by, w.Name, value(w.Description))
	}
	if err != nil {
		return err
	}
	var what []string
	if w.Description != nil && found.Description != *w.Description {
		if err := a.groups.Describe(ctx, a.by, found.Name, *w.Description); err != nil {
			return err
		}
		what = append(what, "description")
	}
	if w.SecondFactor != nil && found.SecondFactor != *w.SecondFactor {
		if err := a.groups.SetSecondFactor(ctx, a.by, found.Name, *w.SecondFactor); err != nil {
			return err
		}
		what = append(what, "second_factor")
	}
	if w.Permissions != nil {
		more, err := a.groupPermissions(ctx, found, w.Permissions)
		if err != nil {
			return err
		}
		what = append(what, more...)
	}
	if w.Members != nil {
		more, err := a.members(ctx, found, w.Members)
		if err != nil {
			return err
		}
		what = append(what, more...)
	}
	if created {
		a.changes = append(a.changes, applied{Kind: "group", Name: found.Name, Change: "created", What: what})
		return nil
	}
	a.changed("group", found.Name, what)
	return nil
}

func (a *applier) groupPermissions(ctx context.Context, found *accounts.Group, want []string) ([]string, error) {
	var what []string
	for _, name := range want {
		if slices.Contains(found.Permissions, name) {
			continue
		}
		if err := a.groups.GrantPermission(ctx, a.by, found.Name, name); err != nil {
			return nil, whichPermission{name}.explain(err)
		}
		what = append(what, "granted "+name)
	}
	for _, name := range found.Permissions {
		if slices.Contains(want, name) {
			continue
		}
		if err := a.groups.RevokePermission(ctx, a.by, found.Name, name); err != nil {
			return nil, err
		}
		what = append(what, "revoked "+name)
	}
	return what, nil
}

func (a *applier) members(ctx context.Context, found *accounts.Group, want []string) ([]string, error) {
	present, err := a.allMembers(ctx, found)
	if err != nil {
		return nil, err
	}
	var what []string
	wanted := map[string]bool{}
	for _, name := range want {
		u, err := whom{name}.find(ctx, a.domain)
		if err != nil {
			return nil, err
		}
		wanted[u.Subject] = true
		if present[u.Subject] {
			continue
		}
		if err := a.groups.AddMember(ctx, a.by, found.Name, u.Subject, 0); err != nil {
			return nil, err
		}
		what = append(what, "added "+name)
	}
	for subject := range present {
		if wanted[subject] {
			continue
		}
		if err := a.groups.RemoveMember(ctx, a.by, found.Name, subject); err != nil {
			return nil, err
		}
		what = append(what, "removed "+subject)
	}
	slices.Sort(what)
	return what, nil
}

func (a *applier) allMembers(ctx context.Context, found *accounts.Group) (map[string]bool, error) {
	all, after := map[string]bool{}, ""
	for {
		page, err := a.db.Members(ctx, found.ID, after, membersPage)
		if err != nil {
			return nil, fmt.Errorf("members: %w", err)
		}
		for _, subject := range page {
			all[subject] = true
		}
		if len(page) < membersPage {
			return all, nil
		}
		after = page[len(page)-1]
	}
}
