package consent

import (
	"net/http"
	"net/url"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/web"
)

const (
	// passkeysParam is set by the script of the sign-in page where the device itself
	// can keep a passkey. Without the script nothing is offered.
	passkeysParam = "passkeys"
	// offerEvery is how long a browser is left alone after an offer. It is kept in the
	// browser: a passkey belongs to a device, so another one is worth a question.
	offerEvery = 30 * 24 * time.Hour
)

// offers reports whether a sign-in by password may end with the offer of a passkey:
// not where somebody is confirming who they are, or on the way to a page of their
// account, and only where the browser says that it can.
func (p *signInPage) offers(form url.Values) bool {
	return !p.confirms() && p.back == "" && form.Get(passkeysParam) == "1"
}

// offersPasskey reports whether somebody who has just signed in is offered a passkey.
// What is required of them comes first, and another day does for the offer. A fault
// here is logged, and costs no more than the offer.
func (h *Handler) offersPasskey(r *http.Request, p *accounts.Passage) bool {
	if h.Passkeys == nil || p.Token == "" || h.Cookies.Get(r, flow.OfferCookie) != "" {
		return false
	}
	if h.Missing != nil {
		if missing, err := h.Missing(r.Context(), p.Session, p.User); err != nil || missing != "" {
			web.Event(r.Context()).Cause = err
			return false
		}
	}
	factorless, err := h.Passkeys.Factorless(r.Context(), p.User)
	if err != nil {
		web.Event(r.Context()).Cause = err
	}
	return factorless
}

// offerPasskey goes on to the page that offers a passkey, from which it is one step
// to where the person was going.
func (h *Handler) offerPasskey(w http.ResponseWriter, f *flow.Flow) {
	h.Cookies.Set(w, flow.OfferCookie, "1", offerEvery)
	query := url.Values{flow.OfferParam: {"1"}}
	if f != nil {
		query.Set("flow", f.ID.String())
	}
	h.Redirect(w, h.Path(flow.PathNewPasskey)+"?"+query.Encode())
}
