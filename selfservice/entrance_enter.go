package selfservice

import (
	"errors"
	"net/http"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/hosted"
	"github.com/gatehouse-id/gatehouse/internal/web"
)

const (
	// knownCookie tells that an account has signed in with this browser before; the
	// sign-in page reads it.
	knownCookie = flow.KnownCookie
	knownLife   = 365 * 24 * time.Hour
)

// enter goes on for somebody whom a proof has brought in: signed in, or at the second
// factor, which no proof by mail spares anybody.
func (h *Entrance) enter(w http.ResponseWriter, r *http.Request, entry *accounts.Entry, amr ...string) {
	session, _, err := h.Person(r)
	if err != nil {
		h.Broken(w, r, err)
		return
	}
	meta := h.meta(r)
	if session != nil {
		meta.Replaces = session.ID
	}
	passage, err := h.SignIns.Proved(r.Context(), entry.User, entry.Position, amr, meta, h.Cookies.Get(r, flow.DeviceCookie))
	switch {
	case errors.Is(err, accounts.ErrCredentials), errors.Is(err, accounts.ErrBanned):
		// Something has happened to the account since: the sign-in page knows what.
		h.Redirect(w, h.with(flow.PathSignIn, "flow", entry.Flow))
		return
	case err != nil:
		h.Broken(w, r, err)
		return
	}
	event := web.Event(r.Context())
	event.UserID = entry.User.Subject
	now := h.Now().UnixMilli()
	if passage.Token == "" {
		event.Outcome = "second-factor"
		h.Cookies.Set(w, flow.PendingCookie, passage.Pending, time.Duration(passage.PendingUntil-now)*time.Millisecond)
		h.Redirect(w, h.with(flow.PathSecondFactor, "flow", entry.Flow))
		return
	}
	event.Outcome = "signed-in"
	h.Cookies.Set(w, flow.SessionCookie, passage.Token, time.Duration(passage.Session.ExpiresAt-now)*time.Millisecond)
	h.KeepLanguage(w, entry.User)
	if passage.Known != "" {
		h.Cookies.Set(w, knownCookie, passage.Known, knownLife)
	}
	h.Continue(w, entry.Flow, hosted.PathAccount)
}
