package console

import (
	"strconv"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/templates"
)

func (h *Handler) groups(v *visit) {
	if v.manager {
		h.managedGroups(v)
		return
	}
	prefix, after := v.query.Get("q"), v.query.Get("after")
	list, err := h.Admin.ListGroups(v.r.Context(), v.caller, prefix, after, shown)
	if err != nil {
		v.failed(err)
		return
	}
	table := &templates.ConsoleTable{
		Columns: []templates.Said{templates.Say("console.group.name"), templates.Say("console.group.permissions")},
		Empty:   none(prefix+after, "console.groups.none"),
	}
	for i := range list {
		g := &list[i]
		table.Rows = append(table.Rows, []templates.ConsoleCell{
			{Said: templates.Named(g.Name), URL: v.to("groups/show", g.Name), Small: templates.Named(g.Description), Badges: groupBadges(g)},
			{Said: templates.Named(strconv.Itoa(len(g.Permissions)))},
		})
	}
	if len(list) == shown {
		table.NextURL = v.again(map[string]string{"after": list[len(list)-1].NameKey})
	}
	if after != "" {
		table.FirstURL = v.again(nil)
	}
	c := templates.Console{Heading: templates.Say("console.area.groups"), Lead: templates.Say("console.groups.lead"), Blocks: []templates.ConsoleBlock{{
		Search: &templates.ConsoleSearch{Action: v.path(), Label: templates.Say("console.groups.search"), Query: prefix},
		Table:  table,
		Links:  []templates.ConsoleLink{{Said: templates.Say("console.groups.matrix"), URL: v.here("groups/matrix")}},
	}}}
	if v.may(accounts.AdminGroupsWrite) {
		c.Blocks[0].Links = append(c.Blocks[0].Links, templates.ConsoleLink{Said: templates.Say("console.groups.new"), URL: v.here("groups/new")})
	}
	v.show(c)
}

// managedGroups lists the groups of somebody who may read no others.
func (h *Handler) managedGroups(v *visit) {
	after := v.query.Get("after")
	list, err := h.Admin.Groups.ManagedBy(v.r.Context(), v.user.Subject, after, shown)
	if err != nil {
		v.failed(err)
		return
	}
	table := &templates.ConsoleTable{Columns: []templates.Said{templates.Say("console.group.name")}, Empty: templates.Say("console.groups.none")}
	for _, name := range list {
		table.Rows = append(table.Rows, []templates.ConsoleCell{{Said: templates.Named(name), URL: v.to("groups/show", name)}})
	}
	if len(list) == shown {
		table.NextURL = v.again(map[string]string{"after": list[len(list)-1]})
	}
	if after != "" {
		table.FirstURL = v.again(nil)
	}
	v.show(templates.Console{
		Heading: templates.Say("console.area.groups"), Lead: templates.Say("console.groups.managed"),
		Blocks: []templates.ConsoleBlock{{Table: table}},
	})
}

func groupBadges(g *accounts.Group) []templates.ConsoleBadge {
	if !g.SecondFactor {
		return nil
	}
	return []templates.ConsoleBadge{{Said: templates.Say("console.group.strict")}}
}

func (h *Handler) newGroup(v *visit) {
	v.show(templates.Console{
		Heading: templates.Say("console.groups.new"), Trail: v.groupTrail(),
		Blocks: []templates.ConsoleBlock{{Form: &templates.ConsoleForm{
			Submit: templates.Say("console.groups.create"), Fields: []templates.ConsoleField{
				{Name: "name", Said: templates.Say("console.group.name"), Value: v.form.Get("name")},
				{Name: "description", Said: templates.Say("console.group.about"), Optional: true, Value: v.form.Get("description")},
			},
		}}},
	})
}

func (v *visit) groupTrail() []templates.ConsoleLink {
	return []templates.ConsoleLink{{Said: templates.Say("console.area.groups"), URL: v.here("groups")}}
}

func (h *Handler) makeGroup(v *visit) {
	g, err := h.Admin.CreateGroup(v.r.Context(), v.caller, v.value("name"), v.value("description"))
	if err != nil {
		v.wrong(err, h.newGroup)
		return
	}
	v.Redirect(v.w, v.to("groups/show", g.Name)+"&done=created")
}
