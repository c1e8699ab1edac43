package console

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// changed tells in a few words what became of a value: of a list what came and what
// went, of anything else what it was and what it is. Nil is no value.
func changed(name string, before, after any) string {
	was, isWas := listOf(before)
	is, isIs := listOf(after)
	if isWas && isIs {
		var parts []string
		for _, x := range is {
			if !slices.Contains(was, x) {
				parts = append(parts, "+"+x)
			}
		}
		for _, x := range was {
			if !slices.Contains(is, x) {
				parts = append(parts, "−"+x)
			}
		}
		if len(parts) > 0 {
			return name + ": " + strings.Join(parts, " ")
		}
	}
	switch {
	case before == nil:
		return name + ": → " + short(name, after)
	case after == nil:
		return name + ": " + short(name, before) + " → –"
	}
	return name + ": " + short(name, before) + " → " + short(name, after)
}

// listOf reads a list of texts; no value is an empty one.
func listOf(value any) ([]string, bool) {
	switch list := value.(type) {
	case nil:
		return nil, true
	case []string:
		return list, true
	case []any:
		texts := make([]string, len(list))
		for i, x := range list {
			text, is := x.(string)
			if !is {
				return nil, false
			}
			texts[i] = text
		}
		return texts, true
	}
	return nil, false
}

// short writes a value. A time, which the log keeps in Unix milliseconds under names
// that end so, is written as one.
func short(name string, value any) string {
	if text, isText := value.(string); isText {
		return text
	}
	text, err := json.Marshal(value)
	if err != nil {
		return "?"
	}
	var at float64
	if strings.HasSuffix(name, "_at") && json.Unmarshal(text, &at) == nil && at > 0 && at < 1e15 {
		return time.UnixMilli(int64(at)).UTC().Format("2006-01-02 15:04 UTC")
	}
	return strings.Trim(strings.ReplaceAll(string(text), `"`, ""), "[]")
}
