package templates_test

import (
	"bytes"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/gatehouse-id/gatehouse/templates"
)

// element is a parsed element with its attributes by name.
type element struct {
	name string
	attr map[string]string
	text string
}

// elements lists all elements of a page in order, each with the text below it.
func elements(t *testing.T, page []byte) []element {
	t.Helper()
	root, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var list []element
	for node := range root.Descendants() {
		if node.Type != html.ElementNode {
			continue
		}
		e := element{name: node.Data, attr: map[string]string{}}
		for _, a := range node.Attr {
			e.attr[a.Key] = a.Val
		}
		for below := range node.Descendants() {
			if below.Type == html.TextNode {
				e.text += below.Data
			}
		}
		list = append(list, e)
	}
	return list
}

func count(list []element, name string) int {
	n := 0
	for _, e := range list {
		if e.name == name {
			n++
		}
	}
	return n
}

func TestStructure(t *testing.T) {
	r := newRenderer(t, templates.Options{Override: translated()})
	for _, f := range fixtures() {
		t.Run(f.name, func(t *testing.T) {
			w := show(t, r, f)
			if got := w.Header().Get("Content-Type"); got != "text/html; charset=utf-8" {
				t.Errorf("Content-Type %q", got)
			}
			list := elements(t, w.Body.Bytes())
			checkFrame(t, list)
			checkReferences(t, list)
			checkLabels(t, list)
			for _, e := range list {
				checkInline(t, e)
			}
		})
	}
}

func checkFrame(t *testing.T, list []element) {
	t.Helper()
	for _, name := range []string{"html", "title", "main", "h1", "header", "footer"} {
		if n := count(list, name); n != 1 {
			t.Errorf("%d elements %s, want one", n, name)
		}
	}
	for _, e := range list {
		switch e.name {
		case "html":
			if e.attr["lang"] == "" || e.attr["dir"] == "" {
				t.Errorf("html without lang or dir: %v", e.attr)
			}
		case "form":
			// One that only asks may get.
			if m := e.attr["method"]; m != "post" && (m != "get" || e.attr["action"] != "/account/seen") || e.attr["action"] == "" {
				t.Errorf("form %v must post to somewhere", e.attr)
			}
		}
	}
}

// checkReferences: ids are unique, and what points at an id points at one.
func checkReferences(t *testing.T, list []element) {
	t.Helper()
	ids := map[string]bool{}
	for _, e := range list {
		if id, has := e.attr["id"]; has {
			if ids[id] {
				t.Errorf("id %q twice", id)
			}
			ids[id] = true
		}
	}
	for _, e := range list {
		for _, name := range []string{"for", "aria-labelledby", "aria-describedby", "aria-controls", "data-copy"} {
			for _, id := range strings.Fields(e.attr[name]) {
				if !ids[id] {
					t.Errorf("%s of %s: no element %q", name, e.name, id)
				}
			}
		}
		if id, isFragment := strings.CutPrefix(e.attr["href"], "#"); isFragment && !ids[id] {
			t.Errorf("link to %q leads nowhere", id)
		}
	}
}

// checkLabels: each control has a visible label, each button and link a name.
func checkLabels(t *testing.T, list []element) {
	t.Helper()
	labels := map[string]string{}
	for _, e := range list {
		if e.name == "label" {
			labels[e.attr["for"]] = strings.TrimSpace(e.text)
		}
	}
	for _, e := range list {
		switch {
		case e.name == "input" && e.attr["type"] == "hidden":
		case e.name == "input", e.name == "select":
			if labels[e.attr["id"]] == "" {
				t.Errorf("%s %v has no label", e.name, e.attr)
			}
			if _, has := e.attr["placeholder"]; has {
				t.Errorf("%s %v: a placeholder is no label", e.name, e.attr)
			}
		case e.name == "button", e.name == "a", e.name == "summary":
			if strings.TrimSpace(e.text) == "" {
				t.Errorf("%s %v has no name", e.name, e.attr)
			}
		case e.name == "img":
			if _, has := e.attr["alt"]; !has {
				t.Errorf("img %v has no alt", e.attr)
			}
		}
	}
}

// checkInline: nothing that a strict policy forbids, nothing from elsewhere.
func checkInline(t *testing.T, e element) {
	t.Helper()
	for name, value := range e.attr {
		if name == "style" || strings.HasPrefix(name, "on") {
			t.Errorf("%s has the attribute %s=%q", e.name, name, value)
		}
		if strings.Contains(value, "ZgotmplZ") {
			t.Errorf("%s %s was filtered", e.name, name)
		}
	}
	switch e.name {
	case "style", "iframe", "object", "embed", "base":
		t.Errorf("element %s", e.name)
	case "script":
		if !strings.HasPrefix(e.attr["src"], "/static/") || strings.TrimSpace(e.text) != "" {
			t.Errorf("script %v %q", e.attr, e.text)
		}
	case "link", "img":
		if source := e.attr["href"] + e.attr["src"]; !strings.HasPrefix(source, "/static/") && !strings.HasPrefix(source, "/pictures/") {
			t.Errorf("%s loads %q", e.name, source)
		}
	}
}

// TestTitleSaysThatSomethingIsWrong: the title is what screen readers say first.
func TestTitleSaysThatSomethingIsWrong(t *testing.T) {
	r := newRenderer(t, templates.Options{})
	for _, f := range fixtures() {
		failed := strings.HasPrefix(f.name, "error_") ||
			slices.Contains([]string{
				"sign_in_wrong", "sign_in_missing", "sign_in_wait", "sign_in_passkey_unknown", "second_factor_code", "second_factor_wait", "account_profile_wrong",
			}, f.name)
		for _, e := range elements(t, show(t, r, f).Body.Bytes()) {
			if e.name == "title" && strings.HasPrefix(e.text, "Error: ") != failed {
				t.Errorf("%s: title %q", f.name, e.text)
			}
		}
	}
}

// TestSignInFields holds the attributes that password managers look for.
func TestSignInFields(t *testing.T) {
	list := elements(t, show(t, newRenderer(t, templates.Options{}), fixtures()[0]).Body.Bytes())
	var got []map[string]string
	for _, e := range list {
		if (e.name == "input" || e.name == "button") && e.attr["name"] != "" && e.attr["name"] != "return" {
			delete(e.attr, "class")
			got = append(got, e.attr)
		}
	}
	want := []map[string]string{
		{"type": "hidden", "name": "flow", "value": "AZr3"},
		{
			"type": "text", "name": "username", "id": "username", "value": "", "autocomplete": "username webauthn",
			"autocapitalize": "none", "autocorrect": "off", "spellcheck": "false", "inputmode": "email", "required": "", "autofocus": "",
		},
		{"type": "password", "name": "password", "id": "current-password", "autocomplete": "current-password", "required": ""},
		{"type": "submit", "name": "action", "value": "continue"},
		{"type": "submit", "name": "action", "value": "deny", "formnovalidate": ""},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

// TestPasswordIsNeverWrittenBack: no page has a value for it.
func TestPasswordIsNeverWrittenBack(t *testing.T) {
	r := newRenderer(t, templates.Options{})
	for _, f := range fixtures() {
		for _, e := range elements(t, show(t, r, f).Body.Bytes()) {
			if _, has := e.attr["value"]; has && e.attr["name"] == "password" {
				t.Errorf("%s: the password field has a value", f.name)
			}
		}
	}
}

func TestConsentChoices(t *testing.T) {
	r := newRenderer(t, templates.Options{})
	w := httptest.NewRecorder()
	if err := r.Consent(w, 200, r.Language(), fullConsent()); err != nil {
		t.Fatal(err)
	}
	type box struct {
		Scope   string
		Checked bool
	}
	var boxes []box
	var actions []string
	for _, e := range elements(t, w.Body.Bytes()) {
		_, checked := e.attr["checked"]
		switch {
		case e.attr["type"] == "checkbox" && e.attr["name"] == "scope":
			boxes = append(boxes, box{e.attr["value"], checked})
		case e.name == "button" && e.attr["name"] == "action":
			actions = append(actions, e.attr["value"])
		}
	}
	if diff := cmp.Diff([]box{{"email", true}, {"posts:add", true}, {"posts:delete", false}}, boxes); diff != "" {
		t.Errorf("check boxes (-want +got):\n%s", diff)
	}
	// The first submit button is the one that the Enter key presses: never Allow.
	if diff := cmp.Diff([]string{"deny", "allow"}, actions); diff != "" {
		t.Errorf("buttons (-want +got):\n%s", diff)
	}
}

// TestWeight: a page with all that it loads stays below 30 KB, the sheet below 16.
func TestWeight(t *testing.T) {
	r := newRenderer(t, templates.Options{})
	asset := regexp.MustCompile(`/static/[^"]+`)
	for _, f := range fixtures() {
		page := show(t, r, f).Body.Bytes()
		total := len(page)
		loaded := map[string]bool{}
		for _, path := range asset.FindAll(page, -1) {
			if loaded[string(path)] {
				continue
			}
			loaded[string(path)] = true
			w := httptest.NewRecorder()
			r.Static().ServeHTTP(w, httptest.NewRequest("GET", string(path), nil))
			if w.Code != 200 {
				t.Errorf("%s: %s answers %d", f.name, path, w.Code)
			}
			total += w.Body.Len()
		}
		if len(loaded) < 2 || total > 30<<10 {
			t.Errorf("%s: %d bytes with %d files, want at most 30 KB", f.name, total, len(loaded))
		}
	}
	sheet, err := os.ReadFile("static/style.css")
	if err != nil {
		t.Fatal(err)
	}
	if len(sheet) > 16<<10 {
		t.Errorf("the style sheet has %d bytes, want at most 16 KB", len(sheet))
	}
}
