package console

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/templates"
)

// changesAtOnce bounds what one form of the matrix changes: each change is a
// transaction of its own.
const changesAtOnce = 100

// cellChange is one change that somebody asks for.
type cellChange struct {
	GroupID    id.ID  `json:"i"`
	Group      string `json:"g"`
	Permission string `json:"p"`
	Give       bool   `json:"y"`
}

func (c cellChange) said() templates.Said {
	if c.Give {
		return templates.Say("console.matrix.give", "Permission", c.Permission, "Group", c.Group)
	}
	return templates.Say("console.matrix.take", "Permission", c.Permission, "Group", c.Group)
}

// cellStep is a change and what stands against it, if anything does.
type cellStep struct {
	cellChange
	why   templates.Said
	crowd admin.Crowd
	done  bool
}

// changeMatrix shows what would change, and then does it.
func (h *Handler) changeMatrix(v *visit) {
	switch v.form.Get("action") {
	case "review":
		h.reviewMatrix(v)
	case "save":
		h.saveMatrix(v)
	default:
		v.unknown()
	}
}

// asked are the boxes that are not as they were shown.
func (v *visit) asked() []cellChange {
	var seen shownSheet
	unpackLong(v.form.Get("seen"), &seen)
	ticked := v.form["cell"]
	var list []cellChange
	for column, g := range seen.Groups {
		for row, sign := range g.Cells {
			if sign == noBox || row >= len(seen.Permissions) {
				continue
			}
			on := slices.Contains(ticked, fmt.Sprintf("%d.%d", column, row))
			if on != (sign == boxOn) {
				list = append(list, cellChange{GroupID: g.ID, Group: g.Name, Permission: seen.Permissions[row], Give: on})
			}
		}
	}
	return list
}

func (h *Handler) reviewMatrix(v *visit) {
	list := v.asked()
	if len(list) == 0 || len(list) > changesAtOnce {
		said := templates.Say("console.matrix.nothing")
		if len(list) > 0 {
			said = templates.Say("console.matrix.too_many", "Most", changesAtOnce)
		}
		v.notices = append(v.notices, templates.ConsoleNotice{Tone: templates.ToneWarn, Said: said})
		h.matrix(v)
		return
	}
	if !v.freshToChange(list) {
		return
	}
	steps, err := h.steps(v, list)
	if err != nil {
		v.failed(err)
		return
	}
	can := slices.DeleteFunc(slices.Clone(steps), func(s cellStep) bool { return !s.why.IsZero() })
	c := templates.Console{
		Heading: templates.Say("console.matrix.review"), Trail: append(v.groupTrail(), templates.ConsoleLink{Said: templates.Say("console.groups.matrix"), URL: v.again(nil)}),
		Blocks: []templates.ConsoleBlock{{Table: stepTable(steps)}},
	}
	if len(can) > 0 {
		c.Lead = templates.Say("console.matrix.review_lead")
		changes := make([]cellChange, len(can))
		for i := range can {
			changes[i] = can[i].cellChange
		}
		c.Blocks = append(c.Blocks, templates.ConsoleBlock{Form: &templates.ConsoleForm{
			Hidden: []templates.Field{{Name: "action", Value: "save"}, {Name: "changes", Value: pack(changes)}},
			Submit: templates.Say("console.matrix.save", "Count", len(can)),
		}})
	}
	c.Blocks[len(c.Blocks)-1].Links = []templates.ConsoleLink{{Said: templates.Say("console.back"), URL: v.again(nil)}}
	v.show(c)
}

// freshToChange is freshToGive for what is given.
func (v *visit) freshToChange(list []cellChange) bool {
	var given []string
	for _, c := range list {
		if c.Give {
			given = append(given, c.Permission)
		}
	}
	return v.freshToGive(given...)
}

// steps looks at each change as things are now.
func (h *Handler) steps(v *visit, list []cellChange) ([]cellStep, error) {
	ctx := v.r.Context()
	groups, crowds := map[string]*admin.MatrixGroup{}, map[string]admin.Crowd{}
	steps := make([]cellStep, len(list))
	for i, change := range list {
		steps[i].cellChange = change
		g, known := groups[change.Group]
		if !known {
			var err error
			if g, err = h.Admin.MatrixGroup(ctx, v.caller, change.Group); err == nil {
				crowds[change.Group], err = h.Admin.GroupCrowd(ctx, v.caller, change.Group)
			}
			if gone(err) {
				g, err = nil, nil
			}
			if err != nil {
				return nil, err
			}
			groups[change.Group] = g
		}
		steps[i].why, steps[i].crowd = against(v.caller, g, change), crowds[change.Group]
	}
	return steps, nil
}

// against says why a change will not be made; nothing if it can be. g is nil when the
// group is gone.
func against(c *admin.Caller, g *admin.MatrixGroup, change cellChange) templates.Said {
	if g == nil || g.ID != change.GroupID {
		return templates.Say("console.matrix.gone")
	}
	if g.Has(change.Permission) == change.Give {
		return templates.Say("console.matrix.already")
	}
	if g.Refused != nil {
		return refusedGroup(g.Refused)
	}
	if !change.Give {
		return templates.Said{}
	}
	if err := c.MayGive(change.Permission); err != nil {
		said, _ := problem(err)
		return said
	}
	return templates.Said{}
}

func stepTable(steps []cellStep) *templates.ConsoleTable {
	t := &templates.ConsoleTable{Columns: []templates.Said{
		templates.Say("console.matrix.change"), templates.Say("console.matrix.concerns"), templates.Say("console.matrix.note"),
	}}
	for _, s := range steps {
		concerns, note := templates.ConsoleCell{}, templates.ConsoleCell{}
		switch {
		case s.done:
			note.Badges = []templates.ConsoleBadge{{Said: templates.Say("console.did"), Tone: templates.ToneGood}}
		case !s.why.IsZero():
			note.Badges, note.Small = []templates.ConsoleBadge{{Said: templates.Say("console.did_not"), Tone: templates.ToneWarn}}, s.why
		default:
			concerns.Said = crowdSaid(s.crowd)
		}
		t.Rows = append(t.Rows, []templates.ConsoleCell{{Said: s.said()}, concerns, note})
	}
	return t
}

func crowdSaid(c admin.Crowd) templates.Said {
	if c.More {
		return templates.Say("console.matrix.more_people", "Number", grouped(c.People))
	}
	return templates.Say("console.matrix.people", "Count", c.People, "Number", grouped(c.People))
}

// saveMatrix makes the changes, each by itself, unless the cell is no longer what was
// shown. It tells what became of them if not all were made. A fault of ours ends it: the
// others would meet it too.
func (h *Handler) saveMatrix(v *visit) {
	var list []cellChange
	unpackLong(v.form.Get("changes"), &list)
	list = list[:min(len(list), changesAtOnce)]
	if !v.freshToChange(list) {
		return
	}
	ctx, undone, fault := v.r.Context(), 0, error(nil)
	steps := make([]cellStep, len(list))
	for i, change := range list {
		err := fault
		if err == nil {
			err = h.Admin.ChangeCell(ctx, v.caller, change.Group, change.GroupID, change.Permission, change.Give)
			_, fault = refusal(err)
		}
		steps[i] = cellStep{cellChange: change, done: err == nil}
		if err != nil {
			steps[i].why = whyNot(err)
			undone++
		}
	}
	if undone == 0 {
		v.after("saved", nil, h.matrix)
		return
	}
	status := http.StatusOK
	web.Event(ctx).Outcome = "partly"
	if fault != nil {
		status, web.Event(ctx).Cause = http.StatusInternalServerError, fault
	}
	v.notices = append(v.notices, templates.ConsoleNotice{Tone: templates.ToneWarn, Said: templates.Say("console.matrix.partly", "Count", undone)})
	v.showAs(status, templates.Console{
		Heading: templates.Say("console.matrix.result"), Trail: append(v.groupTrail(), templates.ConsoleLink{Said: templates.Say("console.groups.matrix"), URL: v.again(nil)}),
		Blocks: []templates.ConsoleBlock{{
			Table: stepTable(steps), Links: []templates.ConsoleLink{{Said: templates.Say("console.back"), URL: v.again(nil)}},
		}},
	})
}
