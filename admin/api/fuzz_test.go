package api_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/admin/api"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
)

// fuzzed is a world on each engine, with what there is to list.
type fuzzed struct {
	worlds []*world
	lists  map[string]string // operationId by path
}

func newFuzzed(f *testing.F) *fuzzed {
	z := &fuzzed{worlds: []*world{newWorld(f), newWorldOn(f, sqldbtest.Postgres(f))}}
	for _, w := range z.worlds {
		w.crowd()
	}
	z.lists = map[string]string{
		"/users": "listUsers", "/groups": "listGroups", "/clients": "listClients", "/sessions": "listSessions", "/audit": "searchAudit",
		"/apis": "listAPIs", "/permission-sets": "listPermissionSets", "/revocations": "listRevocations", "/grants": "listGrants",
		"/consents": "listConsents", "/groups/" + tilde("group of author") + "/members": "listMembers",
		"/invitations": "listInvitations", "/permissions/" + tilde("posts:add") + "/groups": "listHolders",
	}
	if diff := cmp.Diff(paged(z.worlds[0].description()), slices.Sorted(maps.Values(z.lists))); diff != "" {
		f.Fatalf("not the lists that there are: %s", diff)
	}
	return z
}

// paged are the operations that take a cursor, sorted.
func paged(doc map[string]any) []string {
	var ids []string
	for _, item := range doc["paths"].(map[string]any) {
		parameters, _ := at(item, "get", "parameters").([]any)
		for _, p := range parameters {
			if at(p, "name") == "cursor" {
				ids = append(ids, at(item, "get", "operationId").(string))
			}
		}
	}
	slices.Sort(ids)
	return ids
}

// ask reads a list. Access tokens live shorter than a fuzzer may run.
func (z *fuzzed) ask(t *testing.T, w *world, path string) answer {
	t.Helper()
	part := w.within(t)
	a := part.call(w.rootKey, http.MethodGet, path, nil)
	if a.status == http.StatusUnauthorized {
		w.rootKey = part.bearer(w.root)
		a = part.call(w.rootKey, http.MethodGet, path, nil)
	}
	if a.status >= 500 || a.status == http.StatusUnauthorized || a.status != http.StatusOK && a.problem() == "" {
		t.Errorf("%s: %d %s", path, a.status, a.raw)
	}
	return a
}

// FuzzLists: whatever stands in the query of a list, or inside a cursor of ours (one of
// another release, say), the answer is a page or a problem of the caller's, on both
// engines.
func FuzzLists(f *testing.F) {
	for _, query := range []string{
		"", "limit=1", "cursor=AAAA", "search=a%00b", "search=%F0%9F%98%80", "search=%ff", "search='%20OR%201=1--", "group=%25", "sort=-created_at",
		"search=%F4%8F%BF%BF", "search=A%CC%88", "staff=true&staff=false", "search=~&group=x", "required_action=accept_terms", "limit=200&cursor=",
		"name=%00", "name=%ff", "redirect_host=%00", "sub=%00", "client_id=%00", "sub=%ff&client_id=a", "key=%00", "kind=%00", "kind=nothing",
		"text=%00", "action=%00", "target_kind=%00&target_id=a", "key=~", "name=%25_%5C", "since=0001-01-01T00:00:00Z", "until=9999-12-31T23:59:59Z",
	} {
		f.Add(query, "")
	}
	for _, position := range []string{
		`{}`, `null`, `[]`, `""`, `{"k":"a"}`, `{"k":"\u0000"}`, `{"k":"\ud800"}`, `{"p":-1}`, `{"p":9223372036854775807}`, `{"p":1e3}`,
		`{"n":"a\u0000","c":"b"}`, `{"i":"AAAAAAAAAAAAAAAAAAAAAA"}`, `{"i":"x"}`, `{"i":null}`, `{"k":{"k":1}}`, `x`, "\xff", `{"s":-1}`,
		`{"s":99,"k":"\u0000"}`, `{"s":1,"k":"\u0000","i":"AAAAAAAAAAAAAAAAAAAAAA"}`,
	} {
		f.Add("", position)
	}
	z := newFuzzed(f)
	f.Fuzz(func(t *testing.T, query, position string) {
		if _, err := url.ParseRequestURI("http://x/?" + query); err != nil || strings.ContainsAny(query, " \x7f#") || strings.ContainsFunc(query, func(r rune) bool { return r < ' ' }) {
			return // no client could send it
		}
		for path, id := range z.lists {
			for _, w := range z.worlds {
				if position == "" {
					z.ask(t, w, path+"?"+query)
				} else {
					z.goOn(t, w, path, id, position)
				}
			}
		}
	})
}

// goOn reads a list on from a position.
func (z *fuzzed) goOn(t *testing.T, w *world, path, operation, position string) {
	t.Helper()
	query := ""
	if operation == "listGrants" || operation == "listConsents" {
		query = "sub=" + w.root.Subject
	}
	a := z.ask(t, w, path+"?"+query+"&cursor="+w.within(t).sealed(operation, path, query, position))
	if a.status != http.StatusOK && position == "{}" {
		t.Errorf("%s does not take a cursor that was sealed here: %s", path, a.raw)
	}
}

// sealed is a cursor of root's with a position.
func (w *world) sealed(operation, path, query, position string) string {
	w.Helper()
	bound, err := json.Marshal([]string{"person", w.root.Subject, w.app.ClientID, operation, api.Base + path, query})
	w.must(err)
	cursor, err := w.keyring.Seal("admin cursor", []byte(position), bound)
	w.must(err)
	return base64.RawURLEncoding.EncodeToString(cursor)
}
