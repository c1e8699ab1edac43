package sqldb

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Dialect is an engine's way of SQL.
type Dialect string

// The dialects; also the names of the folders of migrations.
const (
	Postgres Dialect = "postgres"
	SQLite   Dialect = "sqlite"
)

func dialectOf(url string) (Dialect, error) {
	scheme, _, _ := strings.Cut(url, "://")
	switch scheme {
	case "postgres", "postgresql":
		return Postgres, nil
	case "sqlite":
		return SQLite, nil
	}
	return "", errors.New(`sqldb: the database URL must begin with "postgres://" or "sqlite://"`)
}

// statement is a SQL text made ready for the engine.
type statement struct {
	text string
	// reads is true if the text changes and locks nothing, so that SQLite may
	// run it beside the writer.
	reads bool
}

// statement returns the engine's form of a text. Texts are constants: there are
// as many entries as there are texts in this package.
func (d *DB) statement(sql string) *statement {
	if st, ok := d.statements.Load(sql); ok {
		return st.(*statement)
	}
	text := spell(d.dialect, sql)
	st, _ := d.statements.LoadOrStore(sql, &statement{text: text, reads: onlyReads(text)})
	return st.(*statement)
}

// spell replaces the words that stand for what the engines spell differently:
//
//	x IN strings($1)        x is one of the []string in $1
//	x IN ids($1)            x is one of the []id.ID in $1
//	x IN numbers($1)        x is one of the []int64 in $1
//	x = one($1)             x is $1, which PostgreSQL shall not take for a constant: an
//	                        order by x and y then needs an index on both
//	pairs($1, $2)           a table with columns a and b, from two []string
//	sha256(a || $1)         of bytes; SQLite would join them as a text
//	hexed(column)           bytes as hexadecimal digits
//	FOR NO KEY UPDATE       locks rows; SQLite's transaction has locked everything
//	COLLATE "C"             in the order of bytes, which is SQLite's own
//
// Lists travel as one parameter, so that a text does not depend on their length.
func spell(dialect Dialect, sql string) string {
	replacements := []struct{ pattern, postgres, sqlite string }{
		{
			`IN strings\((\$\d+)\)`,
			`= ANY(${1}::text[])`, `IN (SELECT value FROM json_each(${1}))`,
		},
		{
			`IN ids\((\$\d+)\)`,
			`= ANY(${1}::bytea[])`, `IN (SELECT unhex(value) FROM json_each(${1}))`,
		},
		{
			`IN numbers\((\$\d+)\)`,
			`= ANY(${1}::bigint[])`, `IN (SELECT value FROM json_each(${1}))`,
		},
		{`= one\((\$\d+)\)`, `= ANY(ARRAY[${1}::text])`, `= ${1}`},
		{
			`pairs\((\$\d+), (\$\d+)\)`,
			`(SELECT a, b FROM unnest(${1}::text[], ${2}::text[]) AS list (a, b))`,
			`(SELECT x.value AS a, y.value AS b FROM json_each(${1}) AS x JOIN json_each(${2}) AS y ON y.key = x.key)`,
		},
		{`sha256\((\w+) \|\| (\$\d+)\)`, `sha256(${1} || ${2})`, `sha256(${1}, ${2})`},
		{`hexed\(([\w.]+)\)`, `encode(${1}, 'hex')`, `lower(hex(${1}))`},
		{`FOR NO KEY UPDATE( OF \w+)?`, `FOR NO KEY UPDATE${1}`, ``},
		{` COLLATE "C"`, ` COLLATE "C"`, ``},
	}
	for _, r := range replacements {
		to := r.postgres
		if dialect == SQLite {
			to = r.sqlite
		}
		sql = regexp.MustCompile(r.pattern).ReplaceAllString(sql, to)
	}
	return strings.TrimSpace(sql)
}

// onlyReads reports whether a text is a plain SELECT. A text that begins with
// WITH may still write, so such a text reads only if no word in it writes.
func onlyReads(text string) bool {
	writes := regexp.MustCompile(`(?i)\b(INSERT|UPDATE|DELETE)\b`)
	first := strings.ToUpper(strings.Fields(text + " -")[0])
	return (first == "SELECT" || first == "WITH") && !writes.MatchString(text)
}

// badURL says what is wrong without the URL, which may hold a password.
func badURL(dialect Dialect, what string) error {
	return fmt.Errorf("%s URL: %s", dialect, what)
}
