package sqldb

import (
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// auditTexts are the statements of the audit log that look for rows, and the index
// each has to go by where there is a choice.
func auditTexts(d *DB) map[string][]planned {
	i, at, names := id.New(), int64(1), []string{"a", "b"}
	walk := []any{i, i, 10, 5, "", "", "", "", "", "", at, at, ""}
	floor := []any{i, i, 10}
	with := func(args []any, more ...any) []any { return append(append([]any{}, args...), more...) }
	chain := []string{"(subquery", "e"}
	return map[string][]planned{
		"audit_actor":   {{sql: walkByActor, args: with(walk, "a", "a"), whole: chain}, {sql: floorByActor, args: with(floor, "a", "a")}},
		"audit_target":  {{sql: walkByTarget, args: with(walk, "a", "a"), whole: chain}, {sql: floorByTarget, args: with(floor, "a", "a")}},
		"audit_request": {{sql: walkByRequest, args: with(walk, "a"), whole: chain}, {sql: floorByRequest, args: with(floor, "a")}},
		"audit_action":  {{sql: walkByAction, args: with(walk, "a"), whole: chain}, {sql: floorByAction, args: with(floor, "a")}, {sql: auditActions, whole: []string{"w"}}},
		"audit_session": {{sql: walkBySession, args: with(walk, "a"), whole: chain}, {sql: floorBySession, args: with(floor, "a")}},
		// On SQLite the table is its own index.
		"audit_concerns": {{sql: walkByConcern, args: with(walk, "a"), whole: chain}, {sql: floorByConcern, args: with(floor, "a")}},
		"audit_at":       {{sql: auditFrom, args: []any{at}}, {sql: auditSeqAt, args: []any{at}, whole: chain}},
		"": {
			{sql: walkByTime, args: walk, whole: chain}, {sql: floorByTime, args: floor}, {sql: auditByID, args: []any{i}},
			{sql: auditTargets, whole: []string{"w"}},
			{sql: auditWaits, whole: []string{"audit_waiting"}}, {sql: auditLast, whole: []string{"audit_chain"}},
			{sql: auditEnds, whole: []string{"audit_chain", "c", "audit_head"}},
			{sql: auditWaiting, args: []any{i, 10}},
			{sql: auditGone, args: []any{names}, whole: []string{"audit_gone"}},
			{sql: unwaitAudit, args: []any{[]id.ID{i}}}, {sql: eraseAsTarget, args: []any{names, []byte{}, at}},
			{sql: eraseAsActor, args: []any{names, []byte{}, at}},
			{sql: auditLinks, args: []any{at, 10}}, {sql: auditByIDs, args: []any{[]id.ID{i}}},
			{sql: auditIDs, args: []any{i, 10}}, {sql: auditIn, args: []any{[]id.ID{i}}},
			{sql: auditWaitIn, args: []any{[]id.ID{i}}}, {sql: auditLinkIn, args: []any{[]id.ID{i}}},
			{sql: keepGone, args: []any{[]id.ID{i}}}, {sql: cutAudit, args: []any{[]id.ID{i}}}, {sql: cutChain, args: []any{[]id.ID{i}}},
		},
	}
}

// TestAuditStatementsUseIndexes: no page of the log, no batch of the sealer and no cut
// gets slower because the log is long.
func TestAuditStatementsUseIndexes(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		d := openerOf(sqliteURL(t))(t)
		for index, texts := range auditTexts(d) {
			for _, p := range texts {
				plan := sqlitePlan(t, d, p)
				if all := strings.Join(plan, "\n"); !strings.Contains(all, index) {
					t.Errorf("goes not by %s\n%s\nin %s", index, all, p.sql)
				}
				for _, line := range plan {
					fine := strings.Contains(line, "VIRTUAL TABLE") || strings.Contains(line, "CONSTANT ROW") || readsWhole(line, p.whole)
					if strings.HasPrefix(line, "SCAN") && !fine || strings.Contains(line, "AUTOMATIC") {
						t.Errorf("%s\nin %s", line, p.sql)
					}
				}
			}
		}
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		d := openerOf(postgresURL(t) + "&enable_seqscan=off&enable_bitmapscan=off")(t)
		for index, texts := range auditTexts(d) {
			for _, p := range texts {
				plan := postgresPlan(t, d, p)
				all := strings.Join(plan, "\n")
				if !strings.Contains(all, index) {
					t.Errorf("goes not by %s\nin %s\nplan:\n%s", index, p.sql, all)
				}
				for n, line := range plan {
					if !strings.Contains(line, "Scan") || strings.Contains(line, "CTE Scan") || strings.Contains(line, "WorkTable") ||
						strings.Contains(line, "Subquery Scan") || readsWhole(line, p.whole) {
						continue
					}
					bound := n+1 < len(plan) && strings.Contains(plan[n+1], "Index Cond")
					if strings.Contains(line, "Seq Scan") || strings.Contains(line, "Index") && !bound {
						t.Errorf("%s\nin %s\nplan:\n%s", line, p.sql, all)
					}
				}
			}
		}
	})
}
