package templates_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/templates"
)

var update = flag.Bool("update", false, "write testdata/*.html anew")

// fingerprint is left out of the golden files: a new colour is no new page.
var fingerprint = regexp.MustCompile(`\.[0-9a-f]{12}\.`)

func TestGolden(t *testing.T) {
	r := newRenderer(t, templates.Options{})
	known := map[string]bool{}
	for _, f := range fixtures() {
		t.Run(f.name, func(t *testing.T) {
			got := fingerprint.ReplaceAllString(show(t, r, f).Body.String(), ".HASH.")
			path := filepath.Join("testdata", f.name+".html")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("page differs from %s (-want +got); if meant, run with -update:\n%s", path, diff)
			}
		})
		known[f.name+".html"] = true
	}
	entries, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !known[entry.Name()] && !entry.IsDir() {
			t.Errorf("testdata/%s belongs to no fixture", entry.Name())
		}
	}
}
