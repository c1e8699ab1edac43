package console

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/templates"
)

// What bounds a page of the matrix: one API, so many groups and permissions.
const (
	matrixGroups      = 12
	matrixPermissions = 40
)

// sheet is what a page of the matrix shows.
type sheet struct {
	apis        []accounts.API
	api         *accounts.API // nil when there is none
	permissions []accounts.Permission
	groups      []admin.MatrixGroup
	moreRows    bool
	mayGive     map[string]error // of each permission; nil for what the viewer can give
}

// shownSheet goes along with the form, to tell what somebody has changed from what
// has changed meanwhile.
type shownSheet struct {
	Groups      []shownGroup `json:"g"`
	Permissions []string     `json:"p"`
}

// shownGroup is a column. The id tells a group from another one that was given its
// name. Cells has a sign for each permission: what the box was, or that there was none.
type shownGroup struct {
	ID    id.ID  `json:"i"`
	Name  string `json:"n"`
	Cells string `json:"c"`
}

const (
	boxOn, boxOff, noBox = '1', '0', '-'
)

// matrix shows which group holds which permission of an API, itself or by a group that
// it is inside. Whoever may give and take has a box for each.
func (h *Handler) matrix(v *visit) {
	s, err := h.sheet(v)
	if err != nil {
		v.failed(err)
		return
	}
	c := templates.Console{
		Heading: templates.Say("console.groups.matrix"), Lead: templates.Say("console.groups.matrix_lead"), Trail: v.groupTrail(),
		Blocks: []templates.ConsoleBlock{{Search: s.search(v), Links: s.groupLinks(v)}},
	}
	block := templates.ConsoleBlock{Table: s.table(v), Facts: s.reasons()}
	if s.api != nil {
		block.Heading = templates.Named(s.api.Name)
	}
	if len(s.groups) == matrixGroups {
		block.Links = append(block.Links, templates.ConsoleLink{
			Said: templates.Say("console.groups.more"), URL: v.again(map[string]string{"after": s.groups[len(s.groups)-1].NameKey}),
		})
	}
	if s.moreRows {
		block.Links = append(block.Links, templates.ConsoleLink{
			Said: templates.Say("console.matrix.more_permissions"), URL: v.again(map[string]string{"row": s.permissions[len(s.permissions)-1].Name}),
		})
	}
	if v.query.Get("after") != "" || v.query.Get("row") != "" {
		block.Links = append(block.Links, templates.ConsoleLink{Said: templates.Say("console.first"), URL: v.again(map[string]string{"row": ""})})
	}
	c.Blocks = append(c.Blocks, block)
	v.show(c)
}

// sheet reads the page that the query asks for.
func (h *Handler) sheet(v *visit) (*sheet, error) {
	ctx := v.r.Context()
	apis, err := h.Admin.ListAPIs(ctx, v.caller, "", "", admin.MaxPage)
	if err != nil {
		return nil, err
	}
	s := &sheet{apis: apis, api: chosenAPI(apis, v.query.Get("api")), mayGive: map[string]error{}}
	if s.groups, err = h.Admin.MatrixGroups(ctx, v.caller, v.query.Get("q"), v.query.Get("after"), matrixGroups); err != nil {
		return nil, err
	}
	if s.api == nil {
		return s, nil
	}
	from := v.query.Get("row")
	rest := slices.DeleteFunc(slices.Clone(s.api.Permissions), func(p accounts.Permission) bool { return p.Name <= from })
	slices.SortFunc(rest, func(x, y accounts.Permission) int { return strings.Compare(x.Name, y.Name) })
	s.permissions, s.moreRows = rest[:min(len(rest), matrixPermissions)], len(rest) > matrixPermissions
	for _, p := range s.permissions {
		s.mayGive[p.Name] = v.caller.MayGive(p.Name)
	}
	return s, nil
}

// chosenAPI is the one that is asked for, or the first of those that are not
// Gatehouse's own.
func chosenAPI(apis []accounts.API, audience string) *accounts.API {
	for i := range apis {
		if apis[i].Audience == audience {
			return &apis[i]
		}
	}
	own := func(a accounts.API) bool {
		return slices.ContainsFunc(a.Permissions, func(p accounts.Permission) bool { return accounts.IsBuiltinPermission(p.Name) })
	}
	if i := slices.IndexFunc(apis, func(a accounts.API) bool { return !own(a) }); i >= 0 {
		return &apis[i]
	}
	if len(apis) > 0 {
		return &apis[0]
	}
	return nil
}

func (s *sheet) search(v *visit) *templates.ConsoleSearch {
	var choices []templates.ConsoleChoice
	for _, a := range s.apis {
		choices = append(choices, templates.ConsoleChoice{Value: a.Audience, Said: templates.Named(a.Name)})
	}
	chosen := ""
	if s.api != nil {
		chosen = s.api.Audience
	}
	return &templates.ConsoleSearch{
		Action: v.path(), Label: templates.Say("console.groups.search"), Query: v.query.Get("q"),
		Choices: []templates.ConsoleField{choice("api", templates.Say("console.matrix.api"), chosen, choices)},
	}
}

func (s *sheet) groupLinks(v *visit) []templates.ConsoleLink {
	var links []templates.ConsoleLink
	for i := range s.groups {
		links = append(links, templates.ConsoleLink{Said: templates.Named(s.groups[i].Name), URL: v.to("groups/show", s.groups[i].Name)})
	}
	return links
}

// reasons says of each group that the viewer cannot change why that is. Who may not
// change groups at all sees a matrix without boxes, and needs no reason.
func (s *sheet) reasons() []templates.ConsoleFact {
	var facts []templates.ConsoleFact
	for i := range s.groups {
		g := &s.groups[i]
		if s.boxes() && g.Refused != nil {
			facts = append(facts, templates.ConsoleFact{Name: templates.Named(g.Name), Cell: templates.ConsoleCell{Small: refusedGroup(g.Refused)}})
		}
	}
	return facts
}

// refusedGroup says why somebody cannot change what a group holds.
func refusedGroup(err error) templates.Said {
	if errors.Is(err, admin.ErrSuperior) {
		return templates.Say("console.matrix.superior")
	}
	said, _ := problem(err)
	return said
}

// boxes reports whether there is anything that the viewer can change.
func (s *sheet) boxes() bool {
	return slices.ContainsFunc(s.groups, func(g admin.MatrixGroup) bool { return g.Refused == nil })
}

func (s *sheet) table(v *visit) *templates.ConsoleTable {
	t := &templates.ConsoleTable{Columns: []templates.Said{templates.Say("console.permission")}, Empty: templates.Say("console.api.no_permissions")}
	if len(s.groups) == 0 {
		t.Empty = templates.Say("console.groups.none")
		return t
	}
	seen := shownSheet{}
	for i := range s.groups {
		t.Columns = append(t.Columns, templates.Named(s.groups[i].Name))
		seen.Groups = append(seen.Groups, shownGroup{ID: s.groups[i].ID, Name: s.groups[i].Name})
	}
	for row, p := range s.permissions {
		first := permissionCell(p.Name, p.Description)
		if s.boxes() && s.mayGive[p.Name] != nil {
			first.Badges = []templates.ConsoleBadge{{Said: templates.Say("console.matrix.not_yours"), Tone: templates.ToneWarn}}
		}
		cells := []templates.ConsoleCell{first}
		for column := range s.groups {
			cell, sign := s.cell(row, column)
			seen.Groups[column].Cells += string(sign)
			cells = append(cells, cell)
		}
		seen.Permissions = append(seen.Permissions, p.Name)
		t.Rows = append(t.Rows, cells)
	}
	if s.boxes() {
		t.Form = &templates.ConsoleForm{Submit: templates.Say("console.save"), Hidden: []templates.Field{
			{Name: "action", Value: "review"}, {Name: "seen", Value: pack(seen)},
		}}
	}
	return t
}

// cell is what a group has to do with a permission, and its sign.
func (s *sheet) cell(row, column int) (templates.ConsoleCell, rune) {
	p, g := s.permissions[row].Name, &s.groups[column]
	has := g.Has(p)
	inherits := templates.Said{}
	if g.Holds[p] && !has {
		inherits = templates.Say("console.group.inherits")
	}
	if !s.boxes() {
		switch {
		case has:
			return templates.ConsoleCell{Said: templates.Say("console.group.holds")}, noBox
		case g.Holds[p]:
			return templates.ConsoleCell{Said: inherits}, noBox
		}
		return templates.ConsoleCell{Said: templates.Named("–")}, noBox
	}
	refused := g.Refused
	if refused == nil && !has { // what is given already can be taken by those who do not hold it
		refused = s.mayGive[p]
	}
	box := &templates.ConsoleField{
		Name: "cell", Value: fmt.Sprintf("%d.%d", column, row), Checked: has, ReadOnly: refused != nil, Said: inherits,
		Label: templates.Say("console.matrix.box", "Permission", p, "Group", g.Name),
	}
	sign := boxOff
	if has {
		sign = boxOn
	}
	if refused != nil {
		sign = noBox
	}
	return templates.ConsoleCell{Yes: box}, sign
}
