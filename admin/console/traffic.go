package console

import (
	"cmp"
	"slices"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/counts"
	"github.com/gatehouse-id/gatehouse/templates"
)

// shownRefusals is how many ways of being refused the first page explains.
const shownRefusals = 8

// span is the time that the charts show.
type span struct {
	rows   []counts.Row
	first  int64 // Unix milliseconds of the first bar
	width  int64 // of a bar, milliseconds
	bars   int
	layout string // of the bars' names
	month  bool
	utc    bool // days are those of UTC
}

// spanOf is the last day by hours, or the last month by days if there is one.
func spanOf(s *admin.Status, month []counts.Row, ofMonth bool) span {
	const day = 24 * counts.Hour
	if ofMonth {
		return span{rows: month, first: s.At - s.At%day - 29*day, width: day, bars: 30, layout: "2006-01-02", month: true, utc: true}
	}
	return span{rows: s.Traffic.Hours, first: s.At - s.At%counts.Hour - 23*counts.Hour, width: counts.Hour, bars: 24, layout: "15:04"}
}

// trafficBlocks show sign-ins, tokens and refusals over the time.
func (v *visit) trafficBlocks(s *admin.Status, t span) []templates.ConsoleBlock {
	other := templates.ConsoleLink{Said: templates.Say("console.traffic.month"), URL: v.again(map[string]string{"time": "month"})}
	label := func(ofDay, ofMonth templates.Said) templates.Said {
		if t.month {
			return ofMonth
		}
		return ofDay
	}
	if t.month {
		other = templates.ConsoleLink{Said: templates.Say("console.traffic.day"), URL: v.again(map[string]string{"time": ""})}
	}
	blocks := []templates.ConsoleBlock{
		{
			Heading: templates.Say("console.status.sign_ins"), Links: []templates.ConsoleLink{other},
			Chart: v.chart(t, label(templates.Say("console.status.sign_ins_label"), templates.Say("console.traffic.sign_ins_month")), signInParts()),
		},
		{
			Heading: templates.Say("console.traffic.tokens"),
			Chart:   v.chart(t, label(templates.Say("console.traffic.tokens_label"), templates.Say("console.traffic.tokens_month")), tokenParts()),
		},
		{
			Heading: templates.Say("console.traffic.refusals"), Note: templates.Say("console.traffic.refusals_note"),
			Chart: v.chart(t, label(templates.Say("console.traffic.refusals_label"), templates.Say("console.traffic.refusals_month")), refusalParts(t.rows)),
			Table: v.refusalTable(t.rows),
		},
	}
	if len(s.Traffic.Refused) > 0 {
		blocks = append(blocks, templates.ConsoleBlock{Heading: templates.Say("console.traffic.apps"), Table: v.refusedApps(s.Traffic.Refused)})
	}
	return blocks
}

// part is one colour of a chart, and what counts for it.
type part struct {
	kind templates.ConsoleBadge
	has  func(counts.Row) bool
}

// chart adds up the rows of each bar.
func (v *visit) chart(t span, label templates.Said, parts []part) *templates.ConsoleChart {
	chart := &templates.ConsoleChart{Label: label}
	for _, p := range parts {
		chart.Kinds = append(chart.Kinds, p.kind)
	}
	for i := range int64(t.bars) {
		at := v.instant(t.first + i*t.width)
		if t.utc {
			at = at.UTC()
		}
		chart.Bars = append(chart.Bars, templates.ConsoleBar{Said: templates.Named(at.Format(t.layout)), Counts: make([]int, len(parts))})
	}
	for _, r := range t.rows {
		at := (r.Hour - t.first) / t.width
		of := slices.IndexFunc(parts, func(p part) bool { return p.has(r) })
		if of >= 0 && at >= 0 && at < int64(len(chart.Bars)) {
			chart.Bars[at].Counts[of] += int(r.N)
		}
	}
	return chart
}

func signInParts() []part {
	return []part{
		{templates.ConsoleBadge{Said: templates.Say("console.status.let_in"), Tone: templates.ToneGood}, func(r counts.Row) bool {
			return r.Kind == counts.SignIn && r.Name == counts.Success
		}},
		{templates.ConsoleBadge{Said: templates.Say("console.status.refused"), Tone: templates.ToneBad}, func(r counts.Row) bool {
			return r.Kind == counts.SignIn
		}},
	}
}

// series are the colours of parts of which none is better than another.
func series() []templates.ConsoleTone {
	return []templates.ConsoleTone{templates.ToneFirst, templates.ToneSecond, templates.ToneThird}
}

func tokenParts() []part {
	var parts []part
	for i, grant := range []string{accounts.GrantAuthorizationCode, accounts.GrantRefreshToken, accounts.GrantClientCredentials} {
		parts = append(parts, part{templates.ConsoleBadge{Said: templates.Named(grant), Tone: series()[i]}, func(r counts.Row) bool {
			return r.Kind == counts.Token && r.Name == grant
		}})
	}
	return parts
}

// refusalParts are the most frequent error codes, and the rest.
func refusalParts(rows []counts.Row) []part {
	var parts []part
	for i, code := range mostFrequent(rows, func(r counts.Row) string { return r.Name }) {
		if i == len(series()) {
			break
		}
		parts = append(parts, part{templates.ConsoleBadge{Said: templates.Named(code.of), Tone: series()[i]}, func(r counts.Row) bool {
			return r.Kind == counts.Refusal && r.Name == code.of
		}})
	}
	return append(parts, part{templates.ConsoleBadge{Said: templates.Say("console.traffic.others")}, func(r counts.Row) bool {
		return r.Kind == counts.Refusal
	}})
}

// frequency is how often refusals of one sort were counted.
type frequency[T comparable] struct {
	of T
	n  int64
}

// mostFrequent sorts refusals by how often each sort was counted.
func mostFrequent[T comparable](rows []counts.Row, sort func(counts.Row) T) []frequency[T] {
	var list []frequency[T]
	for _, r := range rows {
		if r.Kind != counts.Refusal {
			continue
		}
		of := sort(r)
		i := slices.IndexFunc(list, func(f frequency[T]) bool { return f.of == of })
		if i < 0 {
			i, list = len(list), append(list, frequency[T]{of: of})
		}
		list[i].n += r.N
	}
	slices.SortStableFunc(list, func(x, y frequency[T]) int { return cmp.Compare(y.n, x.n) })
	return list
}

// refusalTable says what the most frequent refusals mean, and where more can be seen.
func (v *visit) refusalTable(rows []counts.Row) *templates.ConsoleTable {
	t := &templates.ConsoleTable{
		Columns: []templates.Said{templates.Say("console.traffic.error"), templates.Say("console.traffic.meaning"), templates.Say("console.traffic.times")},
		Empty:   templates.Say("console.traffic.none"),
	}
	all := mostFrequent(rows, func(r counts.Row) counts.What { return r.What })
	for _, f := range all[:min(len(all), shownRefusals)] {
		t.Rows = append(t.Rows, []templates.ConsoleCell{
			{Said: templates.Named(f.of.Name), Code: true, Small: templates.Say("console.traffic.at", "Endpoint", f.of.Place)},
			{Said: templates.Say("console.refusal." + meaning(f.of)), Links: v.refusalLinks(f.of)},
			{Said: templates.Named(grouped(int(f.n)))},
		})
	}
	return t
}

// refusalLinks lead to where such refusals leave more than a number.
func (v *visit) refusalLinks(w counts.What) []templates.ConsoleLink {
	switch {
	case w.Reason == counts.ReasonReused && w.Name == "invalid_grant":
		return []templates.ConsoleLink{{Said: templates.Say("console.area.audit"), URL: v.here("audit") + "?action=grant.revoke"}}
	case w.Reason == counts.ReasonRedirectURI && v.may(accounts.AdminClientsRead):
		return []templates.ConsoleLink{{Said: templates.Say("console.area.clients"), URL: v.here("clients")}}
	}
	return nil
}

func (v *visit) refusedApps(list []admin.RefusedClient) *templates.ConsoleTable {
	t := &templates.ConsoleTable{Columns: []templates.Said{templates.Say("console.traffic.app"), templates.Say("console.traffic.times")}}
	for _, c := range list {
		t.Rows = append(t.Rows, []templates.ConsoleCell{
			{Said: templates.Named(c.Name), URL: v.to("clients/show", c.ClientID) + "#traffic", Small: templates.Named(c.ClientID)},
			{Said: templates.Named(grouped(int(c.Count)))},
		})
	}
	return t
}

// clientTraffic shows what was counted of one app; nothing if nothing was.
func (h *Handler) clientTraffic(v *visit, app *accounts.Client) (*templates.ConsoleBlock, error) {
	t, err := h.Admin.ClientTraffic(v.r.Context(), v.caller, app.ClientID)
	if err != nil || len(t.Week) == 0 {
		return nil, err
	}
	ofDay := map[counts.What]int64{}
	for _, r := range t.Day {
		ofDay[r.What] = r.N
	}
	table := &templates.ConsoleTable{Columns: []templates.Said{
		templates.Say("console.traffic.what"), templates.Say("console.traffic.meaning"), templates.Say("console.traffic.last_day"), templates.Say("console.traffic.last_week"),
	}}
	for _, kind := range []counts.Kind{counts.Token, counts.Refusal, counts.Introspection} {
		for _, r := range t.Week {
			if r.Kind != kind {
				continue
			}
			means, small := templates.Say("console.traffic.kind_"+string(kind)), templates.Said{}
			if kind == counts.Refusal {
				means, small = templates.Say("console.refusal."+meaning(r.What)), templates.Say("console.traffic.at", "Endpoint", r.Place)
			}
			table.Rows = append(table.Rows, []templates.ConsoleCell{
				{Said: templates.Named(r.Name), Code: true, Small: small}, {Said: means},
				{Said: templates.Named(grouped(int(ofDay[r.What])))}, {Said: templates.Named(grouped(int(r.N)))},
			})
		}
	}
	return &templates.ConsoleBlock{
		ID: "traffic", Heading: templates.Say("console.traffic.title"), Note: templates.Say("console.traffic.client_note"), Table: table,
	}, nil
}
