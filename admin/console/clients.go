package console

import (
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/templates"
)

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
	form := &templates.ConsoleForm{Submit: templates.Say("console.clients.create"), Hidden: []templates.Field{v.number()}, Others: []templates.ConsoleButton{v.checkButton()}, Fields: []templates.ConsoleField{
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
	r := accounts.Registration{Name: v.value("name"), Type: kind, ClientID: v.clientIDOf(v.form.Get(formNumber))}
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
	if !v.freshToGive(append(slices.Clone(r.Permissions), r.Scopes...)...) {
		return
	}
	made, text, err := h.Admin.CreateClient(v.r.Context(), v.caller, r)
	if v.madeBefore(r.ClientID, err) {
		return
	}
	if err != nil {
		v.wrong(err, h.newClient)
		return
	}
	v.query.Del("kind")
	v.query.Set("id", made.ClientID)
	v.name, v.lead = "clients/show", templates.Say("console.clients.step3")
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
