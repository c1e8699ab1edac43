package console

import (
	"net/http"
	"slices"

	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/templates"
)

// crowdForm asks what to do with the people who are ticked; nil for those who may do
// nothing.
func (v *visit) crowdForm() *templates.ConsoleForm {
	choices := []templates.ConsoleChoice{{Said: templates.Say("console.bulk.choose_what")}} // what is there first is done by mistake
	for _, a := range admin.CrowdActions() {
		if v.may(a.Needs()) {
			choices = append(choices, templates.ConsoleChoice{Value: string(a), Said: templates.Say("console.bulk.do." + string(a))})
		}
	}
	if len(choices) == 1 {
		return nil
	}
	return &templates.ConsoleForm{
		Hidden: []templates.Field{{Name: "step", Value: "plan"}}, Submit: templates.Say("console.bulk.go_on"), Tick: "person",
		Fields: []templates.ConsoleField{choice("do", templates.Say("console.bulk.what"), v.form.Get("do"), choices)},
	}
}

// bulk does one thing with several people: first it says with whom it can be done, and
// then it does it, with each by themselves.
func (h *Handler) bulk(v *visit) {
	change := admin.CrowdChange{Action: admin.CrowdAction(v.form.Get("do")), Group: v.value("group"), Note: v.value("note")}
	if change.Action == "" && v.form.Get("step") == "plan" {
		v.notices = append(v.notices, templates.ConsoleNotice{Tone: templates.ToneWarn, Said: templates.Say("console.bulk.nothing")})
		h.users(v)
		return
	}
	if !slices.Contains(admin.CrowdActions(), change.Action) {
		v.unknown()
		return
	}
	var people []string
	for _, p := range v.form["person"] {
		if !contains(people, p) {
			people = append(people, p)
		}
	}
	if len(people) == 0 {
		v.notices = append(v.notices, templates.ConsoleNotice{Tone: templates.ToneWarn, Said: templates.Say("console.bulk.nobody")})
		h.users(v)
		return
	}
	endsAt, err := v.until()
	if err != nil {
		v.wrong(err, func(v *visit) { h.askGroup(v, change, people) })
		return
	}
	change.EndsAt = endsAt
	if change.Action == admin.CrowdJoin && change.Group != "" && !h.freshToJoin(v, change.Group) {
		return
	}
	switch step := v.form.Get("step"); {
	case step == "do":
		h.doBulk(v, change, people)
	case step != "plan":
		v.unknown()
	case change.Group == "" && (change.Action == admin.CrowdJoin || change.Action == admin.CrowdLeave):
		h.askGroup(v, change, people)
	default:
		h.planBulk(v, change, people)
	}
}

// askGroup asks which group people are to get into or out of.
func (h *Handler) askGroup(v *visit, change admin.CrowdChange, people []string) {
	form := &templates.ConsoleForm{
		Hidden: crowdHidden("plan", change.Action, people), Submit: templates.Say("console.bulk.go_on"),
		Fields: []templates.ConsoleField{{Name: "group", Said: templates.Say("console.bulk.group"), Value: change.Group}},
	}
	if change.Action == admin.CrowdJoin {
		form.Fields = append(form.Fields, templates.ConsoleField{
			Name: "until", Kind: "date", Said: templates.Say("console.user.until"), Hint: templates.Say("console.group.until_hint"), Optional: true, Value: v.form.Get("until"),
		})
	}
	v.showBulk(change, templates.Console{Blocks: []templates.ConsoleBlock{{Note: templates.Say("console.bulk.people", "Count", len(people)), Form: form}}})
}

// crowdHidden carries the people along.
func crowdHidden(step string, action admin.CrowdAction, people []string) []templates.Field {
	fields := []templates.Field{{Name: "step", Value: step}, {Name: "do", Value: string(action)}}
	for _, p := range people {
		fields = append(fields, templates.Field{Name: "person", Value: p})
	}
	return fields
}

// showBulk draws a page on the way.
func (v *visit) showBulk(change admin.CrowdChange, c templates.Console) {
	v.showBulkAs(http.StatusOK, change, c)
}

func (v *visit) showBulkAs(status int, change admin.CrowdChange, c templates.Console) {
	c.Heading = templates.Say("console.bulk.do." + string(change.Action))
	c.Trail = []templates.ConsoleLink{{Said: templates.Say("console.area.users"), URL: v.again(nil)}}
	if change.Group != "" {
		c.Lead = templates.Named(change.Group)
	}
	last := &c.Blocks[len(c.Blocks)-1]
	last.Links = append(last.Links, templates.ConsoleLink{Said: templates.Say("console.back"), URL: v.again(nil)})
	v.showAs(status, c)
}

func (h *Handler) planBulk(v *visit, change admin.CrowdChange, people []string) {
	list, err := h.Admin.Prospects(v.r.Context(), v.caller, change, people)
	if gone(err) { // the group
		v.wrong(err, func(v *visit) { h.askGroup(v, change, people) })
		return
	}
	if err != nil {
		v.wrong(err, h.users)
		return
	}
	var can []string
	for _, p := range list {
		if p.Refused == nil {
			can = append(can, p.Subject)
		}
	}
	blocks := []templates.ConsoleBlock{{Note: templates.Say("console.bulk.note." + string(change.Action)), Table: v.crowdTable(list, nil)}}
	if len(can) > 0 {
		form := &templates.ConsoleForm{
			Hidden: crowdHidden("do", change.Action, can), Submit: templates.Say("console.bulk.confirm", "Count", len(can)),
		}
		for name, value := range map[string]string{"group": change.Group, "until": v.value("until")} {
			if value != "" {
				form.Hidden = append(form.Hidden, templates.Field{Name: name, Value: value})
			}
		}
		if change.Action == admin.CrowdBan {
			form.Tone = templates.ToneBad
			form.Fields = []templates.ConsoleField{{Name: "note", Said: templates.Say("console.reason"), Hint: templates.Say("console.bulk.note_hint"), Optional: true}}
		}
		blocks = append(blocks, templates.ConsoleBlock{Form: form})
	}
	v.showBulk(change, templates.Console{Blocks: blocks})
}

// crowdTable lists people and whether it can be done with them or, once it was tried,
// was done: done has the subs of those.
func (v *visit) crowdTable(list []admin.Prospect, done map[string]bool) *templates.ConsoleTable {
	t := &templates.ConsoleTable{Columns: []templates.Said{templates.Say("console.user.username"), templates.Say("console.bulk.outcome")}}
	for _, p := range list {
		who := templates.ConsoleCell{Said: templates.Named(p.Subject), URL: v.to("users/show", p.Subject)}
		if p.User != nil {
			who.Said, who.Small = templates.Named(p.User.Username), templates.Named(p.User.Name)
			if done == nil { // they are as they were
				who.Badges = userBadges(p.User)
			}
		}
		badge := templates.ConsoleBadge{Said: templates.Say("console.bulk.will"), Tone: templates.ToneNone}
		outcome := templates.ConsoleCell{}
		switch {
		case done[p.Subject]:
			badge = templates.ConsoleBadge{Said: templates.Say("console.did"), Tone: templates.ToneGood}
		case p.Refused != nil:
			badge = templates.ConsoleBadge{Said: templates.Say("console.did_not"), Tone: templates.ToneWarn}
			outcome.Small = whyNot(p.Refused)
		}
		outcome.Badges = []templates.ConsoleBadge{badge}
		t.Rows = append(t.Rows, []templates.ConsoleCell{who, outcome})
	}
	return t
}

// whyNot is a reason in words; what nobody here can mend has one for all.
func whyNot(err error) templates.Said {
	if said, status := problem(err); status != http.StatusInternalServerError {
		return said
	}
	return templates.Say("console.bulk.fault")
}

// doBulk makes the change with each of the people, and tells with whom it was made. A
// fault of ours ends it: the others would meet it too.
func (h *Handler) doBulk(v *visit, change admin.CrowdChange, people []string) {
	ctx := v.r.Context()
	list, err := h.Admin.Prospects(ctx, v.caller, change, people)
	if err != nil {
		v.wrong(err, h.users)
		return
	}
	done, fault := map[string]bool{}, error(nil)
	for i := range list {
		p := &list[i]
		switch {
		case p.Refused != nil:
		case fault != nil:
			p.Refused = fault
		default:
			p.Refused = h.Admin.ChangeOne(ctx, v.caller, change, p.Subject)
			if _, fault = refusal(p.Refused); p.Refused == nil {
				done[p.Subject] = true
			}
		}
	}
	status, outcome := http.StatusOK, templates.ConsoleNotice{Tone: templates.ToneGood, Said: templates.Say("console.bulk.all_done", "Count", len(list))}
	web.Event(ctx).Outcome = "saved"
	if len(done) < len(list) {
		web.Event(ctx).Outcome = "partly"
		outcome = templates.ConsoleNotice{Tone: templates.ToneWarn, Said: templates.Say("console.bulk.some_done", "Done", len(done), "All", len(list))}
	}
	if fault != nil {
		status, web.Event(ctx).Cause = http.StatusInternalServerError, fault
	}
	v.notices = append(v.notices, outcome)
	v.showBulkAs(status, change, templates.Console{Blocks: []templates.ConsoleBlock{{Table: v.crowdTable(list, done)}}})
}
