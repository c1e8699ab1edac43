package templates

import "time"

// consoleSamples are a page of the console with every sort of block, and one without.
func consoleSamples(lang Language, page Page) []sample {
	at := time.Unix(1_790_000_000, 0).UTC()
	said, named := Say("console.area.users"), Named("ada")
	field := ConsoleField{
		Name: "name", Value: "v", Said: said, Label: said, Hint: said, Problem: said, Optional: true, ReadOnly: true, Checked: true,
		Live: true, Findings: []ConsoleFinding{{Tone: ToneBad, Said: said}},
		Choices: []ConsoleChoice{{Value: "a", Said: named, Selected: true}},
	}
	cell := ConsoleCell{
		Said: named, URL: "/admin/users/a", Code: true, Badges: []ConsoleBadge{{Said: said, Tone: ToneBad}}, Small: said, At: at, Yes: &field,
		Links: []ConsoleLink{{Said: said, URL: "/admin/"}}, Buttons: []ConsoleButton{{Name: "remove", Value: "a", Said: said, Label: named}},
	}
	button := ConsoleButton{Name: "action", Value: "ban", Said: said, Label: named, Tone: ToneBad}
	full := ConsoleBlock{
		ID: "b", Heading: said, Note: said,
		Search: &ConsoleSearch{Action: "/admin/users", Hidden: []Field{{"id", "x"}}, Label: said, Query: "a", Choices: []ConsoleField{field}},
		Chart: &ConsoleChart{
			Label: said, Kinds: []ConsoleBadge{{Said: said, Tone: ToneGood}, {Said: said, Tone: ToneBad}},
			Bars: []ConsoleBar{{Said: named, Counts: []int{3, 1}}, {Said: named, Counts: []int{0, 2}}},
		},
		Facts:   []ConsoleFact{{Name: said, Cell: cell}},
		Table:   &ConsoleTable{Columns: []Said{said, said}, Rows: [][]ConsoleCell{{cell, {}}}, NextURL: "/admin/users?after=b", FirstURL: "/admin/users"},
		Buttons: []ConsoleButton{button, {Name: "action", Value: "x", Said: said, Off: said}},
		Links:   []ConsoleLink{{Said: said, URL: "/admin/"}},
		Code:    []ConsoleCode{{ID: "c", Said: said, Text: "GATEHOUSE_ISSUER=https://id.example.com"}, {ID: "d", Said: said, Text: "x", Folded: true}},
		Form:    &ConsoleForm{Legend: said, Hidden: []Field{{"action", "x"}}, Submit: said, Tone: ToneBad, Folded: true},
	}
	for _, kind := range []string{"", "email", "password", "url", "number", "date", "textarea", "select", "radio", "checkbox"} {
		f := field
		f.Name, f.Kind = "f-"+kind, kind
		full.Form.Fields = append(full.Form.Fields, f)
	}
	full.Form.Others, full.Form.Tick = []ConsoleButton{button}, "f-checkbox"
	full.Table.Form = &ConsoleForm{Hidden: []Field{{"action", "x"}}, Fields: []ConsoleField{field}, Submit: said}
	empty := ConsoleBlock{Table: &ConsoleTable{Empty: said}, Form: &ConsoleForm{Submit: said}}
	return []sample{
		{"console", consoleView(lang, Console{})},
		{"console", consoleView(lang, Console{
			Page: page, Base: "/admin/", Areas: consoleAreas(), Area: "users", Heading: named, Lead: said, Trail: []ConsoleLink{{Said: said, URL: "/admin/users"}},
			Notices: []ConsoleNotice{{Said: said, Secret: "s"}, {Tone: ToneBad, Said: said}}, Blocks: []ConsoleBlock{full, empty}, Action: "/admin/users/a", Flow: "f",
		})},
	}
}
