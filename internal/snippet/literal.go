package snippet

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Word is a word of a command for a POSIX shell.
func Word(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// Assign is a line that sets a variable, for a shell and for files that are read like
// one. Many of those know no quotes, so a value that needs none gets none. A tilde would
// need them: a shell expands one behind a colon.
func Assign(name, value string) string {
	bare := value != ""
	for i := range len(value) {
		c := value[i]
		bare = bare && ('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(":/._?=-", c) >= 0)
	}
	if bare {
		return name + "=" + value
	}
	return name + "=" + Word(value)
}

// literal is a string in JSON, which JavaScript, TypeScript, Python, Go and TOML all read
// as the same string.
func literal(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string and a buffer do not fail
	return strings.ReplaceAll(strings.TrimSuffix(b.String(), "\n"), "\x7f", `\u007f`)
}

// literals are several of them.
func literals(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = literal(s)
	}
	return strings.Join(quoted, ", ")
}

// property is the value of a Java property that Spring reads: the file has backslashes
// for escapes, and Spring puts other values in the place of ${...} unless a backslash
// stands before it.
func property(s string) string {
	s = strings.ReplaceAll(s, `\`, `\\`)
	s = strings.NewReplacer("\n", `\n`, "\r", `\r`, "\t", `\t`, "\f", `\f`).Replace(s)
	s = strings.ReplaceAll(s, "${", `\\${`)
	if strings.HasPrefix(s, " ") {
		s = `\` + s
	}
	return s
}

// remark is what a comment may hold.
func remark(s string) string {
	return strings.NewReplacer("\n", " ", "\r", " ", "\u2028", " ", "\u2029", " ").Replace(s)
}
