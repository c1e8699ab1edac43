package tools

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/OpenPeeDeeP/depguard/v2"
	"go.yaml.in/yaml/v3"
	"golang.org/x/tools/go/analysis"
)

const module = "github.com/gatehouse-id/gatehouse"

// TestArrows asks depguard, with the rules of .depguard.yml, about files made
// of nothing but imports. A rule whose pattern matches no file forbids nothing
// and says nothing, so each is shown to forbid what it should, and no more.
func TestArrows(t *testing.T) {
	const (
		fosite   = "github.com/ory/fosite"
		pgx      = "github.com/jackc/pgx/v5"
		sqlite   = "modernc.org/sqlite"
		redis    = "github.com/redis/go-redis/v9"
		jose     = "github.com/go-jose/go-jose/v4"
		oidc     = "github.com/coreos/go-oidc/v3"
		chromedp = "github.com/chromedp/chromedp"

		sqldb     = module + "/storage/sqldb"
		testenv   = module + "/internal/testenv"
		resource  = module + "/resource"
		cmd       = module + "/cmd/gatehouse/config"
		accounts  = module + "/accounts"
		contracts = module + "/storage/storagetest"
	)
	imports := []struct {
		file      string
		allowed   []string
		forbidden []string
	}{
		{"provider/a.go", []string{fosite, accounts, jose}, []string{pgx, sqlite, redis, "html/template", sqldb, testenv, module + "/consent"}},
		{"provider/token/a.go", []string{jose}, []string{fosite, module + "/consent"}},
		{"provider/a_test.go", []string{sqldb, testenv}, nil},
		{"consent/a.go", []string{accounts, "net/http"}, []string{fosite, redis, sqldb, module + "/provider", "html/template"}},
		{"accounts/a.go", []string{"context"}, []string{"net/http", "database/sql", sqldb, pgx, contracts}},
		{"storage/sqldb/a.go", []string{pgx, sqlite, accounts, "database/sql"}, []string{redis, fosite, cmd}},
		{"storage/cache/a.go", []string{redis}, []string{pgx}},
		{"storage/storagetest/a.go", []string{testenv, accounts}, []string{pgx}},
		{"migrations/a.go", []string{pgx, sqlite}, []string{sqldb}},
		{"templates/a.go", []string{"html/template"}, []string{pgx}},
		{"resource/a.go", []string{jose, "net/http"}, []string{redis, accounts}},
		{"examples/posts/a.go", []string{resource, "html/template", "golang.org/x/oauth2", oidc}, []string{accounts, jose}},
		{"internal/testenv/a.go", []string{chromedp}, []string{pgx, accounts}},
		{"internal/web/a.go", []string{"net/http"}, []string{chromedp, testenv, "html/template", cmd}},
		{"internal/web/a_test.go", []string{testenv}, []string{cmd}},
		{"cmd/gatehouse/a.go", []string{sqldb, cmd, accounts}, []string{fosite, pgx, testenv}},
		{"cmd/gatehouse/config/a.go", nil, nil},
	}
	text, err := os.ReadFile("../.depguard.yml")
	if err != nil {
		t.Fatal(err)
	}
	rules := &depguard.LinterSettings{}
	if err := yaml.Unmarshal(text, rules); err != nil {
		t.Fatal(err)
	}
	linter, err := depguard.NewAnalyzer(rules)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range imports {
		want := slices.Sorted(slices.Values(i.forbidden))
		got := findings(t, linter, i.file, slices.Concat(i.allowed, i.forbidden))
		if !slices.Equal(got, want) {
			t.Errorf("%s may not import\n\t%q, want\n\t%q", i.file, got, want)
		}
	}
}

// findings returns, sorted, the imports that the linter forbids the file.
func findings(t *testing.T, linter *analysis.Analyzer, file string, imports []string) []string {
	t.Helper()
	source := "package some\n"
	for _, name := range imports {
		source += "import _ \"" + name + "\"\n"
	}
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, filepath.Join("/src/gatehouse", file), source, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	pass := &analysis.Pass{Analyzer: linter, Fset: set, Files: []*ast.File{parsed}, Report: func(d analysis.Diagnostic) {
		// Line 1 is the package clause; imports follow, one a line.
		found = append(found, imports[set.Position(d.Pos).Line-2])
	}}
	if _, err := linter.Run(pass); err != nil {
		t.Fatal(err)
	}
	slices.Sort(found)
	return slices.Compact(found)
}
