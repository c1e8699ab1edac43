package console

import (
	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/device"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/templates"
)

func (h *Handler) sessions(v *visit) {
	before, _ := id.Parse(v.query.Get("after")) // what is no id begins at the newest
	list, err := h.Admin.ListSessions(v.r.Context(), v.caller, admin.SessionQuery{Before: before, Limit: shown})
	if err != nil {
		v.failed(err)
		return
	}
	table := v.sessionTable(list)
	if len(list) == shown {
		table.NextURL = v.again(map[string]string{"after": list[len(list)-1].ID.String()})
	}
	if !before.IsZero() {
		table.FirstURL = v.again(nil)
	}
	v.show(templates.Console{Heading: templates.Say("console.area.sessions"), Blocks: []templates.ConsoleBlock{{Table: table}}})
}

func (v *visit) sessionTable(list []admin.ListedSession) *templates.ConsoleTable {
	t := &templates.ConsoleTable{
		Columns: []templates.Said{
			templates.Say("console.user.username"), templates.Say("console.session.device"), templates.Say("console.session.last_seen"),
			templates.Say("console.actions"),
		},
		Empty: templates.Say("console.session.none"),
	}
	for i := range list {
		s := &list[i]
		who := templates.ConsoleCell{Said: templates.Named(s.Username), URL: v.to("users/show", s.Subject)}
		end := templates.ConsoleCell{}
		if v.may(accounts.AdminSessionsWrite) {
			end.Buttons = []templates.ConsoleButton{{
				Name: "end", Value: s.ID.String(), Said: templates.Say("console.session.end"),
				Label: templates.Say("console.session.end_of", "Name", s.Username),
			}}
		}
		if s.ID == v.session.ID {
			who.Badges = []templates.ConsoleBadge{{Said: templates.Say("console.session.here"), Tone: templates.ToneGood}}
		}
		t.Rows = append(t.Rows, []templates.ConsoleCell{
			who, {Said: templates.Named(device.Of(s.UserAgent).String()), Small: templates.Named(s.Address)}, {At: v.instant(s.LastSeenAt)}, end,
		})
	}
	return t
}

func (h *Handler) endSession(v *visit) { v.after("ended", h.endOne(v), h.sessions) }
