package keycloak

import (
	"encoding/json"
	"slices"

	"github.com/gatehouse-id/gatehouse/internal/importing"
)

// service is the account by which a client acts for itself. In Gatehouse the client
// itself holds what it held.
type service struct {
	held    []ref
	groups  []string // paths
	enabled bool
}

// service notes what a client's own account holds.
func (r *Realm) service(raw json.RawMessage) error {
	o, err := importing.ParseObject(raw)
	if err != nil {
		return err
	}
	client := o.Text("serviceAccountClientId")
	if client == "" || len(r.services) >= maxRecords {
		return nil
	}
	r.services[client] = service{
		held:   refs(o.Texts("realmRoles"), o.Lists("clientRoles")),
		groups: o.Texts("groups"), enabled: o.Flag("enabled", false),
	}
	return o.Err
}

// itself gives a client what its service account held, and reports whether it may act
// for itself.
func (a *app) itself(c *importing.Client) bool {
	if !a.Flag("serviceAccountsEnabled", false) || a.Flag("publicClient", false) {
		return false
	}
	account, known := a.realm.services[a.id]
	switch {
	case !known:
		a.note("the file does not hold its service account, and so not what it may do (export the people too)")
	case !account.enabled:
		a.note("its service account was not enabled")
		return false
	}
	c.Permissions = a.everything(a.around(account))
	return true
}

// around adds the roles of the groups in which a service account is.
func (a *app) around(account service) []ref {
	held, seen := slices.Clone(account.held), map[string]bool{}
	for _, path := range account.groups {
		if _, known := a.realm.within[path]; !known {
			a.note("its service account is in a group that the file does not hold")
		}
		for at, known := a.realm.within[path]; known && !seen[path]; at, known = a.realm.within[path] {
			held, seen[path] = append(held, at.held...), true
			path = at.above
		}
	}
	return held
}

// everything follows all roles to the permissions that they come to: a client holds
// permissions, and is in no group.
func (a *app) everything(held []ref) (permissions []string) {
	// Keycloak leaves out of the tokens of such a client what was not allowed for it.
	limited := !a.Flag("fullScopeAllowed", !a.Flag("consentRequired", false))
	seen := map[ref]bool{}
	for todo := held; len(todo) > 0; {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[at] {
			continue
		}
		seen[at] = true
		one := a.realm.roles[at]
		switch {
		case administers(at.client):
			a.note("its service account administered Keycloak, and does not administer Gatehouse")
			continue
		case ownClient(at.client), one != nil && one.own:
			continue
		case one == nil:
			a.note("its service account holds a role that the file does not hold")
			continue
		}
		todo = append(todo, one.parts...)
		switch {
		case one.permission != "" && limited && one.client != a.id:
			a.note("its service account holds a role of another client, and full scope was not allowed: give it the permission if it needs it")
		case one.permission != "":
			permissions = append(permissions, one.permission)
		case one.client != "" || len(one.parts) == 0:
			a.note("its service account holds a role that is no permission")
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(permissions)))
}
