package console

import (
	"strconv"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
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
		c.Blocks = append(c.Blocks, v.statusBlocks(s)...)
	}
	v.show(c)
}

func (v *visit) statusBlocks(s *admin.Status) []templates.ConsoleBlock {
	var blocks []templates.ConsoleBlock
	if s.Activity != nil {
		blocks = append(blocks, templates.ConsoleBlock{Heading: templates.Say("console.status.sign_ins"), Chart: v.signInChart(s)})
	}
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
	if s.Head != nil {
		facts = append(facts, templates.ConsoleFact{Name: templates.Say("console.status.head"), Cell: templates.ConsoleCell{Said: templates.Named(number(s.Head.Position)), URL: v.here("revocations")}})
	}
	blocks = append(blocks, templates.ConsoleBlock{Heading: templates.Say("console.status.parts"), Facts: facts})
	if s.Head != nil {
		blocks = append(blocks, templates.ConsoleBlock{Heading: templates.Say("console.status.followers"), Table: v.followerTable(s.Followers)})
	}
	return blocks
}

// signInChart counts sign-ins by the hour: let in, and refused.
func (v *visit) signInChart(s *admin.Status) *templates.ConsoleChart {
	hour := time.Hour.Milliseconds()
	first := (s.At/hour - 23) * hour
	chart := &templates.ConsoleChart{
		Label: templates.Say("console.status.sign_ins_label"),
		Kinds: []templates.ConsoleBadge{
			{Said: templates.Say("console.status.let_in"), Tone: templates.ToneGood}, {Said: templates.Say("console.status.refused"), Tone: templates.ToneBad},
		},
	}
	for i := range int64(24) {
		chart.Bars = append(chart.Bars, templates.ConsoleBar{Said: templates.Named(v.instant(first + i*hour).Format("15:04")), Counts: []int{0, 0}})
	}
	for _, o := range s.Activity.SignIns {
		at := (o.Hour - first) / hour
		if at < 0 || at >= int64(len(chart.Bars)) {
			continue
		}
		kind := 0
		if o.Result != "success" {
			kind = 1
		}
		chart.Bars[at].Counts[kind] += o.Count
	}
	return chart
}

func (v *visit) followerTable(list []admin.Follower) *templates.ConsoleTable {
	t := &templates.ConsoleTable{
		Columns: []templates.Said{templates.Say("console.follower.server"), templates.Say("console.follower.state"), templates.Say("console.follower.position")},
		Empty:   templates.Say("console.followers.none"),
	}
	for _, f := range list {
		state := templates.ConsoleBadge{Said: templates.Named(f.State), Tone: templates.ToneGood}
		if f.State != "fresh" {
			state.Tone = templates.ToneWarn
		}
		badges := []templates.ConsoleBadge{state}
		if f.Silent {
			badges = append(badges, templates.ConsoleBadge{Said: templates.Say("console.follower.silent"), Tone: templates.ToneBad})
		}
		t.Rows = append(t.Rows, []templates.ConsoleCell{
			{Said: templates.Named(f.Audience), Small: templates.Named(f.ClientID + " " + f.Instance)}, {Badges: badges}, {Said: templates.Named(strconv.FormatInt(f.Position, 10))},
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
		{Said: templates.Named(f.Audience), Small: templates.Named(f.ClientID + " " + f.Instance)}, {Said: templates.Named(f.State)}, applied,
	}
}
