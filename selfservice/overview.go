package selfservice

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
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

// FactorStanding tells whether somebody has a second factor, and has to have one
// (accounts.Factors).
type FactorStanding interface {
	Standing(ctx context.Context, user *accounts.User) (has, needed bool, err error)
}

// GroupsManaged tells which groups somebody manages (accounts.Groups).
type GroupsManaged interface {
	ManagedBy(ctx context.Context, subject, after string, limit int) ([]string, error)
}

// Overview serves the first page of somebody's account. Its fields are its
// dependencies.
type Overview struct {
	*hosted.Desk
	Signed   accounts.SessionLister
	Activity *accounts.Activity
	Factors  FactorStanding // nil where there are none
	Groups   GroupsManaged
	// Mails says that addresses can be changed, which takes a mail.
	Mails bool
}

var (
	_ FactorStanding = (*accounts.Factors)(nil)
	_ GroupsManaged  = (*accounts.Groups)(nil)
)

const pathSignOut = "/logout" // the protocol's

// Mount adds the page to r, as hosted.Desk.Routes does.
func (h *Overview) Mount(r *mux.Router, pages func(http.Handler) http.Handler) error {
	err := h.Routes(r, pages, map[string]hosted.Page{
		hosted.PathAccount:                          {Get: h.show},
		strings.TrimSuffix(hosted.PathAccount, "/"): {Get: h.toAccount},
	})
	if err != nil {
		return fmt.Errorf("overview: %w", err)
	}
	return nil
}

func (h *Overview) toAccount(w http.ResponseWriter, _ *http.Request) {
	h.Redirect(w, h.Path(hosted.PathAccount))
}

func (h *Overview) show(w http.ResponseWriter, r *http.Request) {
	_, user := h.Member(w, r)
	if user == nil {
		return
	}
	p := templates.AccountOverview{
		Page: memberPage(h.Desk, r, "overview", hosted.PathAccount), Name: user.Name, Username: user.Username,
		Email: user.Email, EmailVerified: user.EmailVerified, Staff: user.Staff,
		PictureURL: ownPicture(h.Desk, user), PictureEditURL: h.Path(pathPicture), SignOutURL: h.Path(pathSignOut),
	}
	if p.Name == "" {
		p.Name = user.Username
	}
	if user.PasswordHash != "" {
		p.PasswordURL = h.Path(flow.PathNewPassword)
	}
	if h.Mails {
		p.EmailURL = h.Path(pathEmail)
	}
	if err := h.count(r.Context(), user, &p); err != nil {
		h.Broken(w, r, err)
		return
	}
	h.Rendered(w, r, h.Pages.AccountOverview(w, http.StatusOK, memberLanguage(h.Desk, r, user), p))
}

func (h *Overview) count(ctx context.Context, user *accounts.User, p *templates.AccountOverview) error {
	sessions, err := h.Signed.SessionsOf(ctx, user.ID, h.Now().UnixMilli())
	if err != nil {
		return fmt.Errorf("sessions: %w", err)
	}
	apps, err := h.Activity.Apps(ctx, user, user.Profile.Locale)
	if err != nil {
		return err
	}
	p.Sessions, p.Apps = len(sessions), len(apps)
	enters := user.Staff || user.Superuser
	if !enters {
		managed, err := h.Groups.ManagedBy(ctx, user.Subject, "", 1)
		if err != nil {
			return err
		}
		enters = len(managed) > 0
	}
	if enters {
		p.ConsoleURL = h.Path(hosted.PathConsole)
	}
	if h.Factors != nil {
		if p.HasFactor, _, err = h.Factors.Standing(ctx, user); err != nil {
			return fmt.Errorf("factors: %w", err)
		}
	}
	return nil
}

// memberPage is the frame of a page of somebody's account; here is its path.
func memberPage(d *hosted.Desk, r *http.Request, active, here string) templates.Page {
	page := d.Frame(r, d.Path(here))
	page.Account = &templates.AccountNav{Active: active, Base: d.Path(hosted.PathAccount)}
	return page
}

// memberLanguage is the language of somebody's pages: that of their account before
// that of the browser.
func memberLanguage(d *hosted.Desk, r *http.Request, user *accounts.User) templates.Language {
	return d.Language(r, user.Profile.Locale)
}

// memberActor is the actor of what somebody does to their own account.
func memberActor(user *accounts.User) audit.Actor {
	return audit.Actor{Kind: audit.Person, ID: user.Subject, Name: user.Username}
}

// memberTicket is the ticket of a form that only this person in this browser may
// send.
func memberTicket(d *hosted.Desk, w http.ResponseWriter, r *http.Request, path string, user *accounts.User) string {
	return d.Ticket(d.Browser(w, r), path, "", user.Subject)
}

// memberForm reads a form of a person, or answers and returns nil.
func memberForm(d *hosted.Desk, w http.ResponseWriter, r *http.Request, path string, user *accounts.User) url.Values {
	values, text, token := d.Form(w, r)
	if values == nil {
		return nil
	}
	if !d.CheckTicket(token, d.BrowserOf(r), path, text, user.Subject) {
		d.Unproven(w, r, d.Path(path))
		return nil
	}
	return values
}

// zoneOf is where somebody is, as far as they say.
func zoneOf(user *accounts.User) *time.Location {
	if user.Profile.Zoneinfo == "" {
		return time.UTC
	}
	zone, err := time.LoadLocation(user.Profile.Zoneinfo)
	if err != nil { // an import may have brought anything
		return time.UTC
	}
	return zone
}

// ownPicture is the path of a person's picture if this server has it; the pages load
// images from nowhere else.
func ownPicture(d *hosted.Desk, user *accounts.User) string {
	name, ours := strings.CutPrefix(user.Profile.Picture, pictureURL(d.Issuer, ""))
	if !ours || !accounts.ValidPictureName(name) {
		return ""
	}
	return d.Path(pathPictures) + name
}

// pictureURL is where apps find a picture.
func pictureURL(issuer *url.URL, name string) string {
	return web.Origin(issuer) + issuer.Path + pathPictures + name
}

// PictureURL returns accounts.Profiles.PictureURL for an issuer.
func PictureURL(issuer *url.URL) func(name string) string {
	return func(name string) string { return pictureURL(issuer, name) }
}
