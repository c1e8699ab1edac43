package endtoend_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
)

// Buttons of Gatehouse's pages.
const (
	buttonContinue = `button[name="action"][value="continue"]`
	buttonAllow    = `button[name="action"][value="allow"]`
	buttonDeny     = `button[name="action"][value="deny"]`
)

// visitor is a person at a browser tab.
type visitor struct {
	*server
	t      *testing.T
	ctx    context.Context
	status int64 // of the page that is shown
}

// visitor opens a browser without cookies.
func (s *server) visitor(t *testing.T) *visitor {
	t.Helper()
	return &visitor{server: s, t: t, ctx: testenv.Browser(t)}
}

// tab opens another tab of the same browser.
func (v *visitor) tab() *visitor {
	v.t.Helper()
	return &visitor{server: v.server, t: v.t, ctx: testenv.Tab(v.t, v.ctx)}
}

// withoutJavaScript turns the pages' scripts off.
func (v *visitor) withoutJavaScript() *visitor {
	v.t.Helper()
	v.do("turn JavaScript off", emulation.SetScriptExecutionDisabled(true))
	return v
}

func (v *visitor) do(what string, actions ...chromedp.Action) {
	v.t.Helper()
	err := chromedp.Run(v.ctx, actions...)
	if stale(err) {
		err = chromedp.Run(v.ctx, actions...)
	}
	if err != nil {
		v.t.Fatalf("%s: %v (at %s)", what, err, v.where())
	}
}

// stale reports whether chromedp looked for an element in the page before: it
// learns of a new document a little after the page has loaded. Nothing was done.
func stale(err error) bool {
	return err != nil && strings.Contains(err.Error(), "No node with given id")
}

// travel does what leads to another page and waits for that.
func (v *visitor) travel(what string, actions ...chromedp.Action) {
	v.t.Helper()
	answer, err := chromedp.RunResponse(v.ctx, actions...)
	if stale(err) {
		answer, err = chromedp.RunResponse(v.ctx, actions...)
	}
	if err != nil {
		v.t.Fatalf("%s: %v (at %s)", what, err, v.where())
	}
	v.status = pageStatus(answer)
}

// pageStatus is zero for a page that came out of the browser's memory.
func pageStatus(answer *network.Response) int64 {
	if answer == nil {
		return 0
	}
	return answer.Status
}

func (v *visitor) open(url string) {
	v.t.Helper()
	v.travel("open "+url, chromedp.Navigate(url))
}

// press presses a button or follows a link.
func (v *visitor) press(selector string) {
	v.t.Helper()
	v.travel("press "+selector, chromedp.Click(selector, chromedp.ByQuery, chromedp.NodeVisible))
}

// fill types into a field in place of what is in it.
func (v *visitor) fill(selector, text string) {
	v.t.Helper()
	v.do("fill "+selector,
		chromedp.Evaluate(call(v.t, `(s => { const field = document.querySelector(s); field.focus(); field.select(); })`, selector), nil),
		chromedp.KeyEvent(text),
	)
}

// toggle ticks or unticks a box from the keyboard.
func (v *visitor) toggle(scope string) {
	v.t.Helper()
	v.do("toggle "+scope, chromedp.SendKeys(box(scope), " ", chromedp.ByQuery))
}

func box(scope string) string { return `input[type="checkbox"][value="` + scope + `"]` }

// ticked reports whether a box is ticked.
func (v *visitor) ticked(scope string) bool {
	v.t.Helper()
	var ticked bool
	v.do("look at "+scope, chromedp.Evaluate(call(v.t, `(s => document.querySelector(s).checked)`, box(scope)), &ticked))
	return ticked
}

// submit sends a form that no page shows, as a person with developer tools could.
func (v *visitor) submit(path string, fields map[string]string) {
	v.t.Helper()
	const script = `((path, fields) => {
		const form = document.createElement("form");
		form.method = "post"; form.action = path;
		for (const [name, value] of Object.entries(fields)) {
			const input = document.createElement("input");
			input.name = name; input.value = value;
			form.append(input);
		}
		document.body.append(form);
		form.submit();
	})`
	v.travel("submit to "+path, chromedp.Evaluate(call(v.t, script, path, fields), nil))
}

// text is what can be read on the page.
func (v *visitor) text() string {
	v.t.Helper()
	var text string
	v.do("read the page", chromedp.Evaluate(`document.body.innerText`, &text))
	return text
}

func (v *visitor) where() string {
	var url string
	if err := chromedp.Run(v.ctx, chromedp.Location(&url)); err != nil {
		return "an unknown place"
	}
	return url
}

// sees checks where the visitor is (the beginning of the URL), the status of the
// page, and that each text can be read there, or with "!" cannot.
func (v *visitor) sees(url string, status int64, texts ...string) {
	v.t.Helper()
	text := v.text()
	if got := v.where(); !strings.HasPrefix(got, url) || v.status != status {
		v.t.Fatalf("at %s with status %d, want %s with %d\n%s", got, v.status, url, status, text)
	}
	for _, want := range texts {
		unwanted, not := strings.CutPrefix(want, "!")
		if strings.Contains(text, unwanted) == not {
			v.t.Errorf("at %s: want %q in\n%s", url, want, text)
		}
	}
}

// has reports whether the page has an element.
func (v *visitor) has(selector string) bool {
	v.t.Helper()
	var found bool
	v.do("look for "+selector, chromedp.Evaluate(call(v.t, `(s => document.querySelector(s) !== null)`, selector), &found))
	return found
}

// begin goes to the app and presses "Sign in".
func (v *visitor) begin() {
	v.t.Helper()
	v.open(v.app + "/")
	v.press(`main a[href="/signin"]`)
}

// signIn fills in the sign-in page.
func (v *visitor) signIn(username, secret string) {
	v.t.Helper()
	v.fill(`input[name="username"]`, username)
	v.fill(`input[name="password"]`, secret)
	v.press(buttonContinue)
}

// enter goes from the app through sign-in and consent, everything allowed, back to
// the app.
func (v *visitor) enter(username string) {
	v.t.Helper()
	v.begin()
	v.signIn(username, password)
	v.press(buttonAllow)
	v.sees(v.app+"/", 200, "Hello, ")
}

// enterKey presses Enter in a field, as most people do.
func (v *visitor) enterKey(selector string) {
	v.t.Helper()
	v.travel("press Enter", chromedp.SendKeys(selector, kb.Enter, chromedp.ByQuery))
}

// call writes a JavaScript call of function with arguments as they are.
func call(t *testing.T, function string, arguments ...any) string {
	t.Helper()
	encoded := make([]string, len(arguments))
	for i, one := range arguments {
		text, err := json.Marshal(one)
		if err != nil {
			t.Fatal(err)
		}
		encoded[i] = string(text)
	}
	return function + "(" + strings.Join(encoded, ", ") + ")"
}

// count counts elements of the page.
func (v *visitor) count(selector string) int {
	v.t.Helper()
	var n int
	v.do("count "+selector, chromedp.Evaluate(call(v.t, `(s => document.querySelectorAll(s).length)`, selector), &n))
	return n
}
