package console

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/hosted"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/templates"
)

const (
	// confirmedParam is in the query of a page to which somebody comes back who sent a
	// form and had to sign in first; unsentParam is what they had typed.
	confirmedParam, unsentParam = "confirmed", "unsent"

	sealUnsent = "console-unsent"
	// unsentKept is for how long a form waits for the sign-in.
	unsentKept = time.Hour
)

// unsent is a form that waits while its sender signs in again.
type unsent struct {
	At   int64      `json:"t"` // Unix milliseconds
	Form url.Values `json:"f"`
	Seen drawn      `json:"s,omitempty"`
}

// asked is the request of a form, which leads back, if a sign-in is needed for it, to a
// page that says that nothing was done.
func asked(r *http.Request) *http.Request {
	marked, at := *r, *r.URL
	if at.RawQuery != "" {
		at.RawQuery += "&"
	}
	at.RawQuery += confirmedParam + "=1"
	marked.URL = &at
	return &marked
}

// fresh reports whether the visitor has signed in within the given time. If not, it
// asks them to, and then shows the page again, with what they typed.
func (v *visit) fresh(within time.Duration) bool {
	if v.IsFresh(v.session, within) {
		return true
	}
	plain := v.again(map[string]string{confirmedParam: "1"})
	back := plain
	if text := v.unsent(); text != "" {
		back = v.again(map[string]string{confirmedParam: "1", unsentParam: text})
	}
	for _, way := range []string{back, plain, v.path() + "?" + confirmedParam + "=1"} {
		if _, fits := web.SafePath(way); fits { // a long form is not kept
			v.Confirm(v.w, v.r, way)
			return false
		}
	}
	v.Confirm(v.w, v.r, v.path())
	return false
}

// waits names whoever a form may be kept for: nobody else gets it filled in.
func (v *visit) waits() []byte {
	return []byte(v.BrowserOf(v.r) + "\x00" + v.user.Subject + "\x00" + v.name + "\x00" + v.object())
}

// unsent is the form that was sent, sealed, without what is secret.
func (v *visit) unsent() string {
	form := url.Values{}
	for name, values := range v.form {
		if name != "flow" && name != "password" && name != "token" {
			form[name] = values
		}
	}
	sealed, err := v.sealedFor(v.waits(), sealUnsent, unsent{At: v.Now().UnixMilli(), Form: form, Seen: v.seen})
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(sealed)
}

// resume tells somebody who had to sign in for a form that nothing was done, and fills
// the form in again.
func (v *visit) resume() {
	if !v.query.Has(confirmedParam) || !v.IsFresh(v.session, hosted.FreshFor) {
		return
	}
	v.notices = append(v.notices, templates.ConsoleNotice{Tone: templates.ToneWarn, Said: templates.Say("console.confirmed")})
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(v.query.Get(unsentParam))
	if err != nil || len(sealed) == 0 {
		return
	}
	var u unsent
	if v.openedFor(v.waits(), sealUnsent, sealed, &u) == nil && v.young(u.At, unsentKept) == nil {
		v.form, v.seen = u.Form, u.Seen
	}
}
