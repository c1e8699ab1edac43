package endtoend_test

import (
	"strings"

	"github.com/chromedp/chromedp"
)

// fillsPages goes to the console's pages that show something only once there is
// something, or on the way to a change, and has axe-core look at them. Nothing is
// changed but a permission set, a description and a permission, for which the ledger has
// a row.
func (v *visitor) fillsPages(axe string) {
	v.t.Helper()
	at := v.issuer + "/admin/"
	v.open(at + "sets/new")
	v.fill("#name", "Importers")
	v.press(consoleSubmit)
	v.press(button("Give: Add posts"))
	v.sees(at+"sets/show", 200, "Given", "Add posts")
	v.looksGood(axe)

	v.open(at + "apis")
	v.press(`main a[href*="/admin/apis/show"]`)
	v.sees(at+"apis/show", 200, "Switch this API off")
	v.looksGood(axe)

	v.open(at + "users?q=regular_user")
	v.toggle(v.attribute(`input[name="person"]`, "value"))
	v.do("choose to ban", chromedp.SetValue("#do", "ban", chromedp.ByQuery))
	v.press(consoleSubmit)
	v.sees(at+"users", 200, "every session and token of theirs ends", "Do it with this one person")
	v.looksGood(axe)
	v.open(at + "users?q=regular_user")
	v.press(`main a[href*="/admin/users/show"]`)
	v.sees(at+"users/show", 200, "Editors", "Put into this group")
	v.looksGood(axe)
	v.fill("#group", "Nobodies")
	v.press(`form:has(#group) .actions button`)
	v.sees(at+"users/show", 200, "There is no such thing")
	v.looksGood(axe)

	v.open(at + "groups/matrix")
	v.do("untick a box", chromedp.Click(`input[name="cell"]:checked`, chromedp.ByQuery))
	v.press(consoleSubmit)
	v.sees(at+"groups/matrix", 200, "Nothing has been changed yet", "Make this change")
	v.looksGood(axe)
	v.press(consoleSubmit)
	v.sees(at+"groups/matrix", 200, "Saved.")
	v.open(at + "revocations")
	v.press(`main tbody a[href*="/admin/revocations"]`)
	v.sees(at+"revocations", 200, "permission", "Who has applied it")
	v.looksGood(axe)
	v.describesTwice(axe)
}

// describesTwice describes a group in two tabs. In the second, what was typed stays, and
// what is there now is told.
func (v *visitor) describesTwice(axe string) {
	v.t.Helper()
	second := v.tab()
	for i, tab := range []*visitor{v, second} {
		tab.open(v.issuer + "/admin/groups/show?id=Editors")
		tab.do("unfold", chromedp.Click(`details:has(#description) > summary`, chromedp.ByQuery))
		tab.fill("#description", "Tab "+strings.Repeat("I", i+1))
	}
	const save = `form:has(#description) .actions button`
	v.press(save)
	v.sees(v.issuer+"/admin/groups/show", 200, "Saved.", "Tab I")
	second.press(save)
	second.sees(v.issuer+"/admin/groups/show", 200, "It has changed since you saw it", "It is now: Tab I.")
	second.looksGood(axe)
	second.press(save)
	second.sees(v.issuer+"/admin/groups/show", 200, "Saved.", "Tab II")
}
