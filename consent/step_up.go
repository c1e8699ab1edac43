package consent

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/hosted"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/templates"
)

// waiting is somebody in this browser who has given one proof and is asked for
// another.
type waiting struct {
	*accounts.PendingSignIn
	token string // of the pending cookie
	step  *step  // nil when the person came without an app
	back  string // where to go on without an app
}

// flow is the flow that the person came with, or nil.
func (wt *waiting) flow() *flow.Flow {
	if wt.step == nil {
		return nil
	}
	return wt.step.flow
}

// waiting finds who waits in this browser. If there is nobody to ask, it answers
// with what is next and returns nil. Only a request that shows a page may begin to
// raise a session.
func (h *Handler) waiting(w http.ResponseWriter, r *http.Request, text, back string) *waiting {
	wt := &waiting{back: h.safeBack(back)}
	if text != "" {
		if wt.step = h.step(w, r, text); wt.step == nil {
			return nil
		}
	}
	wt.token = h.Cookies.Get(r, flow.PendingCookie)
	if wt.token != "" && h.pending(w, r, wt) {
		return wt
	}
	if wt.token != "" {
		return nil
	}
	if r.Method == http.MethodPost {
		h.overdue(w, r, wt)
		return nil
	}
	session, user, err := h.Person(r)
	switch {
	case err != nil:
		h.Broken(w, r, err)
	case user == nil:
		h.goOn(w, wt.flow(), wt.back, h.signInPath(nil, wt.back))
	case accounts.ACRAtLeast(session.ACR, accounts.ACRTwoFactors), wt.step == nil && wt.back == "":
		h.goOn(w, wt.flow(), wt.back, h.Path(hosted.PathHome))
	case h.raise(w, r, wt, session, user):
		return wt
	}
	return nil
}

// pending reads the pending sign-in of the browser's cookie. It returns false with
// the token taken away if there is none (any more), and with the token left if it
// has answered.
func (h *Handler) pending(w http.ResponseWriter, r *http.Request, wt *waiting) bool {
	p, err := h.SignIns.Pending(r.Context(), wt.token)
	switch {
	case errors.Is(err, accounts.ErrNotFound):
		h.Cookies.Clear(w, flow.PendingCookie)
		wt.token = ""
		return false
	case err != nil:
		h.Broken(w, r, err)
		return false
	}
	wt.PendingSignIn = p
	web.Event(r.Context()).UserID = p.User.Subject
	return true
}

// raise begins the second factor of somebody who is signed in with one, and
// reports whether there is a page to show.
func (h *Handler) raise(w http.ResponseWriter, r *http.Request, wt *waiting, session *accounts.Session, user *accounts.User) bool {
	passage, err := h.SignIns.Raise(r.Context(), session, user, h.meta(r, session))
	switch {
	case errors.Is(err, accounts.ErrNotFound):
		h.goOn(w, wt.flow(), wt.back, h.signInPath(nil, wt.back))
		return false
	case errors.Is(err, accounts.ErrNoFactor):
		// With what they have a sign-in by password would reach two factors, and
		// the one that they signed in by does not.
		h.Redirect(w, h.signInPath(wt.flow(), wt.back, againParam))
		return false
	case err != nil:
		h.Broken(w, r, err)
		return false
	}
	wt.token = passage.Pending
	h.KeepPending(w, passage)
	if h.pending(w, r, wt) {
		return true
	}
	if wt.token == "" { // over before it began: they were signed out meanwhile
		h.overdue(w, r, wt)
	}
	return false
}

// overdue answers a form about a sign-in that is over: too old, tried too often,
// done in another tab, or no longer proven. Which of them is nobody's business.
func (h *Handler) overdue(w http.ResponseWriter, r *http.Request, wt *waiting) {
	web.Event(r.Context()).Outcome = "expired"
	h.Cookies.Clear(w, flow.PendingCookie)
	again := h.factorPath(flow.PathSecondFactor, wt.flow(), wt.back)
	h.Fail(w, r, http.StatusGone, templates.Error{Kind: templates.ExpiredPage, RetryURL: again})
}

// goOn returns to the protocol with a flow, else to where the person wanted to go,
// else to otherwise.
func (h *Handler) goOn(w http.ResponseWriter, f *flow.Flow, back, otherwise string) {
	switch {
	case f != nil:
		h.toAuthorize(w, f)
	case back != "":
		h.Redirect(w, back)
	default:
		h.Redirect(w, otherwise)
	}
}

// safeBack returns a way back that came from outside if it is a path of the issuer,
// else nothing.
func (h *Handler) safeBack(text string) string {
	back, safe := web.SafePath(text)
	if !safe || !strings.HasPrefix(back, h.Path("/")) {
		return ""
	}
	return back
}

// factorPath is the path of a page about a second factor, with what it carries on.
func (h *Handler) factorPath(page string, f *flow.Flow, back string) string {
	switch {
	case f != nil:
		return h.pathOf(page, f)
	case back != "":
		return h.Path(page) + "?" + url.Values{returnParam: {back}}.Encode()
	}
	return h.Path(page)
}

// signInPath is that of the sign-in page, with the wishes set.
func (h *Handler) signInPath(f *flow.Flow, back string, wishes ...string) string {
	path := h.factorPath(flow.PathSignIn, f, back)
	for _, wish := range wishes {
		if strings.Contains(path, "?") {
			path += "&" + wish + "=1"
		} else {
			path += "?" + wish + "=1"
		}
	}
	return path
}
