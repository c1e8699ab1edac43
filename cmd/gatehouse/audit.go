package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/auditlog"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

type auditCommand struct {
	List   auditList   `cmd:"" aliases:"search" help:"List events, newest first, or those that match."`
	Show   auditShow   `cmd:"" help:"Show one event with all that it tells."`
	Export auditExport `cmd:"" help:"Write events as JSON Lines, oldest first."`
	Verify auditVerify `cmd:"" help:"Prove that no event was cut out, changed, moved or put in."`
	Head   auditHead   `cmd:"" help:"Show the end of the chain, to be noted elsewhere."`
	Accept auditAccept `cmd:"" help:"Let the chain go on after its end was changed from outside."`
}

type auditList struct {
	ActorKind  string   `name:"actor-kind" placeholder:"KIND" help:"person, client, command or system."`
	Actor      string   `placeholder:"ID" help:"Who did it: sub, client id, system user."`
	Action     string   `placeholder:"PREFIX" help:"What was done: user. or user.ban."`
	TargetKind string   `name:"target-kind" placeholder:"KIND" help:"user, group, client, api, session, ..."`
	Target     string   `placeholder:"ID" help:"To what: sub, name, client id, audience, ..."`
	RequestID  string   `name:"request-id" placeholder:"ID" help:"In which request, as the log of requests tells it."`
	Text       string   `arg:"" optional:"" help:"An id in any place."`
	Since      auditAge `placeholder:"TIME" help:"From a time on: 2026-11-23T05:00:00Z, 2026-11-23, or 24h ago."`
	Until      auditAge `placeholder:"TIME" help:"Before a time."`
	Before     string   `placeholder:"ID" help:"Older than this event, to go on."`
	Limit      int      `default:"50" help:"How many (50)."`
}

// auditAge is a time as people write it.
type auditAge string

// milliseconds returns it in Unix milliseconds, zero if it was not given.
func (a auditAge) milliseconds(now time.Time) (int64, error) {
	text := string(a)
	if text == "" {
		return 0, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d).UnixMilli(), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return max(1, t.UnixMilli()), nil
		}
	}
	return 0, fmt.Errorf("%q is not a time: write 2026-11-23T05:00:00Z, 2026-11-23, or 24h for a day ago", text)
}

// Run lists events.
func (l *auditList) Run(c *call) error {
	q := auditlog.Query{
		ActorKind: l.ActorKind, ActorID: l.Actor, Action: l.Action, TargetKind: l.TargetKind, TargetID: l.Target,
		RequestID: l.RequestID, Text: l.Text,
	}
	var before auditlog.Cursor
	var err error
	if q.Since, err = l.Since.milliseconds(c.now()); err != nil {
		return err
	}
	if q.Until, err = l.Until.milliseconds(c.now()); err != nil {
		return err
	}
	if l.Before != "" {
		if before, err = id.Parse(l.Before); err != nil {
			return fmt.Errorf("--before %s: %w", l.Before, err)
		}
	}
	return c.with(false, func(ctx context.Context, d *domain, _ audit.Actor) error {
		page, err := (&auditlog.Log{Store: d.db}).Search(ctx, q, before, l.Limit)
		if err != nil {
			return err
		}
		// A page may be short and have more behind it.
		for len(page.Entries) < l.Limit && !page.Next.IsZero() {
			next, err := (&auditlog.Log{Store: d.db}).Search(ctx, q, page.Next, l.Limit-len(page.Entries))
			if err != nil {
				return err
			}
			page.Entries, page.Next = append(page.Entries, next.Entries...), next.Next
		}
		return c.listed(page)
	})
}

func (c *call) listed(page *auditlog.Page) error {
	list := []auditlog.Line{}
	rows := [][]string{{"TIME", "ID", "ACTION", "BY", "TARGET", "FROM"}}
	for i := range page.Entries {
		line := auditlog.NewLine(&page.Entries[i])
		list = append(list, line)
		rows = append(rows, []string{line.Time, line.ID, line.Action, named(line.Actor), named(line.Target), line.Address})
	}
	answer := map[string]any{"events": list}
	if !page.Next.IsZero() {
		answer["next"] = page.Next
	}
	return c.answer(answer, func(w io.Writer) {
		table(w, rows...)
		if !page.Next.IsZero() {
			_, _ = fmt.Fprintf(w, "more: --before %s\n", page.Next)
		}
	})
}

func named(who auditlog.Who) string {
	text := strings.TrimSpace(who.Kind + " " + who.ID)
	if who.Name != "" && who.Name != who.ID {
		text += " (" + who.Name + ")"
	}
	return text
}

type auditShow struct {
	ID string `arg:"" help:"Id of the event."`
}

// Run shows an event.
func (s *auditShow) Run(c *call) error {
	eventID, err := id.Parse(s.ID)
	if err != nil {
		return fmt.Errorf("event %s: %w", s.ID, err)
	}
	return c.with(false, func(ctx context.Context, d *domain, _ audit.Actor) error {
		e, err := (&auditlog.Log{Store: d.db}).Event(ctx, eventID)
		if err != nil {
			return err
		}
		line := auditlog.NewLine(e)
		return c.answer(line, func(w io.Writer) { showEvent(w, &line) })
	})
}

func showEvent(w io.Writer, l *auditlog.Line) {
	number := "not sealed yet"
	if l.Seq > 0 {
		number = fmt.Sprint(l.Seq)
	}
	rows := [][]string{
		{"event", l.ID}, {"number", number}, {"time", l.Time}, {"action", l.Action}, {"by", named(l.Actor)}, {"target", named(l.Target)},
		{"from", l.Address}, {"request", l.RequestID}, {"session", l.Session}, {"through", l.Client},
	}
	for _, name := range slices.Sorted(maps.Keys(l.Details)) {
		rows = append(rows, []string{name, oneLine(l.Details[name])})
	}
	changed := maps.Clone(l.Before)
	if changed == nil {
		changed = map[string]any{}
	}
	maps.Copy(changed, l.After)
	for _, name := range slices.Sorted(maps.Keys(changed)) {
		rows = append(rows, []string{"changed " + name, oneLine(l.Before[name]) + " -> " + oneLine(l.After[name])})
	}
	if l.Erased {
		rows = append(rows, []string{"erased", "what was personal, with the person's account"})
	}
	table(w, slices.DeleteFunc(rows, func(row []string) bool { return row[1] == "" })...)
}

// oneLine shows a value; what was not set is a dash.
func oneLine(value any) string {
	switch v := value.(type) {
	case nil:
		return "-"
	case string:
		return v
	}
	b, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(b)
}
