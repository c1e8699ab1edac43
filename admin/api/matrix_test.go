package api_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin/api"
)

// route is one that the router has.
type route struct{ method, path, permission string }

// routes reads the router itself, and the permission of each from the description. A
// route that is not described fails, unless it is one of the few for everybody.
func (w *world) routes() []route {
	w.Helper()
	public := []string{"/openapi.json", "/openapi.yaml", "/docs", "/docs.css"}
	declared := w.description()
	var found []route
	w.must(w.router.Walk(func(r *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		template, err := r.GetPathTemplate()
		path, ours := strings.CutPrefix(template, api.Base)
		if err != nil || !ours || path == "/" || slices.Contains(public, path) {
			return nil
		}
		methods, err := r.GetMethods()
		if err != nil { // whatever else is asked of a path
			plain := strings.NewReplacer("{", "", "}", "").Replace(path)
			w.want(w.call(w.rootKey, http.MethodTrace, plain, nil), http.StatusMethodNotAllowed, "method-not-allowed")
			return nil
		}
		if len(methods) != 1 {
			w.Errorf("%s answers to %v", path, methods)
			return nil
		}
		operation, _ := at(declared, "paths", path, strings.ToLower(methods[0])).(map[string]any)
		permission, _ := operation["x-permission"].(string)
		scopes, _ := at(operation, "security", 0, "gatehouse", 0).(string)
		if permission == "" || scopes != permission || !slices.Contains(accounts.AdminPermissions(), permission) {
			w.Errorf("%s %s declares the permission %q and the scope %q", methods[0], path, permission, scopes)
			return nil
		}
		found = append(found, route{methods[0], path, permission})
		return nil
	}))
	if len(found) < 50 {
		w.Fatalf("only %d routes", len(found))
	}
	return found
}

// description is the OpenAPI document.
func (w *world) description() map[string]any {
	w.Helper()
	return w.want(w.call("", http.MethodGet, "/openapi.json", nil), http.StatusOK, "").json
}

// at goes down into a JSON value by names and places; nil if there is no such way.
func at(v any, way ...any) any {
	for _, step := range way {
		switch step := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[step]
		case int:
			l, _ := v.([]any)
			if step >= len(l) {
				return nil
			}
			v = l[step]
		}
	}
	return v
}

// TestAttack_EveryRouteNeedsItsPermission asks every route that the router has, as
// everybody: only who holds its permission now, with a token that carries it, gets
// past the door (attacks.md 229).
func TestAttack_EveryRouteNeedsItsPermission(t *testing.T) {
	w := newWorld(t)
	banned := w.person("banned", accounts.AdminPermissions()...)
	bannedToken := w.bearer(banned)
	w.must(w.admin.Users.Ban(t.Context(), tester, banned.Subject))
	staff := w.person("staff")
	w.must(w.admin.Users.SetStaff(t.Context(), tester, staff.Subject, true))
	holder := w.person("holder", append([]string{"posts:add"}, accounts.AdminPermissions()...)...)

	// Whoever is not told apart by a permission: nobody gets past, or everybody.
	refused := map[string]struct {
		token  string
		status int
	}{
		"anonymous":                   {"", http.StatusUnauthorized},
		"garbage":                     {"x.y.z", http.StatusUnauthorized},
		"revoked token":               {bannedToken, http.StatusUnauthorized},
		"token of another audience":   {w.bearer(holder, "openid", "posts:add"), http.StatusUnauthorized},
		"person without":              {w.operator("nobody"), http.StatusForbidden},
		"staff without":               {w.bearer(staff), http.StatusForbidden},
		"holder, token without scope": {w.bearer(holder, "openid"), http.StatusForbidden},
		"superuser, no scope":         {w.bearer(w.root, "openid"), http.StatusForbidden},
		"machine with another":        {w.machine("follower", accounts.PermissionSignalsManage), http.StatusForbidden},
	}
	// With its permission alone one is let in, and with all others together not: so no
	// other permission opens the route.
	single, others := map[string]string{}, map[string]string{}
	for _, p := range accounts.AdminPermissions() {
		single[p] = w.machine("only "+p, p)
		others[p] = w.machine("all but "+p, slices.DeleteFunc(accounts.AdminPermissions(), func(q string) bool { return q == p })...)
	}
	narrow := w.bearer(w.root, "openid", accounts.AdminUsersRead)
	all := w.bearer(holder)

	parameter := regexp.MustCompile(`\{\w+\}`)
	for _, rt := range w.routes() {
		path := parameter.ReplaceAllString(rt.path, "nothing")
		for name, who := range refused {
			a := w.call(who.token, rt.method, path, nil)
			if a.status != who.status || a.header.Get("WWW-Authenticate") == "" || a.header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s %s as %s: %d %s %v", rt.method, rt.path, name, a.status, a.raw, a.header)
			}
		}
		w.door(rt, path, "its permission alone", single[rt.permission], true)
		w.door(rt, path, "all others", others[rt.permission], false)
		w.door(rt, path, "a superuser's narrow token", narrow, rt.permission == accounts.AdminUsersRead)
		w.door(rt, path, "a person with all", all, true)
		w.door(rt, path, "a superuser", w.rootKey, true)
	}
	w.advance(11 * time.Minute)
	for _, rt := range w.routes() {
		if a := w.call(w.rootKey, rt.method, parameter.ReplaceAllString(rt.path, "nothing"), nil); a.status != http.StatusUnauthorized {
			t.Errorf("%s %s with an expired token: %d %s", rt.method, rt.path, a.status, a.raw)
		}
	}
}

// door checks whether a caller gets past the permission of a route. Behind it may lie
// other refusals.
func (w *world) door(rt route, path, name, token string, open bool) {
	w.Helper()
	a := w.call(token, rt.method, path, nil)
	lacks := a.status == http.StatusForbidden && a.problem() == "forbidden" && strings.Contains(a.raw, rt.permission)
	switch {
	case a.status == http.StatusUnauthorized || a.status >= 500:
		w.Errorf("%s %s with %s: %d %s", rt.method, rt.path, name, a.status, a.raw)
	case open == lacks:
		w.Errorf("%s %s with %s: let in %v, answered %d %s", rt.method, rt.path, name, open, a.status, a.raw)
	case lacks && !strings.Contains(a.header.Get("WWW-Authenticate"), `scope="`+rt.permission+`"`):
		w.Errorf("%s %s: challenge %q", rt.method, rt.path, a.header.Get("WWW-Authenticate"))
	}
}

// TestAttack_TokenElsewhere: a token in the query, in a cookie or in a body is none,
// two are not one, and no page of another origin may read an answer.
func TestAttack_TokenElsewhere(t *testing.T) {
	w := newWorld(t)
	w.want(w.call("", http.MethodGet, "/users?access_token="+w.rootKey, nil), http.StatusUnauthorized, "unauthorized")
	w.want(w.call("", http.MethodGet, "/users", nil, "Cookie", "access_token="+w.rootKey), http.StatusUnauthorized, "unauthorized")
	w.want(w.call("", http.MethodPost, "/users", "access_token="+w.rootKey, "Content-Type", "application/x-www-form-urlencoded"), http.StatusUnauthorized, "unauthorized")
	w.want(w.call("", http.MethodGet, "/users", nil, "Authorization", "Basic "+w.rootKey), http.StatusUnauthorized, "unauthorized")
	two := httptest.NewRequest(http.MethodGet, issuer+api.Base+"/users", nil)
	two.Header.Add("Authorization", "Bearer "+w.rootKey)
	two.Header.Add("Authorization", "Bearer "+w.rootKey)
	rec := httptest.NewRecorder()
	w.server.ServeHTTP(rec, two)
	if rec.Code != http.StatusBadRequest {
		t.Errorf("two tokens: %d %s", rec.Code, rec.Body)
	}
	for _, token := range []string{"", w.rootKey} {
		for _, method := range []string{http.MethodGet, http.MethodOptions} {
			a := w.call(token, method, "/users", nil, "Origin", "https://evil.example", "Access-Control-Request-Method", "POST")
			for name := range a.header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s sends %s", method, name)
				}
			}
		}
	}
	a := w.want(w.call("", http.MethodGet, "/nothing/here", nil), http.StatusNotFound, "not-found")
	if a.str("request_id") == "" || a.str("request_id") != a.header.Get("X-Request-Id") {
		t.Errorf("request id %q: %s", a.header.Get("X-Request-Id"), a.raw)
	}
	a = w.want(w.call(w.rootKey, http.MethodTrace, "/users", nil), http.StatusMethodNotAllowed, "method-not-allowed")
	if a.header.Get("Allow") != "GET, POST" {
		t.Errorf("Allow: %q", a.header.Get("Allow"))
	}
}
