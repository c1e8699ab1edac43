package templates_test

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/templates"
)

// fieldAttributes are what password managers, autofill and keyboards on phones go by.
func fieldAttributes() []string {
	return []string{
		"type", "id", "autocomplete", "inputmode", "pattern", "minlength", "maxlength", "passwordrules",
		"autocapitalize", "autocorrect", "spellcheck", "readonly", "required",
	}
}

// TestFieldsSnapshot holds the attributes of every field on every page: a change to
// them is a change to what password managers do, and is seen here.
func TestFieldsSnapshot(t *testing.T) {
	r := newRenderer(t, templates.Options{})
	seen := map[string]map[string]bool{} // the field to the pages that have it
	for _, f := range fixtures() {
		for _, e := range elements(t, show(t, r, f).Body.Bytes()) {
			if e.name != "input" && e.name != "textarea" && e.name != "select" || e.attr["type"] == "hidden" {
				continue
			}
			line := e.attr["name"] + ":"
			for _, name := range fieldAttributes() {
				if value, has := e.attr[name]; has {
					line += " " + name + "=" + `"` + value + `"`
				}
			}
			if seen[line] == nil {
				seen[line] = map[string]bool{}
			}
			seen[line][f.name] = true
		}
	}
	var b strings.Builder
	for _, line := range slices.Sorted(maps.Keys(seen)) {
		if strings.HasPrefix(line, "lang:") || strings.HasPrefix(line, "theme:") {
			continue // at the foot of every page
		}
		b.WriteString(line + "\n\t" + strings.Join(slices.Sorted(maps.Keys(seen[line])), " ") + "\n")
	}
	path := filepath.Join("testdata", "fields", "fields.txt")
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("fields differ from %s (-want +got); if meant, run with -update:\n%s", path, diff)
	}
}

// TestPasswordManagersFindTheFields: each new password is marked as one and has the
// name of its account beside it, each code is one field that takes a paste.
func TestPasswordManagersFindTheFields(t *testing.T) {
	r := newRenderer(t, templates.Options{})
	for _, f := range fixtures() {
		names := map[string]map[string]string{}
		for _, e := range elements(t, show(t, r, f).Body.Bytes()) {
			if e.name == "input" {
				names[e.attr["name"]] = e.attr
			}
		}
		if field := names["new_password"]; field != nil {
			if field["autocomplete"] != "new-password" || field["minlength"] == "" {
				t.Errorf("%s: the new password is %v", f.name, field)
			}
			user := names["username"]["autocomplete"] + names["email"]["autocomplete"]
			if user == "" {
				t.Errorf("%s: no name stands beside the new password, so that it would be kept without one", f.name)
			}
		}
		if field := names["code"]; field != nil && field["type"] != "hidden" {
			if field["autocomplete"] != "one-time-code" || field["inputmode"] != "numeric" {
				t.Errorf("%s: the code is %v", f.name, field)
			}
		}
	}
}
