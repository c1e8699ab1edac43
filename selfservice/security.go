package selfservice

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/device"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/hosted"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/templates"
)

const (
	pathSecurity = "/account/security"
	pathReport   = "/account/report"
	pathApps     = "/account/apps"

	// shownSessions bounds the list: a page is small, and "sign out everywhere else"
	// ends the others too.
	shownSessions = 25
	shownEvents   = 20
)

// SessionEnder ends sessions (accounts.Sessions).
type SessionEnder interface {
	// End returns accounts.ErrNotFound unless a live session of that id belongs to the
	// user.
	End(ctx context.Context, actor audit.Actor, subject string, sessionID id.ID) error
	// EndOthers ends all but one, and returns how many.
	EndOthers(ctx context.Context, actor audit.Actor, subject string, keep id.ID) (int, error)
}

// Disconnecter takes back what somebody allowed an app (accounts.Consents).
type Disconnecter interface {
	// Disconnect returns accounts.ErrNotFound when there was nothing.
	Disconnect(ctx context.Context, actor audit.Actor, user *accounts.User, client *accounts.Client) error
}

// ClientFinder finds apps.
type ClientFinder interface {
	ClientByID(ctx context.Context, clientID string, now int64) (*accounts.Client, accounts.Mark, error)
}

// APILister tells what permissions are called.
type APILister interface {
	ListAPIs(ctx context.Context) ([]accounts.API, error)
}

// Security serves the pages about where somebody is signed in, what has happened to
// their account, and which apps have to do with it. Its fields are its dependencies.
type Security struct {
	*hosted.Desk
	Signed   accounts.SessionLister
	Ender    SessionEnder
	Activity *accounts.Activity
	Alarm    *accounts.Alarm
	Consents Disconnecter
	Clients  ClientFinder
	APIs     APILister
	// Mails says that addresses can be changed, which takes a mail.
	Mails bool
}

// Mount adds the pages to r, as hosted.Desk.Routes does.
func (h *Security) Mount(r *mux.Router, pages func(http.Handler) http.Handler) error {
	err := h.Routes(r, pages, map[string]hosted.Page{
		pathSecurity: {Get: h.show, Post: h.act},
		pathReport:   {Get: h.showReport, Post: h.report},
		pathApps:     {Get: h.showApps, Post: h.disconnect},
	})
	if err != nil {
		return fmt.Errorf("security pages: %w", err)
	}
	return nil
}

func (h *Security) show(w http.ResponseWriter, r *http.Request) {
	session, user := h.Member(w, r)
	if user == nil {
		return
	}
	query := h.Query(w, r)
	if query == nil {
		return
	}
	p := templates.AccountSecurity{
		Page: memberPage(h.Desk, r, "security", pathSecurity), Action: h.Path(pathSecurity),
		Flow: memberTicket(h.Desk, w, r, pathSecurity, user), FactorsURL: h.Path(flow.PathEnrolFactor), Notice: securityNotice(query.Get("done")),
	}
	if user.PasswordHash != "" {
		p.PasswordURL = h.Path(flow.PathNewPassword)
	}
	if h.Mails {
		p.EmailURL = h.Path(pathEmail)
	}
	// What is no id begins at the newest: a page is only a place in a list.
	before, _ := id.Parse(query.Get("before"))
	lang := memberLanguage(h.Desk, r, user)
	err := h.fillEvents(r.Context(), user, before, lang, &p)
	if p.EventsOnly = !before.IsZero(); err == nil && !p.EventsOnly {
		err = h.fillSessions(r.Context(), user, session, &p)
	}
	if err != nil {
		h.Broken(w, r, err)
		return
	}
	h.Rendered(w, r, h.Pages.AccountSecurity(w, http.StatusOK, lang, p))
}

func securityNotice(done string) templates.SecurityNotice {
	switch n := templates.SecurityNotice(done); n {
	case templates.SecurityEnded, templates.SecurityEndedOthers, templates.SecurityGone, templates.SecurityReported:
		return n
	}
	return ""
}

// fillSessions lists the sessions, this one first and then those used last.
func (h *Security) fillSessions(ctx context.Context, user *accounts.User, here *accounts.Session, p *templates.AccountSecurity) error {
	list, err := h.Signed.SessionsOf(ctx, user.ID, h.Now().UnixMilli())
	if err != nil {
		return fmt.Errorf("sessions of a person: %w", err)
	}
	list = slices.DeleteFunc(list, func(s accounts.Session) bool { return s.Rev < user.ValidFrom })
	slices.SortStableFunc(list, func(a, b accounts.Session) int {
		if (a.ID == here.ID) != (b.ID == here.ID) {
			if a.ID == here.ID {
				return -1
			}
			return 1
		}
		return int(b.LastSeenAt/1000 - a.LastSeenAt/1000)
	})
	zone := zoneOf(user)
	for i := range list[:min(len(list), shownSessions)] {
		s := &list[i]
		p.Sessions = append(p.Sessions, templates.AccountSession{
			ID: s.ID.String(), Device: deviceName(s.UserAgent), Address: s.Address, FirstSeen: instant(s.CreatedAt, zone),
			LastSeen: instant(s.LastSeenAt, zone), Methods: methods(s.AMR), Here: s.ID == here.ID,
		})
	}
	return nil
}

// instant is a time in somebody's zone.
func instant(ms int64, zone *time.Location) time.Time { return time.UnixMilli(ms).In(zone) }

func deviceName(userAgent string) templates.DeviceName {
	d := device.Of(userAgent)
	return templates.DeviceName{Browser: d.Browser, System: d.System}
}

// methods puts the authentication methods of a session (RFC 8176) into words.
func methods(amr []string) []templates.SignInMethod {
	var list []templates.SignInMethod
	for _, m := range amr {
		word := templates.MethodOther
		switch m {
		case "pwd":
			word = templates.MethodPassword
		case "otp":
			word = templates.MethodCode
		case "pop":
			word = templates.MethodPasskey
		case "user", "mfa": // how, not what
			continue
		}
		if !slices.Contains(list, word) {
			list = append(list, word)
		}
	}
	return list
}

// act ends one session, or all but the one in which the person sits.
func (h *Security) act(w http.ResponseWriter, r *http.Request) {
	session, user := h.Member(w, r)
	if user == nil {
		return
	}
	values := memberForm(h.Desk, w, r, pathSecurity, user)
	if values == nil {
		return
	}
	event, done := web.Event(r.Context()), templates.SecurityEnded
	var err error
	switch values.Get("action") {
	case "end":
		sessionID, parsed := id.Parse(values.Get("session"))
		if sessionID == session.ID {
			// Their own is ended where they are asked whether they mean it.
			h.Redirect(w, h.Path(pathSignOut))
			return
		}
		event.Outcome = "session-ended"
		if err = parsed; err == nil {
			err = h.Ender.End(r.Context(), memberActor(user), user.Subject, sessionID)
		}
	case "end_others":
		event.Outcome, done = "others-ended", templates.SecurityEndedOthers
		_, err = h.Ender.EndOthers(r.Context(), memberActor(user), user.Subject, session.ID)
	default:
		h.UnknownAction(w, r)
		return
	}
	switch {
	case errors.Is(err, accounts.ErrNotFound), errors.Is(err, id.ErrInvalid):
		event.Outcome, done = "session-gone", templates.SecurityGone
	case err != nil:
		h.Broken(w, r, err)
		return
	}
	h.Redirect(w, h.Path(pathSecurity)+"?done="+string(done))
}

// showReport asks whether something was really not them: the link to it is in mails
// too.
func (h *Security) showReport(w http.ResponseWriter, r *http.Request) {
	_, user := h.Member(w, r)
	if user == nil {
		return
	}
	query := h.Query(w, r)
	if query == nil {
		return
	}
	p := templates.Form{
		Kind: "report", Page: memberPage(h.Desk, r, "security", pathReport), Action: h.Path(pathReport), Danger: true,
		Flow:  memberTicket(h.Desk, w, r, pathReport, user),
		Links: []templates.FormLink{{Key: "security", URL: h.Path(pathSecurity)}, {Key: "apps", URL: h.Path(pathApps)}},
	}
	if event, err := id.Parse(query.Get("event")); err == nil {
		p.Hidden = []templates.Field{{Name: "event", Value: event.String()}}
	}
	h.Rendered(w, r, h.Pages.Form(w, http.StatusOK, memberLanguage(h.Desk, r, user), p))
}

func (h *Security) report(w http.ResponseWriter, r *http.Request) {
	session, user := h.Member(w, r)
	if user == nil {
		return
	}
	values := memberForm(h.Desk, w, r, pathReport, user)
	if values == nil {
		return
	}
	event, _ := id.Parse(values.Get("event")) // only for the log
	if err := h.Alarm.Raise(r.Context(), memberActor(user), user.Subject, session, event); err != nil {
		h.Broken(w, r, err)
		return
	}
	web.Event(r.Context()).Outcome = "reported"
	if user.PasswordHash != "" {
		h.Redirect(w, h.Path(flow.PathNewPassword))
		return
	}
	h.Redirect(w, h.Path(pathSecurity)+"?done="+string(templates.SecurityReported))
}
