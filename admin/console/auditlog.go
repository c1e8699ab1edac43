package console

import (
	"maps"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/auditlog"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/templates"
)

// audit searches the audit log.
func (h *Handler) audit(v *visit) {
	after, _ := id.Parse(v.query.Get("after")) // what is no id begins at the newest
	found, err := h.Admin.SearchAudit(v.r.Context(), v.caller, auditlog.Query{
		Text: strings.TrimSpace(v.query.Get("q")), Action: v.query.Get("action"),
	}, after, shown)
	if err != nil {
		v.failed(err)
		return
	}
	table := &templates.ConsoleTable{Columns: eventColumns(), Empty: templates.Say("console.audit.none")}
	for i := range found.Entries {
		table.Rows = append(table.Rows, v.eventRow(&found.Entries[i]))
	}
	if !found.Next.IsZero() {
		table.NextURL = v.again(map[string]string{"after": found.Next.String()})
	}
	if !after.IsZero() {
		table.FirstURL = v.again(nil)
	}
	kinds := []templates.ConsoleChoice{{Said: templates.Say("console.users.all")}}
	for _, k := range []string{"user.", "group.", "api.", "permission.", "client.", "session.", "grant.", "key."} {
		kinds = append(kinds, templates.ConsoleChoice{Value: k, Said: templates.Named(k + "*")})
	}
	v.show(templates.Console{Heading: templates.Say("console.area.audit"), Lead: templates.Say("console.audit.lead"), Blocks: []templates.ConsoleBlock{{
		Search: &templates.ConsoleSearch{
			Action: v.path(), Label: templates.Say("console.audit.search"), Query: v.query.Get("q"),
			Choices: []templates.ConsoleField{choice("action", templates.Say("console.audit.action"), v.query.Get("action"), kinds)},
		},
		Table: table,
	}}})
}

func eventColumns() []templates.Said {
	return []templates.Said{
		templates.Say("console.audit.action"), templates.Say("console.audit.who"), templates.Say("console.audit.what"), templates.Say("console.when"),
	}
}

func (v *visit) eventRow(e *auditlog.Entry) []templates.ConsoleCell {
	sealed := templates.ConsoleBadge{Said: templates.Say("console.audit.sealed"), Tone: templates.ToneGood}
	if e.Seq == 0 {
		sealed = templates.ConsoleBadge{Said: templates.Say("console.audit.unsealed"), Tone: templates.ToneWarn}
	}
	from := e.Actor.Kind + " " + e.Address
	if e.Client != "" { // by the token of an app, not here
		from += " via " + e.Client
	}
	who := templates.ConsoleCell{Said: templates.Named(actorName(e.Actor)), Small: templates.Named(from)}
	if e.Actor.Kind == "person" {
		who.URL = v.to("users/show", e.Actor.ID)
	}
	return []templates.ConsoleCell{
		{Said: templates.Named(e.Action), Code: true, Badges: []templates.ConsoleBadge{sealed}},
		who,
		{Said: templates.Named(e.TargetKind + " " + e.TargetID), URL: v.targetURL(e), Small: templates.Named(changes(e))},
		{At: v.instant(e.At)},
	}
}

// targetURL is the page about what an event is about, if there is one.
func (v *visit) targetURL(e *auditlog.Entry) string {
	switch e.TargetKind {
	case "user":
		return v.to("users/show", e.TargetID)
	case "group":
		return v.to("groups/show", e.TargetID)
	case "client":
		return v.to("clients/show", e.TargetID)
	case "api":
		return v.to("apis/show", e.TargetID)
	}
	return ""
}

// maxChanges bounds how much of an event a line of the list tells.
const maxChanges = 300

// changes tells what was and what is, in a line.
func changes(e *auditlog.Entry) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(e.Details)) {
		parts = append(parts, name+": "+short(name, e.Details[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(e.Before)) {
		parts = append(parts, changed(name, e.Before[name], e.After[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(e.After)) {
		if _, told := e.Before[name]; !told {
			parts = append(parts, changed(name, nil, e.After[name]))
		}
	}
	line := []rune(strings.Join(parts, ", "))
	if len(line) > maxChanges {
		line = append(line[:maxChanges], '…')
	}
	return string(line)
}
