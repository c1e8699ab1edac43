package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/templates"
)

// debugAnswer takes what the authorization endpoint answers to the console, as an app
// does at its redirect URI, and exchanges the code. What comes here comes from a browser:
// it counts only with a state that was sealed for this session of this person in this
// browser, and a code only the first time.
func (h *Handler) debugAnswer(v *visit) {
	if v.r.Method != http.MethodGet { // HEAD must not use a code up
		v.NotFound(v.w, v.r)
		return
	}
	var b begun
	err := v.openedText(sealState, v.query.Get("state"), &b)
	if err == nil {
		err = v.young(b.At, debugLife)
	}
	// RFC 9207: of another server, for an app that talks to several.
	if err == nil && v.query.Get("iss") != v.Issuer.String() {
		err = errDebugState
	}
	if err != nil {
		v.failedPost(err)
		return
	}
	app, err := h.Admin.Debuggable(v.r.Context(), v.caller, b.Client)
	if err == nil {
		err = h.redeemDebug(v, app, b)
	}
	if err != nil {
		v.failedPost(err)
	}
}

func (h *Handler) redeemDebug(v *visit, app *accounts.Client, b begun) error {
	r, err := h.keptRun(v, b)
	if err != nil {
		return err
	}
	r.Steps = append(r.Steps, debugStep{Kind: "authorize", Wire: v.authorizeWire(app, r)})
	if code := v.query.Get("code"); code != "" {
		wire, err := h.Admin.RedeemDebug(v.r.Context(), v.caller, app.ClientID, b.Run, b.At+debugLife.Milliseconds()+time.Hour.Milliseconds(), url.Values{
			"grant_type": {accounts.GrantAuthorizationCode}, "code": {code}, "redirect_uri": {v.debugURI()}, "code_verifier": {b.Verifier},
		})
		if err != nil {
			return err
		}
		r.took("token", wire)
	}
	failed := v.query.Get("error")
	switch {
	case failed != "":
		web.Event(v.r.Context()).Outcome = "refused"
		said := templates.Say("console.debug.refused", "Error", failed)
		said.English = v.query.Get("error_description")
		v.notices = append(v.notices, templates.ConsoleNotice{Tone: templates.ToneBad, Said: said})
		v.notices = append(v.notices, templates.ConsoleNotice{Tone: templates.ToneWarn, Said: errorMeaning(failed)})
	case r.Access != "":
		v.notices = append(v.notices, templates.ConsoleNotice{Tone: templates.ToneGood, Said: templates.Say("console.debug.works")})
	default:
		v.notices = append(v.notices, templates.ConsoleNotice{Tone: templates.ToneBad, Said: templates.Say("console.debug.no_tokens")})
	}
	v.name, v.query = "clients/debug", url.Values{"id": {app.ClientID}}
	return h.showRun(v, app, r)
}

// keptRun returns what was shown when the run began; if that was lost, the run goes on
// without it.
func (h *Handler) keptRun(v *visit, b begun) (run, error) {
	r := run{At: b.At, Nonce: b.Nonce}
	sealed, err := h.Admin.Protocol.Kept(v.r.Context(), b.Run)
	if err != nil || sealed == nil {
		return r, err
	}
	var kept run
	if err := v.opened(sealRun, sealed, &kept); err != nil {
		return r, err
	}
	r.Steps = kept.Steps
	return r, nil
}

// authorizeWire is the way of the browser, from the first request to the answer that
// has just arrived; the pages between them are the person's own.
func (v *visit) authorizeWire(app *accounts.Client, r run) admin.Wire {
	requestURI := "…"
	if len(r.Steps) > 0 {
		requestURI = jsonField(r.Steps[0].Wire.Body, "request_uri")
	}
	return admin.Wire{
		Method: http.MethodGet, URL: v.authorizeURL(app, requestURI), Status: http.StatusSeeOther,
		AnswerHeader: [][2]string{{"Location", v.debugURI() + "?" + v.query.Encode()}},
	}
}

// errorsKnown are the errors of the authorization endpoint that have a message.
func errorsKnown() []string {
	return []string{
		"access_denied", "login_required", "consent_required", "interaction_required", "invalid_scope", "invalid_target",
		"unmet_authentication_requirements", "temporarily_unavailable", "other",
	}
}

// errorMeaning says what an error means and where to look.
func errorMeaning(code string) templates.Said {
	if !slices.Contains(errorsKnown(), code) {
		code = "other"
	}
	return templates.Say("console.debug.means_" + strings.TrimSpace(code))
}
