package console

import (
	"context"
	"strconv"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/templates"
)

// sets lists the permission sets: permissions under one name for apps that act for
// themselves.
func (h *Handler) sets(v *visit) {
	prefix, after := v.query.Get("q"), v.query.Get("after")
	list, err := h.Admin.ListPermissionSets(v.r.Context(), v.caller, prefix, after, shown)
	if err != nil {
		v.failed(err)
		return
	}
	table := &templates.ConsoleTable{
		Columns: []templates.Said{templates.Say("console.group.name"), templates.Say("console.group.permissions")}, Empty: none(prefix+after, "console.sets.none"),
	}
	for i := range list {
		s := &list[i]
		table.Rows = append(table.Rows, []templates.ConsoleCell{
			{Said: templates.Named(s.Name), URL: v.to("sets/show", s.Name), Small: templates.Named(s.Description)},
			{Said: templates.Named(strconv.Itoa(len(s.Permissions)))},
		})
	}
	if len(list) == shown {
		table.NextURL = v.again(map[string]string{"after": list[len(list)-1].NameKey})
	}
	if after != "" {
		table.FirstURL = v.again(nil)
	}
	c := templates.Console{Heading: templates.Say("console.area.sets"), Lead: templates.Say("console.sets.lead"), Blocks: []templates.ConsoleBlock{{
		Search: &templates.ConsoleSearch{Action: v.path(), Label: templates.Say("console.groups.search"), Query: prefix}, Table: table,
	}}}
	if v.may(accounts.AdminClientsWrite) {
		c.Blocks[0].Links = []templates.ConsoleLink{{Said: templates.Say("console.sets.new"), URL: v.here("sets/new")}}
	}
	v.show(c)
}

func (v *visit) setTrail() []templates.ConsoleLink {
	return []templates.ConsoleLink{{Said: templates.Say("console.area.sets"), URL: v.here("sets")}}
}

func (h *Handler) newSet(v *visit) {
	v.show(templates.Console{
		Heading: templates.Say("console.sets.new"), Trail: v.setTrail(),
		Blocks: []templates.ConsoleBlock{{Form: &templates.ConsoleForm{
			Submit: templates.Say("console.sets.create"), Fields: []templates.ConsoleField{
				{Name: "name", Said: templates.Say("console.group.name"), Value: v.form.Get("name")},
				{Name: "description", Said: templates.Say("console.group.about"), Optional: true, Value: v.form.Get("description")},
			},
		}}},
	})
}

func (h *Handler) makeSet(v *visit) {
	made, err := h.Admin.CreatePermissionSet(v.r.Context(), v.caller, v.value("name"), v.value("description"))
	if err != nil {
		v.wrong(err, h.newSet)
		return
	}
	v.Redirect(v.w, v.to("sets/show", made.Name)+"&done=created")
}

// set is the page of one set: what it holds, and which apps have it.
func (h *Handler) set(v *visit) {
	ctx := v.r.Context()
	s, err := h.Admin.PermissionSet(ctx, v.caller, v.object())
	if err != nil {
		v.failed(err)
		return
	}
	if err := v.mark(accounts.ManagedPermissionSet, s.ID); err != nil {
		v.failed(err)
		return
	}
	blocks, err := h.setPermissions(ctx, v, s)
	if err != nil {
		v.failed(err)
		return
	}
	blocks = append(blocks, v.setClients(s))
	if v.may(accounts.AdminClientsWrite) {
		blocks = append(blocks, setForms(v, s)...)
	}
	v.show(templates.Console{Heading: templates.Named(s.Name), Lead: templates.Named(s.Description), Trail: v.setTrail(), Blocks: blocks})
}

func (h *Handler) setPermissions(ctx context.Context, v *visit, s *accounts.PermissionSet) ([]templates.ConsoleBlock, error) {
	descriptions, offered, err := h.offer(ctx, v, s.Permissions)
	if err != nil {
		return nil, err
	}
	write := v.may(accounts.AdminClientsWrite)
	columns := []templates.Said{templates.Say("console.permission"), templates.Say("console.actions")}
	held := &templates.ConsoleTable{Columns: columns, Empty: templates.Say("console.sets.holds_nothing")}
	for _, name := range s.Permissions {
		act := templates.ConsoleCell{}
		if write {
			act.Buttons = []templates.ConsoleButton{{
				Name: "take", Value: name, Said: templates.Say("console.group.take"), Label: templates.Say("console.group.take_named", "Name", named(name, descriptions[name])),
			}}
		}
		held.Rows = append(held.Rows, []templates.ConsoleCell{permissionCell(name, descriptions[name]), act})
	}
	blocks := []templates.ConsoleBlock{{ID: "permissions", Heading: templates.Say("console.group.permissions"), Table: held}}
	if !write {
		return blocks, nil
	}
	return append(blocks, templates.ConsoleBlock{
		ID: "offered", Heading: templates.Say("console.group.offered"), Note: templates.Say("console.sets.offered_note"), Table: v.offerTable(offered),
		Search: &templates.ConsoleSearch{
			Action: v.path(), Hidden: []templates.Field{{Name: "id", Value: s.Name}}, Label: templates.Say("console.group.find_offered"), Query: v.query.Get("q"),
		},
	}), nil
}

// setClients are the apps that have the set.
func (v *visit) setClients(s *accounts.PermissionSet) templates.ConsoleBlock {
	t := &templates.ConsoleTable{
		Columns: []templates.Said{templates.Say("console.client.client_id"), templates.Say("console.actions")}, Empty: templates.Say("console.sets.no_clients"),
	}
	block := templates.ConsoleBlock{ID: "clients", Heading: templates.Say("console.sets.clients"), Table: t}
	for _, clientID := range s.Clients[:min(len(s.Clients), admin.MaxPage)] {
		row := []templates.ConsoleCell{{Said: templates.Named(clientID), URL: v.to("clients/show", clientID)}, {}}
		if v.may(accounts.AdminClientsWrite) {
			row[1].Buttons = []templates.ConsoleButton{{
				Name: "unassign", Value: clientID, Said: templates.Say("console.group.take"), Label: templates.Say("console.group.take_named", "Name", clientID),
			}}
		}
		t.Rows = append(t.Rows, row)
	}
	if len(s.Clients) > admin.MaxPage {
		block.Note = templates.Say("console.sets.more_clients", "Shown", admin.MaxPage, "All", len(s.Clients))
	}
	return block
}

func setForms(v *visit, s *accounts.PermissionSet) []templates.ConsoleBlock {
	hidden := func(action string) []templates.Field { return []templates.Field{{Name: "action", Value: action}} }
	return []templates.ConsoleBlock{
		{Form: &templates.ConsoleForm{Hidden: hidden("assign"), Submit: templates.Say("console.sets.assign"), Fields: []templates.ConsoleField{
			{Name: "client", Said: templates.Say("console.client.client_id"), Hint: templates.Say("console.sets.assign_hint"), Value: v.form.Get("client")},
		}}},
		{Form: &templates.ConsoleForm{Legend: templates.Say("console.sets.edit"), Folded: !v.edits("edit"), Hidden: hidden("edit"), Submit: templates.Say("console.save"), Fields: []templates.ConsoleField{
			v.field("edit", templates.ConsoleField{Name: "description", Said: templates.Say("console.group.about"), Optional: true, Value: s.Description}),
		}}},
		{Form: &templates.ConsoleForm{
			Legend: templates.Say("console.sets.delete"), Folded: true, Hidden: hidden("delete"), Submit: templates.Say("console.sets.delete"), Tone: templates.ToneBad,
			Fields: []templates.ConsoleField{{Name: "confirm", Said: templates.Say("console.confirm_name"), Hint: templates.Say("console.sets.delete_hint")}},
		}},
	}
}

// changeSet carries out what the forms of a set's page ask for.
func (h *Handler) changeSet(v *visit) {
	ctx, name := v.r.Context(), v.object()
	switch {
	case v.form.Has("give"):
		if v.freshToGive(v.form.Get("give")) {
			v.after("given", h.Admin.GiveToSet(ctx, v.caller, name, v.form.Get("give")), h.set)
		}
		return
	case v.form.Has("take"):
		v.after("taken", h.Admin.TakeFromSet(ctx, v.caller, name, v.form.Get("take")), h.set)
		return
	case v.form.Has("unassign"):
		v.after("taken", h.Admin.UnassignSet(ctx, v.caller, name, v.form.Get("unassign")), h.set)
		return
	}
	switch v.form.Get("action") {
	case "assign":
		if h.freshToAssign(v, name) {
			v.after("given", h.Admin.AssignSet(ctx, v.caller, name, v.value("client")), h.set)
		}
	case "edit":
		_, err := h.Admin.DescribePermissionSet(ctx, v.caller, name, v.typed("description"), func(s *accounts.PermissionSet) error {
			return v.still("description", s.Description)
		})
		v.after("saved", err, h.set)
	case "delete":
		h.deleteSet(v)
	default:
		v.unknown()
	}
}

func (h *Handler) deleteSet(v *visit) {
	err := error(admin.ErrUnconfirmed)
	if strings.EqualFold(v.value("confirm"), v.object()) {
		err = h.Admin.DeletePermissionSet(v.r.Context(), v.caller, v.object())
	}
	if err != nil {
		v.wrong(err, h.set)
		return
	}
	v.Redirect(v.w, v.here("sets")+"?done=deleted")
}

// clientSets shows the sets that an app has, and offers others to those who may give
// them. Only an app that acts for itself can have some.
func (h *Handler) clientSets(ctx context.Context, v *visit, app *accounts.Client) (*templates.ConsoleBlock, error) {
	if !app.Allows(accounts.GrantClientCredentials) && len(app.PermissionSets) == 0 {
		return nil, nil
	}
	t := &templates.ConsoleTable{
		Columns: []templates.Said{templates.Say("console.group.name"), templates.Say("console.actions")}, Empty: templates.Say("console.client.no_sets"),
	}
	write := v.may(accounts.AdminClientsWrite)
	for _, name := range app.PermissionSets {
		row := []templates.ConsoleCell{{Said: templates.Named(name), URL: v.to("sets/show", name)}, {}}
		if write {
			row[1].Buttons = []templates.ConsoleButton{{
				Name: "take_set", Value: name, Said: templates.Say("console.group.take"), Label: templates.Say("console.group.take_named", "Name", name),
			}}
		}
		t.Rows = append(t.Rows, row)
	}
	block := &templates.ConsoleBlock{ID: "sets", Heading: templates.Say("console.area.sets"), Note: templates.Say("console.client.sets_note"), Table: t}
	if !write || !app.Allows(accounts.GrantClientCredentials) {
		return block, nil
	}
	list, err := h.Admin.ListPermissionSets(ctx, v.caller, "", "", admin.MaxPage)
	if err != nil {
		return nil, err
	}
	var choices []templates.ConsoleChoice
	for _, s := range list {
		if !contains(app.PermissionSets, s.Name) && mayGiveAll(v.caller, s.Permissions) {
			choices = append(choices, templates.ConsoleChoice{Value: s.Name, Said: templates.Named(s.Name)})
		}
	}
	if len(choices) > 0 {
		block.Form = &templates.ConsoleForm{
			Hidden: []templates.Field{{Name: "action", Value: "give_set"}}, Submit: templates.Say("console.client.give_set"),
			Fields: []templates.ConsoleField{choice("set", templates.Say("console.client.set"), v.form.Get("set"), choices)},
		}
	}
	return block, nil
}

func mayGiveAll(c *admin.Caller, permissions []string) bool {
	for _, p := range permissions {
		if c.MayGive(p) != nil {
			return false
		}
	}
	return true
}
