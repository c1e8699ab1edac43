package consent

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/templates"
)

// step is a flow that waits for its person, in the browser that began it.
type step struct {
	flow   *flow.Flow
	client *accounts.Client
}

// step finds the flow of a text. If the person cannot go on with it here, it
// answers, with a way forward, and returns nil.
func (h *Handler) step(w http.ResponseWriter, r *http.Request, text string) *step {
	f, err := h.findFlow(r, text)
	if err != nil {
		h.flowFailed(w, r, err)
		return nil
	}
	web.Event(r.Context()).ClientID = f.ClientID
	if !h.begunHere(r, f) {
		web.Event(r.Context()).Outcome = "other-browser"
		h.Fail(w, r, http.StatusForbidden, templates.Error{Kind: templates.Forbidden})
		return nil
	}
	if f.FinishedAt != 0 || f.DeniedAt != 0 {
		h.toAuthorize(w, f)
		return nil
	}
	client, _, err := h.Clients.ClientByID(r.Context(), f.ClientID, h.now())
	if errors.Is(err, accounts.ErrNotFound) || err == nil && client.DisabledAt != 0 {
		h.Fail(w, r, http.StatusBadRequest, templates.Error{Kind: templates.UnknownClient})
		return nil
	}
	if err != nil {
		h.Broken(w, r, err)
		return nil
	}
	if h.now() >= f.ExpiresAt {
		h.expired(w, r, f, client)
		return nil
	}
	return &step{flow: f, client: client}
}

func (h *Handler) findFlow(r *http.Request, text string) (*flow.Flow, error) {
	flowID, err := id.Parse(text)
	if err != nil {
		return nil, flow.ErrNotFound // whatever it was, no flow is called that
	}
	return h.Flows.FlowByID(r.Context(), flowID)
}

// begunHere compares the browser's cookie with the flow (RFC 9700 §4.7).
func (h *Handler) begunHere(r *http.Request, f *flow.Flow) bool {
	browser := h.Cookies.Get(r, flow.BrowserCookie)
	if browser == "" {
		return false
	}
	hash := sha256.Sum256([]byte(browser))
	return subtle.ConstantTimeCompare(hash[:], f.BrowserHash) == 1
}

// keep writes down what was done and returns to the protocol.
func (h *Handler) keep(w http.ResponseWriter, r *http.Request, f *flow.Flow) {
	if err := h.Flows.UpdateFlow(r.Context(), f); err != nil {
		h.flowFailed(w, r, err)
		return
	}
	h.toAuthorize(w, f)
}

// deny ends the flow by the person's will; the protocol tells the app.
func (h *Handler) deny(w http.ResponseWriter, r *http.Request, f *flow.Flow) {
	f.DeniedAt = h.now()
	web.Event(r.Context()).Outcome = "denied"
	h.keep(w, r, f)
}

// flowFailed answers for a flow that cannot be read or written. An unknown one is
// most often a very old page.
func (h *Handler) flowFailed(w http.ResponseWriter, r *http.Request, err error) {
	if !errors.Is(err, flow.ErrNotFound) {
		h.Broken(w, r, err)
		return
	}
	web.Event(r.Context()).Outcome = "unknown-flow"
	h.Fail(w, r, http.StatusNotFound, templates.Error{Kind: templates.ExpiredPage})
}

// expired lets the person begin again. A pushed request was good for one
// beginning (RFC 9126 §4), so there only the app can begin again.
func (h *Handler) expired(w http.ResponseWriter, r *http.Request, f *flow.Flow, client *accounts.Client) {
	web.Event(r.Context()).Outcome = "expired"
	e := templates.Error{Kind: templates.ExpiredPage, BackURL: client.HomeURI, ClientName: client.NameIn(h.Language(r, "").Tag())}
	if !f.Pushed {
		e.RetryURL = h.pathOf(flow.PathAuthorize, f)
	}
	h.Fail(w, r, http.StatusGone, e)
}

// clientInfo is how the app is shown in a language. The host is where the person
// will be sent; that of an app on their own device says nothing.
func (s *step) clientInfo(lang templates.Language) *templates.ClientInfo {
	text := s.client.Texts.For(lang.Tag())
	return &templates.ClientInfo{
		Name: s.client.NameIn(lang.Tag()), Host: redirectHost(s.client, s.flow.RedirectURI), HomeURL: s.client.HomeURI,
		PolicyURL: cmp.Or(text.PolicyURI, s.client.PolicyURI), TermsURL: cmp.Or(text.TermsURI, s.client.TermsURI),
	}
}
