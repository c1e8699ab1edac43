package keycloak

import (
	"encoding/json"
	"strings"

	"github.com/gatehouse-id/gatehouse/internal/importing"
)

// addGroups makes the groups, each inside its parent.
func (r *Realm) addGroups(report *importing.Report) error {
	for _, o := range r.rawGroup {
		if err := r.addGroup(o, "", nil, report); err != nil {
			return err
		}
	}
	return nil
}

func (r *Realm) addGroup(o *importing.Object, above string, parent *importing.Group, report *importing.Report) error {
	name, path := o.Text("name"), o.Text("path")
	held := refs(o.Texts("realmRoles"), o.Lists("clientRoles"))
	attributes, inner := o.Object("attributes"), o.Objects("subGroups")
	if o.Err != nil {
		return o.Err
	}
	if path == "" {
		path = above + "/" + strings.ReplaceAll(name, "/", "~/")
	}
	g, err := r.plan.Group(report, strings.TrimPrefix(path, "/"), described(o.Text("description")))
	if err != nil {
		return err
	}
	if _, known := r.groups[path]; !known {
		r.groups[path], r.within[path] = g, within{held: held, above: above}
	}
	if len(attributes.Names()) > 0 {
		report.Note("group", path, "its attributes")
	}
	if g != nil {
		if parent != nil {
			if err := r.plan.Nest(g, parent); err != nil {
				return err
			}
		}
		if err := r.give(g, held, report); err != nil {
			return err
		}
	}
	if g == nil && len(inner) > 0 {
		report.Note("group", path, "the groups inside it do not hold what it held")
	}
	for _, one := range inner {
		if err := r.addGroup(one, path, g, report); err != nil {
			return err
		}
	}
	return nil
}

// addDirect makes groups for who holds a client's role directly.
func (r *Realm) addDirect(report *importing.Report) error {
	if !r.options.DirectGroups {
		return nil
	}
	quiet := &importing.Report{} // the people are told of when they are read
	return r.members(func(name string, s *importing.Stream) error {
		if name != "users" {
			_, err := s.Value()
			return err
		}
		return s.Each(func(raw json.RawMessage) error {
			o, err := importing.ParseObject(raw)
			if err != nil || o.Text("serviceAccountClientId") != "" {
				return err
			}
			permissions, _ := r.reach(refs(nil, o.Lists("clientRoles")), quiet, "user", "")
			for _, permission := range permissions {
				if _, err := r.plan.Direct(report, permission); err != nil {
					return err
				}
			}
			return nil
		})
	})
}
