package sqldb

import (
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// planned is a statement with arguments of the right types, and the tables that
// it reads as a whole because that is its purpose.
type planned struct {
	sql   string
	args  []any
	whole []string
}

// domainTexts are the statements of people, groups, APIs, clients, keys, the audit
// log and the ledger that look for rows.
func domainTexts() []planned {
	i, at, names := id.New(), int64(1), []string{"a", "b"}
	texts := []planned{
		{sql: userByName, args: []any{"a"}},
		{sql: userByEmail, args: []any{"a@b"}},
		{sql: userBySubject, args: []any{"a"}},
		{sql: lockUser, args: []any{"a"}},
		{sql: deleteUser, args: []any{i}},
		{sql: listUsers, args: []any{"a", 10}},
		{sql: readySuperusers, whole: []string{"users_superuser", "users_supreme"}}, // the superusers alone
		{sql: nameTaken, args: []any{"a"}},
		{sql: groupByName, args: []any{at, "a"}, whole: []string{"n"}},
		{sql: listGroups, args: []any{at}, whole: []string{"groups", "n"}},
		{sql: deleteGroup, args: []any{i}},
		{sql: memberEnd, args: []any{i, i}},
		{sql: setMemberEnd, args: []any{i, i, at}},
		{sql: deleteMember, args: []any{i, i}},
		{sql: members, args: []any{i, "a", 10}},
		{sql: groupsOf, args: []any{i, at}},
		{sql: takePermission, args: []any{i, i}},
		{sql: edgesAround, args: []any{[]id.ID{i}}, whole: []string{"group_children_pkey"}}, // perhaps every one
		{sql: holdingsOf, args: []any{[]id.ID{i}}},
		{sql: deleteEdge, args: []any{i, i}},
		{sql: deleteManager, args: []any{i, i}},
		{sql: managesGroup, args: []any{"a", "a"}},
		{sql: managedGroups, args: []any{"a", "a", 10}},
		{sql: lockSubjects, args: []any{names}},
		{sql: insertMembers, args: []any{[]id.ID{i}, i, at, at}},
		{sql: moveMembers, args: []any{i, []id.ID{i}, at}},
		{sql: setEnds, args: []any{i, []id.ID{i}, at}},
		{sql: dropMembers, args: []any{i, []id.ID{i}}},
		{sql: dueMembers, args: []any{at, 10}},
		{sql: endedOf, args: []any{[]id.ID{i}, at, 10}},
		{sql: deleteEnded, args: []any{i, i, at}},
		{sql: groupPage, args: []any{"a", "b", "a", 10}},
		{sql: memberPage, args: []any{i, i, 10}, whole: []string{"m"}},
		{sql: membershipsOfOne, args: []any{"a", i, at, 10}, whole: []string{"m"}},
		{sql: rightsOf, args: []any{"a", at}, whole: []string{"apis", "a", "permissions", "p"}}, // of a superuser
		{sql: holderPage, args: []any{"a", "a", 10}, whole: []string{"groups", "groups_pkey"}},  // perhaps every one
		{sql: factorPolicy, args: []any{i, at}},
		{sql: permissionSetByName, args: []any{"a"}},
		{sql: permissionSetPage, args: []any{"a", "b", "a", 10}},
		{sql: describePermissionSet, args: []any{i, "a"}},
		{sql: deletePermissionSet, args: []any{i}},
		{sql: findSet, args: []any{i}},
		{sql: lockSetClients, args: []any{i}},
		{sql: revokeFromSet, args: []any{i, i}},
		{sql: unassignSet, args: []any{i, i}},
		{sql: holdersThrough, args: []any{i, names}},
		{sql: openProof, args: []any{"a", "a"}},
		{sql: openProofs, args: []any{"a", "a", at, 10}},
		{sql: apiByAudience, args: []any{"a"}},
		{sql: listAPIs, whole: []string{"apis", "clients", "permissions"}},
		{sql: deleteAPI, args: []any{i}},
		{sql: permissionsByName, args: []any{names}},
		{sql: deletePermission, args: []any{i}},
		{sql: addClientPermissions, args: []any{i, names}},
		{sql: dropClientPermissions, args: []any{i}},
		{sql: clientByID, args: []any{"a", at}},
		{sql: lockClient, args: []any{"a"}},
		{sql: readClient, args: []any{i}},
		{sql: listClients, args: []any{"a", 10}},
		{sql: deleteClient, args: []any{i}},
		{sql: trimRefused, args: []any{i, at, 10}},
		{sql: refusedOf, args: []any{i, at}},
		{sql: forgetRefused, args: []any{i, "a"}},
		{sql: expireSecrets, args: []any{i, at}},
		{sql: listManaged, whole: []string{"managed"}},
		{sql: managedObjects, args: []any{[]id.ID{i}}},
		{sql: dropManaged, args: []any{"a", "a"}},
		{sql: liveGrants, args: []any{i, 10}, whole: []string{"live", "(subquery"}},
		{sql: allKeys, whole: []string{"signing_keys"}},
		{sql: readInstance, args: []any{"a"}},
		{sql: auditTail, args: []any{10}, whole: []string{"audit"}}, // from its end, as far as LIMIT says
		{sql: readHead},
		{sql: rowsAfter, args: []any{at, 10}},
		{sql: isRevoked, args: []any{at, names, "a", "a", "a", "a", "a", "a", names, "a"}},
		{sql: chainsAt, args: []any{[]int64{1, 2}}},
		{sql: rowsOf, args: []any{names, 100}},
		{sql: purgeRows, args: []any{at, 10, at, at}},
		{sql: bumpChange},
		{sql: raiseFloor, args: []any{at}},
		{sql: advanceHead, args: []any{at, 1, 1, []byte("x")}},
	}
	q := queue{stamps: []revocation.Stamp{
		{Subject: revocation.UserValidFrom, ID: "a"}, {Subject: revocation.ClientValidFrom, ID: "a"},
		{Subject: revocation.ConsentValidFrom, ID: "a b"}, {Subject: revocation.SessionRev, ID: i.String()},
	}}
	locks, stamps := q.stampSteps()
	for _, s := range append(locks, stamps...) {
		texts = append(texts, planned{sql: s.sql, args: s.args})
	}
	return texts
}

// TestDomainStatementsUseIndexes: no statement reads a growing table from end to
// end, with the table empty or full.
func TestDomainStatementsUseIndexes(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		d := openerOf(sqliteURL(t))(t)
		for _, p := range domainTexts() {
			for _, line := range sqlitePlan(t, d, p) {
				allowed := strings.Contains(line, "VIRTUAL TABLE") || strings.Contains(line, "CONSTANT ROW") ||
					readsWhole(line, append(p.whole, "ledger_head", "h", "around", "holding", "above", "below", "p"))
				if strings.HasPrefix(line, "SCAN") && !allowed || strings.Contains(line, "AUTOMATIC") {
					t.Errorf("%s\nin %s", line, p.sql)
				}
			}
		}
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		d := openerOf(postgresURL(t) + "&enable_seqscan=off")(t)
		nestGroups(t, d)
		for _, p := range domainTexts() {
			plan := postgresPlan(t, d, p)
			for n, line := range plan {
				if !strings.Contains(line, "Scan") || readsWhole(line, append(p.whole, "ledger_head")) {
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

// nestGroups makes so many groups inside one another that PostgreSQL would not read
// all of them to follow a few edges.
func nestGroups(t *testing.T, d *DB) {
	t.Helper()
	for _, text := range []string{
		`INSERT INTO groups (id, name, name_key, created_at)
SELECT decode(lpad(to_hex(i), 32, '0'), 'hex'), 'nested ' || i, 'nested ' || i, 0 FROM generate_series(1, 20000) AS i`,
		`INSERT INTO group_children (parent_id, child_id, added_at)
SELECT decode(lpad(to_hex(i / 20), 32, '0'), 'hex'), decode(lpad(to_hex(i), 32, '0'), 'hex'), 0 FROM generate_series(20, 20000) AS i`,
		`ANALYZE groups, group_children`,
	} {
		if _, err := d.exec(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
}

func readsWhole(line string, tables []string) bool {
	return slices.ContainsFunc(strings.Fields(line), func(word string) bool { return slices.Contains(tables, word) })
}

// sqlitePlan names tables by their aliases, so a whole table's alias is replaced.
func sqlitePlan(t *testing.T, d *DB, p planned) []string {
	t.Helper()
	aliases := map[string]string{"SCAN g": "SCAN groups", "SCAN a": "SCAN apis", "SCAN k": "SCAN signing_keys"}
	var plan []string
	err := d.query(t.Context(), "EXPLAIN QUERY PLAN "+p.sql, func(row scanner) error {
		var number, parent, unused int64
		var line string
		err := row.Scan(&number, &parent, &unused, &line)
		for alias, table := range aliases {
			if rest, ok := strings.CutPrefix(line, alias+" "); ok || line == alias {
				line = table + " " + rest
			}
		}
		plan = append(plan, line)
		return err
	}, slices.Clone(p.args)...)
	if err != nil {
		t.Errorf("%v\nin %s", err, p.sql)
	}
	return plan
}

func postgresPlan(t *testing.T, d *DB, p planned) []string {
	t.Helper()
	var plan []string
	err := d.query(t.Context(), "EXPLAIN "+p.sql, func(row scanner) error {
		var line string
		err := row.Scan(&line)
		plan = append(plan, line)
		return err
	}, slices.Clone(p.args)...)
	if err != nil {
		t.Errorf("%v\nin %s", err, p.sql)
	}
	return plan
}

// TestHotRowHasRoom: the counter's row and the grants are rewritten in place (L23).
func TestHotRowHasRoom(t *testing.T) {
	d := openerOf(postgresURL(t))(t)
	for table, want := range map[string]string{"ledger_head": "{fillfactor=10}", "grants": "{fillfactor=80}"} {
		var got string
		err := d.queryRow(t.Context(), `SELECT reloptions::text FROM pg_class WHERE relname = $1`, []any{table}, &got)
		if err != nil || got != want {
			t.Errorf("%s has %s, want %s, %v", table, got, want, err)
		}
	}
}
