package console

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/auditlog"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/templates"
)

// auditEvent shows one event with all that it tells.
func (h *Handler) auditEvent(v *visit) {
	eventID, err := id.Parse(v.object())
	if err != nil {
		v.failed(fmt.Errorf("audit event: %w", accounts.ErrNotFound))
		return
	}
	e, err := h.Admin.AuditEvent(v.r.Context(), v.caller, eventID)
	if err != nil {
		v.failed(err)
		return
	}
	if e.ErasedAt != 0 {
		v.notices = append(v.notices, templates.ConsoleNotice{
			Tone: templates.ToneWarn, Said: templates.Say("console.audit.erased", "When", v.instant(e.ErasedAt).Format("2006-01-02 15:04")),
		})
	}
	blocks := []templates.ConsoleBlock{{Facts: v.eventFacts(e)}}
	if names := told(e); len(names) > 0 {
		var facts []templates.ConsoleFact
		for _, name := range names {
			facts = append(facts, fact(templates.Named(name), short(name, e.Details[name])))
		}
		blocks = append(blocks, templates.ConsoleBlock{Heading: templates.Say("console.audit.details"), Facts: facts})
	}
	if table := valueTable(e); len(table.Rows) > 0 {
		blocks = append(blocks, templates.ConsoleBlock{Heading: templates.Say("console.audit.values"), Table: table})
	}
	v.show(templates.Console{
		Heading: templates.Named(e.Action), Trail: []templates.ConsoleLink{{Said: templates.Say("console.area.audit"), URL: v.here("audit")}}, Blocks: blocks,
	})
}

func fact(name templates.Said, value string) templates.ConsoleFact {
	return templates.ConsoleFact{Name: name, Cell: templates.ConsoleCell{Said: templates.Named(value)}}
}

// eventFacts are who, what, when and from where. An id leads to whatever else it did.
func (v *visit) eventFacts(e *auditlog.Entry) []templates.ConsoleFact {
	who, about := v.actor(e), templates.ConsoleCell{Said: templates.Named(e.TargetKind + " " + e.TargetID), URL: v.targetURL(e)}
	who.Small = templates.Named(e.Actor.Kind + " " + e.Actor.ID)
	facts := []templates.ConsoleFact{
		{Name: templates.Say("console.when"), Cell: templates.ConsoleCell{At: v.instant(e.At)}},
		{Name: templates.Say("console.audit.who"), Cell: who},
		{Name: templates.Say("console.audit.what"), Cell: about},
	}
	if e.Address != "" {
		facts = append(facts, fact(templates.Say("console.audit.address"), e.Address))
	}
	for _, link := range []struct {
		name templates.Said
		id   string
	}{
		{templates.Say("console.audit.through"), e.Client},
		{templates.Say("console.audit.session"), e.Session},
		{templates.Say("console.audit.request"), e.RequestID},
	} {
		if link.id != "" {
			line := fact(link.name, link.id)
			line.Cell.URL = v.here("audit") + "?" + url.Values{"q": {link.id}}.Encode()
			facts = append(facts, line)
		}
	}
	place := templates.ConsoleCell{Badges: []templates.ConsoleBadge{seal(e)}}
	if e.Seq != 0 {
		place.Said = templates.Named(strconv.FormatInt(e.Seq, 10))
	}
	return append(facts,
		templates.ConsoleFact{Name: templates.Say("console.audit.place"), Cell: place},
		templates.ConsoleFact{Name: templates.Say("console.audit.event"), Cell: templates.ConsoleCell{Said: templates.Named(e.ID.String()), Code: true}},
	)
}

// valueTable tells the values that became others, whole.
func valueTable(e *auditlog.Entry) *templates.ConsoleTable {
	table := &templates.ConsoleTable{Columns: []templates.Said{
		templates.Say("console.audit.value"), templates.Say("console.audit.before"), templates.Say("console.audit.after"),
	}}
	names := slices.AppendSeq(slices.Collect(maps.Keys(e.Before)), maps.Keys(e.After))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		row := []templates.ConsoleCell{{Said: templates.Named(name), Code: true}}
		for _, values := range []map[string]any{e.Before, e.After} {
			text := "–"
			if value, is := values[name]; is {
				text = short(name, value)
			}
			row = append(row, templates.ConsoleCell{Said: templates.Named(text)})
		}
		table.Rows = append(table.Rows, row)
	}
	return table
}
