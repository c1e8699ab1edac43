package console

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/auditlog"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/templates"
)

// auditSubjects are what the actions of events begin with.
func auditSubjects() []string {
	return []string{
		"user", "session", "consent", "grant", "token", "group", "permission_set", "client", "api", "key", "setting", "managed", "ledger", "signals",
		"job", "audit",
	}
}

// audit searches the audit log.
func (h *Handler) audit(v *visit) {
	table := &templates.ConsoleTable{Columns: eventColumns(), Empty: templates.Say("console.audit.none")}
	if err := h.findEvents(v, table); err != nil {
		said, status := problem(err)
		if status != http.StatusUnprocessableEntity {
			v.failed(err)
			return
		}
		v.notices = append(v.notices, templates.ConsoleNotice{Tone: templates.ToneBad, Said: said})
	}
	kinds := []templates.ConsoleChoice{{Said: templates.Say("console.users.all")}}
	for _, subject := range auditSubjects() {
		kinds = append(kinds, templates.ConsoleChoice{Value: subject + ".", Said: templates.Named(subject + ".*")})
	}
	zone := v.zone().String()
	v.show(templates.Console{Heading: templates.Say("console.area.audit"), Lead: templates.Say("console.audit.lead"), Blocks: []templates.ConsoleBlock{{
		Search: &templates.ConsoleSearch{
			Action: v.path(), Label: templates.Say("console.audit.search"), Query: v.query.Get("q"),
			Choices: []templates.ConsoleField{
				choice("action", templates.Say("console.audit.action"), v.query.Get("action"), kinds),
				{Name: "since", Kind: "date", Said: templates.Say("console.audit.since", "Zone", zone), Value: v.query.Get("since")},
				{Name: "until", Kind: "date", Said: templates.Say("console.audit.until", "Zone", zone), Value: v.query.Get("until")},
			},
		},
		Table: table,
	}}})
}

// findEvents puts a page of what is searched for into the table. Errors: those of
// admin.Admin.SearchAudit.
func (h *Handler) findEvents(v *visit, table *templates.ConsoleTable) error {
	q := auditlog.Query{Text: strings.TrimSpace(v.query.Get("q")), Action: v.query.Get("action")}
	var err error
	if q.Since, err = v.midnight("since", 0); err != nil {
		return err
	}
	if q.Until, err = v.midnight("until", 1); err != nil {
		return err
	}
	after, _ := id.Parse(v.query.Get("after")) // what is no id begins at the newest
	found, err := h.Admin.SearchAudit(v.r.Context(), v.caller, q, after, shown)
	if err != nil {
		return err
	}
	for i := range found.Entries {
		table.Rows = append(table.Rows, v.eventRow(&found.Entries[i]))
	}
	if !found.Next.IsZero() {
		table.NextURL = v.again(map[string]string{"after": found.Next.String()})
	}
	if !after.IsZero() {
		table.FirstURL = v.again(nil)
	}
	return nil
}

// midnight is when the day in a parameter of the query begins, some days later, in Unix
// milliseconds by the reader's clock; zero without a day. Errors: accounts.ErrInvalid.
func (v *visit) midnight(name string, later int) (int64, error) {
	typed := strings.TrimSpace(v.query.Get(name))
	if typed == "" {
		return 0, nil
	}
	day, err := time.ParseInLocation(time.DateOnly, typed, v.zone())
	if err != nil {
		return 0, accounts.Because(accounts.ErrInvalid, notADay)
	}
	return max(day.AddDate(0, 0, later).UnixMilli(), 1), nil // zero is no bound
}

// notADay is why a day is refused.
const notADay = "not a day such as 2026-12-31"

func eventColumns() []templates.Said {
	return []templates.Said{
		templates.Say("console.audit.action"), templates.Say("console.audit.who"), templates.Say("console.audit.what"), templates.Say("console.when"),
	}
}

func seal(e *auditlog.Entry) templates.ConsoleBadge {
	if e.Seq == 0 {
		return templates.ConsoleBadge{Said: templates.Say("console.audit.unsealed"), Tone: templates.ToneWarn}
	}
	return templates.ConsoleBadge{Said: templates.Say("console.audit.sealed"), Tone: templates.ToneGood}
}

func (v *visit) eventRow(e *auditlog.Entry) []templates.ConsoleCell {
	from := e.Actor.Kind + " " + e.Address
	if e.Client != "" { // by the token of an app, not here
		from += " via " + e.Client
	}
	who := v.actor(e)
	who.Small = templates.Named(from)
	return []templates.ConsoleCell{
		{Said: templates.Named(e.Action), URL: v.to("audit/show", e.ID.String()), Code: true, Badges: []templates.ConsoleBadge{seal(e)}},
		who,
		{Said: templates.Named(e.TargetKind + " " + e.TargetID), URL: v.targetURL(e), Small: templates.Named(changes(e))},
		{At: v.instant(e.At)},
	}
}

// actor is who did it, with a link to the page of a person.
func (v *visit) actor(e *auditlog.Entry) templates.ConsoleCell {
	who := templates.ConsoleCell{Said: templates.Named(actorName(e.Actor))}
	if e.Actor.Kind == audit.Person {
		who.URL = v.to("users/show", e.Actor.ID)
	}
	return who
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

// told are the names of the details that the values before and after do not repeat.
func told(e *auditlog.Entry) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(e.Details)) {
		value, repeated := e.After[name]
		if !repeated {
			value, repeated = e.Before[name]
		}
		if !repeated || short(name, value) != short(name, e.Details[name]) {
			names = append(names, name)
		}
	}
	return names
}

// maxChanges bounds how much of an event a line of the list tells.
const maxChanges = 300

// changes tells what was and what is, in a line.
func changes(e *auditlog.Entry) string {
	var parts []string
	for _, name := range told(e) {
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
