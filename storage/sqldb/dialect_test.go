package sqldb

import "testing"

func TestSpell(t *testing.T) {
	for _, c := range []struct{ sql, postgres, sqlite string }{
		{"SELECT 1", "SELECT 1", "SELECT 1"},
		{
			"SELECT 1 FROM t AS k WHERE a IN strings($1) AND b IN ids($12) FOR NO KEY UPDATE OF k",
			"SELECT 1 FROM t AS k WHERE a = ANY($1::text[]) AND b = ANY($12::bytea[]) FOR NO KEY UPDATE OF k",
			"SELECT 1 FROM t AS k WHERE a IN (SELECT value FROM json_each($1)) AND b IN (SELECT unhex(value) FROM json_each($12))",
		},
		{"a IN numbers($2)", "a = ANY($2::bigint[])", "a IN (SELECT value FROM json_each($2))"},
		{"SELECT hexed(s.id), sha256(hash || $3)", "SELECT encode(s.id, 'hex'), sha256(hash || $3)", "SELECT lower(hex(s.id)), sha256(hash, $3)"},
	} {
		if got := spell(Postgres, c.sql); got != c.postgres {
			t.Errorf("PostgreSQL: %s", got)
		}
		if got := spell(SQLite, c.sql); got != c.sqlite {
			t.Errorf("SQLite: %s", got)
		}
	}
}

// TestOnlyReads: what writes must not go to SQLite's readers, where it would fail;
// what only reads must not wait for the writer.
func TestOnlyReads(t *testing.T) {
	for sql, want := range map[string]bool{
		"SELECT updated_at FROM t":                           true,
		"\n with x AS (SELECT 1) SELECT * FROM x":            true,
		"WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x": false,
		"INSERT INTO t VALUES (1) RETURNING id":              false,
		"update t SET a = 1":                                 false,
		"DELETE FROM t":                                      false,
		"PRAGMA journal_mode":                                false,
		"":                                                   false,
	} {
		if got := onlyReads(sql); got != want {
			t.Errorf("%q reads only: %v", sql, got)
		}
	}
}
