package console

import (
	"context"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/hosted"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/templates"
)

// secretOverlap is how long the secrets that are there stay good beside a new one.
const secretOverlap = 7 * 24 * time.Hour

// client is the page of one app.
func (h *Handler) client(v *visit) {
	app, err := h.Admin.Client(v.r.Context(), v.caller, v.object())
	if err != nil {
		v.failed(err)
		return
	}
	if err := v.mark(accounts.ManagedClient, app.ID); err != nil {
		v.failed(err)
		return
	}
	c := templates.Console{
		Heading: templates.Named(app.Name), Trail: v.clientTrail(), Lead: v.lead,
		Blocks: []templates.ConsoleBlock{{Facts: clientFacts(app), Links: v.tryLinks(app)}},
	}
	refused, err := h.refusedBlock(v.r.Context(), v, app)
	if err != nil {
		v.failed(err)
		return
	}
	if refused != nil {
		c.Blocks = append(c.Blocks, *refused)
	}
	if app.AuthMethod == accounts.AuthSecret {
		c.Blocks = append(c.Blocks, v.secretBlock(app))
	}
	for _, part := range []func(context.Context, *visit, *accounts.Client) (*templates.ConsoleBlock, error){h.clientSets, h.clientConsents, h.clientSettings} {
		block, err := part(v.r.Context(), v, app)
		if err != nil {
			v.failed(err)
			return
		}
		if block != nil {
			c.Blocks = append(c.Blocks, *block)
		}
	}
	traffic, err := h.clientTraffic(v, app)
	if err != nil {
		v.failed(err)
		return
	}
	if traffic != nil {
		c.Blocks = append(c.Blocks, *traffic)
	}
	if v.may(accounts.AdminClientsWrite) {
		forms, err := h.clientForms(v, app)
		if err != nil {
			v.failed(err)
			return
		}
		c.Blocks = append(c.Blocks, forms...)
	}
	v.show(c)
}

func clientFacts(app *accounts.Client) []templates.ConsoleFact {
	fact := func(key, text string) templates.ConsoleFact {
		if text == "" {
			text = "–"
		}
		return templates.ConsoleFact{Name: templates.Say(key), Cell: templates.ConsoleCell{Said: templates.Named(text), Code: true}}
	}
	clientID := fact("console.client.client_id", app.ClientID)
	if app.DisabledAt != 0 {
		clientID.Cell.Badges = []templates.ConsoleBadge{{Said: templates.Say("console.disabled"), Tone: templates.ToneBad}}
	}
	list := []templates.ConsoleFact{
		clientID,
		{Name: templates.Say("console.client.type"), Cell: templates.ConsoleCell{Said: templates.Say("console.client.type_" + string(app.Type))}},
		fact("console.client.auth_method", app.AuthMethod),
		fact("console.client.grant_types", strings.Join(app.GrantTypes, " ")),
	}
	if len(app.Permissions) > 0 || app.Type == accounts.MachineClient {
		list = append(list, fact("console.client.permissions", strings.Join(app.Permissions, " ")))
	}
	if app.Allows(accounts.GrantAuthorizationCode) {
		list = append(list, fact("console.client.redirect_uris", strings.Join(app.RedirectURIs, " ")), fact("console.client.scopes", strings.Join(app.Scopes, " ")))
	}
	return list
}

// secretBlock lists the live secrets, never what they are.
func (v *visit) secretBlock(app *accounts.Client) templates.ConsoleBlock {
	table := &templates.ConsoleTable{
		Columns: []templates.Said{templates.Say("console.user.created"), templates.Say("console.user.until"), templates.Say("console.actions")},
		Empty:   templates.Say("console.client.no_secret"),
	}
	for _, s := range app.Secrets {
		row := []templates.ConsoleCell{{At: v.instant(s.CreatedAt)}, {At: v.instant(s.ExpiresAt)}, {}}
		if v.may(accounts.AdminClientsWrite) {
			row[2].Buttons = []templates.ConsoleButton{{Name: "end", Value: s.ID.String(), Said: templates.Say("console.client.end_secret")}}
		}
		table.Rows = append(table.Rows, row)
	}
	block := templates.ConsoleBlock{Heading: templates.Say("console.client.secrets"), Note: templates.Say("console.client.secrets_note"), Table: table}
	if v.may(accounts.AdminClientsWrite) {
		block.Buttons = []templates.ConsoleButton{{Name: "action", Value: "secret", Said: templates.Say("console.client.add_secret")}}
		block.Form = deed(templates.Say("console.client.compromised"), templates.Say("console.client.compromised_does"), "compromised")
	}
	return block
}

func (h *Handler) clientForms(v *visit, app *accounts.Client) ([]templates.ConsoleBlock, error) {
	edit, err := h.editForm(v, app)
	if err != nil {
		return nil, err
	}
	power := templates.ConsoleBlock{Form: deed(templates.Say("console.client.disable"), templates.Say("console.client.disable_does"), "disable")}
	if app.DisabledAt != 0 {
		power = templates.ConsoleBlock{Buttons: []templates.ConsoleButton{{Name: "action", Value: "enable", Said: templates.Say("console.enable")}}}
	}
	return []templates.ConsoleBlock{
		{Form: edit}, power,
		{Form: &templates.ConsoleForm{
			Legend: templates.Say("console.client.delete"), Folded: true, Hidden: []templates.Field{{Name: "action", Value: "delete"}},
			Submit: templates.Say("console.client.delete"), Tone: templates.ToneBad, Fields: []templates.ConsoleField{{Name: "confirm", Said: templates.Say("console.confirm_name")}},
		}},
	}, nil
}

// editForm holds what the app is, or what somebody typed if that was checked or
// refused.
func (h *Handler) editForm(v *visit, app *accounts.Client) (*templates.ConsoleForm, error) {
	edit := &templates.ConsoleForm{
		Legend: templates.Say("console.client.edit"), Folded: !v.edits("edit"), Hidden: []templates.Field{{Name: "action", Value: "edit"}}, Submit: templates.Say("console.save"),
		Fields: []templates.ConsoleField{v.field("edit", templates.ConsoleField{Name: "name", Said: templates.Say("console.client.name"), Value: app.Name})},
	}
	if app.Type == accounts.MachineClient {
		edit.Fields = append(edit.Fields, v.field("edit", templates.ConsoleField{
			Name: "permissions", Kind: "textarea", Said: templates.Say("console.client.permissions"), Hint: templates.Say("console.client.permissions_hint"),
			Optional: true, Value: strings.Join(app.Permissions, "\n"),
		}))
	}
	if !app.Allows(accounts.GrantAuthorizationCode) {
		return edit, nil
	}
	fields, err := h.addressFields(v, app, v.edits("edit"))
	if err != nil {
		return nil, err
	}
	edit.Others = []templates.ConsoleButton{v.checkButton()}
	edit.Fields = append(append(edit.Fields, fields...), v.field("edit", templates.ConsoleField{
		Name: "scopes", Said: templates.Say("console.client.scopes"), Hint: templates.Say("console.client.scopes_hint"), Value: strings.Join(app.Scopes, " "),
	}), v.field("edit", templates.ConsoleField{
		Name: "first_party", Kind: "checkbox", Said: templates.Say("console.client.first_party"), Hint: templates.Say("console.client.first_party_hint"), Checked: app.FirstParty,
	}))
	return edit, nil
}

// changeClient carries out what the forms of an app's page ask for.
func (h *Handler) changeClient(v *visit) {
	ctx, clientID := v.r.Context(), v.object()
	if v.form.Has("end") {
		secretID, err := id.Parse(v.form.Get("end"))
		if err == nil {
			err = h.Admin.EndSecret(ctx, v.caller, clientID, secretID)
		} else {
			err = accounts.ErrNotFound
		}
		v.after("secret_ended", err, h.client)
		return
	}
	if v.form.Has("add") || v.form.Has("forget") {
		h.changeRefused(v)
		return
	}
	if v.form.Has("take_set") {
		v.after("taken", h.Admin.UnassignSet(ctx, v.caller, v.form.Get("take_set"), clientID), h.client)
		return
	}
	switch v.form.Get("action") {
	case "give_set":
		if h.freshToAssign(v, v.form.Get("set")) {
			v.after("given", h.Admin.AssignSet(ctx, v.caller, v.form.Get("set"), clientID), h.client)
		}
	case "edit":
		h.edit(v)
	case "enable":
		v.after("saved", h.Admin.EnableClient(ctx, v.caller, clientID), h.client)
	case "disable":
		v.after("saved", h.Admin.DisableClient(ctx, v.caller, clientID), h.client)
	case "secret":
		h.addSecret(v)
	case "compromised":
		v.after("revoked", h.Admin.CompromisedClient(ctx, v.caller, clientID), h.client)
	case "delete":
		h.deleteClient(v)
	default:
		v.unknown()
	}
}

// edit changes the app, or checks what was typed.
func (h *Handler) edit(v *visit) {
	ctx, clientID := v.r.Context(), v.object()
	app, err := h.Admin.Client(ctx, v.caller, clientID)
	if err != nil {
		v.wrong(err, h.client)
		return
	}
	if v.form.Has("check") {
		h.check(v, app, func() error { return h.Admin.TryUpdateClient(ctx, v.caller, clientID, v.editClient) }, h.client)
		return
	}
	wanted := *app
	if err := v.editClient(&wanted); err != nil {
		v.wrong(err, h.client)
		return
	}
	if !v.freshToTurn(app, &wanted) {
		return
	}
	_, err = h.Admin.UpdateClient(ctx, v.caller, clientID, v.editClient)
	v.after("saved", err, h.client)
}

// editClient is the change that the form asks for. Errors: admin.ErrChanged.
func (v *visit) editClient(app *accounts.Client) error {
	a := amendment{visit: v}
	a.text("name", &app.Name)
	if app.Type == accounts.MachineClient {
		a.list("permissions", &app.Permissions)
	}
	if app.Allows(accounts.GrantAuthorizationCode) {
		a.list("redirect_uris", &app.RedirectURIs)
		a.list("post_logout", &app.PostLogoutRedirectURIs)
		a.text("backchannel", &app.BackchannelLogoutURI)
		a.list("scopes", &app.Scopes)
		a.box("first_party", &app.FirstParty)
	}
	return a.err
}

// freshToTurn reports whether the visitor has signed in recently enough to make an app
// another one; if not, it asks them to. Where an app sends people is as good as the app,
// and one of our own is let in without a question.
func (v *visit) freshToTurn(before, after *accounts.Client) bool {
	if len(added(before.RedirectURIs, after.RedirectURIs)) > 0 || after.FirstParty && !before.FirstParty {
		return v.fresh(hosted.FreshFor)
	}
	return v.freshToGive(append(added(before.Permissions, after.Permissions), added(before.Scopes, after.Scopes)...)...)
}

// addSecret makes another secret; what was there stays good for a week. It is as good
// as the app, so it needs a fresh sign-in.
func (h *Handler) addSecret(v *visit) {
	if !v.fresh(hosted.FreshFor) {
		return
	}
	text, _, err := h.Admin.AddSecret(v.r.Context(), v.caller, v.object(), secretOverlap)
	if err != nil {
		v.wrong(err, h.client)
		return
	}
	v.showSecret(text.Reveal())
	h.client(v)
}

func (h *Handler) deleteClient(v *visit) {
	app, err := h.Admin.Client(v.r.Context(), v.caller, v.object())
	if err == nil && v.value("confirm") != app.Name && v.value("confirm") != app.ClientID {
		err = admin.ErrUnconfirmed
	}
	if err == nil {
		err = h.Admin.DeleteClient(v.r.Context(), v.caller, v.object())
	}
	if err != nil {
		v.wrong(err, h.client)
		return
	}
	v.Redirect(v.w, v.here("clients")+"?done=deleted")
}
