package console

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/templates"
)

// offerFrom is the query's word for the permission after which the offer goes on.
const offerFrom = "from"

// offered is a page of the permissions that somebody can still be given.
type offered struct {
	permissions []accounts.Permission
	from        bool // it does not begin at the first
	more        bool
}

// offer returns what permissions are called, and a page of those that somebody can still
// be given, as far as the query looks for them. Who may not read APIs sees neither.
func (h *Handler) offer(ctx context.Context, v *visit, held []string) (map[string]string, offered, error) {
	descriptions, page := map[string]string{}, offered{}
	if !v.may(accounts.AdminAPIsRead) {
		return descriptions, page, nil
	}
	apis, err := h.Admin.ListAPIs(ctx, v.caller, "", "", math.MaxInt)
	if err != nil {
		return nil, page, err
	}
	builtinLast(apis)
	var all []accounts.Permission
	for _, a := range apis {
		all = append(all, a.Permissions...)
	}
	after := v.query.Get(offerFrom)
	// A permission that is gone by now begins at the first again.
	begin := 1 + slices.IndexFunc(all, func(p accounts.Permission) bool { return after != "" && p.Name == after })
	page.from = begin > 0
	for i, p := range all {
		descriptions[p.Name] = p.Description
		if i < begin || contains(held, p.Name) || !matches(p, v.query.Get("q")) {
			continue
		}
		if page.more = len(page.permissions) == shown; page.more {
			continue // its description is needed all the same
		}
		page.permissions = append(page.permissions, p)
	}
	return descriptions, page, nil
}

// builtinLast moves the API that Gatehouse itself serves behind the others: what gives
// power over everybody is the last to be offered.
func builtinLast(apis []accounts.API) {
	builtin := func(a accounts.API) int {
		if slices.ContainsFunc(a.Permissions, func(p accounts.Permission) bool { return accounts.IsBuiltinPermission(p.Name) }) {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(apis, func(x, y accounts.API) int { return cmp.Compare(builtin(x), builtin(y)) })
}

// offerTable has a button for each permission that can be given.
func (v *visit) offerTable(page offered) *templates.ConsoleTable {
	t := &templates.ConsoleTable{
		Columns: []templates.Said{templates.Say("console.permission"), templates.Say("console.actions")}, Empty: templates.Say("console.group.none_offered"),
	}
	if v.query.Get("q") != "" {
		t.Empty = templates.Say("console.group.none_found")
	}
	for _, p := range page.permissions {
		t.Rows = append(t.Rows, []templates.ConsoleCell{permissionCell(p.Name, p.Description), {Buttons: []templates.ConsoleButton{{
			Name: "give", Value: p.Name, Said: templates.Say("console.group.give"), Label: templates.Say("console.group.give_named", "Name", named(p.Name, p.Description)),
		}}}})
	}
	if page.more {
		t.NextURL = v.again(map[string]string{offerFrom: page.permissions[len(page.permissions)-1].Name}) + "#offered"
	}
	if page.from {
		t.FirstURL = v.again(map[string]string{offerFrom: ""}) + "#offered"
	}
	return t
}

func matches(p accounts.Permission, text string) bool {
	text = strings.ToLower(text)
	return text == "" || strings.Contains(strings.ToLower(p.Name), text) || strings.Contains(strings.ToLower(p.Description), text)
}
