package keycloak

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/internal/importing"
)

// role is one of the realm or of a client.
type role struct {
	ref
	description string
	parts       []ref            // of a composite role
	group       *importing.Group // of a realm role that is carried over
	permission  string           // of a client's role that is carried over
	own         bool             // Keycloak's, and for Keycloak alone
}

// ownClients are those of Keycloak itself: their roles administer it.
func ownClient(clientID string) bool {
	return slices.Contains([]string{"account", "account-console", "admin-cli", "broker", "realm-management", "security-admin-console"}, clientID) ||
		strings.HasSuffix(clientID, "-realm")
}

// administers reports whether the roles of a client are those of administrators.
func administers(clientID string) bool {
	return clientID == "realm-management" || strings.HasSuffix(clientID, "-realm")
}

// ownScope are the client scopes that every realm has.
func ownScope(name string) bool {
	return slices.Contains([]string{
		"acr", "address", "basic", "email", "microprofile-jwt", "offline_access", "organization", "phone", "profile", "role_list",
		"roles", "saml_organization", "service_account", "web-origins",
	}, name)
}

// addRoles makes groups of the realm's roles and permissions of the clients'.
func (r *Realm) addRoles(report *importing.Report) error {
	realm, clients := r.rawRoles.Objects("realm"), r.rawRoles.Object("client")
	if r.rawRoles.Err != nil || clients.Err != nil {
		return errors.Join(r.rawRoles.Err, clients.Err)
	}
	for _, o := range realm {
		if err := r.keepRole("", o); err != nil {
			return err
		}
	}
	for _, client := range slices.Sorted(slices.Values(clients.Names())) {
		for _, o := range clients.Objects(client) {
			if err := r.keepRole(client, o); err != nil {
				return err
			}
		}
	}
	if clients.Err != nil {
		return clients.Err
	}
	r.markOwn()
	for _, one := range r.sorted() {
		if err := r.makeRole(one, report); err != nil {
			return err
		}
	}
	for _, one := range r.sorted() {
		if one.group != nil {
			if err := r.give(one.group, one.parts, report); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Realm) keepRole(client string, o *importing.Object) error {
	parts := o.Object("composites")
	one := &role{
		ref: ref{client: client, name: o.Text("name")}, description: o.Text("description"),
		parts: refs(parts.Texts("realm"), parts.Lists("client")),
	}
	if err := errors.Join(o.Err, parts.Err); err != nil {
		return fmt.Errorf("role %s: %w", importing.Short(one.name), err)
	}
	if len(r.roles) >= maxRecords {
		return fmt.Errorf("more than %d roles", maxRecords)
	}
	if r.roles[one.ref] != nil {
		return fmt.Errorf("two roles %s", importing.Short(one.name))
	}
	r.roles[one.ref] = one
	return nil
}

// markOwn finds the roles that say something to Keycloak alone. The role that everybody
// has is among them unless something was added to it.
func (r *Realm) markOwn() {
	for _, one := range r.roles {
		one.own = ownClient(one.client) || one.client == "" && (one.name == "offline_access" || one.name == "uma_authorization")
	}
	if one := r.roles[ref{name: "default-roles-" + strings.ToLower(r.name)}]; one != nil {
		one.own = !slices.ContainsFunc(one.parts, func(p ref) bool { return r.roles[p] != nil && !r.roles[p].own })
	}
}

func (r *Realm) sorted() []*role {
	return slices.SortedFunc(maps.Values(r.roles), func(a, b *role) int {
		if a.client != b.client {
			return strings.Compare(a.client, b.client)
		}
		return strings.Compare(a.name, b.name)
	})
}

func (r *Realm) makeRole(one *role, report *importing.Report) (err error) {
	label := one.name
	if one.client != "" {
		label = one.client + ":" + one.name
	}
	if one.own {
		report.Note("role", label, "it opens Keycloak itself")
		return nil
	}
	if one.client == "" {
		one.group, err = r.plan.Group(report, r.options.RolePrefix+one.name, described(one.description))
		return err
	}
	audience := r.options.ClientRoles[one.client]
	if audience == "" {
		report.Note("role", label, "no API was named for the roles of its client (--client-roles)")
		return nil
	}
	name, ok, err := r.plan.Permission(report, audience, one.client, label, described(one.description))
	if ok {
		one.permission = name
	}
	return err
}

// described leaves out the names of Keycloak's own translations.
func described(text string) string {
	if strings.HasPrefix(text, "${") {
		return ""
	}
	return text
}

// give lets the members of a group hold roles.
func (r *Realm) give(g *importing.Group, held []ref, report *importing.Report) error {
	permissions, realm := r.reach(held, report, "group", g.Name)
	for _, name := range permissions {
		if err := r.plan.Grant(g, name); err != nil {
			return err
		}
	}
	for _, around := range realm {
		if around != g {
			if err := r.plan.Nest(g, around); err != nil {
				return err
			}
		}
	}
	return nil
}

// reach follows the roles of clients to all that they are made of, and returns their
// permissions and the groups of the realm's roles that it meets. What those are made
// of they hold as groups.
func (r *Realm) reach(held []ref, report *importing.Report, kind, name string) (permissions []string, groups []*importing.Group) {
	seen := map[ref]bool{}
	for todo := slices.Clone(held); len(todo) > 0; {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[at] {
			continue
		}
		seen[at] = true
		one := r.roles[at]
		switch {
		case administers(at.client):
			report.Note(kind, name, "administered Keycloak, and does not administer Gatehouse")
		case ownClient(at.client), one != nil && one.own:
		case one == nil:
			report.Note(kind, name, "holds a role that the file does not hold")
		case one.group != nil:
			groups = append(groups, one.group)
		case one.client == "":
			report.Note(kind, name, "holds a role that could not be carried over")
		default:
			todo = append(todo, one.parts...)
			if one.permission != "" {
				permissions = append(permissions, one.permission)
			} else {
				report.Note(kind, name, "holds a role that could not be carried over")
			}
		}
	}
	slices.Sort(permissions)
	return permissions, groups
}
