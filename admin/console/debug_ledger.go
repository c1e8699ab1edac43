package console

import (
	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/templates"
)

// verdictBlock says whether resource servers accept the token now, and, to those who
// may read the ledger, who has heard.
func (v *visit) verdictBlock(t *admin.Weighed) templates.ConsoleBlock {
	verdict := templates.ConsoleCell{Badges: []templates.ConsoleBadge{badge("console.debug.accepted", templates.ToneGood)}}
	refused := func(said templates.Said) {
		verdict.Badges = []templates.ConsoleBadge{{Said: said, Tone: templates.ToneBad}}
	}
	var since []templates.ConsoleFact
	applied := templates.Say("console.debug.applied_head")
	switch {
	case !t.Signed:
		refused(templates.Say("console.debug.signature_wrong"))
	case t.First != nil && t.Hidden:
		refused(templates.Say("console.debug.refused_by", "Kind", string(t.First.Kind)))
	case t.First != nil:
		refused(templates.Say("console.debug.refused_since", "Position", number(t.First.Position)))
		verdict.Small = templates.Say("console.debug.because", "Kind", string(t.First.Kind), "Reason", t.First.Reason)
		since = append(since, templates.ConsoleFact{Name: templates.Say("console.when"), Cell: templates.ConsoleCell{At: v.instant(t.First.At)}})
		verdict.Links = []templates.ConsoleLink{{Said: templates.Say("console.debug.row"), URL: v.to("revocations", number(t.First.Position))}}
		applied = templates.Say("console.debug.applied_row")
	case t.BelowFloor:
		refused(templates.Say("console.debug.below_floor"))
	case v.Now().Unix() >= t.ExpiresAt:
		refused(templates.Say("console.debug.expired"))
	}
	if t.Hidden {
		return templates.ConsoleBlock{
			ID: "ledger", Heading: templates.Say("console.debug.ledger"),
			Note:  templates.Say("console.debug.ledger_hidden", "Permission", accounts.AdminRevocationsRead),
			Facts: []templates.ConsoleFact{{Name: templates.Say("console.debug.verdict"), Cell: verdict}},
		}
	}
	followers := templates.ConsoleCell{Said: templates.Say("console.debug.no_followers")}
	if t.Concerned > 0 {
		followers = appliedCell(t.Applied, t.Concerned)
	}
	facts := append([]templates.ConsoleFact{{Name: templates.Say("console.debug.verdict"), Cell: verdict}}, since...)
	return templates.ConsoleBlock{
		ID: "ledger", Heading: templates.Say("console.debug.ledger"), Note: templates.Say("console.debug.bound"),
		Facts: append(facts,
			templates.ConsoleFact{Name: templates.Say("console.debug.rev"), Cell: templates.ConsoleCell{Said: templates.Named(number(t.Keys.Rev)), Code: true}},
			templates.ConsoleFact{Name: templates.Say("console.status.head"), Cell: templates.ConsoleCell{Said: templates.Named(number(t.Head)), Code: true}},
			templates.ConsoleFact{Name: applied, Cell: followers},
		),
	}
}

// keysBlock lists by what rows are matched with the token, and which there are.
func (v *visit) keysBlock(t *admin.Weighed) templates.ConsoleBlock {
	table := &templates.ConsoleTable{Columns: []templates.Said{
		templates.Say("console.revocation.key"), templates.Say("console.debug.row"), templates.Say("console.when"), templates.Say("console.debug.effect"),
	}}
	for _, k := range t.Asked {
		key := templates.ConsoleCell{Said: templates.Named(string(k.Kind)), Code: true, Small: templates.Named(k.Key)}
		row, at, effect := templates.ConsoleCell{Small: templates.Say("console.debug.no_row")}, templates.ConsoleCell{}, templates.ConsoleCell{}
		if k.Row != nil {
			row = templates.ConsoleCell{Said: templates.Named(number(k.Row.Position)), Code: true, Small: templates.Named(k.Row.Reason)}
			at.At = v.instant(k.Row.At)
			effect.Badges = []templates.ConsoleBadge{badge("console.debug.older", templates.ToneNone)}
			if k.Refuses {
				effect.Badges = []templates.ConsoleBadge{badge("console.debug.refuses", templates.ToneBad)}
			}
		}
		table.Rows = append(table.Rows, []templates.ConsoleCell{key, row, at, effect})
	}
	return templates.ConsoleBlock{Heading: templates.Say("console.debug.keys"), Note: templates.Say("console.debug.keys_note"), Table: table}
}
