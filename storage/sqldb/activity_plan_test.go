package sqldb

import (
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// activityTexts are the statements of people's own pages.
func activityTexts(d *DB) []planned {
	i, at, names := id.New(), int64(1), []string{"a", "b"}
	return []planned{
		{sql: sessionsSince, args: []any{i, at, 10}},
		{sql: endedGrants, args: []any{i, at, 10}},
		{sql: eventsAbout, args: []any{"a", i, at, 10, names, names}, whole: []string{"of_user", "of_sessions", "of_grants", "e", "(subquery"}},
		{sql: clientNames, args: []any{names}},
		{sql: appsOf, args: []any{i, at}, whole: []string{"used", "allowed", "mine", "u", "a"}},
		{sql: consentsOf, args: []any{i}},
		{sql: allGrantsOf, args: []any{i}},
		{sql: pictureByName, args: []any{"a"}},
		{sql: pictureOf, args: []any{i}},
		{sql: deletePicture, args: []any{i}},
		{sql: d.either(claimDeletionPostgres, claimDeletion), args: []any{at, at, i}},
	}
}

// TestActivityStatementsUseIndexes: nobody waits for their own page because others
// have a long history.
func TestActivityStatementsUseIndexes(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		d := openerOf(sqliteURL(t))(t)
		for _, p := range activityTexts(d) {
			for _, line := range sqlitePlan(t, d, p) {
				fine := strings.Contains(line, "VIRTUAL TABLE") || strings.Contains(line, "CONSTANT ROW") || readsWhole(line, p.whole)
				if strings.HasPrefix(line, "SCAN") && !fine {
					t.Errorf("%s\nin %s", line, p.sql)
				}
			}
		}
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		d := openerOf(postgresURL(t) + "&enable_seqscan=off")(t)
		for _, p := range activityTexts(d) {
			plan := postgresPlan(t, d, p)
			if strings.Contains(p.sql, "delete_at") && !strings.Contains(strings.Join(plan, ""), "users_delete_at") {
				t.Errorf("looks at more than the accounts that are to be deleted:\n%s", strings.Join(plan, "\n"))
			}
			for n, line := range plan {
				if !strings.Contains(line, "Scan") || strings.Contains(line, "CTE Scan") || strings.Contains(line, "Subquery Scan") {
					continue
				}
				index := strings.Contains(line, "Index")
				bound := n+1 < len(plan) && strings.Contains(plan[n+1], "Index Cond")
				if strings.Contains(line, "Seq Scan") || index && !bound {
					t.Errorf("%s\nin %s\nplan:\n%s", line, p.sql, strings.Join(plan, "\n"))
				}
			}
		}
	})
}
