package console

import (
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/templates"
)

// clients lists the apps, or those that a text finds: by the whole of their client id,
// by the beginning of their name or by a host that they return to.
func (h *Handler) clients(v *visit) {
	q := admin.ClientQuery{Limit: shown, Prefix: strings.TrimSpace(v.query.Get("q")), OrHost: true}
	if state := v.query.Get("state"); state == "enabled" || state == "disabled" {
		q.State = state
	}
	unpack(v.query.Get("after"), &q.After)
	list, next, err := h.findClients(v, q)
	if err != nil {
		v.failed(err)
		return
	}
	table := &templates.ConsoleTable{
		Columns: []templates.Said{templates.Say("console.client.name"), templates.Say("console.client.type")}, Empty: none(q.Prefix+q.State+q.After.ClientID, "console.clients.none"),
	}
	for i := range list {
		c := &list[i]
		cell := templates.ConsoleCell{Said: templates.Named(c.Name), URL: v.to("clients/show", c.ClientID), Small: templates.Named(c.ClientID)}
		if c.DisabledAt != 0 {
			cell.Badges = []templates.ConsoleBadge{{Said: templates.Say("console.disabled"), Tone: templates.ToneBad}}
		}
		table.Rows = append(table.Rows, []templates.ConsoleCell{cell, {Said: templates.Say("console.client.type_" + string(c.Type))}})
	}
	if next != nil {
		table.NextURL = v.again(map[string]string{"after": pack(next)})
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

// findClients returns a page of apps and where the next one begins, nil if there is
// none. The app whose id is the text itself goes before all others.
func (h *Handler) findClients(v *visit, q admin.ClientQuery) ([]admin.ListedClient, *admin.ClientKey, error) {
	list, err := h.Admin.ListClients(v.r.Context(), v.caller, q)
	if err != nil || q.Prefix == "" {
		return list, nextClient(list), err
	}
	next := nextClient(list)
	list = slices.DeleteFunc(list, func(c admin.ListedClient) bool { return c.ClientID == q.Prefix })
	if q.After != (admin.ClientKey{}) {
		return list, next, nil
	}
	exact, err := h.Admin.ListClients(v.r.Context(), v.caller, admin.ClientQuery{ClientID: q.Prefix, State: q.State, Limit: 1})
	return append(exact, list...), next, err
}

func nextClient(list []admin.ListedClient) *admin.ClientKey {
	if len(list) < shown {
		return nil
	}
	return &list[len(list)-1].Key
}

// none is what an empty list says: that nothing is there yet, or that nothing was found
// by what was asked for.
func none(asked, found string) templates.Said {
	if asked == "" {
		return templates.Say("console.none_yet")
	}
	return templates.Say(found)
}
