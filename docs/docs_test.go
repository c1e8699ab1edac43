// Package docs_test holds the documentation against the code: links lead
// somewhere, and what is named by file and function exists.
package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// root is the repository, seen from here.
const root = ".."

// pages are the Markdown files that people read, by path from the root.
func pages(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	read := func(path string) {
		body, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		out[path] = string(body)
	}
	read("README.md")
	read("CHANGELOG.md")
	read("CONTRIBUTING.md")
	err := fs.WalkDir(os.DirFS(root), "docs", func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".md") {
			read(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)|(?:src|srcset|href)="([^"]+)"`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	fenced  = regexp.MustCompile("(?ms)^```.*?^```$")
)

func TestLinksLeadSomewhere(t *testing.T) {
	all := pages(t)
	for path, body := range all {
		for _, found := range link.FindAllStringSubmatch(fenced.ReplaceAllString(body, ""), -1) {
			target := found[1] + found[2]
			if strings.Contains(target, "://") {
				continue
			}
			file, anchor, _ := strings.Cut(target, "#")
			where := path
			if file != "" {
				where = filepath.Join(filepath.Dir(path), file)
			}
			if _, err := os.Stat(filepath.Join(root, where)); err != nil {
				t.Errorf("%s: link to %s: no such file", path, target)
				continue
			}
			if anchor != "" && !hasAnchor(all[where], anchor) {
				t.Errorf("%s: link to %s: no such heading", path, target)
			}
		}
	}
}

var notAnchor = regexp.MustCompile(`[^a-z0-9 -]`)

func hasAnchor(body, anchor string) bool {
	for _, h := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(body, ""), -1) {
		if strings.ReplaceAll(notAnchor.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-") == anchor {
			return true
		}
	}
	return false
}

// codeName is a file, or a file and a function in it, between backquotes.
var codeName = regexp.MustCompile("`([a-z][a-zA-Z0-9_]*/[a-zA-Z0-9_/]*\\.(?:go|sql))(?::([A-Za-z]+))?`")

func TestNamedCodeExists(t *testing.T) {
	for path, body := range pages(t) {
		for _, found := range codeName.FindAllStringSubmatch(body, -1) {
			file, function := found[1], found[2]
			source, err := os.ReadFile(filepath.Join(root, file))
			if err != nil {
				t.Errorf("%s names %s: no such file", path, file)
				continue
			}
			if function != "" && !regexp.MustCompile(`(?m)^func (\([^)]*\) )?`+function+`[(\[]`).Match(source) {
				t.Errorf("%s names %s in %s: no such function", path, function, file)
			}
		}
	}
}

var (
	settingDeclared = regexp.MustCompile(`\{\s*name: "([a-z_]+)"`)
	settingRow      = regexp.MustCompile("(?m)^\\| (`[a-z_]+`[^|]*) \\|")
	settingName     = regexp.MustCompile("`([a-z_]+)`")
)

// The table of settings is the configuration's own list.
func TestEverySettingIsDocumented(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "cmd/gatehouse/config/*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var source []byte
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source = append(source, body...)
	}
	page, err := os.ReadFile(filepath.Join(root, "docs/operate.md"))
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, row := range settingRow.FindAllSubmatch(page, -1) {
		for _, s := range settingName.FindAllSubmatch(row[1], -1) {
			listed[string(s[1])] = true
		}
	}
	declared := settingDeclared.FindAllSubmatch(source, -1)
	if len(declared) < 10 {
		t.Fatalf("only %d settings found: has the list moved?", len(declared))
	}
	for _, s := range declared {
		if !listed[string(s[1])] {
			t.Errorf("docs/operate.md does not list the setting %s", s[1])
		}
		delete(listed, string(s[1]))
	}
	for name := range listed {
		t.Errorf("docs/operate.md lists %s, which is no setting", name)
	}
}
