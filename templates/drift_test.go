package templates

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestDrifts(t *testing.T) {
	ours, err := Ours()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"html/home.html", "mails/mail.txt", "locales/de/signin.toml", "static/style.css"} {
		if len(ours[name]) == 0 {
			t.Errorf("%s is not among our files", name)
		}
	}
	list, err := WriteOrigins(map[string]string{"html/consent.html": strings.Repeat("ab", 32)}, []string{"html/home.html", "mails/mail.txt"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := Drifts(fstest.MapFS{
		OriginsFile:          {Data: list},
		"html/home.html":     {Data: []byte("mine")},
		"html/consent.html":  {Data: []byte("mine")},
		"html/error.html":    {Data: []byte("mine")},
		"html/form.html":     {Data: ours["html/form.html"]},
		"static/brand.css":   {Data: []byte("mine alone")},
		"mails/mail.txt":     {Data: []byte("mine")},
		"locales/en/my.toml": {Data: []byte("mine alone")},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []Drift{
		{"html/consent.html", DriftChanged}, {"html/error.html", DriftUnknown}, {"html/form.html", DriftSame},
		{"html/home.html", DriftNone}, {"mails/mail.txt", DriftNone},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("drifts (-want +got):\n%s", diff)
	}
}

func TestOriginsThatCannotBeRead(t *testing.T) {
	for _, text := range []string{"home.html", "abc  html/home.html", strings.Repeat("ab", 32) + " html/home.html"} {
		if _, err := Drifts(fstest.MapFS{OriginsFile: {Data: []byte(text)}}); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
	if _, err := WriteOrigins(nil, []string{"html/none.html"}); err == nil {
		t.Error("a file that is none of ours was noted")
	}
}
