package keycloak_test

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
	"github.com/gatehouse-id/gatehouse/internal/importing/keycloak"
)

// Whatever stands in a realm, it is refused, or makes groups and clients none of which
// is wider than Gatehouse allows, and people who are in groups of the plan alone.
func FuzzRealm(f *testing.F) {
	text, err := os.ReadFile(filepath.Join("testdata", "realm.json"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"realm":"x","users":[{"username":"a","groups":["/"],"realmRoles":["a"]}],"groups":[{"name":"","subGroups":[{"name":"/"}]}],
"roles":{"realm":[{"name":"a","composites":{"realm":["a"],"client":{"c":["r"]}}}],"client":{"c":[{"name":"r","composites":{"client":{"c":["r"]},"realm":["a"]}}]}},
"clients":[{"clientId":"*","redirectUris":["*","+","/","javascript:1"],"publicClient":true,"rootUrl":"x*"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		report := &importing.Report{}
		r := keycloak.New(bytes.NewReader(text), keycloak.Options{ClientRoles: map[string]string{"posts": "https://x.example", "c": "https://c.example"}, DirectGroups: true})
		plan, err := r.Plan(report)
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
		for _, c := range plan.Clients {
			for _, uri := range append(c.RedirectURIs, c.PostLogoutRedirectURIs...) {
				if strings.Contains(uri, "*") || accounts.ValidateRedirectURI(c.Type, uri) != nil {
					t.Errorf("client %q has %q", c.ClientID, uri)
				}
			}
		}
		people, err := r.People(report)
		for err == nil {
			var p *importing.Person
			if p, err = people.Next(); p != nil {
				for _, name := range p.Groups {
					if !groups[name] {
						t.Errorf("somebody is in %q, which is not made", name)
					}
				}
				if p.Staff || p.Superuser {
					t.Errorf("%q got power", p.Username)
				}
			}
		}
		if !errors.Is(err, io.EOF) {
			t.Errorf("the second reading: %v", err)
		}
	})
}

func TestMistaken(t *testing.T) {
	for text, reason := range map[string]string{
		`[]`:                           "there should be",
		`{"users":[]}`:                 "no export of a realm",
		`{"realm":"a","realm":"b"}`:    "twice",
		`{"realm":"a","roles":[]}`:     "there should be an object",
		`{"realm":"a","groups":["x"]}`: "there should be an object",
		`{"realm":"a","roles":{"realm":[{"name":"x"},{"name":"x"}]}}`: "two roles",
		`{"realm":"a","clients":[{"clientId":"x","enabled":"true"}]}`: "enabled should be",
		`{"realm":"a","users":[{"username":"x"}]`:                     "ends too early",
	} {
		_, err := keycloak.New(strings.NewReader(text), keycloak.Options{}).Plan(&importing.Report{})
		if err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s: %v, want %q", text, err, reason)
		}
	}
}
