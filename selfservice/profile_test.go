package selfservice_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
)

func TestProfile_SignedOut(t *testing.T) {
	w := newHouse(t)
	for _, path := range []string{"/account/", "/account/profile", "/account/picture", "/account/picture/remove", "/account/seen", "/account/security", "/account/report", "/account/apps", "/account/data", "/account/delete", "/account/keep"} {
		b := w.visitor(nil)
		wantTo(t, b.get(path), "/signin?return="+strings.ReplaceAll(path, "/", "%2F"))
	}
	wantTo(t, w.visitor(nil).get("/account"), "/account/")
	// A way back carries the query, and nothing that leads elsewhere (attack 172).
	wantTo(t, w.visitor(nil).get("/account/security?before=x"), "/signin?return=%2Faccount%2Fsecurity%3Fbefore%3Dx")
}

func TestOverview(t *testing.T) {
	w := newHouse(t)
	b := w.visitor(w.ada)
	w.allow(w.ada, w.board, b.session, false)
	w.visitor(w.ada)
	wantHTML(t, b.get("/account/"), http.StatusOK, "Hello, ada Example", "ada@example.org", "You are signed in in 2 browsers.",
		"1 app has access", `href="/account/password"`, `href="/logout"`, `<a href="/account/" aria-current="page">`, "!portrait", "!Staff")
}

// fields are a whole profile as a person types it.
func fields() []string {
	return []string{
		"action", "continue", "name", " Ada Lovelace ", "given_name", "Ada", "middle_name", "King", "family_name", "Lovelace", "nickname", "Countess",
		"birthdate", "0000-12-10", "gender", "she", "phone_number", "+44 (0) 20-7946 0958", "website", "example.org/ada", "profile", "https://Example.ORG:443/me",
		"street_address", "12 St James's Square\r\nFlat 2", "postal_code", "SW1Y", "locality", "London", "region", "England", "country", "United Kingdom",
		"locale", "de-at", "zoneinfo", "Europe/Vienna",
	}
}

func TestProfile_Save(t *testing.T) {
	w := newHouse(t)
	b := w.visitor(w.ada)
	page := b.get("/account/profile")
	wantHTML(t, page, http.StatusOK, `value="ada Example"`, `autocomplete="bday"`, `>Europe/Vienna<`, `<h1>Your profile</h1>`)
	wantTo(t, b.post("/account/profile", filled(t, page, fields()...)), "/account/profile?done=saved")
	w.wantOutcome("profile-saved")
	got := w.stored(w.ada)
	want := accounts.Profile{
		GivenName: "Ada", MiddleName: "King", FamilyName: "Lovelace", Nickname: "Countess", Birthdate: "0000-12-10", Gender: "she",
		PhoneNumber: "+4402079460958", Website: "https://example.org/ada", ProfileURL: "https://example.org/me", Locale: "de-AT", Zoneinfo: "Europe/Vienna",
		Address: &accounts.Address{
			Formatted: "12 St James's Square\nFlat 2\nSW1Y London\nEngland\nUnited Kingdom", StreetAddress: "12 St James's Square\nFlat 2",
			PostalCode: "SW1Y", Locality: "London", Region: "England", Country: "United Kingdom",
		},
	}
	if diff := cmp.Diff(want, got.Profile); diff != "" || got.Name != "Ada Lovelace" {
		t.Errorf("%q, profile (-want +got):\n%s", got.Name, diff)
	}
	// What was typed comes back, and the language follows.
	again := b.get("/account/profile?done=saved")
	wantHTML(t, again, http.StatusOK, `value="+4402079460958"`, `value="de-AT" selected`, `value="Europe/Vienna" selected`, "Flat 2</textarea>")
	if b.jar[w.cookies.Name(flow.LanguageCookie)] == "" {
		t.Error("the browser does not know the language")
	}
	// The same again changes nothing, and so is no event.
	before := len(w.actions(100))
	wantTo(t, b.post("/account/profile", filled(t, again, fields()...)), "/account/profile?done=saved")
	if after := len(w.actions(100)); after != before {
		t.Errorf("%d events for nothing", after-before)
	}
	if len(w.rows()) != 0 {
		t.Errorf("rows in the ledger: %v", w.rows())
	}
}

func TestProfile_Refused(t *testing.T) {
	w := newHouse(t)
	b := w.visitor(w.ada)
	for _, tc := range []struct{ field, value, says string }{
		{"birthdate", "10.12.1990", "Write your date of birth"},
		{"birthdate", "2200-01-01", "in the future"},
		{"phone_number", "030 123456", "with the code of its country"},
		{"website", "javascript:alert(1)", "begins with https://"},
		{"website", "http://example.org", "begins with https://"},
		{"profile", "https://user@example.org", "begins with https://"},
		{"locale", "klingon!", "Choose a language"},
		{"zoneinfo", "../../etc/passwd", "Choose a time zone"},
		{"name", "Ada\u202eecalevoL", "cannot be seen"},
		{"family_name", strings.Repeat("x", 101), "may have 100 characters"},
		{"country", "a\nb", "cannot be seen"},
	} {
		page := b.get("/account/profile")
		answer := b.post("/account/profile", filled(t, page, "action", "continue", "nickname", "kept", tc.field, tc.value))
		wantHTML(t, answer, http.StatusUnprocessableEntity, tc.says, `value="kept"`, `href="#`+tc.field+`"`, `role="alert"`)
		w.wantOutcome("refused")
	}
	if got := w.stored(w.ada); got.Profile != (accounts.Profile{}) || got.Name != "ada Example" {
		t.Errorf("saved %q %+v", got.Name, got.Profile)
	}
}

// Fields that the form does not have set nothing.
func TestProfile_MassAssignment(t *testing.T) {
	w := newHouse(t)
	b := w.visitor(w.ada)
	wantTo(t, b.post("/account/profile", filled(t, b.get("/account/profile"), "action", "continue", "name", "Ada",
		"phone_number", "+441234567", "phone_number_verified", "true", "PhoneVerified", "true", "email", "root@example.org", "email_verified", "1",
		"picture", "https://evil.example/p.png", "superuser", "1", "staff", "1", "sub", "x", "username", "root")), "/account/profile?done=saved")
	got := w.stored(w.ada)
	if got.Profile.PhoneVerified || got.Profile.Picture != "" || got.Email != "ada@example.org" || got.Superuser || got.Staff || got.Username != "ada" {
		t.Errorf("set %+v", got)
	}
}

// Another number is not a verified one; the same one written otherwise is.
func TestProfile_PhoneVerified(t *testing.T) {
	w := newHouse(t)
	u := w.stored(w.ada)
	u.Profile.PhoneNumber, u.Profile.PhoneVerified = "+441234567", true
	w.must(w.db.UpdateUser(t.Context(), u))
	b := w.visitor(w.ada)
	for _, tc := range []struct {
		typed string
		want  bool
	}{{"+44 123 4567", true}, {"+441234568", false}, {"+441234567", false}} {
		wantTo(t, b.post("/account/profile", filled(t, b.get("/account/profile"), "phone_number", tc.typed)), "/account/profile?done=saved")
		if got := w.stored(w.ada).Profile.PhoneVerified; got != tc.want {
			t.Errorf("%s: verified %t", tc.typed, got)
		}
	}
}

// What an import brought is shown, and kept as long as it is not touched.
func TestProfile_Imported(t *testing.T) {
	w := newHouse(t)
	u := w.stored(w.ada)
	u.Profile = accounts.Profile{
		Locale: "tlh", Zoneinfo: "America/Indiana/Knox", Address: &accounts.Address{Formatted: "Ada, 12 St James's Square, London"}, Picture: "https://cdn.example/p.png",
	}
	w.must(w.db.UpdateUser(t.Context(), u))
	b := w.visitor(w.ada)
	page := b.get("/account/profile")
	wantHTML(t, page, http.StatusOK, `value="tlh" selected`, `value="America/Indiana/Knox" selected`, "London</textarea>")
	wantTo(t, b.post("/account/profile", filled(t, page, "name", "Ada", "locale", "tlh", "zoneinfo", "America/Indiana/Knox",
		"street_address", "Ada, 12 St James's Square, London")), "/account/profile?done=saved")
	if diff := cmp.Diff(u.Profile, w.stored(w.ada).Profile); diff != "" {
		t.Errorf("profile (-want +got):\n%s", diff)
	}
	// A picture elsewhere is not loaded by our pages.
	wantHTML(t, b.get("/account/"), http.StatusOK, "!cdn.example")
}

// The forms count for one person in one browser (attack 169).
func TestAttack_169_AccountForms(t *testing.T) {
	w := newHouse(t)
	mallory, ada := w.visitor(w.bob), w.visitor(w.ada)
	w.allow(w.bob, w.board, mallory.session, false)
	w.allow(w.ada, w.board, ada.session, false)
	for path, pairs := range map[string][]string{
		"/account/profile":        {"name", "Mallory"},
		"/account/picture/remove": {"action", "continue"},
		"/account/security":       {"action", "end_others"},
		"/account/report":         {"action", "continue"},
		"/account/apps":           {"action", "disconnect", "client", w.board.ClientID},
		"/account/data":           {"action", "continue"},
		"/account/delete":         {"action", "continue", "confirmation", "ada"},
	} {
		stolen := filled(t, mallory.get(path), pairs...)
		before := w.actions(1000)
		wantHTML(t, ada.post(path, stolen), http.StatusForbidden)
		w.wantOutcome("form-refused")
		delete(stolen, "flow")
		wantHTML(t, ada.post(path, stolen), http.StatusForbidden)
		own := filled(t, ada.get(path), pairs...)
		ada.site = "cross-site"
		wantHTML(t, ada.post(path, own), http.StatusForbidden)
		w.wantOutcome("cross-origin")
		ada.site = "same-origin"
		// Another page's ticket is none either.
		other := "/account/profile"
		if path == other {
			other = "/account/security"
		}
		wantHTML(t, ada.post(path, filled(t, ada.get(other), pairs...)), http.StatusForbidden)
		if after := w.actions(1000); len(after) != len(before) {
			t.Errorf("%s: %v", path, after[:len(after)-len(before)])
		}
		if path != "/account/picture/remove" && path != "/account/report" {
			continue
		}
		// An address that only does something by POST shows a form.
		wantHTML(t, ada.get(path), http.StatusOK, `<form method="post"`)
	}
}

// Nothing that a person says of themselves becomes markup, on whosever page.
func TestAttack_176_NamesAreText(t *testing.T) {
	w := newHouse(t)
	u := w.stored(w.ada)
	const bad = `"><script>alert(1)</script>`
	u.Name, u.Profile = bad, accounts.Profile{
		GivenName: bad, Nickname: bad, Website: "javascript:alert(1)", Locale: bad, Zoneinfo: bad, Picture: houseIssuer + `/pictures/"onerror="x`,
		Address: &accounts.Address{StreetAddress: "</textarea>" + bad},
	}
	w.must(w.db.UpdateUser(t.Context(), u))
	b := w.visitor(nil)
	b.agent = `<script>alert(1)</script>/1.0 (<img src=x onerror=alert(1)>)`
	b.enter(w.ada)
	c := w.board
	c.Name = bad
	w.must(w.db.UpdateClient(t.Context(), c))
	w.allow(w.ada, c, b.session, true)
	for _, path := range []string{
		"/account/", "/account/profile", "/account/picture", "/account/seen?scope=profile&scope=address&scope=groups", "/account/seen?client=" + c.ClientID,
		"/account/security", "/account/apps", "/account/apps?gone=" + c.ClientID, "/account/report?event=" + "%22%3E%3Cscript%3E", "/account/delete",
	} {
		answer := b.get(path)
		if answer.Code != http.StatusOK {
			t.Errorf("%s: status %d", path, answer.Code)
		}
		body := answer.Body.String()
		for _, text := range []string{"<script>alert", "<img src=x", `href="javascript:`, `"onerror`, "<b>Writers"} {
			if strings.Contains(body, text) {
				t.Errorf("%s: %s in\n%s", path, text, body)
			}
		}
		if policy := answer.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") {
			t.Errorf("%s: policy %q", path, policy)
		}
	}
}

func TestSeen(t *testing.T) {
	w := newHouse(t)
	b := w.visitor(w.ada)
	u := w.stored(w.ada)
	u.Profile.Zoneinfo, u.Profile.Address = "Asia/Tokyo", &accounts.Address{Formatted: "1 Road\nTown"}
	w.must(w.db.UpdateUser(t.Context(), u))
	wantHTML(t, b.get("/account/seen"), http.StatusOK, "ada Example", "ada@example.org", "Yes", "Asia/Tokyo", "JST", "!Editors", `value="email" checked`, "!1 Road")
	if diff := cmp.Diff([]string{"", "openid", "profile", "email"}, w.claims.asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	wantHTML(t, b.get("/account/seen?scope=groups&scope=address&scope=admin:write"), http.StatusOK, "Editors", "<dd><bdi>1 Road</bdi></dd>", "Town", "!ada@example.org")
	if diff := cmp.Diff([]string{"", "openid", "groups", "address"}, w.claims.asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	// An app that is not connected is no choice, whoever asks.
	wantHTML(t, b.get("/account/seen?client="+w.board.ClientID), http.StatusOK, "!Post Board")
	if w.claims.asked[0] != "" {
		t.Error("asked for an app that the person has nothing to do with")
	}
	w.allow(w.ada, w.board, b.session, false)
	wantHTML(t, b.get("/account/seen?client="+w.board.ClientID), http.StatusOK, `value="`+w.board.ClientID+`" selected`, "ada@example.org")
	if diff := cmp.Diff([]string{w.board.ClientID, "openid", "email", "offline_access", "openid", "posts:add", "profile"}, w.claims.asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

// A language that was chosen elsewhere on the pages is kept as well.
func TestProfile_SetLocale(t *testing.T) {
	w := newHouse(t)
	profiles := &accounts.Profiles{Journal: w.users.Journal, Users: w.db}
	w.must(profiles.SetLocale(t.Context(), rootOperator(), w.ada.Subject, "de-at"))
	w.must(profiles.SetLocale(t.Context(), rootOperator(), w.ada.Subject, "de-AT"))
	if got := w.stored(w.ada).Profile.Locale; got != "de-AT" {
		t.Errorf("locale %q", got)
	}
	if got := w.actions(2); got[0] != "user.profile.change" || got[1] == "user.profile.change" {
		t.Errorf("events %v", got)
	}
	if err := profiles.SetLocale(t.Context(), rootOperator(), w.ada.Subject, "no such!"); !errors.Is(err, accounts.ErrInvalid) {
		t.Errorf("error %v", err)
	}
}
