package sqldb

import (
	"fmt"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// crowdOf puts people into a database: person 00001 and so on, of whom all but the
// last three are banned. Those whose number can be divided by two are in the group
// "half", the last ten in the group "few".
func crowdOf(t *testing.T, d *DB, n int) {
	t.Helper()
	ctx := t.Context()
	number := `'person ' || substr(CAST(100000 + i AS text), 2)`
	_, err := d.exec(ctx, `INSERT INTO users (id, sub, username, username_key, email, email_key, name, banned_at, created_at, updated_at)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
SELECT `+d.either(`decode(lpad(to_hex(i), 32, '0'), 'hex')`, `unhex(printf('%032x', i))`)+`, `+number+`, `+number+`, `+number+`, '', '',
  'Some Body', CASE WHEN i <= $1 - 3 THEN 1 ELSE 0 END, 1, 1 FROM n`, n)
	must(t, err)
	for _, g := range []struct{ name, who string }{{"half", `id IN (SELECT id FROM users WHERE username_key LIKE '%0' OR username_key LIKE '%2' OR username_key LIKE '%4' OR username_key LIKE '%6' OR username_key LIKE '%8')`}, {"few", `username_key > '` + fmt.Sprintf("person %05d", n-10) + `'`}} {
		group := &accounts.Group{ID: id.New(), Name: g.name, NameKey: g.name, CreatedAt: 1}
		must(t, d.InsertGroup(ctx, group))
		_, err := d.exec(ctx, `INSERT INTO group_members (user_id, group_id, added_at) SELECT id, $1, 1 FROM users WHERE `+g.who, group.ID)
		must(t, err)
	}
}

// TestUserListsAreBounded: whoever looks for something rare among many gets short
// pages and in the end everybody who fits, once, whichever way the list is walked.
func TestUserListsAreBounded(t *testing.T) {
	const people = 12_000
	yes, no := true, false
	onBoth(t, func(t *testing.T, open opener) {
		d := open(t)
		crowdOf(t, d, people)
		for name, tt := range map[string]struct {
			q    admin.UserQuery
			want int
			most bool // more pages than one are needed, for no page may look at all
		}{
			"the last":                  {admin.UserQuery{Search: "person", Banned: &no}, 3, true},
			"by the name":               {admin.UserQuery{Search: "body", Banned: &no}, 3, true},
			"a range":                   {admin.UserQuery{Search: "person 000", Banned: &no}, 0, false},
			"the last of all":           {admin.UserQuery{Banned: &no}, 3, true},
			"marked":                    {admin.UserQuery{Search: "person 119", Banned: &yes}, people - 3 - 11899, true},
			"marked, not staff":         {admin.UserQuery{Staff: &yes, Banned: &yes}, 0, false},
			"group":                     {admin.UserQuery{Group: "half"}, people / 2, true},
			"group, not banned":         {admin.UserQuery{Group: "half", Banned: &no}, 2, false},
			"group, search":             {admin.UserQuery{Group: "half", Search: "person 1199", Banned: &no}, 1, false},
			"group, search by name":     {admin.UserQuery{Group: "half", Search: "some b", Banned: &no}, 2, true},
			"group, marked":             {admin.UserQuery{Group: "half", Search: "person 000", Banned: &yes}, 49, true},
			"small group":               {admin.UserQuery{Group: "few", Search: "body"}, 10, false},
			"small group, marked":       {admin.UserQuery{Group: "few", Banned: &yes}, 7, false},
			"small group, nobody":       {admin.UserQuery{Group: "few", Search: "person 00001"}, 0, false},
			"one of a group, by sub":    {admin.UserQuery{Group: "few", Search: "person 11999"}, 1, false},
			"one of others, by sub":     {admin.UserQuery{Group: "few", Search: "person 10001"}, 0, false},
			"one who is not, and a sub": {admin.UserQuery{Search: "person 11000", Banned: &no}, 0, false},
		} {
			met, pages := map[id.ID]bool{}, 0
			var next *admin.UserPosition
			for from := (admin.UserPosition{}); pages == 0 || next != nil; pages++ {
				var found []accounts.User
				var err error
				found, next, err = d.UserPage(t.Context(), tt.q, from, admin.MaxPage)
				must(t, err)
				for _, u := range found {
					if met[u.ID] {
						t.Fatalf("%s: %s is met twice", name, u.Username)
					}
					met[u.ID] = true
				}
				if next != nil {
					from = *next
				}
			}
			if len(met) != tt.want || pages > 1 != tt.most {
				t.Errorf("%s: %d met on %d pages, want %d, more pages than one: %v", name, len(met), pages, tt.want, tt.most)
			}
		}
	})
}
