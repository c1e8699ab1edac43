package hosted

import (
	"net/http"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/web"
)

// knownLife is how long a browser is known to an account.
const knownLife = 365 * 24 * time.Hour

// Admit keeps in the browser how far somebody has come, and reports whether that is
// signed in. If not, the second factor is missing: the page that asks for it is next.
func (d *Desk) Admit(w http.ResponseWriter, r *http.Request, p *accounts.Passage) bool {
	event := web.Event(r.Context())
	event.UserID = p.User.Subject
	if p.Token == "" {
		event.Outcome = "second-factor"
		d.KeepPending(w, p)
		return false
	}
	event.Outcome = "signed-in"
	d.Cookies.Set(w, flow.SessionCookie, p.Token, d.until(p.Session.ExpiresAt))
	d.KeepLanguage(w, p.User)
	if p.Known != "" {
		d.Cookies.Set(w, flow.KnownCookie, p.Known, knownLife)
	}
	if p.Device != "" {
		d.Cookies.Set(w, flow.DeviceCookie, p.Device, accounts.RememberedFor)
	}
	if d.Cookies.Get(r, flow.PendingCookie) != "" {
		d.Cookies.Clear(w, flow.PendingCookie)
	}
	return true
}

// KeepPending keeps a sign-in that waits for its second factor.
func (d *Desk) KeepPending(w http.ResponseWriter, p *accounts.Passage) {
	d.Cookies.Set(w, flow.PendingCookie, p.Pending, d.until(p.PendingUntil))
}

// until is how long it takes to an instant in Unix milliseconds.
func (d *Desk) until(at int64) time.Duration {
	return time.Duration(at-d.Now().UnixMilli()) * time.Millisecond
}
