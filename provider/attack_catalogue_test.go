package provider_test

import (
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	testNamed    = regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9_]+)`")
	testDeclared = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9_]+)\(`)
	attackRow    = regexp.MustCompile(`(?m)^\| ([0-9][0-9, -]*) \| .+ \| (.+) \|$`)
	mustBeListed = regexp.MustCompile(`^Test(Attack_|Fosite_|L[0-9])`)
)

// The page that lists the defences is held against the tests: what it names
// exists, what attacks or states a rule is named, and no row is forgotten.
func TestSecurityPage(t *testing.T) {
	source, err := os.ReadFile("../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(source)
	declared := declaredTests(t)
	named := map[string]bool{}
	for _, found := range testNamed.FindAllStringSubmatch(page, -1) {
		if named[found[1]] = true; !declared[found[1]] {
			t.Errorf("the page names %s, which does not exist", found[1])
		}
	}
	for name := range declared {
		if mustBeListed.MatchString(name) && !named[name] {
			t.Errorf("the page does not list %s", name)
		}
	}
	rows := map[int]bool{}
	for _, found := range attackRow.FindAllStringSubmatch(page, -1) {
		if !testNamed.MatchString(found[2]) && !strings.HasPrefix(found[2], "Waived: ") && !strings.HasPrefix(found[2], "Later: ") {
			t.Errorf("row %s has neither a test nor a reason", found[1])
		}
		for _, n := range numbers(t, found[1]) {
			if rows[n] {
				t.Errorf("row %d is listed twice", n)
			}
			rows[n] = true
		}
	}
	for n := 1; n <= 250; n++ {
		if isRow := !isGap(n); isRow != rows[n] {
			t.Errorf("row %d: listed %t, in the catalogue %t", n, rows[n], isRow)
		}
	}
}

// isGap: the catalogue leaves out each number that is one short of a multiple of
// six, two apart.
func isGap(n int) bool { return n%6 == 5 && n != 41 && n != 59 }

// numbers reads "121-124, 126".
func numbers(t *testing.T, list string) []int {
	t.Helper()
	var all []int
	for part := range strings.SplitSeq(list, ", ") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err := strconv.Atoi(first)
		if err != nil {
			t.Fatalf("row %q: %v", list, err)
		}
		to, err := strconv.Atoi(last)
		if err != nil {
			t.Fatalf("row %q: %v", list, err)
		}
		for n := from; n <= to; n++ {
			if !isRange || !isGap(n) {
				all = append(all, n)
			}
		}
	}
	return all
}

// declaredTests are those of the whole module.
func declaredTests(t *testing.T) map[string]bool {
	t.Helper()
	declared := map[string]bool{}
	root := os.DirFS("..")
	err := fs.WalkDir(root, ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := fs.ReadFile(root, path)
		if err != nil {
			return err
		}
		for _, found := range testDeclared.FindAllSubmatch(source, -1) {
			declared[string(found[1])] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return declared
}
