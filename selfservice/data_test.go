package selfservice_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

func TestData_Export(t *testing.T) {
	w := newHouse(t)
	b := w.visitor(w.ada)
	grant := w.allow(w.ada, w.board, b.session, true)
	w.allow(w.bob, w.register("Bobs Tool"), w.visitor(w.bob).session, true)
	wantTo(t, b.post("/account/profile", filled(t, b.get("/account/profile"), fields()...)), "/account/profile?done=saved")
	answer := b.post("/account/data", filled(t, b.get("/account/data"), "action", "continue"))
	if answer.Code != http.StatusOK {
		t.Fatalf("status %d to %s", answer.Code, answer.Header().Get("Location"))
	}
	for header, want := range map[string]string{
		"Content-Type": "application/json", "Content-Disposition": `attachment; filename="my-data.json"`, "Cache-Control": "no-store",
		"Content-Security-Policy": "default-src 'none'; sandbox",
	} {
		if got := answer.Header().Get(header); got != want {
			t.Errorf("%s: %q, want %q", header, got, want)
		}
	}
	var got struct {
		Account struct {
			Subject     string `json:"sub"`
			Username    string
			Email       string
			HasPassword bool `json:"has_password"`
		}
		Profile struct {
			Name    string
			Address map[string]string
		}
		Groups   []string
		Sessions []struct {
			SID       string
			UserAgent string `json:"user_agent"`
			CreatedAt string `json:"created_at"`
		}
		Consents []struct{ Name string }
		Grants   []struct{ GID, Name string }
		Events   []struct{ Action, By string }
		Factors  map[string]any
	}
	body := answer.Body.String()
	w.must(json.Unmarshal([]byte(body), &got))
	if got.Account.Subject != w.ada.Subject || got.Account.Username != "ada" || !got.Account.HasPassword || got.Profile.Name != "Ada Lovelace" || got.Profile.Address["locality"] != "London" {
		t.Errorf("account %+v, profile %+v", got.Account, got.Profile)
	}
	if len(got.Sessions) != 1 || got.Sessions[0].SID != b.session.ID.String() || got.Sessions[0].UserAgent != firefox || got.Sessions[0].CreatedAt != "2026-09-21T14:13:20Z" {
		t.Errorf("sessions %+v", got.Sessions)
	}
	if len(got.Consents) != 1 || len(got.Grants) != 1 || got.Grants[0].GID != grant.String() || got.Grants[0].Name != "Post Board" {
		t.Errorf("consents %+v, grants %+v", got.Consents, got.Grants)
	}
	var actions []string
	for _, e := range got.Events {
		actions = append(actions, e.By+" "+e.Action)
	}
	if diff := cmp.Diff([]string{"you user.export", "you user.profile.change", "you consent.allow", "you user.sign_in", "command user.create"}, actions); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	for _, secret := range []string{"argon2id", "c2FsdHNhbHRzYWx0", "Bobs Tool", "bob", b.jar[w.cookies.Name(flow.SessionCookie)], "token_hash", "code_hash"} {
		if strings.Contains(body, secret) {
			t.Errorf("%q is in the file", secret)
		}
	}
}

// A browser that was left open gives nothing away.
func TestData_NeedsFreshSignIn(t *testing.T) {
	w := newHouse(t)
	b := w.visitor(w.ada)
	page, doomed := b.get("/account/data"), b.get("/account/delete")
	w.now = w.now.Add(10*time.Minute + time.Second)
	wantTo(t, b.post("/account/data", filled(t, page, "action", "continue")), "/signin?again=1&return=%2Faccount%2Fdata")
	wantTo(t, b.get("/account/delete"), "/signin?again=1&return=%2Faccount%2Fdelete")
	wantTo(t, b.post("/account/delete", filled(t, doomed, "action", "continue", "confirmation", "ada")), "/signin?again=1&return=%2Faccount%2Fdelete")
	if w.stored(w.ada).DeleteAt != 0 {
		t.Error("deleted")
	}
}

func TestDelete(t *testing.T) {
	w := newHouse(t)
	b, second := w.visitor(w.ada), w.visitor(w.ada)
	bound, offline := w.allow(w.ada, w.board, second.session, false), w.allow(w.ada, w.board, b.session, true)
	page := b.get("/account/delete")
	wantHTML(t, page, http.StatusOK, "Delete your account", "ada")
	for _, typed := range []string{"", "bob", "ada@example.org", "ada ada"} {
		wantHTML(t, b.post("/account/delete", filled(t, page, "action", "continue", "confirmation", typed)), http.StatusUnprocessableEntity, "not your username")
	}
	wantTo(t, b.post("/account/delete", filled(t, page, "action", "deny", "confirmation", "ada")), "/account/data")
	if w.stored(w.ada).DeleteAt != 0 || len(w.rows()) != 0 {
		t.Fatal("deleted without the username")
	}
	answer := b.post("/account/delete", filled(t, page, "action", "continue", "confirmation", " ADA "))
	wantHTML(t, answer, http.StatusOK, "2026-10-05", "Sign in again")
	w.wantOutcome("deletion-planned")
	if at := w.stored(w.ada).DeleteAt; at != w.now.Add(14*24*time.Hour).UnixMilli() {
		t.Errorf("deleted at %d", at)
	}
	// Signed out everywhere at once.
	if b.jar[w.cookies.Name(flow.SessionCookie)] != "" || !w.ended(bound) || !w.ended(offline) {
		t.Error("not signed out")
	}
	wantTo(t, second.get("/account/"), "/signin?return=%2Faccount%2F")
	if diff := cmp.Diff([]string{"user " + w.ada.Subject}, w.rows()); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if len(*w.mails) != 1 || (*w.mails)[0].Kind != accounts.MailDeletionPlanned || (*w.mails)[0].Data["when"] != "1791209600000" || (*w.mails)[0].Data["link"] != houseIssuer+"/account/keep" {
		t.Errorf("mails %+v", *w.mails)
	}
}

// planned has Ada's deletion planned, and returns her browser, signed in again.
func (w *house) planned() *visitor {
	w.Helper()
	_, err := w.deletion.Plan(w.Context(), rootOperator(), w.ada.Subject)
	w.must(err)
	w.now = w.now.Add(time.Hour)
	return w.visitor(w.ada)
}

func TestKeep(t *testing.T) {
	w := newHouse(t)
	b := w.planned()
	for _, path := range []string{"/account/", "/account/profile", "/account/data", "/account/delete", "/account/security"} {
		wantTo(t, b.get(path), "/account/keep")
	}
	page := b.get("/account/keep")
	wantHTML(t, page, http.StatusOK, "Do you want to keep your account?", "2026-10-05", `href="/logout"`)
	if w.stored(w.ada).DeleteAt == 0 {
		t.Fatal("signing in alone has undone it")
	}
	wantHTML(t, b.post("/account/keep", filled(t, page)), http.StatusBadRequest)
	bob := w.visitor(w.bob)
	wantTo(t, bob.get("/account/keep"), "/account/")
	wantHTML(t, bob.post("/account/keep", filled(t, page, "action", "continue")), http.StatusForbidden)
	wantTo(t, b.post("/account/keep", filled(t, page, "action", "continue")), "/account/")
	w.wantOutcome("account-kept")
	if w.stored(w.ada).DeleteAt != 0 {
		t.Error("still to be deleted")
	}
	wantHTML(t, b.get("/account/"), http.StatusOK, "Hello")
	wantTo(t, b.post("/account/keep", filled(t, page, "action", "continue")), "/account/")
	kinds := []accounts.MailKind{(*w.mails)[0].Kind, (*w.mails)[len(*w.mails)-1].Kind}
	if diff := cmp.Diff([]accounts.MailKind{accounts.MailDeletionPlanned, accounts.MailDeletionUndone}, kinds); diff != "" || len(*w.mails) != 2 {
		t.Errorf("mails (-want +got):\n%s", diff)
	}
}

// A flow is carried along, and what is none leads nowhere else (attack 172).
func TestAttack_172_Keep(t *testing.T) {
	w := newHouse(t)
	b := w.planned()
	f := id.New().String()
	form := filled(t, b.get("/account/keep?flow="+f), "action", "continue")
	wantTo(t, b.post("/account/keep", form), "/oauth2/authorize?flow="+f)
	wantTo(t, b.get("/account/keep?flow="+f), "/oauth2/authorize?flow="+f)
	wantTo(t, b.get("/account/keep?flow=//evil.example"), "/account/")
	_, err := w.deletion.Plan(t.Context(), rootOperator(), w.ada.Subject)
	w.must(err)
	b.enter(w.ada)
	for _, text := range []string{"//evil.example", "https://evil.example/a.b", "x.y.z"} {
		page := b.get("/account/keep?flow=" + text)
		wantHTML(t, page, http.StatusOK, "!evil.example")
	}
	wantTo(t, b.post("/account/keep", filled(t, b.get("/account/keep?flow=https://evil.example"), "action", "continue")), "/account/")
}

// When the time is over, the account is gone for good; its name may be another
// person's one day, its sub never is (attack 213).
func TestAttack_213_Deleted(t *testing.T) {
	w := newHouse(t)
	b := w.planned()
	n, err := w.deletion.Round(t.Context())
	w.must(err)
	if n != 0 {
		t.Fatalf("%d accounts deleted before their time", n)
	}
	w.now = w.now.Add(14 * 24 * time.Hour)
	if n, err = w.deletion.Round(t.Context()); err != nil || n != 1 {
		t.Fatalf("%d accounts deleted, %v", n, err)
	}
	if _, err := w.db.UserBySubject(t.Context(), w.ada.Subject); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("still there: %v", err)
	}
	wantTo(t, b.get("/account/keep"), "/signin?return=%2Faccount%2Fkeep")
	rows := w.rows()
	if len(rows) != 2 || rows[1] != "user "+w.ada.Subject {
		t.Errorf("rows %v", rows)
	}
	again, err := w.users.Create(t.Context(), rootOperator(), accounts.NewUser{Username: "ada", Email: "ada@example.org", EmailVerified: true})
	w.must(err)
	if again.Subject == w.ada.Subject || again.ID == w.ada.ID {
		t.Error("the id of somebody who is gone is another person's")
	}
	wantTo(t, b.get("/account/"), "/signin?return=%2Faccount%2F")
	if _, _, err := w.sessions.Find(t.Context(), b.jar[w.cookies.Name(flow.SessionCookie)]); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("the old session: %v", err)
	}
	if n, err = w.deletion.Round(t.Context()); err != nil || n != 0 {
		t.Errorf("%d more, %v", n, err)
	}
}

func TestDelete_LastSuperuser(t *testing.T) {
	w := newHouse(t)
	w.must(w.users.SetSuperuser(t.Context(), rootOperator(), w.ada.Subject, true))
	b := w.visitor(w.ada)
	page := b.get("/account/delete")
	form := filled(t, page, "action", "continue", "confirmation", "ada")
	wantHTML(t, b.post("/account/delete", form), http.StatusUnprocessableEntity, "You are the only administrator")
	wantHTML(t, b.get("/account/"), http.StatusOK)
	w.must(w.users.SetSuperuser(t.Context(), rootOperator(), w.bob.Subject, true))
	wantHTML(t, b.post("/account/delete", form), http.StatusOK, "Your account will be deleted")
	if err := w.users.Ban(t.Context(), rootOperator(), w.bob.Subject); !errors.Is(err, accounts.ErrLastSuperuser) {
		t.Errorf("the other one is about to leave: %v", err)
	}
	// Who has become the last one meanwhile stays, is told of in the error, and keeps
	// nobody else.
	bob, err := w.db.UserBySubject(t.Context(), w.bob.Subject)
	w.must(err)
	bob.EmailVerified, bob.PasswordHash = false, ""
	w.must(w.db.UpdateUser(t.Context(), bob))
	third, err := w.users.Create(t.Context(), rootOperator(), accounts.NewUser{Username: "third"})
	w.must(err)
	_, err = w.deletion.Plan(t.Context(), rootOperator(), third.Subject)
	w.must(err)
	w.now = w.now.Add(15 * 24 * time.Hour)
	n, err := w.deletion.Round(t.Context())
	if n != 1 || !errors.Is(err, accounts.ErrLastSuperuser) {
		t.Errorf("%d deleted, %v", n, err)
	}
}

// Several nodes at once delete each account once, and somebody who comes back at the
// last moment is either kept or gone.
func TestDelete_Race(t *testing.T) {
	w := newHouse(t)
	ctx := t.Context()
	const people = 12
	var subjects []string
	for i := range people {
		u, err := w.users.Create(ctx, rootOperator(), accounts.NewUser{Username: "leaver" + strings.Repeat("x", i+1)})
		w.must(err)
		_, err = w.deletion.Plan(ctx, rootOperator(), u.Subject)
		w.must(err)
		subjects = append(subjects, u.Subject)
	}
	w.now = w.now.Add(15 * 24 * time.Hour)
	var (
		mu            sync.Mutex
		deleted, kept int
		group         sync.WaitGroup
	)
	for range 4 {
		group.Go(func() {
			n, err := w.deletion.Round(ctx)
			mu.Lock()
			defer mu.Unlock()
			deleted += n
			if err != nil {
				t.Error(err)
			}
		})
	}
	for _, sub := range subjects {
		group.Go(func() {
			err := w.deletion.Undo(ctx, rootOperator(), sub)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				kept++
			} else if !errors.Is(err, accounts.ErrNotFound) {
				t.Error(err)
			}
		})
	}
	group.Wait()
	there := 0
	for _, sub := range subjects {
		if u, err := w.db.UserBySubject(ctx, sub); err == nil {
			there++
			if u.DeleteAt != 0 {
				t.Error("somebody is neither kept nor gone")
			}
		}
	}
	if deleted+kept != people || there != kept {
		t.Errorf("%d deleted, %d kept, %d there of %d", deleted, kept, there, people)
	}
}

func TestDeletion_Run(t *testing.T) {
	w := newHouse(t)
	_, err := w.deletion.Plan(t.Context(), rootOperator(), w.ada.Subject)
	w.must(err)
	w.now = w.now.Add(15 * 24 * time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	w.deletion.Every = time.Millisecond
	done := make(chan error)
	go func() { done <- w.deletion.Run(ctx) }()
	for {
		if _, err := w.db.UserBySubject(t.Context(), w.ada.Subject); errors.Is(err, accounts.ErrNotFound) {
			break
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}
