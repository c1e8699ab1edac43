package templates

import (
	"io/fs"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"
	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

// shippedLanguages are complete in every release.
func shippedLanguages() []string { return []string{"de", "en"} }

// ownTexts reads one of our catalogs. The area is part of a key, so that a text
// stands in the file of the same name in each language.
func ownTexts(t *testing.T, tag string) map[string]*i18n.Message {
	t.Helper()
	names, err := fs.Glob(embedded, "locales/"+tag+"/*.toml")
	if err != nil || len(names) == 0 {
		t.Fatalf("catalogs of %s: %v, %v", tag, names, err)
	}
	texts := map[string]*i18n.Message{}
	seen := map[string]string{}
	for _, name := range names {
		data, err := fs.ReadFile(embedded, name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := i18n.ParseMessageFileBytes(data, tag+".toml", map[string]i18n.UnmarshalFunc{"toml": toml.Unmarshal})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, m := range file.Messages {
			if other, twice := seen[m.ID]; twice {
				t.Errorf("%s: %s stands in %s too", name, m.ID, other)
			}
			seen[m.ID] = name
			texts[path.Base(name)+" "+m.ID] = m
		}
	}
	return texts
}

// forms are the texts of a message by plural form.
func forms(m *i18n.Message) map[string]string {
	all := map[string]string{
		"zero": m.Zero, "one": m.One, "two": m.Two, "few": m.Few, "many": m.Many, "other": m.Other,
	}
	for form, text := range all {
		if text == "" {
			delete(all, form)
		}
	}
	return all
}

var messageField = regexp.MustCompile(`{{[^}]*}}`)

// fieldsOf are the data that a text asks for.
func fieldsOf(text string) []string {
	return slices.Compact(slices.Sorted(slices.Values(messageField.FindAllString(text, -1))))
}

// TestLanguagesAreComplete: each language has each text in the same file, with the
// plural forms and the data of the English one, and no text besides.
func TestLanguagesAreComplete(t *testing.T) {
	folders, err := fs.ReadDir(embedded, "locales")
	if err != nil {
		t.Fatal(err)
	}
	var tags []string
	for _, folder := range folders {
		tags = append(tags, folder.Name())
	}
	if diff := cmp.Diff(shippedLanguages(), tags); diff != "" {
		t.Fatalf("languages (-want +got):\n%s", diff)
	}
	english := ownTexts(t, "en")
	for _, tag := range tags {
		texts := ownTexts(t, tag)
		for key := range texts {
			if english[key] == nil {
				t.Errorf("%s: %s is superfluous", tag, key)
			}
		}
		for key, m := range english {
			if texts[key] == nil {
				t.Errorf("%s: %s is missing", tag, key)
				continue
			}
			checkText(t, tag+": "+key, forms(m), forms(texts[key]))
		}
	}
}

func checkText(t *testing.T, where string, english, got map[string]string) {
	t.Helper()
	for form, text := range english {
		other, found := got[form]
		if !found {
			t.Errorf("%s lacks the form %q", where, form)
			continue
		}
		if diff := cmp.Diff(fieldsOf(text), fieldsOf(other)); diff != "" {
			t.Errorf("%s, form %q: data (-English +got):\n%s", where, form, diff)
		}
		if strings.TrimSpace(other) != other || visible(strings.ReplaceAll(other, "\n", "")) != strings.ReplaceAll(other, "\n", "") {
			t.Errorf("%s, form %q: %q has blanks at its ends or characters that cannot be seen", where, form, other)
		}
	}
	for form := range got {
		if _, found := english[form]; !found {
			t.Errorf("%s has the superfluous form %q", where, form)
		}
	}
}

func TestFieldsOf(t *testing.T) {
	got := fieldsOf("{{.B}} and {{.A}}, {{.B}}")
	if diff := cmp.Diff([]string{"{{.A}}", "{{.B}}"}, got); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

// TestEveryTextIsInTheLanguage: nothing falls back to English, and the template of
// every text works.
func TestEveryTextIsInTheLanguage(t *testing.T) {
	r, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tag := range shippedLanguages() {
		lang := r.Language(tag)
		if lang.Tag() != tag {
			t.Fatalf("language %s is %s", tag, lang.Tag())
		}
		want, _ := language.Parse(tag)
		for key := range r.catalog.keys {
			_, got, err := lang.localizer.LocalizeWithTag(&i18n.LocalizeConfig{
				MessageID: key, PluralCount: 2, TemplateData: map[string]any{"Count": 2},
			})
			if err != nil || got != want {
				t.Errorf("%s in %s: in %s, %v", key, tag, got, err)
			}
		}
	}
}

// TestMailsInEveryLanguage: each kind is written in the language of who gets it, and
// says the same there: the link, the code and the facts.
func TestMailsInEveryLanguage(t *testing.T) {
	r, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	mails, err := NewMails(r, nil, &url.URL{Scheme: "https", Host: "id.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	if err := mails.tryAll(); err != nil {
		t.Fatal(err)
	}
	for _, kind := range MailKinds() {
		write := func(language string) *Letter {
			l, err := mails.Write(Mail{Kind: kind, To: "ada@example.org", Language: language, Data: sampleMailData()})
			if err != nil {
				t.Fatalf("%s in %s: %v", kind, language, err)
			}
			return l
		}
		english, german := write("en"), write("de-AT")
		if german.Language != "de" || german.Subject == english.Subject || german.Text == english.Text {
			t.Errorf("%s: the German mail is %s, %q", kind, german.Language, german.Subject)
		}
		if strings.Contains(english.Text, "Hello") && !strings.Contains(german.Text, "Hallo") {
			t.Errorf("%s: the German mail greets nobody:\n%s", kind, german.Text)
		}
		for _, datum := range []string{"https://id.example.com/x?y=z", "12345678", "Firefox on Linux", "192.0.2.7", "Post Board"} {
			if strings.Contains(english.Text, datum) != strings.Contains(german.Text, datum) {
				t.Errorf("%s: %q is in one language alone", kind, datum)
			}
		}
	}
}
