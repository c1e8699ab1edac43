package selfservice

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/language"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/templates"
)

// Every event that the domain writes about a person has a sentence, or is left out
// knowingly.
func TestEventSentences(t *testing.T) {
	files, err := filepath.Glob("../accounts/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no sources: %v", err)
	}
	nobodys := map[string]bool{
		"user.delete": true, // there is nobody left to read it
		"user.import": true, // about no single person
	}
	action := regexp.MustCompile(`"((?:user|session|consent|grant)\.[a-z_.]+)"`)
	found := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range action.FindAllSubmatch(source, -1) {
			name := string(match[1])
			if name == "user.staff" || name == "user.superuser" {
				name += ".grant"
			}
			found++
			e := &accounts.Happened{App: accounts.AppName{Name: "App"}}
			e.Action = name
			if kind, shown := eventKind(e); shown && kind == templates.EventOther && !nobodys[name] {
				t.Errorf("%s: the event %s has no sentence", filepath.Base(file), name)
			}
		}
	}
	if found < 30 {
		t.Errorf("only %d events found", found)
	}
}

// Whatever the lists offer can be saved.
func TestChoices(t *testing.T) {
	for name, list := range map[string][]templates.Choice{"zoneinfo": zoneChoices(""), "locale": localeChoices("")} {
		if len(list) < 40 || list[0].Value != "" {
			t.Errorf("%s: %d choices, first %+v", name, len(list), list[0])
		}
		for _, c := range list[1:] {
			if c.Text == "" {
				t.Errorf("%s %s has no text", name, c.Value)
			}
			if name == "zoneinfo" {
				if _, err := time.LoadLocation(c.Value); err != nil {
					t.Error(err)
				}
			} else if tag, err := language.Parse(c.Value); err != nil || tag.String() != c.Value {
				t.Errorf("%s is kept as %s, %v", c.Value, tag, err)
			}
		}
	}
}
