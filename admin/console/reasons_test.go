package console

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/provider/keys"
)

// sources are the files of a folder that are no tests, by their name.
func sources(t *testing.T, folder string) map[string]string {
	t.Helper()
	found := map[string]string{}
	files, err := filepath.Glob(folder + "/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", folder, len(files), err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found[filepath.Base(file)] = string(text)
	}
	return found
}

// TestReasons: what the console has words for is what the code says, with as many
// arguments; and it has words for all that is wrong with a name, a URI or a redirect URI,
// and for all that package admin refuses with a reason.
func TestReasons(t *testing.T) {
	format := regexp.MustCompile(`\b(?:invalid|Because)\((?:[\w.]+, )?("(?:[^"\\]|\\.)*")`)
	verb := regexp.MustCompile(`%[a-zA-Z]`)
	said := map[string]bool{notADay: true}
	whole := []string{"names.go", "uri.go", "redirect.go"}
	for _, folder := range []string{"../../accounts", ".."} {
		for file, text := range sources(t, folder) {
			for _, m := range format.FindAllStringSubmatch(text, -1) {
				text, err := strconv.Unquote(m[1])
				if err != nil {
					t.Fatal(err)
				}
				said[text] = true
				known := slices.ContainsFunc(reasons(), func(r reason) bool { return r.format == text })
				if !known && (folder == ".." || slices.Contains(whole, file)) {
					t.Errorf("%s/%s: no words for %q", folder, file, text)
				}
			}
		}
	}
	if len(said) < 80 {
		t.Fatalf("only %d reasons were found", len(said))
	}
	for _, r := range reasons() {
		if !said[r.format] {
			t.Errorf("nobody says %q", r.format)
		}
		if verbs := len(verb.FindAllString(r.format, -1)); verbs != len(r.names) {
			t.Errorf("%q has %d arguments, %d of them are named", r.format, verbs, len(r.names))
		}
	}
}

// TestProblem: errors that carry more than their reason lose none of it.
func TestProblem(t *testing.T) {
	young := fmt.Errorf("%w: 2Wq of ES256 may sign from 2026-12-31 on", keys.ErrNextTooYoung)
	loop := fmt.Errorf(`"a" inside "b": %w`, accounts.ErrNestingLoop)
	because := accounts.Because(accounts.ErrInvalid, "wildcards are not supported")
	for _, tt := range []struct {
		err          error
		status       int
		key, english string
	}{
		{fmt.Errorf("%w: %w", admin.ErrState, young), http.StatusUnprocessableEntity, "console.why.key_young", ""},
		{fmt.Errorf("%w: %w", admin.ErrState, loop), http.StatusUnprocessableEntity, "console.why.nesting_loop", ""},
		{because, http.StatusUnprocessableEntity, "console.why.uri_wildcard", ""},
		{fmt.Errorf("texts: de: %w", because), http.StatusUnprocessableEntity, "console.why.uri_wildcard", "texts: de: invalid: wildcards are not supported"},
		{accounts.Because(accounts.ErrInvalid, "of no catalog %d", 7), http.StatusUnprocessableEntity, "console.why.something", "of no catalog 7"},
		{fmt.Errorf("client: %w", accounts.ErrOfAPI), http.StatusConflict, "console.problem.of_api", ""},
		{accounts.ErrBusy, http.StatusServiceUnavailable, "console.problem.busy", ""},
		{&accounts.WeakPassword{Reason: accounts.PasswordTooShort, MinLength: 8}, http.StatusUnprocessableEntity, "console.weak.short", ""},
	} {
		said, status := problem(tt.err)
		key := said.Key
		if key == "console.problem.invalid" {
			key = why(tt.err).Key
		}
		if status != tt.status || key != tt.key || said.English != tt.english {
			t.Errorf("%v: %d %s (%s)", tt.err, status, key, said.English)
		}
	}
}

// TestAuditSubjects: the choices of the audit log are what actions begin with.
func TestAuditSubjects(t *testing.T) {
	action := regexp.MustCompile(`(?:\w*[eE]ffect\(|\b[aA]ction:\s*|\bAction\w* = |\bnote\(|\bissue\(ctx, actor, |\bdie\(ctx, )"([a-z_]+)\.[a-z_.]*"`)
	subjects := map[string]bool{}
	for _, folder := range []string{"../../accounts", "../../auditlog", "../../signals", "../../jobs", "../../provider/keys"} {
		for _, text := range sources(t, folder) {
			for _, m := range action.FindAllStringSubmatch(text, -1) {
				subjects[m[1]] = true
			}
		}
	}
	for subject := range subjects {
		if !slices.Contains(auditSubjects(), subject) {
			t.Errorf("events of %s.* cannot be chosen", subject)
		}
	}
	for _, subject := range auditSubjects() {
		if !subjects[subject] {
			t.Errorf("no event begins with %s.", subject)
		}
	}
}
