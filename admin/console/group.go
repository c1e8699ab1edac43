package console

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/templates"
)

func contains(list []string, s string) bool { return slices.Contains(list, s) }

// group is the page of one group. Its managers, who may not read groups, see its
// members alone.
func (h *Handler) group(v *visit) {
	if !v.may(accounts.AdminGroupsRead) {
		h.managed(v)
		return
	}
	ctx := v.r.Context()
	g, err := h.Admin.Group(ctx, v.caller, v.object())
	if err != nil {
		v.failed(err)
		return
	}
	holds, err := h.Admin.GroupHolds(ctx, v.caller, g.Name)
	if err != nil {
		v.failed(err)
		return
	}
	given, err := h.groupPermissions(ctx, v, g, holds)
	if err != nil {
		v.failed(err)
		return
	}
	members, err := h.groupMembers(ctx, v, g.Name)
	if err != nil {
		v.failed(err)
		return
	}
	if err := v.mark(accounts.ManagedGroup, g.ID); err != nil {
		v.failed(err)
		return
	}
	c := templates.Console{
		Heading: templates.Named(g.Name), Lead: templates.Named(g.Description), Trail: v.groupTrail(),
		Blocks: append([]templates.ConsoleBlock{{Facts: v.groupFacts(g)}}, append(given, members...)...),
	}
	if v.may(accounts.AdminGroupsWrite) {
		c.Blocks = append(c.Blocks, v.groupForms(g)...)
	}
	v.show(c)
}

func (h *Handler) managed(v *visit) {
	members, err := h.groupMembers(v.r.Context(), v, v.object())
	if err != nil {
		v.failed(err)
		return
	}
	c := templates.Console{Heading: templates.Named(v.object()), Lead: templates.Say("console.group.managed"), Blocks: members}
	if v.manager {
		c.Trail = v.groupTrail()
	}
	v.show(c)
}

func (v *visit) groupFacts(g *accounts.Group) []templates.ConsoleFact {
	names := func(list []string) templates.ConsoleCell {
		cell := templates.ConsoleCell{}
		for _, n := range list {
			cell.Links = append(cell.Links, templates.ConsoleLink{Said: templates.Named(n), URL: v.to("groups/show", n)})
		}
		if len(list) == 0 {
			cell.Said = templates.Named("–")
		}
		return cell
	}
	managers := templates.ConsoleCell{}
	for _, m := range g.Managers {
		managers.Links = append(managers.Links, templates.ConsoleLink{Said: templates.Named(m), URL: v.to("users/show", m)})
	}
	if len(g.Managers) == 0 {
		managers.Said = templates.Named("–")
	}
	list := []templates.ConsoleFact{
		{Name: templates.Say("console.group.parents"), Cell: names(g.Parents)},
		{Name: templates.Say("console.group.children"), Cell: names(g.Children)},
		{Name: templates.Say("console.group.managers"), Cell: managers},
	}
	if g.SecondFactor {
		list = append(list, templates.ConsoleFact{Name: templates.Say("console.group.rule"), Cell: templates.ConsoleCell{Said: templates.Say("console.group.strict")}})
	}
	return list
}

// groupPermissions are two lists: what the group holds, and what could be given to it.
func (h *Handler) groupPermissions(ctx context.Context, v *visit, g *accounts.Group, holds []string) ([]templates.ConsoleBlock, error) {
	descriptions, offered, err := h.offer(ctx, v, g.Permissions)
	if err != nil {
		return nil, err
	}
	write := v.may(accounts.AdminGroupsWrite)
	columns := []templates.Said{templates.Say("console.permission"), templates.Say("console.actions")}
	held := &templates.ConsoleTable{Columns: columns, Empty: templates.Say("console.group.holds_nothing")}
	for _, name := range holds {
		row := permissionCell(name, descriptions[name])
		act := templates.ConsoleCell{}
		switch {
		case !contains(g.Permissions, name):
			row.Badges = []templates.ConsoleBadge{{Said: templates.Say("console.group.inherits")}}
		case write:
			act.Buttons = []templates.ConsoleButton{{Name: "take", Value: name, Said: templates.Say("console.group.take"), Label: templates.Say("console.group.take_named", "Name", named(name, descriptions[name]))}}
		}
		held.Rows = append(held.Rows, []templates.ConsoleCell{row, act})
	}
	blocks := []templates.ConsoleBlock{{ID: "permissions", Heading: templates.Say("console.group.permissions"), Table: held}}
	if !write {
		return blocks, nil
	}
	return append(blocks, templates.ConsoleBlock{
		ID: "offered", Heading: templates.Say("console.group.offered"), Note: templates.Say("console.group.offered_note"), Table: v.offerTable(offered),
		Search: &templates.ConsoleSearch{
			Action: v.path(), Hidden: []templates.Field{{Name: "id", Value: g.Name}}, Label: templates.Say("console.group.find_offered"), Query: v.query.Get("q"),
		},
	}), nil
}

func permissionCell(name, description string) templates.ConsoleCell {
	if description == "" {
		return templates.ConsoleCell{Said: templates.Named(name)}
	}
	return templates.ConsoleCell{Said: templates.Named(description), Small: templates.Named(name)}
}

func named(name, description string) string {
	if description == "" {
		return name
	}
	return description
}

func (h *Handler) groupMembers(ctx context.Context, v *visit, name string) ([]templates.ConsoleBlock, error) {
	after, _ := id.Parse(v.query.Get("after")) // what is no id begins at the first
	list, err := h.Admin.Members(ctx, v.caller, name, after, shown)
	if err != nil {
		return nil, err
	}
	may, err := h.changesMembers(v, name)
	if err != nil {
		return nil, err
	}
	table := &templates.ConsoleTable{
		Columns: []templates.Said{templates.Say("console.user.username"), templates.Say("console.user.until"), templates.Say("console.actions")},
		Empty:   templates.Say("console.group.no_members"),
	}
	for i := range list {
		m := &list[i]
		who := templates.ConsoleCell{Said: templates.Named(m.Username), Small: templates.Named(m.Name)}
		if v.may(accounts.AdminUsersRead) {
			who.URL = v.to("users/show", m.Subject)
		}
		act := templates.ConsoleCell{}
		if may {
			act.Buttons = []templates.ConsoleButton{{
				Name: "remove", Value: m.Subject, Said: templates.Say("console.group.remove"), Label: templates.Say("console.group.remove_named", "Name", m.Username),
			}}
		}
		table.Rows = append(table.Rows, []templates.ConsoleCell{who, {At: v.instant(m.EndsAt)}, act})
	}
	if len(list) == shown {
		table.NextURL = v.again(map[string]string{"after": list[len(list)-1].UserID.String()})
	}
	if !after.IsZero() {
		table.FirstURL = v.again(nil)
	}
	blocks := []templates.ConsoleBlock{{ID: "members", Heading: templates.Say("console.group.members"), Table: table}}
	if may {
		blocks = append(blocks, templates.ConsoleBlock{Form: &templates.ConsoleForm{
			Hidden: []templates.Field{{Name: "action", Value: "add"}}, Submit: templates.Say("console.group.add"),
			Fields: []templates.ConsoleField{
				{Name: "who", Said: templates.Say("console.group.who"), Hint: templates.Say("console.group.who_hint"), Value: v.form.Get("who")},
				{Name: "until", Kind: "date", Said: templates.Say("console.user.until"), Hint: templates.Say("console.group.until_hint"), Optional: true, Value: v.form.Get("until")},
			},
		}})
	}
	return blocks, nil
}

func (v *visit) groupForms(g *accounts.Group) []templates.ConsoleBlock {
	hidden := func(action string) []templates.Field { return []templates.Field{{Name: "action", Value: action}} }
	return []templates.ConsoleBlock{
		{Form: &templates.ConsoleForm{Legend: templates.Say("console.group.edit"), Folded: !v.edits("edit"), Hidden: hidden("edit"), Submit: templates.Say("console.save"), Fields: []templates.ConsoleField{
			v.field("edit", templates.ConsoleField{Name: "description", Said: templates.Say("console.group.about"), Optional: true, Value: g.Description}),
			v.field("edit", templates.ConsoleField{Name: "strict", Kind: "checkbox", Said: templates.Say("console.group.strict"), Hint: templates.Say("console.group.strict_hint"), Checked: g.SecondFactor}),
		}}},
		{Form: &templates.ConsoleForm{Legend: templates.Say("console.group.nest"), Folded: !v.edits("nest"), Hidden: hidden("nest"), Submit: templates.Say("console.save"), Fields: []templates.ConsoleField{
			{Name: "child", Said: templates.Say("console.group.child"), Hint: templates.Say("console.group.child_hint"), Value: v.form.Get("child")},
			{Name: "out", Kind: "checkbox", Said: templates.Say("console.group.child_out")},
		}}},
		{Form: &templates.ConsoleForm{Legend: templates.Say("console.group.manage"), Folded: !v.edits("manage"), Hidden: hidden("manage"), Submit: templates.Say("console.save"), Fields: []templates.ConsoleField{
			{Name: "manager", Said: templates.Say("console.group.who"), Hint: templates.Say("console.group.manager_hint"), Value: v.form.Get("manager")},
			{Name: "out", Value: "manager", Kind: "checkbox", Said: templates.Say("console.group.manager_out")},
		}}},
		{Form: &templates.ConsoleForm{Legend: templates.Say("console.group.delete"), Folded: true, Hidden: hidden("delete"), Submit: templates.Say("console.group.delete"), Tone: templates.ToneBad, Fields: []templates.ConsoleField{
			{Name: "confirm", Said: templates.Say("console.confirm_name")},
		}}},
	}
}

// changeGroup carries out what the forms of a group's page ask for.
func (h *Handler) changeGroup(v *visit) {
	ctx, name := v.r.Context(), v.object()
	switch {
	case v.form.Has("give"):
		if v.freshToGive(v.form.Get("give")) {
			v.after("given", h.Admin.GivePermission(ctx, v.caller, name, v.form.Get("give")), h.group)
		}
	case v.form.Has("take"):
		v.after("taken", h.Admin.TakePermission(ctx, v.caller, name, v.form.Get("take")), h.group)
	case v.form.Has("remove"):
		_, err := h.Admin.RemoveMembers(ctx, v.caller, name, []string{v.form.Get("remove")})
		v.after("removed", err, h.group)
	default:
		h.reformGroup(v)
	}
}

func (h *Handler) reformGroup(v *visit) {
	ctx, name := v.r.Context(), v.object()
	out := v.form.Get("out") != ""
	switch v.form.Get("action") {
	case "add":
		if h.freshToJoin(v, name) {
			v.after("added", h.addMember(v), h.group)
		}
	case "edit":
		change := admin.GroupChange{Description: v.typed("description"), SecondFactor: v.ticked("strict")}
		_, err := h.Admin.UpdateGroup(ctx, v.caller, name, change, func(g *accounts.Group) error {
			return errors.Join(v.still("description", g.Description), v.still("strict", box(g.SecondFactor)))
		})
		v.after("saved", err, h.group)
	case "nest":
		change := h.Admin.AddChild
		if out {
			change = h.Admin.RemoveChild
		} else if !h.freshToJoin(v, name) {
			return
		}
		v.after("saved", change(ctx, v.caller, name, v.value("child")), h.group)
	case "manage":
		if !v.may(accounts.AdminGroupsWrite) {
			v.after("saved", &admin.Forbidden{Permission: accounts.AdminGroupsWrite}, h.group)
			return
		}
		change := h.Admin.AddManager
		if out {
			change = h.Admin.RemoveManager
		} else if !h.freshToJoin(v, name) {
			return
		}
		sub, err := h.subjectOf(v, v.value("manager"))
		if err == nil {
			err = change(ctx, v.caller, name, sub)
		}
		v.after("saved", err, h.group)
	case "delete":
		h.deleteGroup(v)
	default:
		v.unknown()
	}
}

func (h *Handler) deleteGroup(v *visit) {
	err := error(admin.ErrUnconfirmed)
	if strings.EqualFold(v.value("confirm"), v.object()) {
		err = h.Admin.DeleteGroup(v.r.Context(), v.caller, v.object())
	}
	if err != nil {
		v.wrong(err, h.group)
		return
	}
	v.Redirect(v.w, v.here("groups")+"?done=deleted")
}

// changesMembers reports whether the caller may try to change who is in a group. The
// operations decide; this keeps those who may not from learning who has an account.
func (h *Handler) changesMembers(v *visit, name string) (bool, error) {
	if v.may(accounts.AdminGroupsWrite) {
		return true, nil
	}
	return h.Admin.Groups.IsManager(v.r.Context(), v.caller.Subject, name)
}

// addMember puts somebody into a group, to the end of a day if one is given.
func (h *Handler) addMember(v *visit) error {
	may, err := h.changesMembers(v, v.object())
	if err != nil {
		return err
	}
	if !may {
		return &admin.Forbidden{Permission: accounts.AdminGroupsWrite}
	}
	endsAt, err := v.until()
	if err != nil {
		return err
	}
	sub, err := h.subjectOf(v, v.value("who"))
	if err != nil {
		return err
	}
	_, err = h.Admin.AddMembers(v.r.Context(), v.caller, v.object(), []string{sub}, endsAt)
	return err
}

// until is the end of the day that the form names, by the viewer's clock, or zero.
func (v *visit) until() (int64, error) {
	text := v.value("until")
	if text == "" {
		return 0, nil
	}
	day, err := time.ParseInLocation(time.DateOnly, text, v.instant(1).Location())
	endsAt := day.AddDate(0, 0, 1).UnixMilli()
	if err != nil {
		return 0, &admin.Field{Name: "until", Err: accounts.Because(accounts.ErrInvalid, notADay)}
	}
	if endsAt <= v.Now().UnixMilli() {
		return 0, &admin.Field{Name: "until", Err: accounts.Because(accounts.ErrInvalid, "the membership would have ended already")}
	}
	return endsAt, nil
}

// subjectOf finds somebody by username or address, or takes what is typed as a sub. A
// manager learns no more by it than by the answer to a member who is added.
func (h *Handler) subjectOf(v *visit, name string) (string, error) {
	if name == "" {
		return "", accounts.ErrNotFound
	}
	u, err := h.Admin.Users.Find(v.r.Context(), name)
	if err != nil {
		return "", err
	}
	return u.Subject, nil
}
