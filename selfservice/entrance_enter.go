package selfservice

import (
	"errors"
	"net/http"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/hosted"
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
	if !h.Admit(w, r, passage) {
		h.Redirect(w, h.with(flow.PathSecondFactor, "flow", entry.Flow))
		return
	}
	h.Continue(w, entry.Flow, hosted.PathAccount)
}
