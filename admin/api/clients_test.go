package api_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin/api"
)

// names are one member of each item of a list.
func (a answer) names(member string) []string {
	list := []string{}
	for _, item := range a.items() {
		list = append(list, fmt.Sprint(item[member]))
	}
	return list
}

// every reads a list page by page, by the Link header, and returns one member of each
// item.
func (w *world) every(token, path, member string) []string {
	w.Helper()
	list := []string{}
	for range 100 {
		a := w.want(w.call(token, http.MethodGet, path, nil), http.StatusOK, "")
		list = append(list, a.names(member)...)
		link, more := strings.CutPrefix(a.header.Get("Link"), "<")
		if (a.str("next") != "") != more {
			w.Fatalf("next %q, Link %q", a.str("next"), a.header.Get("Link"))
		}
		if !more {
			return list
		}
		path, _, _ = strings.Cut(link, ">")
	}
	w.Fatalf("%s does not end", path)
	return nil
}

func clientPath(c app, more string) string { return "/clients/" + c.ClientID + more }

// clientsWay goes the way of apps: lists, settings, secrets, states.
func clientsWay(t *testing.T, w *world) {
	made := w.want(w.call(w.rootKey, http.MethodPost, "/clients", map[string]any{
		"type": "web", "name": "Ärzte", "redirect_uris": []string{"https://app.example.com:8443/cb", "https://two.example.com/cb"},
		"scopes": []string{"openid", "posts:add"}, "texts": map[string]any{"de": map[string]any{"name": "Doktor"}},
		"access_token_seconds": 120, "require_par": true,
	}), http.StatusCreated, "")
	key := made.str("client_secret")
	client, _ := made.json["client"].(map[string]any)
	clientID, _ := client["client_id"].(string)
	if len(key) != 43 || clientID == "" || client["require_pkce"] != true || client["access_token_seconds"] != 120.0 {
		t.Fatalf("made: %s", made.raw)
	}
	path := "/clients/" + clientID
	if at := w.placed(made); at != api.Base+path {
		t.Errorf("Location %q", at)
	}

	t.Run("get and patch", func(t *testing.T) { clientSettings(w.within(t), path, client) })

	t.Run("list", func(t *testing.T) { clientLists(w.within(t)) })

	t.Run("secrets", func(t *testing.T) { clientSecrets(w.within(t), path, clientID, key) })

	// Of many who end one secret at once, one does.
	t.Run("a secret ends once", func(t *testing.T) { secretEndsOnce(w.within(t)) })

	t.Run("refused redirect URIs", func(t *testing.T) { clientRefusals(w.within(t), path) })

	t.Run("permission sets", func(t *testing.T) { permissionSets(w.within(t)) })
}

func clientSettings(w *world, path string, client map[string]any) {
	w.Helper()
	read := w.want(w.call(w.rootKey, http.MethodGet, path, nil), http.StatusOK, "")
	if diff := cmp.Diff(client, read.json); diff != "" || strings.Contains(read.raw, "secret\":") || strings.Contains(read.raw, "mac:") {
		w.Errorf("read is another than made: %s\n%s", diff, read.raw)
	}
	tag := read.header.Get("ETag")
	w.want(w.call(w.rootKey, http.MethodGet, path, nil, "If-None-Match", tag), http.StatusNotModified, "")
	w.want(w.call(w.rootKey, http.MethodPatch, path, `{"name": "X"}`), http.StatusPreconditionRequired, "if-match-missing")
	changed := w.want(w.call(w.rootKey, http.MethodPatch, path,
		`{"name": "Practice", "texts": {"de": null, "fr": {"name": "Cabinet"}}, "access_token_seconds": null, "optional_scopes": ["email"], "required_acr": "aal2"}`, "If-Match", tag), http.StatusOK, "")
	want := map[string]any{"name": "Practice", "texts": map[string]any{"fr": map[string]any{"name": "Cabinet"}}, "access_token_seconds": 0.0, "required_acr": "aal2", "require_par": true}
	for member, value := range want {
		if diff := cmp.Diff(value, changed.json[member]); diff != "" {
			w.Errorf("%s: %s", member, diff)
		}
	}
	w.want(w.call(w.rootKey, http.MethodPatch, path, `{"name": "Y"}`, "If-Match", tag), http.StatusPreconditionFailed, "changed")
	again := w.want(w.call(w.rootKey, http.MethodGet, path, nil), http.StatusOK, "")
	if again.header.Get("ETag") != changed.header.Get("ETag") {
		w.Errorf("the state has two tags: %s and %s", again.header.Get("ETag"), changed.header.Get("ETag"))
	}
	for body, status := range map[string]int{
		`{"name": null}`: 422, `{"redirect_uris": ["javascript:alert(1)"]}`: 422, `{"redirect_uris": []}`: 422, `{"type": "spa"}`: 422,
		`{"client_id": "x"}`: 422, `{"disabled": true}`: 422, `{"require_pkce": "no"}`: 422, `{"access_token_seconds": 9223372036854775807}`: 422,
		`{"access_token_seconds": -5}`: 422, `{"jwks": {"keys": []}}`: 422, `[]`: 422, `{"scopes": ["openid"], "scopes": []}`: 400,
	} {
		if a := w.call(w.rootKey, http.MethodPatch, path, body, "If-Match", "*"); a.status != status {
			w.Errorf("%s: %d %s", body, a.status, a.raw)
		}
	}
	w.patchedTexts(path)
	w.want(w.call(w.rootKey, http.MethodGet, "/clients/nobody", nil), http.StatusNotFound, "not-found")
}

func clientLists(w *world) {
	w.Helper()
	for i := range 5 {
		w.register(accounts.Registration{Name: fmt.Sprintf("fleet %d", i), Type: accounts.MachineClient})
	}
	odd := w.register(accounts.Registration{
		Name: "Fleet desk", Type: accounts.SPAClient, ClientID: "https://desk.example/id", RedirectURIs: []string{"https://[2001:db8::1]/cb", "http://127.0.0.1/cb"},
	})
	fleet := []string{"fleet 0", "fleet 1", "fleet 2", "fleet 3", "fleet 4", "Fleet desk"}
	if diff := cmp.Diff(fleet, w.every(w.rootKey, "/clients?name=FLEET&limit=2", "name")); diff != "" {
		w.Errorf("by name: %s", diff)
	}
	w.want(w.call(w.rootKey, http.MethodPost, clientPath(odd, "/disable"), nil), http.StatusNotFound, "") // not its segment
	segment := "/clients/~aHR0cHM6Ly9kZXNrLmV4YW1wbGUvaWQ"
	w.want(w.call(w.rootKey, http.MethodPost, segment+"/disable", nil), http.StatusNoContent, "")
	for query, want := range map[string][]string{
		"name=fleet&type=machine&limit=200": fleet[:5], "state=disabled": {"Fleet desk"}, "name=fleet&state=enabled": fleet[:5],
		"redirect_host=APP.example.com": {"Practice"}, "redirect_host=two.example.com&name=p": {"Practice"}, "redirect_host=" + url.QueryEscape("[2001:db8::1]"): {"Fleet desk"},
		"redirect_host=example.com": {}, "redirect_host=127.0.0.1&type=web": {}, "name=" + url.QueryEscape("%"): {}, "name=_": {},
	} {
		if diff := cmp.Diff(want, w.every(w.rootKey, "/clients?"+query, "name")); diff != "" {
			w.Errorf("%s: %s", query, diff)
		}
	}
	newest := []string{"Fleet desk", "fleet 4", "fleet 3"}
	if got := w.every(w.rootKey, "/clients?sort=-created_at&limit=2", "name"); !slices.Equal(newest, got[:3]) || len(got) != len(w.every(w.rootKey, "/clients?sort=name", "name")) {
		w.Errorf("newest first: %v", got)
	}
	for _, query := range []string{"sort=-created_at&name=f", "sort=-created_at&redirect_host=a.example", "sort=created_at"} {
		w.want(w.call(w.rootKey, http.MethodGet, "/clients?"+query, nil), http.StatusUnprocessableEntity, "invalid")
	}
	w.want(w.call(w.rootKey, http.MethodPost, segment+"/enable", nil), http.StatusNoContent, "")
	w.want(w.call(w.rootKey, http.MethodDelete, segment, nil), http.StatusNoContent, "")
	w.want(w.call(w.rootKey, http.MethodGet, segment, nil), http.StatusNotFound, "not-found")
	if left := w.every(w.rootKey, "/clients?redirect_host=127.0.0.1", "name"); len(left) != 0 {
		w.Errorf("a host outlives its app: %v", left)
	}
	w.want(w.call(w.rootKey, http.MethodGet, "/clients?colour=red", nil), http.StatusUnprocessableEntity, "")
}

func clientSecrets(w *world, path string, clientID string, key string) {
	w.Helper()
	added := w.want(w.call(w.rootKey, http.MethodPost, path+"/secrets", `{"overlap_seconds": 3600}`), http.StatusCreated, "")
	list := w.want(w.call(w.rootKey, http.MethodGet, path+"/secrets", nil), http.StatusOK, "")
	if len(list.items()) != 2 || list.items()[0]["expires_at"] == nil || list.items()[1]["expires_at"] != nil || list.items()[1]["id"] != added.json["id"] {
		w.Errorf("secrets: %s", list.raw)
	}
	for _, value := range []string{key, added.str("client_secret"), "mac:"} {
		if value == "" || strings.Contains(list.raw, value) || strings.Contains(w.log.String(), value) {
			w.Errorf("a secret is shown again")
		}
	}
	works := func(value string) bool {
		c, _, err := w.db.ClientByID(w.Context(), clientID, w.now().UnixMilli())
		w.must(err)
		ok, err := w.admin.Clients.VerifySecret(w.Context(), c, secretText(value))
		w.must(err)
		return ok
	}
	if !works(key) || !works(added.str("client_secret")) {
		w.Error("both live side by side")
	}
	first := path + "/secrets/" + fmt.Sprint(list.items()[0]["id"])
	w.want(w.call(w.rootKey, http.MethodDelete, first, nil), http.StatusNoContent, "")
	w.want(w.call(w.rootKey, http.MethodDelete, first, nil), http.StatusNotFound, "not-found")
	if works(key) || !works(added.str("client_secret")) {
		w.Error("the one that was ended works, or the other does not")
	}
	w.want(w.call(w.rootKey, http.MethodPost, path+"/compromised", nil), http.StatusNoContent, "")
	if works(added.str("client_secret")) {
		w.Error("a compromised secret works")
	}
	for range 10 {
		w.want(w.call(w.rootKey, http.MethodPost, path+"/secrets", `{"overlap_seconds": 60}`), http.StatusCreated, "")
	}
	w.want(w.call(w.rootKey, http.MethodPost, path+"/secrets", `{"overlap_seconds": 60}`), http.StatusConflict, "not-possible")
	if n := len(w.call(w.rootKey, http.MethodGet, path+"/secrets", nil).items()); n != 10 {
		w.Errorf("%d secrets live, and what was refused is undone", n)
	}
	w.want(w.call(w.rootKey, http.MethodPost, path+"/secrets", `{"overlap_seconds": 7776001}`), http.StatusUnprocessableEntity, "invalid")
	public := w.register(accounts.Registration{Name: "Page", Type: accounts.SPAClient, RedirectURIs: []string{callback}})
	w.want(w.call(w.rootKey, http.MethodPost, clientPath(public, "/secrets"), `{"overlap_seconds": 0}`), http.StatusUnprocessableEntity, "invalid")
}

func secretEndsOnce(w *world) {
	w.Helper()
	c := w.register(accounts.Registration{Name: "Job", Type: accounts.MachineClient})
	path := clientPath(c, "/secrets/"+fmt.Sprint(w.call(w.rootKey, http.MethodGet, clientPath(c, "/secrets"), nil).items()[0]["id"]))
	var ended atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			switch a := w.call(w.rootKey, http.MethodDelete, path, nil); a.status {
			case http.StatusNoContent:
				ended.Add(1)
			case http.StatusNotFound:
			default:
				w.Errorf("%d %s", a.status, a.raw)
			}
		})
	}
	all.Wait()
	if n := ended.Load(); n != 1 {
		w.Errorf("it was ended %d times", n)
	}
}

func permissionSets(w *world) {
	w.Helper()
	machine := w.register(accounts.Registration{Name: "Robot", Type: accounts.MachineClient})
	w.placed(w.want(w.call(w.rootKey, http.MethodPost, "/permission-sets", `{"name": "Writers", "description": "who write"}`), http.StatusCreated, ""))
	w.want(w.call(w.rootKey, http.MethodPost, "/permission-sets", `{"name": "writers"}`), http.StatusConflict, "conflict")
	w.want(w.call(w.rootKey, http.MethodPut, "/permission-sets/writers/permissions/~"+"cG9zdHM6YWRk", nil), http.StatusNoContent, "")
	w.want(w.call(w.rootKey, http.MethodPut, "/permission-sets/writers/clients/"+machine.ClientID, nil), http.StatusNoContent, "")
	w.want(w.call(w.rootKey, http.MethodPut, "/permission-sets/writers/clients/"+w.app.ClientID, nil), http.StatusUnprocessableEntity, "invalid")
	set := w.want(w.call(w.rootKey, http.MethodGet, "/permission-sets/writers", nil), http.StatusOK, "")
	if diff := cmp.Diff([]any{[]any{"posts:add"}, []any{machine.ClientID}}, []any{set.json["permissions"], set.json["clients"]}); diff != "" {
		w.Error(diff)
	}
	held := w.want(w.call(w.rootKey, http.MethodGet, clientPath(machine, ""), nil), http.StatusOK, "")
	if diff := cmp.Diff([]any{[]any{"Writers"}, []any{"posts:add"}, []any{}}, []any{held.json["permission_sets"], held.json["set_permissions"], held.json["permissions"]}); diff != "" {
		w.Error(diff)
	}
	changed := w.want(w.call(w.rootKey, http.MethodPatch, "/permission-sets/writers", `{"description": null}`, "If-Match", set.header.Get("ETag")), http.StatusOK, "")
	if changed.str("description") != "" {
		w.Errorf("changed: %s", changed.raw)
	}
	w.want(w.call(w.rootKey, http.MethodPatch, "/permission-sets/writers", `{}`, "If-Match", set.header.Get("ETag")), http.StatusPreconditionFailed, "changed")
	if diff := cmp.Diff([]string{"Writers"}, w.every(w.rootKey, "/permission-sets?name=WRI", "name")); diff != "" {
		w.Error(diff)
	}
	w.want(w.call(w.rootKey, http.MethodDelete, "/permission-sets/writers/clients/"+machine.ClientID, nil), http.StatusNoContent, "")
	w.want(w.call(w.rootKey, http.MethodDelete, "/permission-sets/writers/permissions/~"+"cG9zdHM6YWRk", nil), http.StatusNoContent, "")
	w.want(w.call(w.rootKey, http.MethodDelete, "/permission-sets/writers", nil), http.StatusNoContent, "")
	w.want(w.call(w.rootKey, http.MethodGet, "/permission-sets/writers", nil), http.StatusNotFound, "not-found")
}
