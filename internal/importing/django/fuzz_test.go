package django_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/importing"
	"github.com/gatehouse-id/gatehouse/internal/importing/django"
)

// Whatever stands in a dump, it is refused, or makes groups and permissions that can be
// made and people who are in groups of the plan alone.
func FuzzDump(f *testing.F) {
	for _, name := range []string{"natural.json", "keys.json"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`[{"model":"accounts.user","pk":1,"fields":{"groups":[[],[1],{},"x",7],"user_permissions":[["a","b","c"],-1],"date_joined":"x"}}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		report := &importing.Report{}
		d, err := django.New(bytes.NewReader(text), django.Options{UserModel: "accounts.user", Audience: "https://x.example/{app}", APIName: "{app}", DirectGroups: true})
		if err != nil {
			t.Fatal(err)
		}
		plan, err := d.Plan(report)
		if err != nil {
			return
		}
		groups := map[string]bool{}
		for _, g := range plan.Groups {
			if _, err := accounts.GroupKey(g.Name); err != nil || groups[g.Name] {
				t.Errorf("group %q: %v", g.Name, err)
			}
			groups[g.Name] = true
		}
		for _, a := range plan.APIs {
			for _, p := range a.Permissions {
				if err := p.Check(); err != nil {
					t.Errorf("permission %q: %v", p.Name, err)
				}
			}
		}
		people, err := d.People(report)
		for err == nil {
			var p *importing.Person
			if p, err = people.Next(); p != nil {
				for _, name := range p.Groups {
					if !groups[name] {
						t.Errorf("somebody is in %q, which is not made", name)
					}
				}
			}
		}
		if !errors.Is(err, io.EOF) {
			t.Errorf("the second reading: %v", err)
		}
	})
}

// What an operator mistypes is told before anything is read or written.
func TestMistaken(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "natural.json"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		text   string
		o      django.Options
		reason string
	}{
		"a meaning":       {string(text), django.Options{Fields: map[string]string{"user_name": "x"}}, `no field "user_name"`},
		"a field":         {string(text), django.Options{UserModel: "accounts.User", Fields: map[string]string{"username": "handle"}}, "nobody has one of this name"},
		"the model":       {string(text), django.Options{}, "name it with --user-model"},
		"the apps":        {"[]", django.Options{}, "holds nobody"},
		"another program": {`{"realm":"x"}`, django.Options{}, "there should be"},
		"no fields":       {`[{"model":"auth.user","pk":1,"fields":[]}]`, django.Options{}, "fields should be"},
	} {
		d, err := django.New(strings.NewReader(c.text), c.o)
		if err == nil {
			_, err = d.Plan(&importing.Report{})
		}
		if err == nil || !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%s: %v, want %q", name, err, c.reason)
		}
	}
}

// Somebody whose fields are odd is not made: what cannot be read might be what kept
// them out.
func TestOddPeople(t *testing.T) {
	const text = `[{"model":"auth.user","pk":1,"fields":{"username":"a","is_active":"no"}},
{"model":"auth.user","pk":2,"fields":{"username":"b","is_banned":"2020-01-01"}},
{"model":"auth.user","pk":"6f","fields":{"username":"c","is_active":false,"date_joined":"2019-05-17T08:30:00.123"}}]`
	report := &importing.Report{}
	d, err := django.New(strings.NewReader(text), django.Options{SubPrefix: "x-"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Plan(report); err != nil {
		t.Fatal(err)
	}
	people, err := d.People(report)
	if err != nil {
		t.Fatal(err)
	}
	var made []*importing.Person
	for {
		p, err := people.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if p != nil {
			made = append(made, p)
		}
	}
	if len(made) != 1 || made[0].Subject != "x-6f" || !made[0].Banned || made[0].CreatedAt.Nanosecond() != 123_000_000 {
		t.Errorf("%+v", made)
	}
}
