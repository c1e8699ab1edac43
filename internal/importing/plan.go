package importing

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

const (
	maxObjects = 100_000   // groups, permissions, clients, each
	maxLinks   = 1_000_000 // what groups hold and are inside of, all together
)

// Plan is what a file holds besides its people.
type Plan struct {
	APIs    []*API
	Groups  []*Group
	Clients []*Client

	permissions map[string]string // what the file calls it, by name
	apis        map[string]*API
	groups      map[string]*Group
	links       int
}

// API is one with permissions of the file.
type API struct {
	Audience, Name string
	Permissions    []accounts.NewPermission
}

// Group is a group to be made.
type Group struct {
	Name, Description string
	Permissions       []string
	Parents           []string // names of groups of the plan

	key string
}

// Client is an app to be made.
type Client struct {
	accounts.Registration
	Secret   secret.Text // in clear, as the file holds it; empty: it does not
	Disabled bool
}

// Permission notes in the report what makes a permission impossible, and returns the name of
// one that can be made. source is what the file calls it: two that become one name are
// not the same.
func (p *Plan) Permission(r *Report, audience, api, source, description string) (string, bool, error) {
	name := strings.ToLower(source)
	if before, known := p.permissions[name]; known {
		if before != source {
			r.Note("permission", source, "another one differs from it by capital letters alone")
		}
		return name, before == source, nil
	}
	if err := accounts.ValidatePermissionName(name); err != nil {
		r.Note("permission", source, "its name has other characters than a-z 0-9 : _ . - or more than 64, or is a scope of the protocol")
		return "", false, nil
	}
	if accounts.IsBuiltinPermission(name) {
		r.Note("permission", source, "its name belongs to Gatehouse's own API")
		return "", false, nil
	}
	if len(p.permissions) >= maxObjects {
		return "", false, fmt.Errorf("more than %d permissions", maxObjects)
	}
	if p.permissions == nil {
		p.permissions, p.apis = map[string]string{}, map[string]*API{}
	}
	a := p.apis[audience]
	if a == nil {
		a = &API{Audience: audience, Name: api}
		p.apis[audience], p.APIs = a, append(p.APIs, a)
	}
	p.permissions[name] = source
	a.Permissions = append(a.Permissions, accounts.NewPermission{Name: name, Description: described(description, name)})
	return name, true, nil
}

// described keeps what people can read, and says the name instead of anything else.
func described(text, name string) string {
	text = strings.TrimSpace(text)
	if (accounts.NewPermission{Name: name, Description: text}).Check() != nil {
		return name
	}
	return text
}

// Group adds a group, unless its name is impossible or another one has it.
func (p *Plan) Group(r *Report, name, description string) (*Group, error) {
	key, err := accounts.GroupKey(name)
	if err != nil {
		r.Note("group", name, "its name is longer than 64 characters, or holds what nobody sees")
		return nil, nil
	}
	if p.groups[key] != nil {
		r.Note("group", name, "another one has this name, or differs from it by capital letters alone")
		return nil, nil
	}
	if len(p.Groups) >= maxObjects {
		return nil, fmt.Errorf("more than %d groups", maxObjects)
	}
	g := &Group{Name: name, Description: description, key: key}
	if p.groups == nil {
		p.groups = map[string]*Group{}
	}
	p.groups[key], p.Groups = g, append(p.Groups, g)
	return g, nil
}

// Grant lets a group hold a permission of the plan.
func (p *Plan) Grant(g *Group, permission string) error {
	if slices.Contains(g.Permissions, permission) {
		return nil
	}
	g.Permissions = append(g.Permissions, permission)
	return p.linked()
}

// Nest puts a group of the plan inside another one.
func (p *Plan) Nest(child, parent *Group) error {
	if slices.Contains(child.Parents, parent.Name) {
		return nil
	}
	child.Parents = append(child.Parents, parent.Name)
	return p.linked()
}

func (p *Plan) linked() error {
	if p.links++; p.links > maxLinks {
		return fmt.Errorf("groups hold and are inside more than %d things", maxLinks)
	}
	return nil
}

// DirectGroup is the name of the group for those who hold a permission without one.
func DirectGroup(permission string) string { return "permission:" + permission }

// Direct returns the group for those who hold a permission without a group.
func (p *Plan) Direct(r *Report, permission string) (*Group, error) {
	key, err := accounts.GroupKey(DirectGroup(permission))
	if err == nil && p.groups[key] != nil && slices.Equal(p.groups[key].Permissions, []string{permission}) {
		return p.groups[key], nil
	}
	g, err := p.Group(r, DirectGroup(permission), "Who held the permission without a group")
	if err != nil || g == nil {
		return nil, err
	}
	return g, p.Grant(g, permission)
}

// App adds an app.
func (p *Plan) App(c *Client) error {
	if len(p.Clients) >= maxObjects {
		return fmt.Errorf("more than %d clients", maxObjects)
	}
	p.Clients = append(p.Clients, c)
	return nil
}
