package api_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

func secretText(s string) secret.Text { return secret.Text(s) }

// tilde writes a name that has other characters than a path may have.
func tilde(name string) string { return "~" + base64.RawURLEncoding.EncodeToString([]byte(name)) }

// groupsWay goes the way of groups: lists, what they hold, members, nesting,
// managers.
func groupsWay(t *testing.T, w *world) {
	for _, name := range []string{"Editors", "Staff", "staff room", "Zoo"} {
		made := w.want(w.call(w.rootKey, http.MethodPost, "/groups", map[string]any{"name": name}), http.StatusCreated, "")
		if made.str("name") != name || w.placed(made) == "" {
			t.Fatalf("made: %s", made.raw)
		}
	}
	w.want(w.call(w.rootKey, http.MethodPost, "/groups", `{"name": "EDITORS"}`), http.StatusConflict, "conflict")
	w.want(w.call(w.rootKey, http.MethodPost, "/groups", `{"name": "A", "superuser": true}`), http.StatusUnprocessableEntity, "invalid")
	one, two := w.person("one"), w.person("two")

	t.Run("list", func(t *testing.T) { groupLists(w.within(t)) })
	t.Run("patch", func(t *testing.T) { groupPatch(w.within(t)) })
	t.Run("permissions and nesting", func(t *testing.T) { groupNesting(w.within(t)) })
	t.Run("members", func(t *testing.T) { groupMembers(w.within(t), one, two) })
	t.Run("managers", func(t *testing.T) { groupManagers(w.within(t), one) })
}

func groupLists(w *world) {
	w.Helper()
	if diff := cmp.Diff([]string{"Editors", "Staff", "staff room", "Zoo"}, w.every(w.rootKey, "/groups?limit=1", "name")); diff != "" {
		w.Error(diff)
	}
	if diff := cmp.Diff([]string{"Staff", "staff room"}, w.every(w.rootKey, "/groups?name=sTaFF", "name")); diff != "" {
		w.Error(diff)
	}
}

func groupPatch(w *world) {
	w.Helper()
	read := w.want(w.call(w.rootKey, http.MethodGet, "/groups/editors", nil), http.StatusOK, "")
	tag := read.header.Get("ETag")
	w.want(w.call(w.rootKey, http.MethodPatch, "/groups/editors", `{"description": "x"}`), http.StatusPreconditionRequired, "if-match-missing")
	changed := w.want(w.call(w.rootKey, http.MethodPatch, "/groups/editors", `{"description": "They edit", "second_factor": true}`, "If-Match", tag), http.StatusOK, "")
	if changed.str("description") != "They edit" || changed.json["second_factor"] != true {
		w.Errorf("changed: %s", changed.raw)
	}
	w.want(w.call(w.rootKey, http.MethodPatch, "/groups/editors", `{"second_factor": null}`, "If-Match", tag), http.StatusPreconditionFailed, "changed")
	back := w.want(w.call(w.rootKey, http.MethodPatch, "/groups/editors", `{"second_factor": null}`, "If-Match", "*"), http.StatusOK, "")
	if back.json["second_factor"] != false || back.str("description") != "They edit" {
		w.Errorf("null takes back one: %s", back.raw)
	}
	w.want(w.call(w.rootKey, http.MethodPatch, "/groups/editors", `{"name": "Other"}`, "If-Match", "*"), http.StatusUnprocessableEntity, "invalid")
	w.want(w.call(w.rootKey, http.MethodPatch, "/groups/nobody", `{}`, "If-Match", "*"), http.StatusNotFound, "not-found")
}

func groupNesting(w *world) {
	w.Helper()
	add := "/groups/staff/permissions/" + tilde("posts:add")
	w.want(w.call(w.rootKey, http.MethodPut, add, nil), http.StatusNoContent, "")
	w.want(w.call(w.rootKey, http.MethodPut, "/groups/staff/permissions/"+tilde("no:such"), nil), http.StatusNotFound, "not-found")
	w.want(w.call(w.rootKey, http.MethodPut, "/groups/staff/children/editors", nil), http.StatusNoContent, "")
	w.want(w.call(w.rootKey, http.MethodPut, "/groups/editors/children/staff", nil), http.StatusConflict, "not-possible")
	effective := w.want(w.call(w.rootKey, http.MethodGet, "/groups/editors/effective", nil), http.StatusOK, "")
	if diff := cmp.Diff([]any{"posts:add"}, effective.json["items"]); diff != "" {
		w.Error(diff)
	}
	group := w.want(w.call(w.rootKey, http.MethodGet, "/groups/staff", nil), http.StatusOK, "")
	if diff := cmp.Diff([]any{[]any{"Editors"}, []any{"posts:add"}, []any{}}, []any{group.json["children"], group.json["permissions"], group.json["parents"]}); diff != "" {
		w.Error(diff)
	}
	if diff := cmp.Diff([]string{"Editors", "Staff"}, w.every(w.rootKey, "/permissions/"+tilde("posts:add")+"/groups?limit=1", "group")); diff != "" {
		w.Error(diff)
	}
	w.want(w.call(w.rootKey, http.MethodDelete, "/groups/staff/children/editors", nil), http.StatusNoContent, "")
	w.want(w.call(w.rootKey, http.MethodDelete, add, nil), http.StatusNoContent, "")
}

func groupMembers(w *world, one *accounts.User, two *accounts.User) {
	w.Helper()
	ends := w.now().Add(time.Hour).UTC().Truncate(time.Second)
	report := w.want(w.call(w.rootKey, http.MethodPost, "/groups/zoo/members", map[string]any{"subs": []string{one.Subject, two.Subject, "nobody"}, "ends_at": ends}), http.StatusOK, "")
	if changed, _ := report.json["changed"].([]any); len(changed) != 2 || cmp.Diff([]any{"nobody"}, report.json["unknown"]) != "" {
		w.Errorf("report: %s", report.raw)
	}
	if diff := cmp.Diff([]string{one.Subject, two.Subject}, w.every(w.rootKey, "/groups/zoo/members?limit=1", "sub")); diff != "" {
		w.Error(diff)
	}
	list := w.call(w.rootKey, http.MethodGet, "/groups/zoo/members", nil)
	if list.items()[0]["ends_at"] != ends.Format(time.RFC3339) || list.items()[0]["username"] != "one" {
		w.Errorf("members: %s", list.raw)
	}
	w.want(w.call(w.rootKey, http.MethodPost, "/groups/zoo/members/remove", map[string]any{"subs": []string{one.Subject}}), http.StatusOK, "")
	w.want(w.call(w.rootKey, http.MethodPut, "/groups/zoo/managers/"+two.Subject, nil), http.StatusNoContent, "")
	group := w.call(w.rootKey, http.MethodGet, "/groups/zoo", nil)
	if diff := cmp.Diff([]any{two.Subject}, group.json["managers"]); diff != "" {
		w.Error(diff)
	}
	w.want(w.call(w.rootKey, http.MethodDelete, "/groups/zoo/managers/"+two.Subject, nil), http.StatusNoContent, "")
	for _, past := range []string{"1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z", w.now().Add(-time.Second).UTC().Format(time.RFC3339)} {
		late := w.want(w.call(w.rootKey, http.MethodPost, "/groups/zoo/members", map[string]any{"subs": []string{two.Subject}, "ends_at": past}), http.StatusUnprocessableEntity, "invalid")
		if !strings.Contains(late.raw, `"pointer":"#/ends_at"`) {
			w.Errorf("no pointer: %s", late.raw)
		}
	}
	if left := w.every(w.rootKey, "/groups/zoo/members", "sub"); len(left) != 1 {
		w.Errorf("an end that has passed has left %v", left)
	}
	many := make([]string, 1001)
	w.want(w.call(w.rootKey, http.MethodPost, "/groups/zoo/members", map[string]any{"subs": many}), http.StatusUnprocessableEntity, "invalid")
	w.want(w.call(w.rootKey, http.MethodPost, "/groups/nobody/members", map[string]any{"subs": []string{one.Subject}}), http.StatusNotFound, "not-found")
}

func groupManagers(w *world, one *accounts.User) {
	w.Helper()
	w.must(w.admin.Groups.GrantPermission(w.Context(), tester, "Zoo", "posts:add"))
	keeper := w.person("keeper", accounts.AdminGroupsWrite)
	token := w.bearer(keeper)
	body := map[string]any{"subs": []string{one.Subject}}
	w.want(w.call(token, http.MethodPost, "/groups/zoo/members", body), http.StatusForbidden, "more-than-held")
	w.want(w.call(w.rootKey, http.MethodPut, "/groups/zoo/managers/"+keeper.Subject, nil), http.StatusNoContent, "")
	w.want(w.call(token, http.MethodPost, "/groups/zoo/members", body), http.StatusOK, "")
	w.want(w.call(token, http.MethodPut, "/groups/zoo/managers/"+one.Subject, nil), http.StatusForbidden, "more-than-held")
	w.want(w.call(token, http.MethodDelete, "/groups/zoo", nil), http.StatusNoContent, "")
}
