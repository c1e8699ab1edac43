package selfservice

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/hosted"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/templates"
)

const (
	pathData   = "/account/data"
	pathDelete = "/account/delete"
)

// Exporter hands people what is kept of them (accounts.Export).
type Exporter interface {
	Write(ctx context.Context, actor audit.Actor, u *accounts.User, w io.Writer) error
}

// Deleter plans and undoes deletions (accounts.Deletion).
type Deleter interface {
	// Plan returns accounts.ErrLastSuperuser or accounts.ErrDeletionPlanned.
	Plan(ctx context.Context, actor audit.Actor, subject string) (at int64, err error)
	// Undo returns accounts.ErrNotFound when none was planned.
	Undo(ctx context.Context, actor audit.Actor, subject string) error
}

// Data serves the pages on which people take their data with them, delete their
// account and keep it after all. Its fields are its dependencies.
type Data struct {
	*hosted.Desk
	Export   Exporter
	Deletion Deleter
}

// Mount adds the pages to r, as hosted.Desk.Routes does.
func (h *Data) Mount(r *mux.Router, pages func(http.Handler) http.Handler) error {
	err := h.Routes(r, pages, map[string]hosted.Page{
		pathData:                 {Get: h.show, Post: h.download},
		pathDelete:               {Get: h.showDelete, Post: h.delete},
		accounts.PathKeepAccount: {Get: h.showKeep, Post: h.keep},
	})
	if err != nil {
		return fmt.Errorf("data pages: %w", err)
	}
	return nil
}

func (h *Data) show(w http.ResponseWriter, r *http.Request) {
	_, user := h.Member(w, r)
	if user == nil {
		return
	}
	h.draw(w, r, http.StatusOK, user, pathData, templates.Form{
		Kind: "data", Links: []templates.FormLink{{Key: "delete_account", URL: h.Path(pathDelete)}},
	})
}

func (h *Data) draw(w http.ResponseWriter, r *http.Request, status int, user *accounts.User, path string, p templates.Form) {
	p.Page, p.Action = memberPage(h.Desk, r, "data", path), h.Path(path)
	p.Flow = memberTicket(h.Desk, w, r, path, user)
	h.Rendered(w, r, h.Pages.Form(w, status, memberLanguage(h.Desk, r, user), p))
}

// downloadTime is how long a file may be on its way.
const downloadTime = 5 * time.Minute

// download answers with a file. The sign-in has to be fresh: a browser that was left
// open hands out nobody's life.
func (h *Data) download(w http.ResponseWriter, r *http.Request) {
	session, user := h.Member(w, r)
	if user == nil || memberForm(h.Desk, w, r, pathData, user) == nil || !h.Fresh(w, r, session, hosted.FreshFor) {
		return
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Disposition", `attachment; filename="my-data.json"`)
	header.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	slowly(h.Now, w, downloadTime)
	out := &started{Writer: w}
	err := h.Export.Write(r.Context(), memberActor(user), user, out)
	switch {
	case err == nil:
		web.Event(r.Context()).Outcome = "exported"
	case !out.any:
		header.Del("Content-Disposition")
		h.Broken(w, r, err)
	default:
		// Half of it is on its way; cut, so that nobody takes it for the whole.
		web.Event(r.Context()).Cause, web.Event(r.Context()).Fault = err, true
		panic(http.ErrAbortHandler)
	}
}

// started is a writer that knows whether anything was written.
type started struct {
	io.Writer
	any bool
}

func (s *started) Write(p []byte) (int, error) {
	s.any = true
	return s.Writer.Write(p)
}

func (h *Data) showDelete(w http.ResponseWriter, r *http.Request) {
	session, user := h.Member(w, r)
	if user == nil || !h.Fresh(w, r, session, hosted.FreshFor) {
		return
	}
	h.draw(w, r, http.StatusOK, user, pathDelete, deleteForm(user))
}

func deleteForm(user *accounts.User) templates.Form {
	return templates.Form{
		Kind: "delete_account", About: user.Username, Danger: true, Deny: true, Inputs: []templates.Input{{Name: "confirmation"}},
	}
}

func (h *Data) delete(w http.ResponseWriter, r *http.Request) {
	session, user := h.Member(w, r)
	if user == nil {
		return
	}
	values := memberForm(h.Desk, w, r, pathDelete, user)
	if values == nil || !h.Fresh(w, r, session, hosted.FreshFor) {
		return
	}
	if values.Get("action") == "deny" {
		h.Redirect(w, h.Path(pathData))
		return
	}
	problem := "username_typed"
	if typed, err := accounts.UsernameKey(strings.TrimSpace(values.Get("confirmation"))); err == nil && typed == user.UsernameKey {
		at, err := h.Deletion.Plan(r.Context(), memberActor(user), user.Subject)
		if err == nil {
			h.planned(w, r, user, at)
			return
		}
		if errors.Is(err, accounts.ErrDeletionPlanned) {
			h.Redirect(w, h.Path(accounts.PathKeepAccount))
			return
		}
		if !errors.Is(err, accounts.ErrLastSuperuser) {
			h.Broken(w, r, err)
			return
		}
		problem = "last_superuser"
	}
	web.Event(r.Context()).Outcome = "refused"
	p := deleteForm(user)
	p.Problems = []templates.FormProblem{{Key: problem, Field: "confirmation"}}
	h.draw(w, r, http.StatusUnprocessableEntity, user, pathDelete, p)
}

// planned says when the account will be gone. The person is signed out by now.
func (h *Data) planned(w http.ResponseWriter, r *http.Request, user *accounts.User, at int64) {
	web.Event(r.Context()).Outcome = "deletion-planned"
	h.Cookies.Clear(w, flow.SessionCookie)
	p := templates.Form{
		Kind: "deletion_planned", Page: h.Frame(r, h.Path(hosted.PathHome)), About: day(at, user),
		Links: []templates.FormLink{{Key: "sign_in_again", URL: h.Path(flow.PathSignIn)}},
	}
	h.Rendered(w, r, h.Pages.Form(w, http.StatusOK, memberLanguage(h.Desk, r, user), p))
}

func day(ms int64, user *accounts.User) string {
	return instant(ms, zoneOf(user)).Format(time.DateOnly)
}

// showKeep asks somebody who has come back whether they want to keep their account.
// Nothing else is open to them before.
func (h *Data) showKeep(w http.ResponseWriter, r *http.Request) {
	_, user := h.Member(w, r, accounts.PathKeepAccount)
	if user == nil {
		return
	}
	query := h.Query(w, r)
	if query == nil {
		return
	}
	if user.DeleteAt == 0 {
		h.Continue(w, query.Get("flow"), hosted.PathAccount)
		return
	}
	p := templates.Form{
		Kind: "keep_account", About: day(user.DeleteAt, user), Page: h.Frame(r, h.Path(accounts.PathKeepAccount)),
		Action: h.Path(accounts.PathKeepAccount), Links: []templates.FormLink{{Key: "keep_account_leave", URL: h.Path(pathSignOut)}},
		Flow: h.Ticket(h.Browser(w, r), accounts.PathKeepAccount, flowOf(query), user.Subject),
	}
	// The form may end in an app.
	web.AllowAnyFormTarget(w)
	h.Rendered(w, r, h.Pages.Form(w, http.StatusOK, memberLanguage(h.Desk, r, user), p))
}

func (h *Data) keep(w http.ResponseWriter, r *http.Request) {
	_, user := h.Member(w, r, accounts.PathKeepAccount)
	if user == nil {
		return
	}
	values, carried, token := h.Form(w, r)
	if values == nil {
		return
	}
	if !h.CheckTicket(token, h.BrowserOf(r), accounts.PathKeepAccount, carried, user.Subject) {
		h.Unproven(w, r, h.Path(accounts.PathKeepAccount))
		return
	}
	if values.Get("action") != "continue" {
		h.UnknownAction(w, r)
		return
	}
	err := h.Deletion.Undo(r.Context(), memberActor(user), user.Subject)
	if err != nil && !errors.Is(err, accounts.ErrNotFound) {
		h.Broken(w, r, err)
		return
	}
	web.Event(r.Context()).Outcome = "account-kept"
	h.Continue(w, carried, hosted.PathAccount)
}
