package api_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin/api"
	"github.com/gatehouse-id/gatehouse/internal/counts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/revocation"
	"github.com/gatehouse-id/gatehouse/revocation/feed"
)

// newestRow is the newest row of the ledger.
func (w *world) newestRow() revocation.Row {
	w.Helper()
	head, err := w.db.Head(w.Context())
	w.must(err)
	row, err := w.db.RowAt(w.Context(), head.Position)
	w.must(err)
	return row
}

// TestObjects goes through the objects beside users, one after the other in one world.
func TestObjects(t *testing.T) {
	w := newWorld(t)
	for _, part := range []struct {
		name string
		test func(t *testing.T, w *world)
	}{
		{"connections", connectionsWay}, {"groups", groupsWay}, {"clients", clientsWay}, {"APIs", apisWay}, {"tokens", singleTokens}, {"budget", revocationBudget}, {"managed", managedWay},
		{"keys and ledger", keysAndLedger}, // it ends everybody's tokens, as the next does
		{"causes", causesWay},
	} {
		t.Run(part.name, func(t *testing.T) { part.test(t, w.within(t)) })
	}
}

// apisWay goes the way of an API and its permissions.
func apisWay(t *testing.T, w *world) {
	made := w.want(w.call(w.rootKey, http.MethodPost, "/apis", map[string]any{
		"audience": "https://notes.example.com/", "name": "Notes", "texts": map[string]any{"de": map[string]any{"name": "Notizen"}},
		"permissions": []map[string]any{{"name": "notes:read", "description": "Can read notes"}}, "token_seconds": 60,
	}), http.StatusCreated, "")
	if len(made.str("client_secret")) != 43 || made.str("client_id") == "" {
		t.Fatalf("made: %s", made.raw)
	}
	path := w.placed(made)
	if path != api.Base+"/apis/"+tilde("https://notes.example.com") {
		t.Errorf("Location %q", path)
	}
	read := w.want(w.call(w.rootKey, http.MethodGet, path, nil), http.StatusOK, "")
	if diff := cmp.Diff(made.json["api"], any(read.json)); diff != "" || read.str("resource_server") != made.str("client_id") {
		t.Errorf("read is another than made: %s", diff)
	}
	w.want(w.call(w.rootKey, http.MethodPost, "/apis", `{"audience": "https://notes.example.com", "name": "N"}`), http.StatusConflict, "conflict")
	w.want(w.call(w.rootKey, http.MethodPost, "/apis", `{"audience": "notes", "name": "N"}`), http.StatusUnprocessableEntity, "invalid")
	w.want(w.call(w.rootKey, http.MethodDelete, "/clients/"+made.str("client_id"), nil), http.StatusConflict, "of-api")
	shortRefusal(w)

	changed := w.want(w.call(w.rootKey, http.MethodPatch, path, `{"name": "Pads", "texts": null, "token_seconds": null}`, "If-Match", read.header.Get("ETag")), http.StatusOK, "")
	if changed.str("name") != "Pads" || changed.json["token_seconds"] != 0.0 || changed.json["texts"] != nil {
		t.Errorf("changed: %s", changed.raw)
	}
	w.want(w.call(w.rootKey, http.MethodPatch, path, `{"name": "Z"}`, "If-Match", read.header.Get("ETag")), http.StatusPreconditionFailed, "changed")
	w.want(w.call(w.rootKey, http.MethodPatch, path, `{"token_seconds": 3601}`, "If-Match", "*"), http.StatusUnprocessableEntity, "invalid")
	w.patchedTexts(path)

	write := path + "/permissions/" + tilde("notes:write")
	w.want(w.call(w.rootKey, http.MethodPost, path+"/permissions", `{"name": "notes:write", "description": "Can write"}`), http.StatusNoContent, "")
	w.want(w.call(w.rootKey, http.MethodPost, path+"/permissions", `{"name": "notes:write", "description": "Can write"}`), http.StatusConflict, "conflict")
	w.want(w.call(w.rootKey, http.MethodPost, path+"/permissions", `{"name": "admin:users:read", "description": "x"}`), http.StatusUnprocessableEntity, "invalid")
	w.want(w.call(w.rootKey, http.MethodPut, write, `{"description": "Can write notes"}`), http.StatusNoContent, "")
	list, _ := w.call(w.rootKey, http.MethodGet, path, nil).json["permissions"].([]any)
	if len(list) != 2 || list[1].(map[string]any)["description"] != "Can write notes" {
		t.Errorf("permissions: %v", list)
	}
	w.want(w.call(w.rootKey, http.MethodDelete, write, nil), http.StatusNoContent, "")
	if row := w.newestRow(); row.Kind != revocation.Permission || row.Key != "notes:write" {
		t.Errorf("no row for the permission that is gone: %+v", row)
	}
	w.want(w.call(w.rootKey, http.MethodDelete, write, nil), http.StatusNotFound, "not-found")

	if diff := cmp.Diff([]string{issuer, "https://notes.example.com", posts}, w.every(w.rootKey, "/apis?limit=1", "audience")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"https://notes.example.com"}, w.every(w.rootKey, "/apis?text=PAD", "audience")); diff != "" {
		t.Error(diff)
	}
	own := "/apis/" + tilde(issuer)
	w.want(w.call(w.rootKey, http.MethodPatch, own, `{"name": "X"}`, "If-Match", "*"), http.StatusConflict, "built-in")
	for _, state := range []string{"/disable", "/enable"} {
		w.want(w.call(w.rootKey, http.MethodPost, own+state, nil), http.StatusConflict, "built-in")
		w.want(w.call(w.rootKey, http.MethodPost, path+state, nil), http.StatusNoContent, "")
	}
	w.want(w.call(w.rootKey, http.MethodDelete, own, nil), http.StatusConflict, "built-in")
	w.want(w.call(w.rootKey, http.MethodDelete, path, nil), http.StatusNoContent, "")
	w.want(w.call(w.rootKey, http.MethodGet, path, nil), http.StatusNotFound, "not-found")
	w.want(w.call(w.rootKey, http.MethodGet, "/clients/"+made.str("client_id"), nil), http.StatusNotFound, "not-found")
}

// shortRefusal: however much of a body is wrong, the answer is short.
func shortRefusal(w *world) {
	w.Helper()
	wrong := `{"audience": "https://x.example", "name": "X", "permissions": [` + strings.Repeat(`{"x": 1}, `, 400) + `{}]}`
	many := w.want(w.call(w.rootKey, http.MethodPost, "/apis", wrong), http.StatusUnprocessableEntity, "invalid")
	if fields, _ := many.json["errors"].([]any); len(fields) != 21 || at(fields[20], "detail") != "and 1182 more" || len(many.raw) > len(wrong) {
		w.Errorf("%d errors: %s", len(fields), many.raw)
	}
}

// connectionsWay: sessions, grants and consents are listed of an app and a person, and
// end.
func connectionsWay(t *testing.T, w *world) {
	ada, bob := w.person("ada"), w.person("bob")
	for range 2 {
		w.bearer(ada, "openid")
	}
	w.bearer(bob, "openid")
	sub := "?sub=" + ada.Subject

	if diff := cmp.Diff([]string{"bob", "ada", "ada", "root"}, w.every(w.rootKey, "/sessions?limit=1", "username")); diff != "" {
		t.Error(diff)
	}
	mine := w.want(w.call(w.rootKey, http.MethodGet, "/sessions"+sub, nil), http.StatusOK, "")
	if diff := cmp.Diff([]string{"live", "live"}, mine.names("state")); diff != "" {
		t.Error(diff)
	}
	session := "/sessions/" + mine.names("sid")[0]
	w.want(w.call(w.rootKey, http.MethodDelete, session, nil), http.StatusNoContent, "")
	if row := w.newestRow(); row.Kind != revocation.Session || row.Key != mine.names("sid")[0] {
		t.Errorf("no row for the session: %+v", row)
	}
	w.want(w.call(w.rootKey, http.MethodDelete, session, nil), http.StatusNotFound, "not-found")
	if diff := cmp.Diff(mine.names("sid")[1:], w.every(w.rootKey, "/sessions"+sub, "sid")); diff != "" {
		t.Error(diff)
	}

	grantsAndConsents(w, ada, mine.names("sid")[0])
	disconnected(w, bob)
}

// grantsAndConsents looks at the grants and consents of ada, of whose two sessions one
// has ended.
func grantsAndConsents(w *world, ada *accounts.User, sid string) {
	w.Helper()
	sub, client := "?sub="+ada.Subject, "?client_id="+w.app.ClientID
	for _, list := range []string{"/grants", "/consents"} {
		w.want(w.call(w.rootKey, http.MethodGet, list, nil), http.StatusUnprocessableEntity, "invalid")
		if none := w.every(w.rootKey, list+"?sub=nobody", "sub"); len(none) != 0 {
			w.Errorf("%s of nobody: %v", list, none)
		}
	}
	if diff := cmp.Diff([]string{"bob", "ada", "ada", "root"}, w.every(w.rootKey, "/grants"+client+"&limit=1", "username")); diff != "" {
		w.Error(diff)
	}
	both := w.want(w.call(w.rootKey, http.MethodGet, "/grants"+client+"&sub="+ada.Subject, nil), http.StatusOK, "")
	if diff := cmp.Diff([]string{"session-ended", "<nil>"}, reversed(both.names("end_reason"))); diff != "" {
		w.Errorf("one ended with its session: %s", diff)
	}
	oldest := w.every(w.rootKey, "/sessions?sort=created_at&limit=1", "sid")
	newest := w.every(w.rootKey, "/sessions?limit=2", "sid")
	slices.Reverse(newest)
	if len(oldest) < 2 || !slices.Equal(newest, oldest) {
		w.Errorf("sessions from their ends: %v and %v", newest, oldest)
	}
	live := both.names("gid")[0]
	if both.items()[0]["ended_at"] != nil {
		live = both.names("gid")[1]
	}
	w.want(w.call(w.rootKey, http.MethodDelete, "/grants/"+live, nil), http.StatusNoContent, "")
	if row := w.newestRow(); row.Kind != revocation.Grant || row.Key != live {
		w.Errorf("no row for the grant: %+v", row)
	}
	w.want(w.call(w.rootKey, http.MethodDelete, "/grants/"+sid, nil), http.StatusNotFound, "not-found")

	if diff := cmp.Diff([]string{"root", "ada", "bob"}, w.every(w.rootKey, "/consents"+client+"&limit=1", "username")); diff != "" {
		w.Error(diff)
	}
	consent := "/consents/" + w.app.ClientID + "/" + ada.Subject
	w.want(w.call(w.rootKey, http.MethodDelete, consent, nil), http.StatusNoContent, "")
	w.want(w.call(w.rootKey, http.MethodDelete, consent, nil), http.StatusNotFound, "not-found")
	if left := w.every(w.rootKey, "/consents"+sub, "client_id"); len(left) != 0 {
		w.Errorf("consents that were taken back: %v", left)
	}
}

// disconnected takes back what everybody allowed an app.
func disconnected(w *world, bob *accounts.User) {
	w.Helper()
	other := w.register(accounts.Registration{Name: "Other", Type: accounts.WebClient, RedirectURIs: []string{callback}})
	w.must(w.admin.Consents.Allow(w.Context(), tester, bob, other.Client, []string{"openid"}, []string{"openid"}))
	disconnect := clientPath(other, "/disconnect")
	w.want(w.call(w.rootKey, http.MethodPost, disconnect, `{"confirm": "yes"}`), http.StatusConflict, "not-possible")
	w.want(w.call(w.rootKey, http.MethodPost, disconnect, map[string]any{"confirm": other.ClientID}), http.StatusNoContent, "")
	if row := w.newestRow(); row.Kind != revocation.Client || row.Key != other.ClientID {
		w.Errorf("no row for the client: %+v", row)
	}
	if left := w.every(w.rootKey, "/consents?client_id="+other.ClientID, "sub"); len(left) != 0 {
		w.Errorf("consents that were taken back: %v", left)
	}
}

// asNumbers is the order of whole numbers as texts.
func asNumbers(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

func reversed(list []string) []string {
	if len(list) == 2 && list[0] == "<nil>" {
		return []string{list[1], list[0]}
	}
	return list
}

// keysAndLedger: keys turn with their guards, revocations are made and explained,
// with who has applied them, and the audit log and the status tell of it.
func keysAndLedger(t *testing.T, w *world) {

	t.Run("keys", func(t *testing.T) { keyTurns(w.within(t)) })

	ada := w.person("eve")
	w.bearer(ada, "openid")
	t.Run("revocations", func(t *testing.T) { ledgerRows(w.within(t), ada) })

	t.Run("audit and status", func(t *testing.T) { auditAndStatus(w.within(t), ada) })

	// At the end: it ends everybody's tokens.
	w.want(w.call(w.rootKey, http.MethodPost, "/revocations", `{"kind": "all", "confirm": "all", "reason": "drill"}`), http.StatusNoContent, "")
	if row := w.newestRow(); row.Kind != revocation.All || row.Reason != "drill" {
		t.Errorf("no row for all: %+v", row)
	}
	w.want(w.call(w.rootKey, http.MethodGet, "/status", nil), http.StatusUnauthorized, "")
}

func keyTurns(w *world) {
	w.Helper()
	list := w.want(w.call(w.rootKey, http.MethodGet, "/keys", nil), http.StatusOK, "")
	if n := len(list.items()); n != 8 || strings.Contains(list.raw, "sealed") || strings.Contains(list.raw, "\"d\"") {
		w.Errorf("%d keys: %s", n, list.raw)
	}
	rotated := w.want(w.call(w.rootKey, http.MethodPost, "/keys/rotate", `{"algorithm": "EdDSA"}`), http.StatusOK, "")
	if changes, _ := rotated.json["changes"].([]any); len(changes) != 3 {
		w.Errorf("rotated: %s", rotated.raw)
	}
	w.want(w.call(w.rootKey, http.MethodPost, "/keys/rotate", `{"algorithm": "EdDSA"}`), http.StatusConflict, "not-possible")
	w.want(w.call(w.rootKey, http.MethodPost, "/keys/rotate", `{"algorithm": "EdDSA", "force": true}`), http.StatusOK, "")
	w.want(w.call(w.rootKey, http.MethodPost, "/keys/rotate", `{"algorithm": "none"}`), http.StatusUnprocessableEntity, "invalid")
	var kid string
	for _, k := range w.call(w.rootKey, http.MethodGet, "/keys", nil).items() {
		if k["algorithm"] == "EdDSA" && k["state"] == "active" {
			kid = fmt.Sprint(k["kid"])
		}
	}
	path := "/keys/" + kid + "/compromise"
	w.want(w.call(w.rootKey, http.MethodPost, path, `{"confirm": "x", "reason": "lost laptop"}`), http.StatusConflict, "not-possible")
	w.want(w.call(w.rootKey, http.MethodPost, path, map[string]any{"confirm": kid, "reason": "two\nlines"}), http.StatusUnprocessableEntity, "invalid")
	w.want(w.call(w.rootKey, http.MethodPost, path, map[string]any{"confirm": kid, "reason": "lost laptop"}), http.StatusOK, "")
	if row := w.newestRow(); row.Kind != revocation.Key || row.Key != kid {
		w.Errorf("no row for the key: %+v", row)
	}
	w.want(w.call(w.rootKey, http.MethodPost, "/keys/nobody/compromise", `{"confirm": "nobody", "reason": "x"}`), http.StatusNotFound, "not-found")
}

func ledgerRows(w *world, ada *accounts.User) {
	w.Helper()
	for body, status := range map[string]int{
		`{"kind": "user", "key": "` + ada.Subject + `"}`:                              http.StatusConflict,
		`{"kind": "user", "key": "nobody", "confirm": "nobody"}`:                      http.StatusNotFound,
		`{"kind": "session", "key": "x"}`:                                             http.StatusNotFound,
		`{"kind": "client", "key": "nobody", "confirm": "nobody"}`:                    http.StatusNotFound,
		`{"kind": "all", "confirm": "ALL", "reason": "drill"}`:                        http.StatusConflict,
		`{"kind": "all", "confirm": "all"}`:                                           http.StatusUnprocessableEntity,
		`{"kind": "key", "key": "x"}`:                                                 http.StatusUnprocessableEntity,
		`{"kind": "user", "key": "` + ada.Subject + `", "confirm": "", "expires": 1}`: http.StatusUnprocessableEntity,
	} {
		if a := w.call(w.rootKey, http.MethodPost, "/revocations", body); a.status != status {
			w.Errorf("%s: %d %s", body, a.status, a.raw)
		}
	}
	w.want(w.call(w.rootKey, http.MethodPost, "/revocations", map[string]any{"kind": "user", "key": ada.Subject, "confirm": ada.Subject}), http.StatusNoContent, "")
	row := w.newestRow()
	now := w.now().UnixMilli()
	w.must(w.db.WriteReports(w.Context(), []feed.Applied{
		{ClientID: "rs", Instance: "one", Audience: posts, Timeline: "t", Position: row.Position, State: "fresh", ReportedAt: now},
		{ClientID: "rs", Instance: "two", Audience: posts, Timeline: "t", Position: row.Position - 1, State: "fresh", ReportedAt: now},
		{ClientID: "rs", Instance: "old", Audience: posts, Timeline: "t", Position: row.Position, State: "fresh", ReportedAt: now - time.Hour.Milliseconds()},
	}))
	list := w.want(w.call(w.rootKey, http.MethodGet, "/revocations?kind=user&key="+ada.Subject, nil), http.StatusOK, "")
	if first := list.items(); len(first) != 1 || first[0]["concerned"] != 2.0 || first[0]["applied"] != 1.0 {
		w.Errorf("list: %s", list.raw)
	}
	w.want(w.call(w.rootKey, http.MethodGet, "/revocations?kind=nothing", nil), http.StatusUnprocessableEntity, "invalid")
	if oldest := w.every(w.rootKey, "/revocations?limit=3&sort=position", "position"); oldest[0] != "1" || !slices.IsSortedFunc(oldest, asNumbers) {
		w.Errorf("oldest first: %v", oldest)
	}
	if kinds := w.every(w.rootKey, "/revocations?limit=1", "kind"); len(kinds) < 2 || kinds[0] != "user" {
		w.Errorf("kinds, newest first: %v", kinds)
	}
	one := w.want(w.call(w.rootKey, http.MethodGet, fmt.Sprintf("/revocations/%d", row.Position), nil), http.StatusOK, "")
	receipts, _ := one.json["receipts"].([]any)
	events, _ := one.json["events"].([]any)
	if len(receipts) != 2 || len(events) == 0 || receipts[0].(map[string]any)["acknowledged_at"] == nil || receipts[1].(map[string]any)["acknowledged_at"] != nil {
		w.Errorf("explained: %s", one.raw)
	}
	w.want(w.call(w.rootKey, http.MethodGet, "/revocations/999999", nil), http.StatusNotFound, "not-found")
	followers := w.want(w.call(w.rootKey, http.MethodGet, "/followers", nil), http.StatusOK, "")
	if diff := cmp.Diff([]string{"one", "two"}, followers.names("instance")); diff != "" || followers.json["head"] != float64(row.Position) {
		w.Errorf("followers: %s", followers.raw)
	}
}

func auditAndStatus(w *world, ada *accounts.User) {
	w.Helper()
	found := w.want(w.call(w.rootKey, http.MethodGet, "/audit?target_kind=user&action=user.&target_id="+ada.Subject, nil), http.StatusOK, "")
	if len(found.items()) < 3 || found.items()[0]["actor_id"] != w.root.Subject {
		w.Errorf("audit: %s", found.raw)
	}
	if by := found.items()[0]; by["client_id"] != w.app.ClientID || by["sid"] == nil {
		w.Errorf("through which app, and in which session: %v", by)
	}
	actions := found.names("action")
	if diff := cmp.Diff(actions, w.every(w.rootKey, "/audit?target_kind=user&action=user.&limit=1&target_id="+ada.Subject, "action")); diff != "" {
		w.Errorf("page by page: %s", diff)
	}
	event := w.want(w.call(w.rootKey, http.MethodGet, "/audit/"+found.names("id")[0], nil), http.StatusOK, "")
	if diff := cmp.Diff(found.items()[0], event.json); diff != "" {
		w.Error(diff)
	}
	later := w.now().Add(time.Hour).UTC().Format(time.RFC3339)
	if none := w.every(w.rootKey, "/audit?since="+later, "id"); len(none) != 0 {
		w.Errorf("from the future: %v", none)
	}
	w.want(w.call(w.rootKey, http.MethodGet, "/audit?since="+later+"&until=2020-01-01T00:00:00Z", nil), http.StatusUnprocessableEntity, "invalid")
	w.want(w.call(w.rootKey, http.MethodGet, "/audit/"+ada.Subject, nil), http.StatusNotFound, "not-found")

	w.counter.Count(counts.What{Kind: counts.SignIn, Name: counts.Success}, id.ID{})
	w.must(w.counter.Flush(w.Context()))
	status := w.want(w.call(w.rootKey, http.MethodGet, "/status", nil), http.StatusOK, "")
	activity, _ := status.json["activity"].(map[string]any)
	parts, _ := status.json["parts"].([]any)
	keys, _ := status.json["keys"].([]any)
	if len(parts) != 1 || parts[0].(map[string]any)["answers"] != true || len(keys) == 0 || activity["grants"].(float64) < 2 || status.json["ledger"] == nil {
		w.Errorf("status: %s", status.raw)
	}
	if signIns, _ := activity["sign_ins"].([]any); len(signIns) == 0 || signIns[0].(map[string]any)["result"] != "success" {
		w.Errorf("sign-ins: %s", status.raw)
	}
	reader := w.operator("reader", accounts.AdminAuditRead)
	less := w.want(w.call(reader, http.MethodGet, "/status", nil), http.StatusOK, "")
	for _, hidden := range []string{"ledger", "keys", "followers"} {
		if less.json[hidden] != nil {
			w.Errorf("somebody who may not see it is shown %s", hidden)
		}
	}
}
