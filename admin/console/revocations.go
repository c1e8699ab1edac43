package console

import (
	"strconv"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/revocation"
	"github.com/gatehouse-id/gatehouse/templates"
)

// revocations shows the ledger, newest first, and how many resource servers have
// applied each row.
func (h *Handler) revocations(v *visit) {
	if text := v.query.Get("id"); text != "" {
		h.revocation(v, text)
		return
	}
	before, _ := strconv.ParseInt(v.query.Get("after"), 10, 64) // what is no position begins at the newest
	list, err := h.Admin.ListRevocations(v.r.Context(), v.caller, admin.RevocationQuery{
		Kind: revocation.Kind(v.query.Get("kind")), Key: v.query.Get("q"), Before: max(before, 0), Limit: shown,
	})
	if err != nil {
		v.failed(err)
		return
	}
	table := &templates.ConsoleTable{
		Columns: []templates.Said{
			templates.Say("console.revocation.what"), templates.Say("console.reason"), templates.Say("console.when"), templates.Say("console.revocation.applied"),
		},
		Empty: templates.Say("console.revocations.none"),
	}
	for i := range list {
		r := &list[i]
		table.Rows = append(table.Rows, []templates.ConsoleCell{
			{Said: templates.Named(string(r.Kind)), URL: v.to("revocations", number(r.Position)), Small: templates.Named(r.Key)},
			{Said: templates.Named(r.Reason)}, {At: v.instant(r.At)}, appliedCell(r.Applied, r.Concerned),
		})
	}
	if len(list) == shown {
		table.NextURL = v.again(map[string]string{"after": number(list[len(list)-1].Position)})
	}
	if before > 0 {
		table.FirstURL = v.again(nil)
	}
	kinds := []templates.ConsoleChoice{{Said: templates.Say("console.users.all")}}
	for _, k := range revocation.Kinds() {
		kinds = append(kinds, templates.ConsoleChoice{Value: string(k), Said: templates.Named(string(k))})
	}
	c := templates.Console{Heading: templates.Say("console.area.revocations"), Lead: templates.Say("console.revocations.lead"), Blocks: []templates.ConsoleBlock{{
		Search: &templates.ConsoleSearch{
			Action: v.path(), Label: templates.Say("console.revocations.search"), Query: v.query.Get("q"),
			Choices: []templates.ConsoleField{choice("kind", templates.Say("console.revocation.kind"), v.query.Get("kind"), kinds)},
		},
		Table: table,
	}}}
	if v.may(accounts.AdminRevocationsWrite) {
		token := templates.ConsoleField{Name: "token", Said: templates.Say("console.revocations.token"), Hint: templates.Say("console.revocations.token_hint")}
		if v.caller.Superuser {
			token.Hint = templates.Say("console.revocations.jti_hint")
		}
		c.Blocks = append(c.Blocks, templates.ConsoleBlock{Form: &templates.ConsoleForm{
			Legend: templates.Say("console.revocations.single"), Folded: true, Tone: templates.ToneBad, Submit: templates.Say("console.revocations.single"),
			Hidden: []templates.Field{{Name: "action", Value: "token"}}, Fields: []templates.ConsoleField{token},
		}})
	}
	if v.may(accounts.AdminRevocationsWrite) && v.caller.Superuser {
		c.Blocks = append(c.Blocks, templates.ConsoleBlock{Form: &templates.ConsoleForm{
			Legend: templates.Say("console.revocations.all"), Folded: true, Tone: templates.ToneBad, Submit: templates.Say("console.revocations.all"),
			Hidden: []templates.Field{{Name: "action", Value: "all"}},
			Fields: []templates.ConsoleField{
				{Name: "reason", Said: templates.Say("console.reason")},
				{Name: "confirm", Said: templates.Say("console.revocations.confirm"), Hint: templates.Say("console.revocations.all_hint")},
			},
		}})
	}
	v.show(c)
}

func appliedCell(applied, concerned int) templates.ConsoleCell {
	tone := templates.ToneGood
	if applied < concerned {
		tone = templates.ToneWarn
	}
	return templates.ConsoleCell{Badges: []templates.ConsoleBadge{{
		Said: templates.Say("console.revocation.applied_by", "Applied", applied, "Concerned", concerned), Tone: tone,
	}}}
}

// revocation explains one row: what caused it, and who has applied it when.
func (h *Handler) revocation(v *visit, text string) {
	position, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		v.NotFound(v.w, v.r)
		return
	}
	e, err := h.Admin.Revocation(v.r.Context(), v.caller, position)
	if err != nil {
		v.failed(err)
		return
	}
	fact := func(key string, cell templates.ConsoleCell) templates.ConsoleFact {
		return templates.ConsoleFact{Name: templates.Say(key), Cell: cell}
	}
	receipts := &templates.ConsoleTable{
		Columns: []templates.Said{templates.Say("console.follower.server"), templates.Say("console.follower.state"), templates.Say("console.revocation.applied_at")},
		Empty:   templates.Say("console.followers.none"),
	}
	for _, r := range e.Receipts {
		receipts.Rows = append(receipts.Rows, receiptRow(v, r))
	}
	causes := &templates.ConsoleTable{Columns: eventColumns(), Empty: templates.Say("console.audit.none")}
	for i := range e.Events {
		causes.Rows = append(causes.Rows, v.eventRow(&e.Events[i]))
	}
	v.show(templates.Console{
		Heading: templates.Say("console.revocation.title", "Position", number(e.Position)),
		Trail:   []templates.ConsoleLink{{Said: templates.Say("console.area.revocations"), URL: v.here("revocations")}},
		Blocks: []templates.ConsoleBlock{
			{Facts: []templates.ConsoleFact{
				fact("console.revocation.kind", templates.ConsoleCell{Said: templates.Named(string(e.Kind))}),
				fact("console.revocation.key", templates.ConsoleCell{Said: templates.Named(e.Key), Code: true}),
				fact("console.reason", templates.ConsoleCell{Said: templates.Named(e.Reason)}),
				fact("console.when", templates.ConsoleCell{At: v.instant(e.At)}),
			}},
			{Heading: templates.Say("console.revocation.receipts"), Table: receipts},
			{Heading: templates.Say("console.revocation.causes"), Table: causes},
		},
	})
}

func (h *Handler) revoke(v *visit) {
	var wish admin.Revoke
	switch v.form.Get("action") {
	case "all":
		wish = admin.Revoke{Kind: revocation.All, Confirm: v.value("confirm"), Reason: v.value("reason")}
	case "token": // whole, in three parts, or its jti
		wish = admin.Revoke{Kind: revocation.Token}
		if text := v.value("token"); strings.Contains(text, ".") {
			wish.Token = secret.Text(text)
		} else {
			wish.Key = text
		}
	default:
		v.unknown()
		return
	}
	v.after("revoked", h.Admin.Revoke(v.r.Context(), v.caller, wish), h.revocations)
}

// actorName is who did something, for people.
func actorName(a audit.Actor) string {
	if a.Name != "" {
		return a.Name
	}
	return a.ID
}
