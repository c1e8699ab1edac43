package ascode

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// Group is a group as a file says it.
type Group struct {
	Name        string  `yaml:"name" fact:"-"`
	Description *string `yaml:"description,omitempty"`
	// SecondFactor makes a second factor a must for the members.
	SecondFactor *bool    `yaml:"second_factor,omitempty"`
	Permissions  []string `yaml:"permissions,omitzero"`
	// Parents are the groups that this one is inside.
	Parents []string `yaml:"parents,omitzero"`
	// Members and Managers are people. Left out, who is in the group and who manages
	// it is not the file's business.
	Members  []Member `yaml:"members,omitzero" fact:"-"`
	Managers []string `yaml:"managers,omitzero" fact:"-"`

	line int
}

func (g Group) key() string   { return folded(g.Name) }
func (g Group) label() string { return g.Name }
func (g Group) place() int    { return g.line }

// Member is somebody in a group: a username, verified address or sub alone, or with
// the time until which they are in it.
type Member struct {
	User  string
	Until time.Time // zero means without end
}

// memberForm is a member with an end.
type memberForm struct {
	User  string `yaml:"user"`
	Until string `yaml:"until"`
}

// UnmarshalYAML implements yaml.InterfaceUnmarshaler of goccy/go-yaml.
func (m *Member) UnmarshalYAML(unmarshal func(any) error) error {
	if unmarshal(&m.User) == nil {
		return nil
	}
	var form memberForm
	if err := unmarshal(&form); err != nil {
		return err
	}
	m.User = form.User
	if form.Until == "" {
		return nil
	}
	until, err := time.Parse(time.RFC3339, form.Until)
	if err != nil {
		return fmt.Errorf("%q is not a time such as 2027-01-31T18:00:00Z", form.Until)
	}
	m.Until = until
	return nil
}

// MarshalYAML implements yaml.InterfaceMarshaler of goccy/go-yaml.
func (m Member) MarshalYAML() (any, error) {
	if m.Until.IsZero() {
		return m.User, nil
	}
	return memberForm{User: m.User, Until: until(m.Until.UnixMilli())}, nil
}

const (
	factMembers = "members"
	untilWord   = " until "
)

// until is the end of a membership, to the millisecond where it has them.
func until(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339Nano) }

// facts tell members and managers by sub, which never changes.
func (g Group) facts() facts {
	f := factsOf(g)
	if g.Members != nil {
		list := []string{}
		for _, m := range g.Members {
			if m.Until.IsZero() {
				list = append(list, m.User)
				continue
			}
			list = append(list, m.User+untilWord+until(m.Until.UnixMilli()))
		}
		f[factMembers] = set(list)
	}
	if g.Managers != nil {
		f["managers"] = set(g.Managers)
	}
	return f
}

// fileGroup is Export's view of a group, without its people.
func fileGroup(g *accounts.Group) Group {
	return Group{
		Name: g.Name, Description: new(g.Description), SecondFactor: new(g.SecondFactor),
		Permissions: set(g.Permissions), Parents: set(g.Parents),
	}
}

// tidy leaves out what a group that is made new has anyway.
func (g Group) tidy() Group {
	g.Description = unlessZero(g.Description)
	return g
}

// set is a list whose order does not matter, and never nil.
func set(list []string) []string {
	out := append([]string{}, list...)
	slices.Sort(out)
	return slices.Compact(out)
}

// cutSubject parts a member of the facts into the sub and its end.
func cutSubject(item string) (sub, rest string) {
	if i := strings.LastIndex(item, untilWord); i >= 0 {
		return item[:i], item[i:]
	}
	return item, ""
}

// lasting leaves out of what a file set the memberships that have ended by themselves.
func lasting(applied map[string]any, now time.Time) map[string]any {
	list, ok := asSet(applied[factMembers])
	if !ok {
		return applied
	}
	left := maps.Clone(applied)
	left[factMembers] = slices.DeleteFunc(slices.Clone(list), func(item string) bool {
		_, rest := cutSubject(item)
		end, err := time.Parse(time.RFC3339Nano, strings.TrimPrefix(rest, untilWord))
		return err == nil && !end.After(now)
	})
	return left
}
