package api_test

import (
	"fmt"
	"net/http"
	"net/url"

	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
)

// crowd makes people to be listed, all of them in the group of author.
func (w *world) crowd() {
	w.Helper()
	w.person("author", "posts:add")
	for i, name := range []string{"Ada Lovelace", "Änne Ångström", "Grace Hopper", "Ada Yonath", "Barbara Liskov", "Lovelace Linda"} {
		u, err := w.admin.Users.Create(w.Context(), tester, accounts.NewUser{
			Username: fmt.Sprintf("crowd%d", i), Name: name, Email: fmt.Sprintf("mail%d@example.com", i),
		})
		w.must(err)
		w.must(w.admin.Groups.AddMember(w.Context(), tester, "group of author", u.Subject, 0))
		switch i {
		case 0:
			w.must(w.admin.Users.SetStaff(w.Context(), tester, u.Subject, true))
		case 1:
			w.must(w.admin.Users.Ban(w.Context(), tester, u.Subject))
		case 2:
			w.must(w.admin.Users.Require(w.Context(), tester, u.Subject, accounts.ActionChangePassword))
		case 3:
			_, err := w.admin.Deletion.Plan(w.Context(), tester, u.Subject)
			w.must(err)
		}
	}
}

// listed goes through a list and returns one member of each item.
func (w *world) listed(query string, limit int) []string {
	w.Helper()
	var found []string
	path := fmt.Sprintf("/users?limit=%d&%s", limit, query)
	for pages := 0; ; pages++ {
		a := w.want(w.call(w.rootKey, http.MethodGet, path, nil), http.StatusOK, "")
		if len(a.items()) > limit || pages > 50 {
			w.Fatalf("page %d of %s has %d items", pages, query, len(a.items()))
		}
		for _, item := range a.items() {
			found = append(found, item["username"].(string))
		}
		if a.str("next") == "" {
			return found
		}
		link, is := strings.CutSuffix(a.header.Get("Link"), `>; rel="next"`)
		path = strings.TrimPrefix(link, "<")
		u, err := url.Parse(path)
		if err != nil || !is || u.Query().Get("cursor") != a.str("next") || u.Query().Get("limit") != fmt.Sprint(limit) {
			w.Fatalf("Link %q, next %q", a.header.Get("Link"), a.str("next"))
		}
	}
}

// TestUserLists: each order, search and filter shows each user once, whatever the
// pages' size, on both engines.
func TestUserLists(t *testing.T) {
	for engine, open := range map[string]func(testing.TB) string{"SQLite": sqldbtest.SQLite, "PostgreSQL": sqldbtest.Postgres} {
		t.Run(engine, func(t *testing.T) {
			w := newWorldOn(t, open(t))
			w.crowd()
			all := []string{"author", "crowd0", "crowd1", "crowd2", "crowd3", "crowd4", "crowd5", "root"}
			newest := []string{"crowd5", "crowd4", "crowd3", "crowd2", "crowd1", "crowd0", "author", "root"}
			for query, want := range map[string][]string{
				"":                                 all,
				"sort=username":                    all,
				"sort=-created_at":                 newest,
				"group=Group+of+author":            {"author", "crowd0", "crowd1", "crowd2", "crowd3", "crowd4", "crowd5"},
				"staff=true":                       {"crowd0", "root"},
				"superuser=true":                   {"root"},
				"banned=true":                      {"crowd1"},
				"leaving=true":                     {"crowd3"},
				"required_action=change_password":  {"crowd2"},
				"required_action=verify_email":     nil,
				"staff=true&superuser=false":       {"crowd0"},
				"sort=-created_at&staff=true":      {"crowd0", "root"},
				"search=CROWD":                     all[1:7],
				"search=crowd3":                    {"crowd3"},
				"search=mail1@":                    {"crowd1"},
				"search=MAIL":                      all[1:7],
				"search=ada":                       {"crowd0", "crowd3"},
				"search=lovelace":                  {"crowd5", "crowd0"}, // the name before the last word
				"search=%C3%A4nne":                 {"crowd1"},
				"search=%C3%A5ngstr%C3%B6m":        {"crowd1"},
				"search=hopp":                      {"crowd2"},
				"search=a":                         {"author", "crowd0", "crowd3"},
				"search=a&group=group+of+author":   {"author", "crowd0", "crowd3"},
				"search=ada&leaving=true":          {"crowd3"},
				"search=nobody":                    nil,
				"search=%25":                       nil,
				"search=" + w.root.Subject:         {"root"},
				"search=100%25+_":                  nil,
				"search=%20%20grace%20h":           {"crowd2"},
				"group=group+of+author&staff=true": {"crowd0"},
			} {
				for _, limit := range []int{1, 3, 200} {
					if diff := cmp.Diff(want, w.listed(query, limit)); diff != "" {
						t.Errorf("%s by %d: %s", query, limit, diff)
					}
				}
			}
			w.want(w.call(w.rootKey, http.MethodGet, "/users?group=nobody", nil), http.StatusNotFound, "not-found")
		})
	}
}

// TestListParameters: what cannot be meant is refused.
func TestListParameters(t *testing.T) {
	w := newWorld(t)
	for query, problem := range map[string]string{
		"limit=0": "invalid", "limit=201": "invalid", "limit=x": "invalid", "limit=-1": "invalid", "limit=1&limit=2": "bad-request",
		"staff=yes": "invalid", "sort=name": "invalid", "sort=-created_at&search=a": "invalid", "colour=red": "invalid",
		"cursor=x": "bad-cursor", "cursor=" + strings.Repeat("A", 2049): "invalid", "search=" + strings.Repeat("a", 257): "invalid",
		"required_action=keep_account": "invalid", "search=a;b": "bad-request", "search=%zz": "bad-request", "search=a%00": "bad-request",
		"search=%ff": "bad-request", "%00=a": "bad-request",
	} {
		a := w.call(w.rootKey, http.MethodGet, "/users?"+query, nil)
		if a.problem() != problem || strings.Contains(a.raw, "more than once") != (query == "limit=1&limit=2") {
			t.Errorf("%s: %d %s", query, a.status, a.raw)
		}
	}
	for _, path := range []string{"/users/~AA", "/users/~_w", "/clients/~AA", "/permissions/~AA/groups", "/groups/~YQD_"} {
		w.want(w.call(w.rootKey, http.MethodGet, path, nil), http.StatusNotFound, "not-found")
	}
}

// TestAttack_CursorOfSomebodyElse: a cursor is good for its caller, its list and its
// filters alone (attacks.md 232).
func TestAttack_CursorOfSomebodyElse(t *testing.T) {
	w := newWorld(t)
	w.crowd()
	other := w.operator("other", accounts.AdminUsersRead, accounts.AdminGroupsRead)
	first := w.want(w.call(w.rootKey, http.MethodGet, "/users?limit=2&banned=false", nil), http.StatusOK, "")
	cursor := first.str("next")
	w.want(w.call(w.rootKey, http.MethodGet, "/users?limit=3&banned=false&cursor="+cursor, nil), http.StatusOK, "")
	w.want(w.call(w.rootKey, http.MethodGet, "/users?banned=true&cursor="+cursor, nil), http.StatusBadRequest, "bad-cursor")
	w.want(w.call(w.rootKey, http.MethodGet, "/users?cursor="+cursor, nil), http.StatusBadRequest, "bad-cursor")
	w.want(w.call(w.rootKey, http.MethodGet, "/groups?cursor="+cursor, nil), http.StatusBadRequest, "bad-cursor")
	w.want(w.call(other, http.MethodGet, "/users?banned=false&cursor="+cursor, nil), http.StatusBadRequest, "bad-cursor")
	for i := range cursor {
		changed := []byte(cursor)
		if changed[i]++; i%7 == 0 {
			w.want(w.call(w.rootKey, http.MethodGet, "/users?banned=false&cursor="+url.QueryEscape(string(changed)), nil), http.StatusBadRequest, "bad-cursor")
		}
	}
}
