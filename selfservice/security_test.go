package selfservice_test

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

func TestSecurity_Sessions(t *testing.T) {
	w := newHouse(t)
	here := w.visitor(w.ada)
	w.now = w.now.Add(time.Minute)
	phone := w.visitor(nil)
	phone.agent = chrome
	phone.enter(w.ada)
	bobs := w.visitor(w.bob)
	page := here.get("/account/security")
	wantHTML(t, page, http.StatusOK, "Firefox on Linux", "Chrome on Android", "192.0.2.7", "This browser", "your password",
		"2026-09-21 14:13 UTC", `value="`+phone.session.ID.String()+`"`, `!value="`+here.session.ID.String()+`"`, "!"+bobs.session.ID.String())
	// This one stands first, whichever was used last.
	if body := page.Body.String(); strings.Index(body, "Firefox on Linux") > strings.Index(body, "Chrome on Android") {
		t.Error("the browser that shows the page is not the first")
	}
	bound, offline := w.allow(w.ada, w.board, phone.session, false), w.allow(w.ada, w.board, phone.session, true)
	wantTo(t, here.post("/account/security", filled(t, page, "action", "end", "session", phone.session.ID.String())), "/account/security?done=ended")
	w.wantOutcome("session-ended")
	wantHTML(t, here.get("/account/security?done=ended"), http.StatusOK, "That browser is signed out.", "!Sign out everywhere else", "A browser was signed out")
	// It works at once: the session, what hangs on it, and the tokens.
	wantTo(t, phone.get("/account/"), "/signin?return=%2Faccount%2F")
	if !w.ended(bound) || w.ended(offline) {
		t.Error("not exactly the grant of the session has ended")
	}
	if diff := cmp.Diff([]string{"session " + phone.session.ID.String()}, w.rows()); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	wantTo(t, here.post("/account/security", filled(t, page, "action", "end", "session", phone.session.ID.String())), "/account/security?done=gone")
	wantHTML(t, here.get("/account/security?done=gone"), http.StatusOK, "signed out already")
	wantHTML(t, here.get("/account/security?done=%3Cb%3E"), http.StatusOK, `!role="status"`)
}

// Nobody ends a session of another person, their own only knowingly, and nothing
// without saying what.
func TestSecurity_SessionsOfOthers(t *testing.T) {
	w := newHouse(t)
	ada, bob := w.visitor(w.ada), w.visitor(w.bob)
	page := ada.get("/account/security")
	for _, sid := range []string{bob.session.ID.String(), "", "x", id.New().String(), "AAAAAAAAAAAAAAAAAAAAAA"} {
		wantTo(t, ada.post("/account/security", filled(t, page, "action", "end", "session", sid)), "/account/security?done=gone")
	}
	wantTo(t, ada.post("/account/security", filled(t, page, "action", "end", "session", ada.session.ID.String())), "/logout")
	wantHTML(t, ada.post("/account/security", filled(t, page, "action", "all")), http.StatusBadRequest)
	wantHTML(t, ada.post("/account/security", filled(t, page)), http.StatusBadRequest)
	wantHTML(t, bob.get("/account/"), http.StatusOK)
	wantHTML(t, ada.get("/account/"), http.StatusOK)
	if len(w.rows()) != 0 {
		t.Errorf("rows %v", w.rows())
	}
}

func TestSecurity_EndOthers(t *testing.T) {
	w := newHouse(t)
	here, second, third, bob := w.visitor(w.ada), w.visitor(w.ada), w.visitor(w.ada), w.visitor(w.bob)
	bound, mine := w.allow(w.ada, w.board, second.session, false), w.allow(w.ada, w.board, here.session, false)
	page := here.get("/account/security")
	wantTo(t, here.post("/account/security", filled(t, page, "action", "end_others")), "/account/security?done=ended_others")
	wantHTML(t, here.get("/account/security?done=ended_others"), http.StatusOK, "You are signed out everywhere else.", "Signed out everywhere else")
	wantHTML(t, bob.get("/account/"), http.StatusOK)
	for _, b := range []*visitor{second, third} {
		wantTo(t, b.get("/account/"), "/signin?return=%2Faccount%2F")
	}
	if !w.ended(bound) || w.ended(mine) {
		t.Error("not exactly the grants of the others have ended")
	}
	want := []string{"session " + second.session.ID.String(), "session " + third.session.ID.String()}
	got := w.rows()
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	// Once more ends nothing and is no event.
	before := len(w.actions(100))
	wantTo(t, here.post("/account/security", filled(t, page, "action", "end_others")), "/account/security?done=ended_others")
	if len(w.actions(100)) != before {
		t.Error("an event for nothing")
	}
	if _, err := w.sessions.EndOthers(t.Context(), rootOperator(), w.ada.Subject, id.ID{}); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("all others than none: %v", err)
	}
}

func TestSecurity_NotMe(t *testing.T) {
	w := newHouse(t)
	here, thief := w.visitor(w.ada), w.visitor(w.ada)
	stolen, away := w.allow(w.ada, w.board, thief.session, false), w.allow(w.ada, w.board, here.session, true)
	page := here.get("/account/security")
	link := regexp.MustCompile(`/account/report\?event=[\w-]{22}`).FindString(page.Body.String())
	if link == "" {
		t.Fatalf("nothing can be reported:\n%s", page.Body)
	}
	report := here.get(link)
	wantHTML(t, report, http.StatusOK, "Was this not you?", `name="event" value="`+strings.TrimPrefix(link, "/account/report?event=")+`"`)
	if len(w.rows()) != 0 || len(w.stored(w.ada).RequiredActions) != 0 {
		t.Error("to open the page has done something")
	}
	wantTo(t, here.post("/account/report", filled(t, report, "action", "continue", "event", strings.TrimPrefix(link, "/account/report?event="))), "/account/password")
	w.wantOutcome("reported")
	wantTo(t, thief.get("/account/"), "/signin?return=%2Faccount%2F")
	if !w.ended(stolen) || w.ended(away) {
		t.Error("not exactly the grant of the other session has ended")
	}
	if diff := cmp.Diff([]string{"session " + thief.session.ID.String()}, w.rows()); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	// Nothing else before the new password, for nobody who signs in.
	for _, path := range []string{"/account/", "/account/security", "/account/profile", "/account/data", "/account/delete", "/account/report"} {
		wantTo(t, here.get(path), "/account/password")
		wantTo(t, w.visitor(w.ada).get(path), "/account/password")
	}
	if len(*w.mails) != 1 {
		t.Fatalf("mails %+v", *w.mails)
	}
	want := accounts.Mail{Kind: accounts.MailSecurityAlert, To: "ada@example.org", Data: map[string]string{
		"name": "ada Example", "link": houseIssuer + "/account/security", "when": "1790000000000", "device": "Firefox on Linux", "address": "192.0.2.1",
	}}
	if diff := cmp.Diff(want, (*w.mails)[0]); diff != "" {
		t.Errorf("mail (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]accounts.Action{accounts.ActionChangePassword}, w.stored(w.ada).RequiredActions); diff != "" {
		t.Errorf("required (-want +got):\n%s", diff)
	}
}

func TestSecurity_Events(t *testing.T) {
	w := newHouse(t)
	b := w.visitor(w.ada)
	ctx := audit.WithOrigin(t.Context(), audit.Origin{Address: "203.0.113.9"})
	write := func(actor audit.Actor, action string) {
		w.must(w.db.WriteAudit(ctx, audit.Event{Actor: actor, Action: action, TargetKind: "user", TargetID: w.ada.Subject}))
	}
	write(audit.Actor{Kind: audit.System, ID: "sign-in"}, "user.sign_in.refuse")
	write(audit.Actor{Kind: audit.Person, ID: w.bob.Subject, Name: "the-admins-name"}, "user.superuser.grant")
	write(audit.Actor{Kind: audit.Person, ID: w.ada.Subject}, "user.unheard.of")
	write(audit.Actor{Kind: audit.Person, ID: w.ada.Subject}, "user.mail_code.use")
	w.allow(w.ada, w.board, b.session, false)
	page := b.get("/account/security")
	wantHTML(t, page, http.StatusOK, "Signed in", "Somebody failed to sign in", "203.0.113.9", "The account was given more rights", "by an administrator",
		"A change to the account (user.unheard.of)", "You allowed Post Board access", "The account was made", "!the-admins-name", "!mail_code")
	// Where an administrator was is theirs.
	given := regexp.MustCompile(`(?s)The account was given more rights.*?</li>`).FindString(page.Body.String())
	if strings.Contains(given, "203.0.113.9") || strings.Contains(given, "/account/report") {
		t.Errorf("of an administrator: %s", given)
	}
	// Bob sees nothing of it.
	wantHTML(t, w.visitor(w.bob).get("/account/security"), http.StatusOK, "!Post Board", "!user.unheard.of", "!203.0.113.9")
	// What is older is not shown.
	w.now = w.now.Add(accounts.ActivityShown + time.Hour)
	b.enter(w.ada)
	wantHTML(t, b.get("/account/security"), http.StatusOK, "!Post Board", "!Somebody failed", "Signed in")
}

func TestSecurity_EventPages(t *testing.T) {
	w := newHouse(t)
	b := w.visitor(w.ada)
	for range 45 {
		w.must(w.db.WriteAudit(t.Context(), audit.Event{
			Actor: audit.Actor{Kind: audit.System, ID: "sign-in"}, Action: "user.sign_in.refuse", TargetKind: "user", TargetID: w.ada.Subject,
		}))
	}
	older := regexp.MustCompile(`/account/security\?before=[\w-]{22}`)
	path, seen, pages := "/account/security", 0, 0
	for path != "" {
		page := b.get(path)
		wantHTML(t, page, http.StatusOK)
		seen += strings.Count(page.Body.String(), "Somebody failed to sign in")
		if pages++; pages > 1 {
			wantHTML(t, page, http.StatusOK, "Back to the newest", "!Where you are signed in")
		}
		path = older.FindString(page.Body.String())
	}
	if seen != 45 || pages != 3 { // with the account's making and the sign-in
		t.Errorf("%d events on %d pages", seen, pages)
	}
	wantHTML(t, b.get("/account/security?before=x%27"), http.StatusOK, "Where you are signed in")
	wantHTML(t, b.get("/account/security?before=a&before=b"), http.StatusBadRequest)
}

func TestApps(t *testing.T) {
	w := newHouse(t)
	b := w.visitor(w.ada)
	wantHTML(t, b.get("/account/apps"), http.StatusOK, "No app has access to your account.")
	tool := w.register("Tool <b>")
	bound, offline := w.allow(w.ada, w.board, b.session, false), w.allow(w.ada, w.board, b.session, true)
	other := w.allow(w.ada, tool, b.session, false)
	bobs := w.allow(w.bob, w.board, w.visitor(w.bob).session, true)
	page := b.get("/account/apps")
	wantHTML(t, page, http.StatusOK, "Post Board", "Tool <b>", "Write posts in your name", "See your e-mail address", "2026-09-21 14:13 UTC",
		"also while you are away", `href="https://board.example.com/"`, "/account/seen?client=")
	form := filled(t, page, "action", "disconnect", "client", w.board.ClientID)
	wantTo(t, b.post("/account/apps", form), "/account/apps?gone="+w.board.ClientID)
	w.wantOutcome("disconnected")
	wantHTML(t, b.get("/account/apps?gone="+w.board.ClientID), http.StatusOK, "Post Board no longer has access", "Tool", "!Write posts in your name</li>\n<li>Write")
	if !w.ended(bound) || !w.ended(offline) || w.ended(other) || w.ended(bobs) {
		t.Error("not exactly the grants of the app have ended")
	}
	want := []string{"grant " + bound.String(), "grant " + offline.String()}
	got := w.rows()
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	wantTo(t, b.post("/account/apps", form), "/account/apps")
	for _, client := range []string{"", "nobody", strings.Repeat("x", 3000)} {
		wantTo(t, b.post("/account/apps", filled(t, page, "action", "disconnect", "client", client)), "/account/apps")
	}
	wantHTML(t, b.post("/account/apps", filled(t, page, "client", tool.ClientID)), http.StatusBadRequest)
	// A link cannot make the page say that something has happened.
	wantHTML(t, b.get("/account/apps?gone="+tool.ClientID), http.StatusOK, "!no longer has access")
	wantHTML(t, b.get("/account/apps?gone=nobody"), http.StatusOK, "!no longer has access")
	w.now = w.now.Add(2 * time.Minute)
	wantHTML(t, b.get("/account/apps?gone="+w.board.ClientID), http.StatusOK, "!no longer has access")
}

// Somebody who is banned has no pages.
func TestAttack_213_Banned(t *testing.T) {
	w := newHouse(t)
	b := w.visitor(w.ada)
	w.must(w.users.Ban(t.Context(), rootOperator(), w.ada.Subject))
	for _, path := range []string{"/account/", "/account/security", "/account/data"} {
		wantTo(t, b.get(path), "/signin?return="+strings.ReplaceAll(path, "/", "%2F"))
	}
}
