package templates

import (
	"strings"
	"testing"
	"testing/fstest"
)

func TestCatalogIsCompleteAndTidy(t *testing.T) {
	r, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	used := r.usedKeys()
	for _, key := range mailKeys() {
		used[key] = true
	}
	for key := range used {
		if !r.catalog.keys[key] {
			t.Errorf("message %q is used but not in the catalog", key)
		}
	}
	for key := range r.catalog.keys {
		if !used[key] {
			t.Errorf("message %q is in the catalog but never used", key)
		}
	}
	if len(used) < 80 {
		t.Errorf("only %d keys found: the walk through the templates misses some", len(used))
	}
}

func TestMissingMessageIsAnErrorAtStart(t *testing.T) {
	for name, call := range map[string]string{
		"plain":         `{{.T "no.such"}}`,
		"with root":     `{{with .Page}}{{$.T "no.such"}}{{end}}`,
		"rich":          `{{.Rich "no.such" "Client" "x"}}`,
		"in a pipeline": `{{if eq (.T "no.such") "x"}}{{end}}`,
		"in a branch":   `{{range .Languages}}{{else}}{{$.In . "no.such"}}{{end}}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(Options{Override: fstest.MapFS{
				"html/home.html": {Data: []byte(`{{define "title"}}x{{end}}{{define "content"}}` + call + `{{end}}`)},
			}})
			if err == nil || !strings.Contains(err.Error(), "no.such") {
				t.Errorf("New: %v, want an error that names the message", err)
			}
		})
	}
}

func TestEveryEnumerationHasItsSample(t *testing.T) {
	r, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.tryAll(); err != nil {
		t.Errorf("our own pages: %v", err)
	}
	for name := range r.pages {
		if !sampled(name) {
			t.Errorf("page %s has no sample", name)
		}
	}
}

func TestTooMany(t *testing.T) {
	r, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		wait string
		want string
	}{
		{"0s", "Please wait a little"},
		{"-1s", "Please wait a little"},
		{"1ms", "in 1 second."},
		{"30s", "in 30 seconds."},
		{"90s", "in 90 seconds."},
		{"91s", "in 2 minutes."},
		{"1h", "in 60 minutes."},
	} {
		line := tooMany(duration(t, test.wait))
		got, err := r.Language().message(line.Key, map[string]any{"Count": line.Count})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(got, test.want) {
			t.Errorf("wait of %s: %q, want %q in it", test.wait, got, test.want)
		}
	}
}
