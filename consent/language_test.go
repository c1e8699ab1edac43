package consent_test

import (
	"context"
	"net/http"
	"net/url"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
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
