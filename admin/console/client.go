package console

import (
	"context"
	"slices"
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
		Heading: templates.Named(app.Name), Trail: v.clientTrail(),
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
	for _, part := range []func(context.Context, *visit, *accounts.Client) (*templates.ConsoleBlock, error){h.clientSets, h.clientConsents} {
		block, err := part(v.r.Context(), v, app)
		if err != nil {
			v.failed(err)
			return
		}
		if block != nil {
			c.Blocks = append(c.Blocks, *block)
		}
	}
	if app.Type != accounts.ResourceClient {
		c.Blocks = append(c.Blocks, templates.ConsoleBlock{
			ID: "settings", Heading: templates.Say("console.client.settings"), Note: templates.Say("console.client.settings_note"), Code: v.settings(app),
		})
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
		block.Buttons = []templates.ConsoleButton{
			{Name: "action", Value: "secret", Said: templates.Say("console.client.add_secret")},
			{Name: "action", Value: "compromised", Said: templates.Say("console.client.compromised"), Tone: templates.ToneBad},
		}
	}
	return block
}

func (h *Handler) clientForms(v *visit, app *accounts.Client) ([]templates.ConsoleBlock, error) {
	edit, err := h.editForm(v, app)
	if err != nil {
		return nil, err
	}
	button := templates.ConsoleButton{Name: "action", Value: "disable", Said: templates.Say("console.disable"), Tone: templates.ToneBad}
	if app.DisabledAt != 0 {
		button = templates.ConsoleButton{Name: "action", Value: "enable", Said: templates.Say("console.enable")}
	}
	return []templates.ConsoleBlock{
		{Form: edit}, {Buttons: []templates.ConsoleButton{button}},
		{Form: &templates.ConsoleForm{
			Legend: templates.Say("console.client.delete"), Folded: true, Hidden: []templates.Field{{Name: "action", Value: "delete"}},
			Submit: templates.Say("console.client.delete"), Tone: templates.ToneBad, Fields: []templates.ConsoleField{{Name: "confirm", Said: templates.Say("console.confirm_name")}},
		}},
	}, nil
}

// editForm holds what the app is, or what somebody typed if that was checked or
// refused.
func (h *Handler) editForm(v *visit, app *accounts.Client) (*templates.ConsoleForm, error) {
	typed := v.form.Get("action") == "edit"
	is := *app
	if typed {
		if err := v.editClient(&is); err != nil {
			return nil, err
		}
	}
	edit := &templates.ConsoleForm{
		Legend: templates.Say("console.client.edit"), Folded: !typed, Hidden: []templates.Field{{Name: "action", Value: "edit"}}, Submit: templates.Say("console.save"),
		Fields: []templates.ConsoleField{{Name: "name", Said: templates.Say("console.client.name"), Value: is.Name}},
	}
	if app.Type == accounts.MachineClient {
		edit.Fields = append(edit.Fields, templates.ConsoleField{
			Name: "permissions", Kind: "textarea", Said: templates.Say("console.client.permissions"), Hint: templates.Say("console.client.permissions_hint"),
			Optional: true, Value: strings.Join(is.Permissions, "\n"),
		})
	}
	if !app.Allows(accounts.GrantAuthorizationCode) {
		return edit, nil
	}
	fields, err := h.addressFields(v, app, typed)
	if err != nil {
		return nil, err
	}
	edit.Others = []templates.ConsoleButton{v.checkButton()}
	edit.Fields = append(append(edit.Fields, fields...), templates.ConsoleField{
		Name: "scopes", Said: templates.Say("console.client.scopes"), Hint: templates.Say("console.client.scopes_hint"), Value: strings.Join(is.Scopes, " "),
	}, templates.ConsoleField{
		Name: "first_party", Kind: "checkbox", Said: templates.Say("console.client.first_party"), Hint: templates.Say("console.client.first_party_hint"), Checked: is.FirstParty,
	})
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
		v.after("ended", err, h.client)
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
		v.after("given", h.Admin.AssignSet(ctx, v.caller, v.form.Get("set"), clientID), h.client)
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
	// Where an app sends people is as good as the app, so another place needs a fresh
	// sign-in.
	more := slices.ContainsFunc(lines(v.form.Get("redirect_uris")), func(uri string) bool { return !contains(app.RedirectURIs, uri) })
	if more && !v.Fresh(v.w, v.r, v.session, hosted.FreshFor) {
		return
	}
	_, err = h.Admin.UpdateClient(ctx, v.caller, clientID, v.editClient)
	v.after("saved", err, h.client)
}

// editClient is the change that the form asks for.
func (v *visit) editClient(app *accounts.Client) error {
	app.Name = v.value("name")
	if app.Type == accounts.MachineClient {
		app.Permissions = lines(v.form.Get("permissions"))
	}
	if app.Allows(accounts.GrantAuthorizationCode) {
		app.RedirectURIs, app.PostLogoutRedirectURIs = lines(v.form.Get("redirect_uris")), lines(v.form.Get("post_logout"))
		app.BackchannelLogoutURI = v.value("backchannel")
		app.Scopes, app.FirstParty = lines(v.form.Get("scopes")), v.form.Get("first_party") != ""
	}
	return nil
}

// addSecret makes another secret; what was there stays good for a week. It is as good
// as the app, so it needs a fresh sign-in.
func (h *Handler) addSecret(v *visit) {
	if !v.Fresh(v.w, v.r, v.session, hosted.FreshFor) {
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
