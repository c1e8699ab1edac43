package hosted

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

const (
	formPurpose  = "form"
	browserBytes = 32 // of a browser's cookie, random
)

// Ticket is the value of a form's hidden field "flow": a text that the form carries
// along (the id of a flow, or empty), a dot, and a token that proves that this
// browser was shown the form at this path. It is what stands behind the check of
// Origin for browsers that send neither Origin nor Sec-Fetch-Site. The shown parts
// are what the form was about: a form for another person or another offer than now
// is not accepted.
func (d *Desk) Ticket(browser, path, text string, shown ...string) string {
	mac := d.Keyring.MAC(formPurpose, ticketParts(browser, path, text, shown)...)
	return text + "." + base64.RawURLEncoding.EncodeToString(mac)
}

// CheckTicket compares the token of a ticket in constant time.
func (d *Desk) CheckTicket(token, browser, path, text string, shown ...string) bool {
	mac, err := base64.RawURLEncoding.Strict().DecodeString(token)
	return err == nil && browser != "" && d.Keyring.Verify(formPurpose, mac, ticketParts(browser, path, text, shown)...)
}

func ticketParts(browser, path, text string, shown []string) [][]byte {
	parts := [][]byte{[]byte(browser), []byte(path), []byte(text)}
	for _, s := range shown {
		parts = append(parts, []byte(s))
	}
	return parts
}

// Browser returns the browser's cookie, and gives it one if it has none.
func (d *Desk) Browser(w http.ResponseWriter, r *http.Request) string {
	if b := d.BrowserOf(r); b != "" {
		return b
	}
	b := base64.RawURLEncoding.EncodeToString(secret.Random(browserBytes))
	d.Cookies.Set(w, flow.BrowserCookie, b, 0)
	return b
}

// BrowserOf returns the browser's cookie, empty if it has none.
func (d *Desk) BrowserOf(r *http.Request) string { return d.Cookies.Get(r, flow.BrowserCookie) }

// Query reads the query of a page, or answers and returns nil.
func (d *Desk) Query(w http.ResponseWriter, r *http.Request) url.Values {
	values, err := web.ParseQuery(r.URL.RawQuery)
	if err != nil {
		d.Malformed(w, r, err)
		return nil
	}
	return values
}

// Form reads a posted form, and the text and the token of its ticket, or answers
// and returns nil.
func (d *Desk) Form(w http.ResponseWriter, r *http.Request, repeatable ...string) (values url.Values, text, token string) {
	return d.form(w, r, web.ParseForm, repeatable)
}

// Boxes is Form for a form with many boxes.
func (d *Desk) Boxes(w http.ResponseWriter, r *http.Request, repeatable ...string) (values url.Values, text, token string) {
	return d.form(w, r, web.ParseBoxes, repeatable)
}

func (d *Desk) form(w http.ResponseWriter, r *http.Request, parse func(http.ResponseWriter, *http.Request, ...string) (url.Values, error), repeatable []string) (values url.Values, text, token string) {
	values, err := parse(w, r, repeatable...)
	if err != nil {
		d.Malformed(w, r, err)
		return nil, "", ""
	}
	text, token, _ = strings.Cut(values.Get("flow"), ".")
	return values, text, token
}

// Malformed answers a query or a form that cannot be read.
func (d *Desk) Malformed(w http.ResponseWriter, r *http.Request, err error) {
	bad := &web.FormError{Status: http.StatusBadRequest, Reason: "the request cannot be read"}
	_ = errors.As(err, &bad)
	web.Event(r.Context()).Outcome = "malformed"
	d.Fail(w, r, bad.Status, templates.Error{Kind: templates.InvalidRequest, Detail: bad.Error()})
}

// UnknownAction answers a form whose button nobody has drawn.
func (d *Desk) UnknownAction(w http.ResponseWriter, r *http.Request) {
	d.Malformed(w, r, &web.FormError{Status: http.StatusBadRequest, Param: "action", Reason: "unknown value"})
}

// Unproven answers a form whose token is not that of this browser, or which was
// about something else than now; again is the page that shows it afresh.
func (d *Desk) Unproven(w http.ResponseWriter, r *http.Request, again string) {
	web.Event(r.Context()).Outcome = "form-refused"
	d.Fail(w, r, http.StatusForbidden, templates.Error{Kind: templates.Forbidden, RetryURL: again})
}
