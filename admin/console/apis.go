package console

import (
	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/templates"
)

func (h *Handler) apis(v *visit) {
	after := v.query.Get("after")
	list, err := h.Admin.ListAPIs(v.r.Context(), v.caller, v.query.Get("q"), after, shown)
	if err != nil {
		v.failed(err)
		return
	}
	table := &templates.ConsoleTable{
		Columns: []templates.Said{templates.Say("console.api.name"), templates.Say("console.api.permissions")}, Empty: templates.Say("console.apis.none"),
	}
	for i := range list {
		a := &list[i]
		cell := templates.ConsoleCell{Said: templates.Named(a.Name), URL: v.to("apis/show", a.Audience), Small: templates.Named(a.Audience)}
		if a.DisabledAt != 0 {
			cell.Badges = []templates.ConsoleBadge{{Said: templates.Say("console.disabled"), Tone: templates.ToneBad}}
		}
		permissions := templates.ConsoleCell{Said: templates.Named("–")}
		if len(a.Permissions) > 0 {
			permissions.Said = templates.Say("console.api.count", "Count", len(a.Permissions))
		}
		table.Rows = append(table.Rows, []templates.ConsoleCell{cell, permissions})
	}
	if len(list) == shown {
		table.NextURL = v.again(map[string]string{"after": list[len(list)-1].Audience})
	}
	if after != "" {
		table.FirstURL = v.again(nil)
	}
	c := templates.Console{Heading: templates.Say("console.area.apis"), Lead: templates.Say("console.apis.lead"), Blocks: []templates.ConsoleBlock{{
		Search: &templates.ConsoleSearch{Action: v.path(), Label: templates.Say("console.apis.search"), Query: v.query.Get("q")}, Table: table,
	}}}
	if v.may(accounts.AdminAPIsWrite) {
		c.Blocks[0].Links = []templates.ConsoleLink{{Said: templates.Say("console.apis.new"), URL: v.here("apis/new")}}
	}
	v.show(c)
}

func (v *visit) apiTrail() []templates.ConsoleLink {
	return []templates.ConsoleLink{{Said: templates.Say("console.area.apis"), URL: v.here("apis")}}
}

func (h *Handler) newAPI(v *visit) {
	v.show(templates.Console{
		Heading: templates.Say("console.apis.new"), Trail: v.apiTrail(), Blocks: []templates.ConsoleBlock{{Form: &templates.ConsoleForm{
			Submit: templates.Say("console.apis.create"), Fields: []templates.ConsoleField{
				{Name: "name", Said: templates.Say("console.api.name"), Value: v.form.Get("name")},
				{Name: "audience", Kind: "url", Said: templates.Say("console.api.audience"), Hint: templates.Say("console.api.audience_hint"), Value: v.form.Get("audience")},
			},
		}}},
	})
}

func (h *Handler) makeAPI(v *visit) {
	a, rs, text, err := h.Admin.CreateAPI(v.r.Context(), v.caller, accounts.NewAPI{Name: v.value("name"), Audience: v.value("audience")})
	if err != nil {
		v.wrong(err, h.newAPI)
		return
	}
	v.query.Set("id", a.Audience)
	v.name = "apis/show"
	v.notices = append(v.notices, templates.ConsoleNotice{
		Tone: templates.ToneWarn, Said: templates.Say("console.api.credentials", "ClientID", rs.ClientID), Secret: text.Reveal(),
	})
	h.api(v)
}

func (h *Handler) api(v *visit) {
	a, err := h.Admin.API(v.r.Context(), v.caller, v.object())
	if err != nil {
		v.failed(err)
		return
	}
	if err := v.mark(accounts.ManagedAPI, a.ID); err != nil {
		v.failed(err)
		return
	}
	write, note := v.may(accounts.AdminAPIsWrite), templates.Said{}
	if write {
		note = templates.Say("console.api.permissions_note")
	}
	table := &templates.ConsoleTable{
		Columns: []templates.Said{templates.Say("console.permission"), templates.Say("console.actions")}, Empty: templates.Say("console.api.no_permissions"),
	}
	for _, p := range a.Permissions {
		act := templates.ConsoleCell{}
		if write {
			act.Buttons = []templates.ConsoleButton{{
				Name: "drop", Value: p.Name, Said: templates.Say("console.delete"), Label: templates.Say("console.delete_named", "Name", p.Name),
			}}
		}
		table.Rows = append(table.Rows, []templates.ConsoleCell{permissionCell(p.Name, p.Description), act})
	}
	c := templates.Console{Heading: templates.Named(a.Name), Trail: v.apiTrail(), Blocks: []templates.ConsoleBlock{
		{Facts: []templates.ConsoleFact{
			{Name: templates.Say("console.api.audience"), Cell: templates.ConsoleCell{Said: templates.Named(a.Audience), Code: true}},
			{Name: templates.Say("console.api.resource_server"), Cell: templates.ConsoleCell{Said: templates.Named(a.ResourceServer), Code: true}},
		}},
		{Heading: templates.Say("console.api.permissions"), Note: note, Table: table},
	}}
	if write {
		c.Blocks = append(c.Blocks, v.apiForms(a)...)
	}
	v.show(c)
}

func (v *visit) apiForms(a *accounts.API) []templates.ConsoleBlock {
	name, description := "", ""
	if v.edits("permission") { // and was refused
		name, description = v.form.Get("name"), v.form.Get("description")
	}
	power := templates.ConsoleBlock{Form: deed(templates.Say("console.api.disable"), templates.Say("console.api.disable_does"), "disable")}
	if a.DisabledAt != 0 {
		power = templates.ConsoleBlock{Buttons: []templates.ConsoleButton{{Name: "action", Value: "enable", Said: templates.Say("console.enable")}}}
	}
	return []templates.ConsoleBlock{
		{Form: &templates.ConsoleForm{
			Hidden: []templates.Field{{Name: "action", Value: "permission"}}, Submit: templates.Say("console.api.add_permission"),
			Fields: []templates.ConsoleField{
				{Name: "name", Said: templates.Say("console.api.permission_name"), Hint: templates.Say("console.api.permission_hint"), Value: name},
				{Name: "description", Said: templates.Say("console.group.about"), Hint: templates.Say("console.api.description_hint"), Value: description},
			},
		}},
		power,
		{Form: &templates.ConsoleForm{
			Legend: templates.Say("console.api.delete"), Folded: true, Hidden: []templates.Field{{Name: "action", Value: "delete"}},
			Submit: templates.Say("console.api.delete"), Tone: templates.ToneBad, Fields: []templates.ConsoleField{{Name: "confirm", Said: templates.Say("console.confirm_name")}},
		}},
	}
}

func (h *Handler) changeAPI(v *visit) {
	ctx, audience := v.r.Context(), v.object()
	if v.form.Has("drop") {
		v.after("deleted", h.Admin.DeletePermission(ctx, v.caller, audience, v.form.Get("drop")), h.api)
		return
	}
	switch v.form.Get("action") {
	case "permission":
		v.after("added", h.Admin.AddPermission(ctx, v.caller, audience, accounts.NewPermission{Name: v.value("name"), Description: v.value("description")}), h.api)
	case "disable":
		v.after("saved", h.Admin.DisableAPI(ctx, v.caller, audience), h.api)
	case "enable":
		v.after("saved", h.Admin.EnableAPI(ctx, v.caller, audience), h.api)
	case "delete":
		h.deleteAPI(v)
	default:
		v.unknown()
	}
}

func (h *Handler) deleteAPI(v *visit) {
	a, err := h.Admin.API(v.r.Context(), v.caller, v.object())
	if err == nil && v.value("confirm") != a.Name && v.value("confirm") != a.Audience {
		err = admin.ErrUnconfirmed
	}
	if err == nil {
		err = h.Admin.DeleteAPI(v.r.Context(), v.caller, v.object())
	}
	if err != nil {
		v.wrong(err, h.api)
		return
	}
	v.Redirect(v.w, v.here("apis")+"?done=deleted")
}
