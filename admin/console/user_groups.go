package console

import (
	"context"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/templates"
)

// userGroups lists the groups that somebody is in themselves, also those that give
// nothing, with the ways out of them and into another.
func (h *Handler) userGroups(ctx context.Context, v *visit, u *accounts.User) ([]templates.ConsoleBlock, error) {
	after, _ := id.Parse(v.query.Get("after")) // what is no id begins at the first
	list, err := h.Admin.UserGroups(ctx, v.caller, u.Subject, after, shown)
	if err != nil {
		return nil, err
	}
	write := v.may(accounts.AdminGroupsWrite)
	table := &templates.ConsoleTable{
		Columns: []templates.Said{templates.Say("console.group.name"), templates.Say("console.user.until"), templates.Say("console.actions")},
		Empty:   templates.Say("console.user.no_groups"),
	}
	for i := range list {
		m := &list[i]
		row := []templates.ConsoleCell{{Said: templates.Named(m.Group), Small: templates.Named(m.Description)}, {At: v.instant(m.EndsAt)}, {}}
		if v.may(accounts.AdminGroupsRead) {
			row[0].URL = v.to("groups/show", m.Group)
		}
		if write {
			row[2].Buttons = []templates.ConsoleButton{{
				Name: "leave", Value: m.Group, Said: templates.Say("console.group.remove"), Label: templates.Say("console.user.leave_named", "Name", m.Group),
			}}
		}
		table.Rows = append(table.Rows, row)
	}
	if len(list) == shown {
		table.NextURL = v.again(map[string]string{"after": list[len(list)-1].GroupID.String()})
	}
	if !after.IsZero() {
		table.FirstURL = v.again(nil)
	}
	blocks := []templates.ConsoleBlock{{ID: "groups", Heading: templates.Say("console.area.groups"), Note: templates.Say("console.user.groups_note"), Table: table}}
	if write {
		blocks = append(blocks, templates.ConsoleBlock{Form: &templates.ConsoleForm{
			Hidden: []templates.Field{{Name: "action", Value: "join"}}, Submit: templates.Say("console.user.join"),
			Fields: []templates.ConsoleField{
				{Name: "group", Said: templates.Say("console.bulk.group"), Value: v.form.Get("group")},
				{Name: "until", Kind: "date", Said: templates.Say("console.user.until"), Hint: templates.Say("console.group.until_hint"), Optional: true, Value: v.form.Get("until")},
			},
		}})
	}
	return blocks, nil
}

// changeOne puts the person into a group or takes them out of one, or ends one of their
// sessions, by the button beside it.
func (h *Handler) changeOne(v *visit, action string) {
	ctx, sub := v.r.Context(), v.object()
	switch {
	case action == "join":
		group := v.value("group")
		endsAt, err := v.until()
		if err == nil && !h.freshToJoin(v, group) {
			return
		}
		if err == nil {
			_, err = h.Admin.AddMembers(ctx, v.caller, group, []string{sub}, endsAt)
		}
		v.after("added", err, h.user)
	case v.form.Has("leave"):
		_, err := h.Admin.RemoveMembers(ctx, v.caller, v.form.Get("leave"), []string{sub})
		v.after("removed", err, h.user)
	default:
		v.after("ended", h.endOne(v), h.user)
	}
}
