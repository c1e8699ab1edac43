package sqldb

import (
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// signalTexts are the statements of shared signals. There are as many streams as
// receivers, a handful; of the other tables every one may be long.
func signalTexts(d *DB) []planned {
	i, at, names, ids := id.New(), int64(1), []string{"a", "b"}, []id.ID{id.New()}
	streams := []string{"signal_streams", "s"}
	return []planned{
		{sql: putSignalSubject, args: []any{i, "a", "", true, at}},
		{sql: dropSignalSubject, args: []any{i, "a", ""}},
		{sql: forgetSignalSubjects, args: []any{names}},
		{sql: countSignalSubjects, args: []any{i}},
		{sql: listedSubjects, args: []any{names}},
		{sql: subjectsOfSessions, args: []any{ids}},
		{sql: insertSignalEvents + d.either(fromPostgresList, fromSQLiteList), args: []any{"[]"}},
		{sql: countSignalEvents, args: []any{ids}},
		{sql: waitingEvents, args: []any{i, true, 1}},
		{sql: dropSignalEvents, args: []any{i, names}},
		{sql: dropOlderEvents, args: []any{i, at}},
		{sql: overdueSignals, args: []any{at}, whole: []string{"oldest"}},
		{sql: wantSignals, args: []any{i, i, at}},
		{sql: finishSignals, args: []any{i, i, at}},
		{sql: handOverSignals, args: []any{i, i, i, at}},
		{sql: verifySignals, args: []any{i, at, at}},
		{sql: updateSignalStream, args: []any{i, "", "", nil, "", "", "", "", at}},
		{sql: deleteSignalStream, args: []any{i}},
		{sql: signalStreamOf, args: []any{"a"}},
		{sql: signalStreamByID, args: []any{i}},
		{sql: lockSignalStreams, args: []any{ids}},
		{sql: listenersOfSignals, whole: streams},
		{sql: stalledSignals, args: []any{at}, whole: streams},
	}
}

func TestSignalStatementsUseIndexes(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		d := openerOf(sqliteURL(t))(t)
		for _, p := range signalTexts(d) {
			for _, line := range sqlitePlan(t, d, p) {
				allowed := strings.Contains(line, "VIRTUAL TABLE") || strings.Contains(line, "CONSTANT ROW") || readsWhole(line, p.whole)
				if strings.HasPrefix(line, "SCAN") && !allowed || strings.Contains(line, "AUTOMATIC") {
					t.Errorf("%s\nin %s", line, p.sql)
				}
			}
		}
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		d := openerOf(postgresURL(t) + "&enable_seqscan=off")(t)
		for _, p := range signalTexts(d) {
			plan := postgresPlan(t, d, p)
			for n, line := range plan {
				table := strings.Contains(line, "Scan using") || strings.Contains(line, "Scan on")
				if !table || readsWhole(line, p.whole) || strings.Contains(line, "Function Scan") || strings.Contains(line, "Heap Scan") {
					continue
				}
				bound := n+1 < len(plan) && strings.Contains(plan[n+1], "Index Cond")
				if strings.Contains(line, "Seq Scan") || !bound {
					t.Errorf("%s\nin %s\nplan:\n%s", line, p.sql, strings.Join(plan, "\n"))
				}
			}
		}
	})
}
