package sqldb

import (
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// hotTexts are the statements of sessions, grants, flows and short-lived state
// that look for rows, with arguments of the right types.
func hotTexts(d *DB) map[string][]any {
	i, b, at := id.New(), []byte("hash"), int64(1)
	filter := ` ` + sparesOffline + returnsID
	texts := map[string][]any{
		sessionByToken: {b}, sessionByID: {i}, touchSession: {i, at, at}, sessionsOf: {i, at},
		endSessionsOf: {i, i, at, ""}, endSession: {i, i, at, ""}, endSessionOf: {i, i, at, "", i},
		consentOf: {i, i}, grantByID: {i}, grantsOf: {i},
		insertCode:                            {i, b, i, i, i, "", "", "", "", "", "", at, at, "", "", at, at},
		d.either(insertCodeAlone, insertCode): {i, b, i, i, i, "", "", "", "", "", "", at, at, "", "", at, at},
		rotateRefresh:                         {i, b, b, at, "", at}, dropCodes: {[]id.ID{i}},
		flowByID: {i}, updateFlow: {i, true, at, "sub", at, at},
		getShortLived: {"", at}, deleteShortLived: {""},
		giveBackLimit: {"", at, at, at}, refusedUntil: {""}, cutLimit: {"", at},
		sessionHeld: {b, at, i, []string{"a", "b"}},
		d.either(sessionStandingPostgres, sessionStandingSQLite): {b, at, i},
		d.either(codeStandingPostgres, codeStandingSQLite):       {i, at},
		d.either(grantStandingPostgres, grantStandingSQLite):     {i, at},
		audiencesOf: {[]string{"a", "b"}, []string{"a"}},
		d.either(userStandingPostgres, userStandingSQLite): {"sub", at},
		d.either(grantMemberPostgres, grantMemberSQLite):   {i, at},
		grantPerson: {i},
	}
	for where, arg := range map[string]any{
		"id = $3": i, "user_id = $3": i, "client_id = $3": i, "session_id IN ids($3)": []id.ID{i},
	} {
		texts[endGrants+where+filter] = []any{at, "", arg}
		texts[endCodes+codeFilter(where)+endRedeemed+filter] = []any{at, "", arg}
	}
	for _, g := range growingTables() {
		texts[d.cleanText(g)] = []any{at, 5}
	}
	return texts
}

func TestHotStatementsUseIndexes(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		d := openerOf(sqliteURL(t))(t)
		for text, args := range hotTexts(d) {
			err := d.query(t.Context(), "EXPLAIN QUERY PLAN "+text, func(row scanner) error {
				var number, parent, unused int64
				var line string
				if err := row.Scan(&number, &parent, &unused, &line); err != nil {
					return err
				}
				scans := strings.HasPrefix(line, "SCAN") && !strings.Contains(line, "json_each") && line != "SCAN CONSTANT ROW" &&
					line != "SCAN around" && line != "SCAN holding" // what recursion has found
				if scans || strings.Contains(line, "AUTOMATIC") {
					t.Errorf("%s\nin %s", line, text)
				}
				return nil
			}, args...)
			if err != nil {
				t.Errorf("%v\nin %s", err, text)
			}
		}
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		url := postgresURL(t)
		separator := "?"
		if strings.Contains(url, "?") {
			separator = "&"
		}
		d := openerOf(url + separator + "enable_seqscan=off")(t)
		nestGroups(t, d)
		for text, args := range hotTexts(d) {
			var plan []string
			err := d.query(t.Context(), "EXPLAIN "+text, func(row scanner) error {
				var line string
				err := row.Scan(&line)
				plan = append(plan, line)
				return err
			}, args...)
			if err != nil {
				t.Errorf("%v\nin %s", err, text)
			}
			for n, line := range plan {
				scans := strings.Contains(line, "Index Scan") || strings.Contains(line, "Index Only Scan")
				unbound := scans && (n+1 == len(plan) || !strings.Contains(plan[n+1], "Index Cond"))
				seq := strings.Contains(line, "Seq Scan") && !strings.Contains(line, "on ledger_head")
				if unbound && !strings.Contains(line, "on ledger_head") || seq {
					t.Errorf("%s\nin %s\nplan:\n%s", line, text, strings.Join(plan, "\n"))
				}
			}
		}
	})
}
