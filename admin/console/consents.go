package console

import (
	"context"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/templates"
)

// consentsAhead is how many of those who allowed an app its own page shows.
const consentsAhead = 5

// clientConsents shows on the page of an app who has allowed it something, as far as
// a few lines go.
func (h *Handler) clientConsents(ctx context.Context, v *visit, app *accounts.Client) (*templates.ConsoleBlock, error) {
	if !v.may(accounts.AdminConsentsRead) || !app.Allows(accounts.GrantAuthorizationCode) {
		return nil, nil
	}
	list, err := h.Admin.ListConsents(ctx, v.caller, admin.ConsentQuery{ClientID: app.ClientID, Limit: consentsAhead})
	if err != nil {
		return nil, err
	}
	table := v.consentTable(list)
	for i := range table.Rows { // what takes back stands on the list's own page
		table.Rows[i] = table.Rows[i][:3]
	}
	table.Columns = table.Columns[:3]
	block := &templates.ConsoleBlock{ID: "consents", Heading: templates.Say("console.consents.title"), Table: table}
	if len(list) > 0 {
		block.Links = []templates.ConsoleLink{{Said: templates.Say("console.consents.all"), URL: v.to("clients/consents", app.ClientID)}}
	}
	return block, nil
}

// consentTable lists who allowed an app what.
func (v *visit) consentTable(list []admin.ListedConsent) *templates.ConsoleTable {
	t := &templates.ConsoleTable{
		Columns: []templates.Said{
			templates.Say("console.user.username"), templates.Say("console.consents.scopes"), templates.Say("console.when"), templates.Say("console.actions"),
		},
		Empty: templates.Say("console.consents.none"),
	}
	for i := range list {
		x := &list[i]
		row := []templates.ConsoleCell{{Said: templates.Named(x.Username)}, {Said: templates.Named(strings.Join(x.Scopes, " ")), Code: true}, {At: v.instant(x.GrantedAt)}, {}}
		if v.may(accounts.AdminUsersRead) {
			row[0].URL = v.to("users/show", x.Subject)
		}
		if v.may(accounts.AdminConsentsWrite) {
			row[3].Buttons = []templates.ConsoleButton{{
				Name: "disconnect", Value: x.Subject, Said: templates.Say("console.user.disconnect"), Label: templates.Say("console.user.disconnect_named", "Name", x.Username),
			}}
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// consents lists everybody who allowed an app something.
func (h *Handler) consents(v *visit) {
	app, err := h.Admin.Client(v.r.Context(), v.caller, v.object())
	if err != nil {
		v.failed(err)
		return
	}
	after, _ := id.Parse(v.query.Get("after")) // what is no id begins at the first
	list, err := h.Admin.ListConsents(v.r.Context(), v.caller, admin.ConsentQuery{ClientID: app.ClientID, After: after, Limit: shown})
	if err != nil {
		v.failed(err)
		return
	}
	table := v.consentTable(list)
	if len(list) == shown {
		table.NextURL = v.again(map[string]string{"after": list[len(list)-1].UserID.String()})
	}
	if !after.IsZero() {
		table.FirstURL = v.again(nil)
	}
	c := templates.Console{
		Heading: templates.Say("console.consents.title"), Lead: templates.Named(app.Name),
		Trail:  append(v.clientTrail(), templates.ConsoleLink{Said: templates.Named(app.Name), URL: v.to("clients/show", app.ClientID)}),
		Blocks: []templates.ConsoleBlock{{Note: templates.Say("console.consents.note"), Table: table}},
	}
	if v.may(accounts.AdminConsentsWrite) && len(list) > 0 {
		c.Blocks = append(c.Blocks, templates.ConsoleBlock{Form: &templates.ConsoleForm{
			Legend: templates.Say("console.consents.everybody"), Folded: true, Hidden: []templates.Field{{Name: "action", Value: "disconnect"}},
			Submit: templates.Say("console.consents.everybody"), Tone: templates.ToneBad,
			Fields: []templates.ConsoleField{{
				Name: "confirm", Said: templates.Say("console.consents.confirm"), Hint: templates.Say("console.consents.everybody_hint", "ClientID", app.ClientID),
			}},
		}})
	}
	v.show(c)
}

// endConsents takes back what one person allowed, or all of them.
func (h *Handler) endConsents(v *visit) {
	ctx, clientID := v.r.Context(), v.object()
	switch {
	case v.form.Has("disconnect"):
		v.after("revoked", h.Admin.RevokeConsent(ctx, v.caller, clientID, v.form.Get("disconnect")), h.consents)
	case v.form.Get("action") == "disconnect":
		v.after("revoked", h.Admin.RevokeConsents(ctx, v.caller, clientID, v.value("confirm")), h.consents)
	default:
		v.unknown()
	}
}
