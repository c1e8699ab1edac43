package templates_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gatehouse-id/gatehouse/templates"
)

// translated has Catalan and Arabic beside our languages, a text or two of each, and
// words of its own for two German texts.
func translated() fstest.MapFS {
	return fstest.MapFS{
		"locales/de/all.toml": {Data: []byte("[language]\nself = \"Deutsch\"\n[signin]\ntitle = \"Einloggen\"\n")},
		"locales/ca/all.toml": {Data: []byte("[language]\nself = \"Català\"\n")},
		"locales/ar/all.toml": {Data: []byte("[language]\nself = \"العربية\"\n")},
	}
}

func TestLanguage(t *testing.T) {
	r := newRenderer(t, templates.Options{Override: translated()})
	for name, test := range map[string]struct {
		preferences []string
		want        string
	}{
		"nothing":                 {nil, "en"},
		"empty":                   {[]string{"", "", ""}, "en"},
		"ui_locales":              {[]string{"de"}, "de"},
		"ui_locales in order":     {[]string{"xx-broken- ja de en"}, "de"},
		"falls back to language":  {[]string{"ca-ES"}, "ca"},
		"region unknown":          {[]string{"de-CH-1996"}, "de"},
		"earlier preference wins": {[]string{"de", "ca", "en"}, "de"},
		"unknown one is skipped":  {[]string{"ja", "", "ca;q=0.8, en;q=0.5"}, "ca"},
		"quality counts":          {[]string{"en;q=0.2, de;q=0.9"}, "de"},
		"all unknown":             {[]string{"ja", "ko", "zh"}, "en"},
		"hostile":                 {[]string{strings.Repeat("a-", 5000), "\"><script>", strings.Repeat("de,", 10000) + ";"}, "en"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := r.Language(test.preferences...).Tag(); got != test.want {
				t.Errorf("Language(%.60q) = %s, want %s", test.preferences, got, test.want)
			}
		})
	}
}

func TestPageInAnotherLanguage(t *testing.T) {
	r := newRenderer(t, templates.Options{Override: translated()})
	for _, test := range []struct {
		language string
		want     []string
	}{
		{"de", []string{`<html lang="de" dir="ltr">`, "<h1>Einloggen</h1>", ">Passwort</label>", `<option value="de" lang="de" dir="ltr" selected>Deutsch</option>`}},
		{"ar", []string{`<html lang="ar" dir="rtl">`, "<h1>Sign in</h1>", `<option value="ar" lang="ar" dir="rtl" selected>العربية</option>`}},
	} {
		w := httptest.NewRecorder()
		err := r.SignIn(w, 200, r.Language(test.language), templates.SignIn{Page: framePage(""), Action: "/signin"})
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range test.want {
			if !strings.Contains(w.Body.String(), want) {
				t.Errorf("page in %s lacks %s", test.language, want)
			}
		}
	}
}

func TestZeroLanguageIsEnglish(t *testing.T) {
	r := newRenderer(t, templates.Options{})
	w := httptest.NewRecorder()
	if err := r.Home(w, 200, templates.Language{}, templates.Home{SignInURL: "/signin"}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(w.Body.String(), `<html lang="en" dir="ltr">`) {
		t.Errorf("page is not English:\n%s", w.Body)
	}
	if strings.Contains(w.Body.String(), "<select") {
		t.Error("without an action there must be no form for preferences")
	}
}
