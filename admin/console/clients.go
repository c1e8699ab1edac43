package console

import (
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/templates"
)

func (h *Handler) clients(v *visit) {
	q := admin.ClientQuery{Limit: shown}
	if text := strings.TrimSpace(v.query.Get("q")); strings.Contains(text, ".") {
		q.RedirectHost = text
	} else {
		q.Prefix = text
	}
	if state := v.query.Get("state"); state == "enabled" || state == "disabled" {
		q.State = state
	}
	unpack(v.query.Get("after"), &q.After)
	list, err := h.Admin.ListClients(v.r.Context(), v.caller, q)
	if err != nil {
		v.failed(err)
		return
	}
	table := &templates.ConsoleTable{
		Columns: []templates.Said{templates.Say("console.client.name"), templates.Say("console.client.type")}, Empty: templates.Say("console.clients.none"),
	}
	for i := range list {
		c := &list[i]
		cell := templates.ConsoleCell{Said: templates.Named(c.Name), URL: v.to("clients/show", c.ClientID), Small: templates.Named(c.ClientID)}
		if c.DisabledAt != 0 {
			cell.Badges = []templates.ConsoleBadge{{Said: templates.Say("console.disabled"), Tone: templates.ToneBad}}
		}
		table.Rows = append(table.Rows, []templates.ConsoleCell{cell, {Said: templates.Say("console.client.type_" + string(c.Type))}})
	}
	if len(list) == shown {
		table.NextURL = v.again(map[string]string{"after": pack(list[len(list)-1].Key)})
	}
	if q.After != (admin.ClientKey{}) {
		table.FirstURL = v.again(nil)
	}
	c := templates.Console{Heading: templates.Say("console.area.clients"), Blocks: []templates.ConsoleBlock{{
		Search: &templates.ConsoleSearch{
			Action: v.path(), Label: templates.Say("console.clients.search"), Query: v.query.Get("q"),
			Choices: []templates.ConsoleField{choice("state", templates.Say("console.client.state"), v.query.Get("state"), []templates.ConsoleChoice{
				{Said: templates.Say("console.users.all")}, {Value: "enabled", Said: templates.Say("console.enabled")}, {Value: "disabled", Said: templates.Say("console.disabled")},
			})},
		},
		Table: table,
	}}}
	if v.may(accounts.AdminClientsWrite) {
		c.Blocks[0].Links = []templates.ConsoleLink{{Said: templates.Say("console.clients.new"), URL: v.here("clients/new")}}
	}
	v.show(c)
}

func (v *visit) clientTrail() []templates.ConsoleLink {
	return []templates.ConsoleLink{{Said: templates.Say("console.area.clients"), URL: v.here("clients")}}
}

// kinds are what an app can be, as the first step asks.
func kinds() []accounts.ClientType {
	return []accounts.ClientType{accounts.WebClient, accounts.SPAClient, accounts.NativeClient, accounts.MachineClient}
}

// newClient is the way to a new app: what it is, then where it is. The third step is
// the app's own page, with its settings to copy.
func (h *Handler) newClient(v *visit) {
	kind := accounts.ClientType(v.query.Get("kind"))
	known := false
	for _, k := range kinds() {
		known = known || k == kind
	}
	c := templates.Console{Heading: templates.Say("console.clients.new"), Trail: v.clientTrail()}
	if !known {
		c.Lead = templates.Say("console.clients.step1")
		block := templates.ConsoleBlock{}
		for _, k := range kinds() {
			block.Facts = append(block.Facts, templates.ConsoleFact{
				Name: templates.Say("console.client.type_" + string(k)),
				Cell: templates.ConsoleCell{
					Said: templates.Say("console.client.choose_" + string(k)), URL: v.again(map[string]string{"kind": string(k)}),
				},
			})
		}
		c.Blocks = []templates.ConsoleBlock{block}
		v.show(c)
		return
	}
	c.Lead = templates.Say("console.clients.step2")
	form, err := h.clientForm(v, kind)
	if err != nil {
		v.failed(err)
		return
	}
	c.Blocks = []templates.ConsoleBlock{{Form: form}}
	v.show(c)
}

// clientForm is the second step: what the app is called, and where it is.
func (h *Handler) clientForm(v *visit, kind accounts.ClientType) (*templates.ConsoleForm, error) {
	form := &templates.ConsoleForm{Submit: templates.Say("console.clients.create"), Others: []templates.ConsoleButton{v.checkButton()}, Fields: []templates.ConsoleField{
		{Name: "name", Said: templates.Say("console.client.name"), Hint: templates.Say("console.client.name_hint"), Value: v.form.Get("name")},
	}}
	if kind == accounts.MachineClient {
		form.Fields = append(form.Fields, templates.ConsoleField{
			Name: "permissions", Kind: "textarea", Said: templates.Say("console.client.permissions"), Hint: templates.Say("console.client.permissions_hint"),
			Optional: true, Value: v.form.Get("permissions"),
		})
		return form, nil
	}
	fields, err := h.addressFields(v, &accounts.Client{Type: kind}, v.form != nil)
	if err != nil {
		return nil, err
	}
	form.Fields = append(append(form.Fields, fields...), templates.ConsoleField{
		Name: "scopes", Said: templates.Say("console.client.scopes"), Hint: templates.Say("console.client.scopes_hint"), Optional: true, Value: v.form.Get("scopes"),
	})
	return form, nil
}

// lines are the entries of a text, one a line.
func lines(text string) []string { return strings.Fields(text) }

func (h *Handler) makeClient(v *visit) {
	kind := accounts.ClientType(v.query.Get("kind"))
	r := accounts.Registration{Name: v.value("name"), Type: kind}
	if kind == accounts.MachineClient {
		r.Permissions = lines(v.form.Get("permissions"))
	} else {
		r.RedirectURIs, r.PostLogoutRedirectURIs, r.Scopes = lines(v.form.Get("redirect_uris")), lines(v.form.Get("post_logout")), lines(v.form.Get("scopes"))
		r.BackchannelLogoutURI = v.value("backchannel")
	}
	if v.form.Has("check") {
		h.check(v, &accounts.Client{Type: kind}, func() error { return h.Admin.TryClient(v.r.Context(), v.caller, r) }, h.newClient)
		return
	}
	made, text, err := h.Admin.CreateClient(v.r.Context(), v.caller, r)
	if err != nil {
		v.wrong(err, h.newClient)
		return
	}
	v.query.Del("kind")
	v.query.Set("id", made.ClientID)
	v.name = "clients/show"
	v.showSecret(text.Reveal())
	h.client(v)
}

// showSecret shows a client's secret this one time.
func (v *visit) showSecret(text string) {
	if text == "" {
		v.notices = append(v.notices, templates.ConsoleNotice{Tone: templates.ToneGood, Said: templates.Say("console.done.created")})
		return
	}
	v.notices = append(v.notices, templates.ConsoleNotice{Tone: templates.ToneWarn, Said: templates.Say("console.client.secret_once"), Secret: text})
}
