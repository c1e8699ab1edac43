package console

import (
	"maps"
	"slices"
	"strconv"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/auditlog"
	"github.com/gatehouse-id/gatehouse/internal/counts"
	"github.com/gatehouse-id/gatehouse/templates"
)

// dashboard is the first page: a search, and how the deployment is for those who may
// read the audit log.
func (h *Handler) dashboard(v *visit) {
	c := templates.Console{Heading: templates.Say("console.area.dashboard")}
	if v.may(accounts.AdminUsersRead) {
		c.Blocks = append(c.Blocks, templates.ConsoleBlock{Search: &templates.ConsoleSearch{Action: v.here("users"), Label: templates.Say("console.users.search")}})
	}
	if v.may(accounts.AdminAuditRead) {
		s, err := h.Admin.Status(v.r.Context(), v.caller)
		if err != nil {
			v.failed(err)
			return
		}
		var month []counts.Row
		ofMonth := v.query.Get("time") == "month"
		if ofMonth {
			if month, err = h.Admin.Month(v.r.Context(), v.caller); err != nil {
				v.failed(err)
				return
			}
		}
		c.Blocks = append(c.Blocks, v.statusBlocks(s, spanOf(s, month, ofMonth))...)
	}
	v.show(c)
}

func (v *visit) statusBlocks(s *admin.Status, t span) []templates.ConsoleBlock {
	blocks := v.trafficBlocks(s, t)
	if s.Chain != nil {
		blocks = append(blocks, templates.ConsoleBlock{
			Heading: templates.Say("console.status.chain"), Facts: v.chainFacts(s.Chain),
			Links: []templates.ConsoleLink{{Said: templates.Say("console.area.audit"), URL: v.here("audit")}},
		})
	}
	blocks = append(blocks, templates.ConsoleBlock{Heading: templates.Say("console.status.parts"), Facts: partFacts(s)})
	if s.Head != nil {
		blocks = append(blocks,
			templates.ConsoleBlock{Heading: templates.Say("console.status.ledger"), Facts: v.ledgerFacts(s)},
			templates.ConsoleBlock{Heading: templates.Say("console.status.followers"), Table: v.followerTable(s)})
	}
	return blocks
}

// partFacts tell which parts answer, and what waits to be sent.
func partFacts(s *admin.Status) []templates.ConsoleFact {
	facts := []templates.ConsoleFact{}
	for _, p := range s.Parts {
		badge := templates.ConsoleBadge{Said: templates.Say("console.status.answers"), Tone: templates.ToneGood}
		if !p.Answers {
			badge = templates.ConsoleBadge{Said: templates.Say("console.status.silent"), Tone: templates.ToneBad}
		}
		facts = append(facts, templates.ConsoleFact{Name: templates.Named(p.Name), Cell: templates.ConsoleCell{Badges: []templates.ConsoleBadge{badge}}})
	}
	for _, q := range s.Queues {
		cell := templates.ConsoleCell{Said: templates.Say("console.status.waiting", "Count", q.Waiting)}
		if q.Retrying > 0 {
			cell.Badges = []templates.ConsoleBadge{{Said: templates.Say("console.status.retrying", "Count", q.Retrying), Tone: templates.ToneWarn}}
		}
		facts = append(facts, templates.ConsoleFact{Name: templates.Say("console.status.queue", "Name", q.Kind), Cell: cell})
	}
	return facts
}

// chainFacts tell whether the audit log is sealed as it should be, and whether its end
// is what Gatehouse wrote there. Only a verification proves more.
func (v *visit) chainFacts(h *auditlog.Health) []templates.ConsoleFact {
	end := templates.ConsoleCell{
		Said:   templates.Say("console.status.sealed", "Count", int(h.Head), "Number", grouped(int(h.Head))),
		Badges: []templates.ConsoleBadge{{Said: templates.Say("console.status.intact"), Tone: templates.ToneGood}},
	}
	if h.SealedAt != 0 {
		end.Small = v.asOf(h.SealedAt)
	}
	if h.Broken != "" {
		end.Badges[0] = templates.ConsoleBadge{Said: templates.Say("console.status.broken"), Tone: templates.ToneBad}
		end.Small = templates.Named(h.Broken)
	}
	waits := templates.ConsoleCell{Said: templates.Named(grouped(h.Waiting))}
	if h.Late {
		waits.Badges = []templates.ConsoleBadge{{Said: templates.Say("console.status.late"), Tone: templates.ToneBad}}
	}
	facts := []templates.ConsoleFact{
		{Name: templates.Say("console.status.chain_end"), Cell: end}, {Name: templates.Say("console.status.unsealed"), Cell: waits},
	}
	for _, f := range h.Streams {
		cell := templates.ConsoleCell{Said: behind(f.Behind)}
		if f.FailingSince != 0 {
			cell.Badges = []templates.ConsoleBadge{{Said: templates.Say("console.status.stream_fails"), Tone: templates.ToneBad}}
			cell.Small = v.asOf(f.FailingSince)
		}
		facts = append(facts, templates.ConsoleFact{Name: templates.Named(f.Name), Cell: cell})
	}
	return facts
}

// ledgerFacts tell how far everybody is with what was taken back.
func (v *visit) ledgerFacts(s *admin.Status) []templates.ConsoleFact {
	facts := []templates.ConsoleFact{{
		Name: templates.Say("console.status.head"),
		Cell: templates.ConsoleCell{Said: templates.Named(grouped(int(s.Head.Position))), URL: v.here("revocations")},
	}}
	if s.ConfirmedAt != 0 {
		facts = append(facts, templates.ConsoleFact{
			Name: templates.Say("console.status.node"), Cell: templates.ConsoleCell{Said: behind(s.Behind), Small: v.asOf(s.ConfirmedAt)},
		})
	}
	for _, f := range admin.Slowest(s.Followers) {
		cell := templates.ConsoleCell{
			Said: ago(s.At - f.ConfirmedAt()), Badges: followerBadges(&f), Small: templates.Named(f.Audience + " " + f.ClientID + " " + f.Instance),
		}
		facts = append(facts, templates.ConsoleFact{Name: templates.Say("console.status.slowest"), Cell: cell})
	}
	if f := s.Slowest(); f != nil {
		facts = append(facts, templates.ConsoleFact{Name: templates.Say("console.status.furthest"), Cell: templates.ConsoleCell{
			Said: behind(max(0, s.Head.Position-f.Position)), Badges: followerBadges(f),
			Small: templates.Named(f.Audience + " " + f.ClientID + " " + f.Instance),
		}})
	}
	for _, name := range slices.Sorted(maps.Keys(s.Relays)) {
		facts = append(facts, templates.ConsoleFact{
			Name: templates.Say("console.status.relay", "Name", name),
			Cell: templates.ConsoleCell{Said: behind(max(0, s.Head.Position-s.Relays[name]))},
		})
	}
	return facts
}

// asOf says when something was so.
func (v *visit) asOf(ms int64) templates.Said {
	return templates.Say("console.status.as_of", "When", v.instant(ms).Format("2006-01-02 15:04:05 MST"))
}

// behind says how many entries are missing.
func behind(n int64) templates.Said {
	if n == 0 {
		return templates.Say("console.status.up_to_date")
	}
	return templates.Say("console.status.behind", "Count", int(n), "Number", grouped(int(n)))
}

// ago says how old what somebody knows is.
func ago(ms int64) templates.Said {
	s := max(0, ms) / 1000
	switch {
	case s < 120:
		return templates.Say("console.status.seconds_ago", "Count", int(s))
	case s < 2*60*60:
		return templates.Say("console.status.minutes_ago", "Count", int(s/60))
	}
	return templates.Say("console.status.hours_ago", "Count", int(s/(60*60)))
}

// followerState says in words what a follower has reported of itself.
func followerState(f *admin.Follower) templates.Said {
	switch f.State {
	case "syncing":
		return templates.Say("console.follower.syncing")
	case "fresh":
		return templates.Say("console.follower.fresh")
	case "stale":
		return templates.Say("console.follower.stale")
	}
	return templates.Named(f.State)
}

// followerBadges say what is wrong with a follower, if anything is.
func followerBadges(f *admin.Follower) []templates.ConsoleBadge {
	var badges []templates.ConsoleBadge
	if f.State != "fresh" {
		badges = append(badges, templates.ConsoleBadge{Said: followerState(f), Tone: templates.ToneWarn})
	}
	if f.Silent {
		badges = append(badges, templates.ConsoleBadge{Said: templates.Say("console.follower.silent"), Tone: templates.ToneBad})
	}
	return badges
}

func (v *visit) followerTable(s *admin.Status) *templates.ConsoleTable {
	t := &templates.ConsoleTable{
		Columns: []templates.Said{
			templates.Say("console.follower.server"), templates.Say("console.follower.state"), templates.Say("console.follower.lag"), templates.Say("console.follower.position"),
		},
		Empty: templates.Say("console.followers.none"),
	}
	for i := range s.Followers {
		f := &s.Followers[i]
		badges := followerBadges(f)
		if f.State == "fresh" {
			badges = append([]templates.ConsoleBadge{{Said: followerState(f), Tone: templates.ToneGood}}, badges...)
		}
		t.Rows = append(t.Rows, []templates.ConsoleCell{
			{Said: templates.Named(f.Audience), Small: templates.Named(f.ClientID + " " + f.Instance)}, {Badges: badges},
			{Said: ago(s.At - f.ConfirmedAt())}, {Said: templates.Named(strconv.FormatInt(f.Position, 10))},
		})
	}
	return t
}

func receiptRow(v *visit, r admin.Receipt) []templates.ConsoleCell {
	f := r.Follower
	applied := templates.ConsoleCell{Badges: []templates.ConsoleBadge{{Said: templates.Say("console.revocation.waiting"), Tone: templates.ToneWarn}}}
	if r.AcknowledgedAt != 0 {
		applied = templates.ConsoleCell{At: v.instant(r.AcknowledgedAt)}
	}
	return []templates.ConsoleCell{
		{Said: templates.Named(f.Audience), Small: templates.Named(f.ClientID + " " + f.Instance)}, {Said: followerState(&f)}, applied,
	}
}
