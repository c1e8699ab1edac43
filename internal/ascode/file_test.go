package ascode_test

import (
	"bytes"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/internal/ascode"
)

func TestRead_Refuses(t *testing.T) {
	for text, want := range map[string]string{
		"groups: [":                                   "test.yaml: [1:",
		"groups:\n  - nam: Editors":                   `test.yaml: [2:5] unknown field "nam"`,
		"grups: []":                                   `unknown field "grups"`,
		"groups: [{name: A, name: B}]":                `mapping key "name" already defined`,
		"groups: {name: A}":                           "test.yaml: [1:",
		"groups: [{name: [A]}]":                       "test.yaml: [1:",
		"groups: [{second_factor: perhaps, name: A}]": "test.yaml: [1:",
		"groups:\n  - description: x":                 "test.yaml:2: it has no name",
		"apis:\n- {audience: https://a.example, secret_file: a.secret}\nclients:\n- {name: A, secret_file: a.secret}": `test.yaml:4: secret_file "a.secret" is named in line 2 already`,
		"apis:\n- audience: https://a.example\n  secret_form: env:A":                                                  `[3:3] unknown field "secret_form"`,
		"clients: [{type: web}]": "test.yaml:1: it has no name",
		"apis:\n- name: A\n  audience: https://a.example\n\n- audience: https://a.example/": `test.yaml:5: "https://a.example/" is named in line 2 already`,
		"apis: [{audience: x, token_lifetime: 5}]":                                          `"5" is not a duration such as 5m`,
		"apis: [{audience: x, token_lifetime: 1us}]":                                        "milliseconds are the shortest",
		"groups: [{name: A, members: [{user: ada, until: soon}]}]":                          `"soon" is not a time such as`,
		"groups: [{name: A, members: [{user: ada, til: x}]}]":                               "unknown field",
		"groups: []\n---\ngroups: []":                                                       "more than one YAML document",
		"a: &a [x]\ngroups: []":                                                             "anchors and aliases are not taken",
		"groups: [{name: A, permissions: *x}]":                                              "test.yaml:",
		"- a":                                                                               "test.yaml: [1:",
		"text":                                                                              "test.yaml: [1:",
	} {
		_, err := ascode.Read("test.yaml", strings.NewReader(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %s", text, err, want)
		}
	}
	if _, err := ascode.Read("big", strings.NewReader(strings.Repeat("#", ascode.MaxFile+1))); err == nil {
		t.Error("a file that is too large is read")
	}
}

func TestRead_Takes(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "---\n# nothing\n", "groups: []\n", "groups:\n", `{"groups": [{"name": "A"}]}`, "---\ngroups: [{name: A}]\n...\n"} {
		if _, err := ascode.Read("test.yaml", strings.NewReader(text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]string{"5m": "5m", "300s": "5m", "1h": "1h", "60m": "1h", "90s": "1m30s", "1h30m": "1h30m", "250ms": "250ms", "0s": "0s", "720h": "720h", "10m": "10m", "20h": "20h"} {
		var d ascode.Duration
		if err := d.UnmarshalText([]byte(text)); err != nil || d.String() != want {
			t.Errorf("%s is written %s, %v", text, d, err)
		}
	}
}

// FuzzRead: whatever is read is written, and read again as the same.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{full, house, "", "groups: [{name: A, members: [{user: ada, until: 2027-01-01T00:00:00Z}]}]", "settings: {a: [b, c], d: 1, e: true, f: 1.5}", `{"apis":[{"audience":"a"}]}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		file, err := ascode.Read("x", strings.NewReader(text))
		if err != nil {
			return
		}
		var first, second bytes.Buffer
		if err := file.Write(&first); err != nil {
			t.Fatal(err)
		}
		again, err := ascode.Read("x", bytes.NewReader(first.Bytes()))
		if err != nil {
			t.Fatalf("what was written is not read: %v\n%s", err, first.String())
		}
		if err := again.Write(&second); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first.String(), second.String()); diff != "" {
			t.Errorf("written otherwise the second time:\n%s", diff)
		}
	})
}

// TestExamples: the files in examples are taken, one after the other, and are whole.
func TestExamples(t *testing.T) {
	w := newWorld(t)
	w.secrets["env:NIGHTLY_SECRET"] = "7h3bqk2v9xw4m8zt5c6n1r0p7h3bqk2v"
	w.secrets["env:POSTS_API_SECRET"] = "9xw4m8zt5c6n1r0p7h3bqk2v9xw4m8zt"
	for _, name := range []string{"posts", "platform"} {
		text, err := os.ReadFile("../../examples/as-code/" + name + ".yaml")
		must(t, err)
		if out := w.mustApply(string(text), ascode.Options{Prune: true}); strings.Contains(out, "removed") || strings.Count(out, "created") < 2 {
			t.Errorf("%s:\n%s", name, out)
		}
		if out := w.mustApply(string(text), ascode.Options{}); out != "" {
			t.Errorf("%s again:\n%s", name, out)
		}
	}
}

// TestEveryMemberIsDocumented: whatever a file can say stands in docs/as-code.md.
func TestEveryMemberIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/as-code.md")
	if err != nil {
		t.Fatal(err)
	}
	var members func(of reflect.Type)
	members = func(of reflect.Type) {
		for i := range of.NumField() {
			field := of.Field(i)
			name, options, _ := strings.Cut(field.Tag.Get("yaml"), ",")
			if options == "inline" {
				members(field.Type)
				continue
			}
			if !bytes.Contains(page, []byte("`"+name+"`")) {
				t.Errorf("%s of %s is not there", name, of.Name())
			}
		}
	}
	for _, object := range []any{ascode.API{}, ascode.Permission{}, ascode.PermissionSet{}, ascode.Group{}, ascode.Member{}, ascode.Client{}} {
		members(reflect.TypeOf(object))
	}
}
