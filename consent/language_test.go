package consent_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/flow"
)

func (w *world) setLocale(u *accounts.User, locale string) {
	w.Helper()
	profiles := &accounts.Profiles{Journal: w.users.Journal, Users: w.db}
	w.must(profiles.SetLocale(w.Context(), operator(), u.Subject, locale))
}

// TestLanguageOfTheAccount: ui_locales, the account, the browser's cookie and its
// header, in this order.
func TestLanguageOfTheAccount(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	f := w.flow(b)
	page := b.get("/signin?flow=" + f.ID.String())
	wantPage(t, page, http.StatusOK, `<html lang="en"`)
	w.setLocale(w.ada, "de-AT")
	b.post("/signin", fill(t, page, "username", "ada", "password", password))
	if got := b.jar[w.cookies.Name("lang")]; got != "de" {
		t.Errorf("the browser keeps %q, want the account's language", got)
	}
	wantPage(t, b.get("/consent?flow="+f.ID.String()), http.StatusOK, `<html lang="de"`, "Erlauben")
}

// An account without a language, or with one that the pages do not have, leaves the
// browser's choice.
func TestLanguageOfTheAccount_NoneOfOurs(t *testing.T) {
	for _, locale := range []string{"", "ja"} {
		w := newWorld(t)
		b := w.browser()
		b.post("/preferences", url.Values{"lang": {"de"}})
		w.setLocale(w.ada, locale)
		f := w.flow(b)
		b.post("/signin", fill(t, b.get("/signin?flow="+f.ID.String()), "username", "ada", "password", password))
		if got := b.jar[w.cookies.Name("lang")]; got != "de" {
			t.Errorf("with the locale %q the browser keeps %q", locale, got)
		}
	}
}

// Who chooses a language at the foot of a page has it with their account from then on.
func TestPreferences_KeepsTheLanguageOfTheAccount(t *testing.T) {
	for _, tc := range []struct{ before, chosen, want string }{
		{"fr", "de", "de"}, {"de-AT", "de", ""}, {"de-AT", "en", "en"}, {"", "de", ""}, {"fr", "ja", ""}, {"fr", "", ""},
	} {
		w := newWorld(t)
		got := ""
		w.handler.SetLocale = func(_ context.Context, actor audit.Actor, subject, locale string) error {
			if actor.ID != w.ada.Subject || subject != w.ada.Subject {
				t.Errorf("%v changes %s", actor, subject)
			}
			got = locale
			return nil
		}
		b := w.browser()
		b.post("/preferences", url.Values{"lang": {tc.chosen}}) // nobody is signed in
		if got != "" {
			t.Errorf("%q was kept for nobody", got)
		}
		w.setLocale(w.ada, tc.before)
		b.enter(w.ada)
		b.post("/preferences", url.Values{"lang": {tc.chosen}})
		if got != tc.want {
			t.Errorf("from %q by %q: the account gets %q, want %q", tc.before, tc.chosen, got, tc.want)
		}
	}
}

// The names and sentences of apps and APIs are in the language of the page; what has
// none in it is shown as it is.
func TestTextsInTheLanguageOfThePage(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	german := w.flow(b, func(f *flow.Flow) { f.UILocales = "de-CH" })
	english := w.flow(b, func(f *flow.Flow) { f.UILocales = "en" })
	at := func(page string, f *flow.Flow) *httptest.ResponseRecorder {
		return b.get(page + "?flow=" + f.ID.String())
	}
	wantPage(t, at("/signin", german), http.StatusOK, `<html lang="de"`, "Brett", "!Post Board")
	wantPage(t, at("/signin", english), http.StatusOK, "Post Board", "!Brett")
	b.enter(w.ada)
	wantPage(t, at("/select-account", german), http.StatusOK, "Brett", "!Post Board")
	wantPage(t, at("/consent", german), http.StatusOK, `<html lang="de"`, "Brett", "!Post Board", "Beiträge in deinem Namen schreiben",
		"Für dich handeln in Beiträge", "!Write posts", "List posts", "https://board.example.com/datenschutz", "!/privacy", "https://board.example.com/terms")
	wantPage(t, at("/consent", english), http.StatusOK, "Post Board", "!Brett", "Write posts in your name", "Act for you in Posts",
		"https://board.example.com/privacy", "!/datenschutz")
	w.now = w.now.Add(2 * time.Hour)
	b.post("/preferences", url.Values{"lang": {"de"}})
	wantPage(t, at("/signin", english), http.StatusGone, "Brett", "!Post Board") // the page of an error is in the browser's language
}

// What the built-in API offers is described in our catalogs, in both languages.
func TestBuiltinPermissionsHaveTexts(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.enter(w.ada)
	var names, english []string
	for _, p := range accounts.BuiltinPermissions() {
		names, english = append(names, p.Name), append(english, p.Description)
	}
	for locale, before := range map[string]string{"en": "<span>", "de": "!>"} { // else they are in a <bdi>
		wants := []string{`<html lang="` + locale + `"`}
		for _, description := range english {
			wants = append(wants, before+description+"<")
		}
		f := w.flow(b, func(f *flow.Flow) { f.Scopes, f.UILocales = names, locale })
		wantPage(t, b.get("/consent?flow="+f.ID.String()), http.StatusOK, wants...)
	}
}
