package consent

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/templates"
)

// pathPasskey is where the script of the sign-in page gets a question for the
// passkeys of the device. The page does not hold one: it may be open for longer
// than a question is good for.
const pathPasskey = flow.PathSignIn + "/passkey"

// passkeyQuestion is what the script gets.
type passkeyQuestion struct {
	Options  json.RawMessage `json:"options"`
	Ceremony string          `json:"ceremony"`
}

// askDevice answers the script of a sign-in page that this browser was shown.
func (h *Handler) askDevice(w http.ResponseWriter, r *http.Request) {
	form, text, token := h.Form(w, r)
	if form == nil {
		return
	}
	browser := h.BrowserOf(r)
	back := h.safeBack(form.Get(returnParam))
	switch {
	case h.Passkeys == nil:
		h.NotFound(w, r)
		return
	case !h.CheckTicket(token, browser, flow.PathSignIn, text, back):
		h.Unproven(w, r, h.Path(flow.PathSignIn))
		return
	}
	options, ceremony, err := h.Passkeys.PasskeyOptions(r.Context(), "")
	if errors.Is(err, accounts.ErrNoPasskeys) {
		h.NotFound(w, r)
		return
	}
	if err != nil {
		h.Broken(w, r, err)
		return
	}
	web.WriteJSON(w, http.StatusOK, passkeyQuestion{
		Options: options, Ceremony: h.Ticket(browser, pathPasskey, ceremony),
	})
}

// ceremonyOf returns the ceremony of an answer if this browser was given it: who
// has lured somebody to an answer of their own must not sign them in by it (login
// CSRF, and WebAuthn Level 3 §13.4.3).
func (h *Handler) ceremonyOf(browser, ticket string) (string, bool) {
	dot := strings.LastIndexByte(ticket, '.')
	if dot < 0 {
		return "", false
	}
	return ticket[:dot], h.CheckTicket(ticket[dot+1:], browser, pathPasskey, ticket[:dot])
}

// checkPasskey signs somebody in by a passkey alone.
func (h *Handler) checkPasskey(w http.ResponseWriter, r *http.Request, page signInPage, form url.Values) {
	if h.Passkeys == nil {
		h.UnknownAction(w, r)
		return
	}
	session, user, err := h.Person(r)
	if err != nil {
		h.Broken(w, r, err)
		return
	}
	if user != nil && page.confirms() {
		page.fixed, page.username = true, user.Username
	}
	ceremony, ours := h.ceremonyOf(page.browser, form.Get("ceremony"))
	if !ours || !form.Has("response") {
		h.refuseSignIn(w, r, page, accounts.ErrPasskey)
		return
	}
	passage, err := h.Passkeys.Passkey(r.Context(), "", ceremony, []byte(form.Get("response")), h.meta(r, session), false)
	if err != nil {
		h.refuseSignIn(w, r, page, err)
		return
	}
	h.pass(w, r, passage, page.flow(), page.back)
}

// passkeyAsk is what the sign-in page says to its script, nil without passkeys.
func (h *Handler) passkeyAsk(page signInPage) *templates.PasskeyAsk {
	if h.Passkeys == nil {
		return nil
	}
	ask := &templates.PasskeyAsk{AskURL: h.Path(pathPasskey)}
	if page.unknown != nil {
		ask.Unknown, ask.RelyingParty = page.unknown.CredentialID, page.unknown.RelyingParty
	}
	return ask
}

// allowAsking lets the script of the page that is being answered ask its question:
// the policy of all pages lets scripts connect nowhere. It must be called after
// what else changes the policy.
func allowAsking(w http.ResponseWriter) {
	const policy = "Content-Security-Policy"
	w.Header().Set(policy, w.Header().Get(policy)+"; connect-src 'self'")
}
