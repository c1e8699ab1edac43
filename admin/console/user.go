package console

import (
	"context"
	"net/url"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/templates"
)

// user is the page of one person: what they hold and why, where they are signed in,
// and what can be done.
func (h *Handler) user(v *visit) {
	ctx := v.r.Context()
	u, err := h.Admin.User(ctx, v.caller, v.object())
	if err != nil {
		v.failed(err)
		return
	}
	held, err := h.Admin.UserRights(ctx, v.caller, u.Subject)
	if err != nil {
		v.failed(err)
		return
	}
	factors, err := h.Admin.UserFactors(ctx, v.caller, u.Subject)
	if err != nil {
		v.failed(err)
		return
	}
	c := templates.Console{
		Heading: templates.Named(u.Username), Lead: templates.Named(u.Name),
		Trail: []templates.ConsoleLink{{Said: templates.Say("console.area.users"), URL: v.here("users")}},
		Blocks: []templates.ConsoleBlock{
			{Facts: v.userFacts(u, factors)},
			{Heading: templates.Say("console.user.permissions"), Note: templates.Say("console.user.permissions_note"), Table: v.rights(held)},
		},
	}
	groups, err := h.userGroups(ctx, v, u)
	if err != nil {
		v.failed(err)
		return
	}
	c.Blocks = append(c.Blocks, groups...)
	if v.may(accounts.AdminSessionsRead) {
		block, err := h.userSessions(ctx, v, u)
		if err != nil {
			v.failed(err)
			return
		}
		c.Blocks = append(c.Blocks, block)
	}
	if v.may(accounts.AdminConsentsRead) {
		block, err := h.userConsents(ctx, v, u)
		if err != nil {
			v.failed(err)
			return
		}
		c.Blocks = append(c.Blocks, block)
	}
	if v.may(accounts.AdminUsersWrite) {
		c.Blocks = append(c.Blocks, v.userForms(u)...)
	}
	if v.may(accounts.AdminAuditRead) {
		c.Blocks = append(c.Blocks, templates.ConsoleBlock{Links: []templates.ConsoleLink{
			{Said: templates.Say("console.user.events"), URL: v.here("audit") + "?" + url.Values{"q": {u.Subject}}.Encode()},
		}})
	}
	v.show(c)
}

func (v *visit) userFacts(u *accounts.User, factors *accounts.FactorList) []templates.ConsoleFact {
	fact := func(key string, cell templates.ConsoleCell) templates.ConsoleFact {
		return templates.ConsoleFact{Name: templates.Say(key), Cell: cell}
	}
	list := []templates.ConsoleFact{
		fact("console.user.sub", templates.ConsoleCell{Said: templates.Named(u.Subject), Code: true, Badges: userBadges(u)}),
		fact("console.user.email", templates.ConsoleCell{Said: templates.Named(u.Email), Badges: unproven(u)}),
		fact("console.user.created", templates.ConsoleCell{At: v.instant(u.CreatedAt)}),
		fact("console.user.last_sign_in", templates.ConsoleCell{At: v.instant(u.LastSignInAt)}),
		fact("console.user.factors", templates.ConsoleCell{Said: templates.Say(
			"console.user.factors_count", "Passkeys", len(factors.Passkeys), "Apps", len(factors.TOTPs), "Codes", factors.RecoveryCodes)}),
	}
	for _, a := range u.RequiredActions {
		list = append(list, fact("console.user.required", templates.ConsoleCell{Said: templates.Say("console.required." + string(a))}))
	}
	return list
}

// rights lists each permission with each way by which it is held.
func (v *visit) rights(held []accounts.Held) *templates.ConsoleTable {
	t := &templates.ConsoleTable{
		Columns: []templates.Said{templates.Say("console.permission"), templates.Say("console.user.through"), templates.Say("console.user.until")},
		Empty:   templates.Say("console.user.holds_nothing"),
	}
	for _, x := range held {
		through := templates.ConsoleCell{Said: templates.Say("console.user.superuser")}
		if !x.Superuser {
			through = templates.ConsoleCell{Said: templates.Named(strings.Join(x.Through, " → "))}
			if len(x.Through) > 0 {
				through.URL = v.to("groups/show", x.Through[0])
			}
		}
		t.Rows = append(t.Rows, []templates.ConsoleCell{
			{Said: templates.Named(x.Permission), Code: true}, through, {At: v.instant(x.EndsAt)},
		})
	}
	return t
}

func (h *Handler) userSessions(ctx context.Context, v *visit, u *accounts.User) (templates.ConsoleBlock, error) {
	list, err := h.Admin.ListSessions(ctx, v.caller, admin.SessionQuery{Subject: u.Subject, Limit: shown})
	if err != nil {
		return templates.ConsoleBlock{}, err
	}
	block := templates.ConsoleBlock{Heading: templates.Say("console.area.sessions"), Table: v.sessionTable(list)}
	if len(list) > 0 && v.may(accounts.AdminSessionsWrite) {
		block.Form = deed(templates.Say("console.user.sign_out"), templates.Say("console.user.does.sign_out"), "sign_out")
	}
	return block, nil
}

// userConsents lists what the person allowed apps.
func (h *Handler) userConsents(ctx context.Context, v *visit, u *accounts.User) (templates.ConsoleBlock, error) {
	list, err := h.Admin.ListConsents(ctx, v.caller, admin.ConsentQuery{Subject: u.Subject, Limit: shown})
	if err != nil {
		return templates.ConsoleBlock{}, err
	}
	table := &templates.ConsoleTable{
		Columns: []templates.Said{templates.Say("console.client.name"), templates.Say("console.client.scopes"), templates.Say("console.when"), templates.Say("console.actions")},
		Empty:   templates.Say("console.user.allowed_nothing"),
	}
	for i := range list {
		x := &list[i]
		row := []templates.ConsoleCell{
			{Said: templates.Named(x.ClientName), URL: v.to("clients/show", x.ClientID)},
			{Said: templates.Named(strings.Join(x.Scopes, " ")), Code: true}, {At: v.instant(x.GrantedAt)}, {},
		}
		if v.may(accounts.AdminConsentsWrite) {
			row[3].Buttons = []templates.ConsoleButton{{
				Name: "disconnect", Value: x.ClientID, Said: templates.Say("console.user.disconnect"),
				Label: templates.Say("console.user.disconnect_named", "Name", x.ClientName),
			}}
		}
		table.Rows = append(table.Rows, row)
	}
	return templates.ConsoleBlock{Heading: templates.Say("console.user.allowed"), Table: table}, nil
}
