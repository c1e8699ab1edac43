package consent

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/templates"
)

// Values of the buttons, in the field "action".
const (
	actionContinue = "continue"
	actionSwitch   = "switch"
	actionAllow    = "allow"
	actionDeny     = "deny"
)

const (
	formPurpose  = "form"
	browserBytes = 32 // of a browser's cookie, random
)

// ticket is the value of a form's hidden field "flow": the flow's id, empty
// without one, a dot, and a token that proves that this browser was shown this
// form. It is what stands behind the check of Origin for browsers that send
// neither Origin nor Sec-Fetch-Site. The shown parts are what the form was about:
// a form for another person or another offer than now is not accepted.
func (h *Handler) ticket(browser, path string, f *flow.Flow, shown ...string) string {
	mac := h.Keyring.MAC(formPurpose, ticketParts(browser, path, f, shown)...)
	return flowText(f) + "." + base64.RawURLEncoding.EncodeToString(mac)
}

// checkTicket compares the token of a ticket in constant time.
func (h *Handler) checkTicket(token, browser, path string, f *flow.Flow, shown ...string) bool {
	mac, err := base64.RawURLEncoding.Strict().DecodeString(token)
	return err == nil && browser != "" && h.Keyring.Verify(formPurpose, mac, ticketParts(browser, path, f, shown)...)
}

func ticketParts(browser, path string, f *flow.Flow, shown []string) [][]byte {
	parts := [][]byte{[]byte(browser), []byte(path), []byte(flowText(f))}
	for _, s := range shown {
		parts = append(parts, []byte(s))
	}
	return parts
}

func flowText(f *flow.Flow) string {
	if f == nil {
		return ""
	}
	return f.ID.String()
}

// browser returns the browser's cookie, and gives it one if it has none.
func (h *Handler) browser(w http.ResponseWriter, r *http.Request) string {
	if b := h.Cookies.Get(r, flow.BrowserCookie); b != "" {
		return b
	}
	b := base64.RawURLEncoding.EncodeToString(secret.Random(browserBytes))
	h.Cookies.Set(w, flow.BrowserCookie, b, 0)
	return b
}

// query reads the query of a page, or answers and returns nil.
func (h *Handler) query(w http.ResponseWriter, r *http.Request) url.Values {
	values, err := web.ParseQuery(r.URL.RawQuery)
	if err != nil {
		h.malformed(w, r, err)
		return nil
	}
	return values
}

// form reads a posted form and the flow's text and token in it, or answers and
// returns nil.
func (h *Handler) form(w http.ResponseWriter, r *http.Request, repeatable ...string) (values url.Values, flowText, token string) {
	values, err := web.ParseForm(w, r, repeatable...)
	if err != nil {
		h.malformed(w, r, err)
		return nil, "", ""
	}
	flowText, token, _ = strings.Cut(values.Get("flow"), ".")
	return values, flowText, token
}

// malformed answers a query or a form that cannot be read.
func (h *Handler) malformed(w http.ResponseWriter, r *http.Request, err error) {
	bad := &web.FormError{Status: http.StatusBadRequest, Reason: "the request cannot be read"}
	_ = errors.As(err, &bad)
	web.Event(r.Context()).Outcome = "malformed"
	h.fail(w, r, bad.Status, templates.Error{Kind: templates.InvalidRequest, Detail: bad.Error()})
}

// unproven answers a form whose token is not that of this browser, or which was
// about something else than now; again is the page that shows it afresh.
func (h *Handler) unproven(w http.ResponseWriter, r *http.Request, again string) {
	web.Event(r.Context()).Outcome = "form-refused"
	h.fail(w, r, http.StatusForbidden, templates.Error{Kind: templates.Forbidden, RetryURL: again})
}
