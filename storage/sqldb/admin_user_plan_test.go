package sqldb

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// userTexts are the statements of lists of users, with the index that each must walk:
// by its name, or by those of which one will do.
func userTexts() map[string]planned {
	yes, no, group, from := true, false, id.New(), admin.UserPosition{Key: "a", ID: id.New()}
	texts := map[string]planned{}
	add := func(name string, q admin.UserQuery, g id.ID) {
		for _, small := range []bool{true, false} {
			l := userList{UserQuery: q, group: g, walks: userWalks(q, g, small)}
			for at := range l.walks {
				from.Stage = at
				s := l.step(from, 50)
				texts[fmt.Sprint(name, small, at)] = planned{sql: s.sql, args: s.args}
				if l.walks[at].stepwise() {
					s = l.end(from)
					texts[fmt.Sprint(name, small, at, " end")] = planned{sql: s.sql, args: s.args}
				}
			}
		}
	}
	add("all", admin.UserQuery{}, id.ID{})
	add("newest", admin.UserQuery{Newest: true}, id.ID{})
	add("group", admin.UserQuery{Group: "x"}, group)
	add("staff", admin.UserQuery{Staff: &yes}, id.ID{})
	add("superuser", admin.UserQuery{Superuser: &yes}, id.ID{})
	add("banned", admin.UserQuery{Banned: &yes}, id.ID{})
	add("leaving", admin.UserQuery{Leaving: &yes}, id.ID{})
	add("required", admin.UserQuery{Required: accounts.ActionEnrolFactor}, id.ID{})
	add("search", admin.UserQuery{Search: "Änne"}, id.ID{})
	add("search in group", admin.UserQuery{Search: "anne", Group: "x"}, group)
	add("search among marked", admin.UserQuery{Search: "anne", Banned: &yes, Staff: &no}, id.ID{})
	add("search among all but the marked", admin.UserQuery{Search: "anne", Banned: &no}, id.ID{})
	add("marked in group", admin.UserQuery{Staff: &yes, Group: "x"}, group)
	texts["large"] = planned{sql: groupIsLarge, args: []any{group}, whole: []string{"c"}}
	texts["standing"] = planned{sql: personStanding, args: []any{"a", int64(1)}}
	texts["key"] = planned{sql: keptAnswer, args: []any{[]byte("x")}}
	texts["keep"] = planned{sql: keepAnswer, args: []any{[]byte("x"), int64(1), []byte("y")}}
	texts["free"] = planned{sql: freeKey, args: []any{[]byte("x"), int64(1)}}
	return texts
}

// TestUserListsUseIndexes: a page is a walk along an index from where the last one
// ended; nothing is read as a whole, and nothing is sorted.
func TestUserListsUseIndexes(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		d := openerOf(sqliteURL(t))(t)
		for name, p := range userTexts() {
			// The rows of a step are read once, and may be sorted.
			step, scans := false, 0
			for _, line := range sqlitePlan(t, d, p) {
				step = step || strings.HasPrefix(line, "CO-ROUTINE") || strings.HasPrefix(line, "MATERIALIZE")
				if strings.HasPrefix(line, "SCAN") && !strings.HasPrefix(line, "SCAN around") {
					scans++
				}
				if scans > 1 || scans == 1 && !step || strings.Contains(line, "TEMP B-TREE") && !step {
					t.Errorf("%s: %s\nin %s", name, line, p.sql)
				}
			}
		}
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		// Of an empty table the planner would sort.
		d := openerOf(postgresURL(t) + "&enable_seqscan=off&enable_sort=off&enable_bitmapscan=off")(t)
		for name, p := range userTexts() {
			plan := postgresPlan(t, d, p)
			if slices.ContainsFunc(plan, func(line string) bool { return strings.Contains(line, "Sort") || strings.Contains(line, "Seq Scan") }) {
				t.Errorf("%s: %s\nplan:\n%s", name, p.sql, strings.Join(plan, "\n"))
			}
			for n, line := range plan {
				whole := strings.Contains(line, "Index") && strings.Contains(line, "Scan") && (n+1 >= len(plan) || !strings.Contains(plan[n+1], "Index Cond"))
				if whole {
					t.Errorf("%s walks all of an index: %s\nplan:\n%s", name, line, strings.Join(plan, "\n"))
				}
			}
		}
	})
}

// TestIdempotencyKeys: of many who claim a key at once one gets it, and an answer is
// kept for the claim that it belongs to.
func TestIdempotencyKeys(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		d, ctx := open(t), t.Context()
		c := admin.Claim{ID: []byte("id"), Request: []byte("request"), At: 1000, ExpiresAt: 2000}
		won := make(chan bool, 16)
		for range cap(won) {
			go func() {
				kept, err := d.ClaimKey(ctx, c)
				if err != nil {
					t.Error(err)
				}
				won <- kept == nil
			}()
		}
		winners := 0
		for range cap(won) {
			if <-won {
				winners++
			}
		}
		if winners != 1 {
			t.Errorf("%d claimed one key", winners)
		}
		later := c
		later.At, later.ExpiresAt = 1500, 2500
		if kept, err := d.ClaimKey(ctx, later); err != nil || kept == nil || kept.At != 1000 || kept.Answer != nil {
			t.Errorf("claimed before: %v, %v", kept, err)
		}
		if err := d.KeepAnswer(ctx, later, []byte("late")); err == nil {
			t.Error("an answer was kept for somebody else's claim")
		}
		if err := d.KeepAnswer(ctx, c, []byte("answer")); err != nil {
			t.Error(err)
		}
		if err := d.FreeKey(ctx, c); err != nil {
			t.Error(err)
		}
		if kept, err := d.ClaimKey(ctx, later); err != nil || kept == nil || string(kept.Answer) != "answer" || string(kept.Request) != "request" {
			t.Errorf("kept %v, %v", kept, err)
		}
		later.At, later.ExpiresAt = 2000, 3000
		if kept, err := d.ClaimKey(ctx, later); err != nil || kept != nil {
			t.Errorf("after its time: %v, %v", kept, err)
		}
		if err := d.FreeKey(ctx, later); err != nil {
			t.Error(err)
		}
		if kept, err := d.ClaimKey(ctx, c); err != nil || kept != nil {
			t.Errorf("after it was given back: %v, %v", kept, err)
		}
	})
}
