package main

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/admin/api"
)

// listing is a page of the console, or a list of the API where its path begins so. Of
// a list, count is what the database is asked for how long it is.
type listing struct{ name, path, count string }

func (l listing) isAPI() bool { return strings.HasPrefix(l.path, api.Base) }

// busySub is the sub of the person with thousands of grants.
func (o *office) busySub() string {
	return o.ask(`SELECT substr(md5('sub' || $1), 1, 22)`, strconv.Itoa(busy))
}

// found is the condition of a search for the beginning of something.
func found(text string) string {
	return strings.ReplaceAll(`(username_key LIKE '?%' OR email_key LIKE '?%' OR lower(name) LIKE '?%' OR lower(regexp_replace(name, '^.* ', '')) LIKE '?%')`, "?", text)
}

func countUsers(condition string) string {
	return `SELECT count(*)::text FROM users u WHERE ` + condition
}

func inGroup(name string) string {
	return `EXISTS (SELECT 1 FROM group_members m JOIN groups g ON g.id = m.group_id WHERE m.user_id = u.id AND g.name = '` + name + `')`
}

// listings is every list of the console and of the API.
func (o *office) listings() []listing {
	return slices.Concat(o.consoleUsers(), o.consoleObjects(), o.apiUsers(), o.apiObjects())
}

func (o *office) consoleUsers() []listing {
	const users = "/admin/users?"
	sub := o.busySub()
	other := o.ask(`SELECT u.sub FROM users u JOIN group_members m ON m.user_id = u.id WHERE u.sub <> $1 LIMIT 1`, sub)
	id := o.ask(`SELECT translate(rtrim(encode(id, 'base64'), '='), '+/', '-_') FROM users ORDER BY id OFFSET $1 LIMIT 1`, crowdSize()/2)
	deep := func(place string) string {
		return users + "after=" + base64.RawURLEncoding.EncodeToString([]byte(place))
	}
	list := []listing{
		{"overview", "/admin/", ""},
		{"users, newest first", "/admin/users", countUsers("true")},
		{"users, newest first, deep", deep(`{"Stage":0,"ID":"` + id + `"}`), ""},
		{"user with thousands of grants", "/admin/users/show?id=" + sub, ""},
		{"user", "/admin/users/show?id=" + other, ""},
		{"users: sub", users + "q=" + sub, countUsers("sub = '" + sub + "'")},
		{"users: nobody", users + "q=nobody%20of%20that%20name", countUsers("false")},
		{"users: q=a, deep", deep(`{"Stage":3,"Key":"anna b"}`) + "&q=a", ""},
	}
	for _, q := range []string{"a", "user", "user19", "zoe", "mueller", "anna b", "user1@exam", "b"} {
		list = append(list, listing{"users: " + q, users + "q=" + url.QueryEscape(q), countUsers(found(q))})
	}
	for which, condition := range map[string]string{"staff": "staff", "superusers": "superuser", "banned": "banned_at > 0", "leaving": "delete_at > 0"} {
		list = append(list, listing{"users, " + which, users + "which=" + which, countUsers(condition)})
		for _, q := range []string{"a", "user", "zoe", "yilmaz"} {
			list = append(list, listing{"users, " + which + ": " + q, users + "which=" + which + "&q=" + q, countUsers(condition + " AND " + found(q))})
		}
	}
	return list
}

func (o *office) consoleObjects() []listing {
	middle := func(table, column, order string) string {
		return o.ask(`SELECT ` + column + ` FROM ` + table + ` ORDER BY ` + order + ` OFFSET (SELECT count(*) / 2 FROM ` + table + `) LIMIT 1`)
	}
	text := func(column string) string {
		return `translate(rtrim(encode(` + column + `, 'base64'), '='), '+/', '-_')`
	}
	sub := o.busySub()
	small := o.ask(`SELECT name FROM groups WHERE id IN (SELECT parent_id FROM group_children) ORDER BY id OFFSET 2 LIMIT 1`)
	key := o.ask(`SELECT key FROM revocations WHERE position = 5`)
	const log = "/admin/audit?"
	return []listing{
		{"groups", "/admin/groups", `SELECT count(*)::text FROM groups`},
		{"groups, deep", "/admin/groups?after=" + url.QueryEscape(middle("groups", "name_key", "name_key")), ""},
		{"groups: s", "/admin/groups?q=S", `SELECT count(*)::text FROM groups WHERE name_key LIKE 's%'`},
		{"group of a fifth of all", "/admin/groups/show?id=Everybody", ""},
		{"group of a fifth of all, deep", "/admin/groups/show?id=Everybody&after=" + middle("users", text("id"), "id"), ""},
		{"group", "/admin/groups/show?id=" + url.QueryEscape(small), ""},
		{"matrix of groups", "/admin/groups/matrix", ""},
		{"APIs", "/admin/apis", `SELECT count(*)::text FROM apis`},
		{"API", "/admin/apis/show?id=" + url.QueryEscape("https://api3.example.com"), ""},
		{"apps", "/admin/clients", `SELECT count(*)::text FROM clients`},
		{"apps: app", "/admin/clients?q=app", `SELECT count(*)::text FROM clients WHERE lower(name) LIKE 'app%'`},
		{"apps: host", "/admin/clients?q=app5.example.com", `SELECT '1'`},
		{"apps, disabled", "/admin/clients?state=disabled", `SELECT count(*)::text FROM clients WHERE disabled_at > 0`},
		{"app with millions of grants", "/admin/clients/show?id=app-1", ""},
		{"who allowed an app", "/admin/clients/consents?id=app-1", `SELECT count(*)::text FROM consents WHERE revoked_at = 0 AND client_id = (SELECT id FROM clients WHERE client_id = 'app-1')`},
		{"permission sets", "/admin/sets", `SELECT count(*)::text FROM permission_sets`},
		{"settings", "/admin/settings", ""},
		{"sessions", "/admin/sessions", `SELECT count(*)::text FROM sessions WHERE ended_at = 0`},
		{"sessions, after many that ended", "/admin/sessions?after=" + o.ask(`SELECT `+text("id")+` FROM sessions ORDER BY id OFFSET (SELECT count(*) * 95 / 100 FROM sessions) LIMIT 1`), ""},
		{"keys", "/admin/keys", ""},
		{"revocations", "/admin/revocations", `SELECT count(*)::text FROM revocations`},
		{"revocations, deep", "/admin/revocations?after=" + middle("revocations", "position::text", "position"), ""},
		{"revocations: user", "/admin/revocations?kind=user", `SELECT count(*)::text FROM revocations WHERE kind = 'user'`},
		{"revocations: all", "/admin/revocations?kind=all", `SELECT count(*)::text FROM revocations WHERE kind = 'all'`},
		{"revocations: key", "/admin/revocations?q=" + key, `SELECT count(*)::text FROM revocations WHERE key = '` + key + `'`},
		{"revocation", "/admin/revocations?id=5", ""},
		{"audit", "/admin/audit", `SELECT count(*)::text FROM audit`},
		{"audit, deep", log + "after=" + middle("audit", text("id"), "id"), ""},
		{"audit: user.*", log + "action=user.", `SELECT count(*)::text FROM audit WHERE action LIKE 'user.%'`},
		{"audit: group.*", log + "action=group.", `SELECT count(*)::text FROM audit WHERE action LIKE 'group.%'`},
		{"audit: of a person", log + "q=" + sub, `SELECT count(*)::text FROM audit WHERE actor_id = '` + sub + `' OR target_id = '` + sub + `'`},
		{"audit: group.* of a person", log + "action=group.&q=" + sub, `SELECT count(*)::text FROM audit WHERE action LIKE 'group.%' AND (actor_id = '` + sub + `' OR target_id = '` + sub + `')`},
		{"audit: nothing", log + "q=nothing", `SELECT '0'`},
	}
}

func (o *office) apiUsers() []listing {
	const users = api.Base + "/users?"
	small := o.ask(`SELECT name FROM groups g WHERE name LIKE 'S%' ORDER BY id LIMIT 1`)
	group := url.QueryEscape(small)
	return []listing{
		{"by name", users, countUsers("true")},
		{"newest first", users + "sort=-created_at", countUsers("true")},
		{"of a large group", users + "group=Everybody", countUsers(inGroup("Everybody"))},
		{"of a group", users + "group=" + group, countUsers(inGroup(small))},
		{"of a large group: a", users + "group=Everybody&search=a", countUsers(inGroup("Everybody") + " AND " + found("a"))},
		{"of a large group: zoe", users + "group=Everybody&search=zoe", countUsers(inGroup("Everybody") + " AND " + found("zoe"))},
		{"of a group: a", users + "search=a&group=" + group, countUsers(inGroup(small) + " AND " + found("a"))},
		{"of a group: user", users + "search=user&group=" + group, countUsers(inGroup(small) + " AND " + found("user"))},
		{"of a large group, superusers", users + "superuser=true&group=Everybody", countUsers(inGroup("Everybody") + " AND superuser")},
		{"of a large group, banned: b", users + "banned=true&search=b&group=Everybody", countUsers(inGroup("Everybody") + " AND banned_at > 0 AND " + found("b"))},
		{"staff, not banned: u", users + "staff=true&banned=false&search=u", countUsers("staff AND banned_at = 0 AND " + found("u"))},
		{"not staff, not banned: user", users + "staff=false&banned=false&search=user", countUsers("NOT staff AND banned_at = 0 AND " + found("user"))},
		{"banned staff", users + "staff=true&banned=true", countUsers("staff AND banned_at > 0")},
		{"to change the password", users + "required_action=change_password", countUsers("required_actions LIKE '%change_password%'")},
		{"to change the password: a", users + "required_action=change_password&search=a", countUsers("required_actions LIKE '%change_password%' AND " + found("a"))},
		{"to accept terms", users + "required_action=accept_terms", countUsers("false")},
	}
}

func (o *office) apiObjects() []listing {
	sub := o.busySub()
	mine := `user_id = (SELECT id FROM users WHERE sub = '` + sub + `')`
	of := func(clientID string) string {
		return `client_id = (SELECT id FROM clients WHERE client_id = '` + clientID + `')`
	}
	const base, count = api.Base, `SELECT count(*)::text FROM `
	since := url.QueryEscape(time.Now().Add(-48 * time.Hour).UTC().Format(time.RFC3339))
	until := url.QueryEscape(time.Now().Add(-47 * time.Hour).UTC().Format(time.RFC3339))
	return []listing{
		{"groups", base + "/groups", count + `groups`},
		{"groups: s", base + "/groups?name=s", count + `groups WHERE name_key LIKE 's%'`},
		{"group of a fifth of all", base + "/groups/Everybody", ""},
		{"members of it", base + "/groups/Everybody/members", count + `group_members m JOIN groups g ON g.id = m.group_id WHERE g.name = 'Everybody'`},
		{"what it gives", base + "/groups/Everybody/effective", ""},
		{"who holds a permission", base + "/permissions/~" + base64.RawURLEncoding.EncodeToString([]byte("thing5:add")) + "/groups", ""},
		{"a user's permissions", base + "/users/" + sub + "/permissions", ""},
		{"grants for an app", base + "/grants?client_id=app-1", count + `grants WHERE ` + of("app-1")},
		{"grants of a user", base + "/grants?sub=" + sub, count + `grants WHERE ` + mine},
		{"grants of both", base + "/grants?client_id=app-1&sub=" + sub, count + `grants WHERE ` + mine + ` AND ` + of("app-1")},
		{"consents for an app", base + "/consents?client_id=app-1", count + `consents WHERE revoked_at = 0 AND ` + of("app-1")},
		{"consents of a user", base + "/consents?sub=" + sub, count + `consents WHERE revoked_at = 0 AND ` + mine},
		{"sessions", base + "/sessions", count + `sessions WHERE ended_at = 0`},
		{"sessions of a user", base + "/sessions?sub=" + sub, count + `sessions WHERE ended_at = 0 AND ` + mine},
		{"revocations", base + "/revocations", count + `revocations`},
		{"revocations: permission", base + "/revocations?kind=permission", count + `revocations WHERE kind = 'permission'`},
		{"followers", base + "/followers", ""},
		{"apps", base + "/clients", count + `clients`},
		{"apps, single-page, disabled", base + "/clients?type=spa&state=disabled", count + `clients WHERE type = 'spa' AND disabled_at > 0`},
		{"APIs", base + "/apis", count + `apis`},
		{"permission sets", base + "/permission-sets", count + `permission_sets`},
		{"keys", base + "/keys", ""},
		{"settings", base + "/settings", ""},
		{"status", base + "/status", ""},
		{"audit: an hour", base + "/audit?since=" + since + "&until=" + until, ""},
		{"audit: bans by a person", base + "/audit?action=user.ban&actor_kind=person&actor_id=" + sub, count + `audit WHERE action = 'user.ban' AND actor_id = '` + sub + `'`},
		{"audit: sessions among sign-ins", base + "/audit?action=user.sign_in&target_kind=session", `SELECT '0'`},
	}
}
