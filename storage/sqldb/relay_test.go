package sqldb

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// relayTexts are the statements of jobs, relays and what back-channel logout looks
// for.
func relayTexts(d *DB) []planned {
	i, at, names, ids := id.New(), int64(1), []string{"a", "b"}, []id.ID{id.New()}
	skip := d.either(" FOR UPDATE SKIP LOCKED", "")
	return []planned{
		{sql: d.claimJob(), args: []any{at, names, names, names, at}, whole: []string{"due"}}, // a row at most
		{sql: finishJob, args: []any{i, at}},
		{sql: postponeJob, args: []any{i, at, at, "a"}},
		{sql: relayState, args: []any{"a"}},
		{sql: fmt.Sprintf(lockRelayText, skip), args: []any{"a"}},
		{sql: moveRelay, args: []any{"a", at}},
		{sql: leastMost, args: []any{at}, whole: []string{"relays"}}, // two or three rows
		{sql: signInsOfSessions, args: []any{ids}},
		{sql: signInsOfGrants, args: []any{ids}},
		{sql: signInsOfUser, args: []any{"a", at, at, "a"}},
		{sql: forgetSignIns, args: []any{names}},
	}
}

func TestRelayStatementsUseIndexes(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		d := openerOf(sqliteURL(t))(t)
		for _, p := range relayTexts(d) {
			for _, line := range sqlitePlan(t, d, p) {
				allowed := strings.Contains(line, "VIRTUAL TABLE") || strings.Contains(line, "CONSTANT ROW") ||
					readsWhole(line, append(p.whole, "ledger_head", "h"))
				if strings.HasPrefix(line, "SCAN") && !allowed || strings.Contains(line, "AUTOMATIC") {
					t.Errorf("%s\nin %s", line, p.sql)
				}
			}
		}
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		d := openerOf(postgresURL(t) + "&enable_seqscan=off")(t)
		for _, p := range relayTexts(d) {
			for _, line := range postgresPlan(t, d, p) {
				if strings.Contains(line, "Seq Scan") && !readsWhole(line, append(p.whole, "ledger_head")) {
					t.Errorf("%s\nin %s", line, p.sql)
				}
			}
		}
	})
}
