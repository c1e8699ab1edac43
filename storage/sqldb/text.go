package sqldb

import (
	"database/sql/driver"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// bind turns arguments into what the drivers take: ids into bytes, and lists
// into one array (PostgreSQL) or one JSON text (SQLite).
func (d *DB) bind(args []any) []any {
	for i, a := range args {
		switch v := a.(type) {
		case id.ID:
			args[i] = v[:]
		case []byte:
			if v == nil {
				args[i] = nil
			}
		case []id.ID:
			args[i] = d.bindIDs(v)
		case []int64:
			if d.dialect == SQLite {
				args[i] = jsonText(v)
			}
		case []string:
			if d.dialect == SQLite {
				args[i] = jsonText(v)
			} else if v == nil {
				args[i] = []string{}
			}
		}
	}
	return args
}

func (d *DB) bindIDs(ids []id.ID) any {
	if d.dialect == SQLite {
		list := make([]string, len(ids))
		for i, one := range ids {
			list[i] = hex.EncodeToString(one[:])
		}
		return jsonText(list)
	}
	list := make([][]byte, len(ids))
	for i := range ids {
		list[i] = ids[i][:]
	}
	return list
}

// nullable returns NULL for the zero ID.
func nullable(i id.ID) any {
	if i.IsZero() {
		return nil
	}
	return i
}

// columns is a row that also scans into *id.ID.
type columns struct{ row scanner }

func (c columns) Scan(dest ...any) error {
	for i, d := range dest {
		if p, ok := d.(*id.ID); ok {
			dest[i] = (*idColumn)(p)
		}
	}
	return c.row.Scan(dest...)
}

// idColumn scans 16 bytes, or NULL as the zero ID.
type idColumn id.ID

// ScanBytes is what pgx calls for a bytea.
func (c *idColumn) ScanBytes(b []byte) error {
	if b == nil {
		*c = idColumn{}
		return nil
	}
	if len(b) != len(c) {
		return fmt.Errorf("an id of %d bytes", len(b))
	}
	copy(c[:], b)
	return nil
}

// Scan is what database/sql calls.
func (c *idColumn) Scan(v any) error {
	b, ok := v.([]byte)
	if v != nil && !ok {
		return fmt.Errorf("an id from %T", v)
	}
	return c.ScanBytes(b)
}

// list is a column of strings, kept as a JSON array.
type list []string

// Value implements driver.Valuer.
func (l list) Value() (driver.Value, error) { return jsonText(l), nil }

// Scan implements sql.Scanner.
func (l *list) Scan(v any) error {
	text, err := textOf(v)
	if err != nil {
		return err
	}
	*l = nil
	if text == "" || text == "[]" {
		return nil
	}
	return json.Unmarshal([]byte(text), (*[]string)(l))
}

// actions is a list of required actions.
type actions []accounts.Action

// Value implements driver.Valuer.
func (a actions) Value() (driver.Value, error) {
	l := make([]string, len(a))
	for i, action := range a {
		l[i] = string(action)
	}
	return jsonText(l), nil
}

// Scan implements sql.Scanner.
func (a *actions) Scan(v any) error {
	var l list
	err := l.Scan(v)
	*a = nil
	for _, action := range l {
		*a = append(*a, accounts.Action(action))
	}
	return err
}

// words is a column of names without spaces (scopes, amr), kept with spaces
// between them.
type words []string

// Value implements driver.Valuer.
func (w words) Value() (driver.Value, error) { return strings.Join(w, " "), nil }

// Scan implements sql.Scanner.
func (w *words) Scan(v any) error {
	text, err := textOf(v)
	if err != nil {
		return err
	}
	*w = nil
	if text != "" {
		*w = strings.Split(text, " ")
	}
	return nil
}

// object is a column that holds a JSON object of any type.
type object struct{ v any }

// Value implements driver.Valuer.
func (o object) Value() (driver.Value, error) {
	b, err := json.Marshal(o.v)
	return string(b), err
}

// Scan implements sql.Scanner.
func (o object) Scan(v any) error {
	text, err := textOf(v)
	if err != nil || text == "{}" {
		return err
	}
	return json.Unmarshal([]byte(text), o.v)
}

// texts is a column of texts in other languages, kept as a JSON object.
type texts accounts.Texts

// Value implements driver.Valuer.
func (t texts) Value() (driver.Value, error) {
	if len(t) == 0 {
		return "{}", nil
	}
	b, err := json.Marshal(t) // keys in order: the same texts are the same column
	return string(b), err
}

// Scan implements sql.Scanner.
func (t *texts) Scan(v any) error {
	text, err := textOf(v)
	*t = nil
	if err != nil || text == "" || text == "{}" {
		return err
	}
	return json.Unmarshal([]byte(text), (*accounts.Texts)(t))
}

// textOf returns the text of a column; NULL is empty.
func textOf(v any) (string, error) {
	switch t := v.(type) {
	case nil:
		return "", nil
	case string:
		return t, nil
	case []byte:
		return string(t), nil
	}
	return "", fmt.Errorf("a text from %T", v)
}

func jsonText[T string | int64](l []T) string {
	if len(l) == 0 {
		return "[]"
	}
	b, _ := json.Marshal(l) // strings and numbers cannot fail
	return string(b)
}
