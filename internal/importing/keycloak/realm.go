package keycloak

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/gatehouse-id/gatehouse/internal/importing"
)

// Options say how a realm is read.
type Options struct {
	// ClientRoles are the audiences of the APIs whose permissions the roles of clients
	// become, by client.
	ClientRoles map[string]string
	// RolePrefix stands before the names of realm roles in those of their groups, so
	// that a role and a group of one name stay two.
	RolePrefix string
	// DirectGroups puts who holds a client's role without a realm role or a group into
	// a group for it.
	DirectGroups bool
	// FirstParty asks people for no consent where Keycloak asked for none.
	FirstParty bool
}

// Realm is an exported realm.
type Realm struct {
	file    io.ReadSeeker
	options Options

	plan     *importing.Plan
	name     string
	roles    map[ref]*role
	groups   map[string]*importing.Group // by path; nil: it is not carried over
	within   map[string]within           // what the groups of the file hold, by path
	services map[string]service          // the service accounts of clients
	people   int64
	rawRoles *importing.Object
	rawGroup []*importing.Object
	rawApps  []*importing.Object
}

// ref names a role: of the realm if client is empty.
type ref struct{ client, name string }

// within is what somebody has who is in a group: its roles, and what they have who are
// in the group around it.
type within struct {
	held  []ref
	above string // its path
}

const maxRecords = 100_000

// New reads a file.
func New(file io.ReadSeeker, o Options) *Realm { return &Realm{file: file, options: o} }

// Plan implements importing.Source.
func (r *Realm) Plan(report *importing.Report) (*importing.Plan, error) {
	r.plan, r.roles, r.groups = &importing.Plan{}, map[ref]*role{}, map[string]*importing.Group{}
	r.within, r.services, r.people, r.rawGroup, r.rawApps = map[string]within{}, map[string]service{}, 0, nil, nil
	r.rawRoles, _ = importing.ParseObject(json.RawMessage("{}"))
	if err := r.read(report); err != nil {
		return nil, err
	}
	if r.name == "" {
		return nil, fmt.Errorf("%w: it is no export of a realm (there is no member realm)", importing.ErrNobody)
	}
	for _, step := range []func(*importing.Report) error{r.addRoles, r.addGroups, r.addDirect, r.addClients} {
		if err := step(report); err != nil {
			return nil, err
		}
	}
	return r.plan, nil
}

// read looks at the whole file.
func (r *Realm) read(report *importing.Report) error {
	settings := 0
	err := r.members(func(name string, s *importing.Stream) error {
		switch name {
		case "groups":
			return collect(s, &r.rawGroup)
		case "clients":
			return collect(s, &r.rawApps)
		case "users":
			return s.Each(func(raw json.RawMessage) error {
				r.people++
				return r.service(raw)
			})
		}
		raw, err := s.Value()
		if err != nil {
			return err
		}
		return r.member(name, raw, &settings, report)
	})
	if err == nil && settings > 0 {
		report.Note("file", r.name, "settings of the realm (lifetimes, flows, policies, mail, themes) are made anew in Gatehouse")
	}
	return err
}

// member looks at one of those that are not read piece by piece.
func (r *Realm) member(name string, raw json.RawMessage, settings *int, report *importing.Report) error {
	reasons := map[string]string{
		"identityProviders": "an identity provider, with which people signed in", "federatedUsers": "a person of a federation",
		"clientScopes": "a client scope", "organizations": "an organization", "defaultDefaultClientScopes": "", "defaultOptionalClientScopes": "",
	}
	switch reason, listed := reasons[name]; {
	case name == "realm":
		if err := json.Unmarshal(raw, &r.name); err != nil {
			return fmt.Errorf("realm should be a text")
		}
	case name == "roles":
		o, err := importing.ParseObject(raw)
		if err != nil {
			return fmt.Errorf("roles: %w", err)
		}
		r.rawRoles = o
	case listed && reason != "":
		var list []json.RawMessage
		if json.Unmarshal(raw, &list) != nil {
			return nil // of another release
		}
		for _, one := range list {
			label := ""
			if o, err := importing.ParseObject(one); err == nil {
				label = firstText(o, "alias", "name", "username", "id")
			}
			if name != "clientScopes" || !ownScope(label) {
				report.Note("file", label, reason)
			}
		}
	case !listed:
		*settings++
	}
	return nil
}

func firstText(o *importing.Object, names ...string) string {
	for _, name := range names {
		if text := o.Text(name); text != "" {
			return text
		}
	}
	return ""
}

// members calls see with each member of the file's object.
func (r *Realm) members(see func(name string, s *importing.Stream) error) error {
	if _, err := r.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	s := importing.NewStream(r.file)
	if err := s.Open('{'); err != nil {
		return err
	}
	seen := map[string]bool{}
	for s.More() {
		name, err := s.Name()
		if err != nil {
			return err
		}
		if seen[name] || len(seen) > maxMembers {
			return fmt.Errorf("the realm has %s twice, or too many members", importing.Short(name))
		}
		seen[name] = true
		if err := see(name, s); err != nil {
			return err
		}
	}
	if err := s.Close('}'); err != nil {
		return err
	}
	return s.End()
}

const maxMembers = 1000

// collect keeps the objects of a list.
func collect(s *importing.Stream, into *[]*importing.Object) error {
	return s.Each(func(raw json.RawMessage) error {
		if len(*into) >= maxRecords {
			return fmt.Errorf("more than %d groups or clients", maxRecords)
		}
		o, err := importing.ParseObject(raw)
		*into = append(*into, o)
		return err
	})
}

// refs joins realm roles and those of clients, in one order.
func refs(realm []string, clients map[string][]string) []ref {
	var list []ref
	for _, name := range realm {
		list = append(list, ref{name: name})
	}
	for _, client := range slices.Sorted(maps.Keys(clients)) {
		for _, name := range clients[client] {
			list = append(list, ref{client: client, name: name})
		}
	}
	return list
}
