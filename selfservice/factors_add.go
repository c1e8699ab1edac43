package selfservice

import (
	"errors"
	"net/http"
	"net/url"
	"unicode"
	"unicode/utf8"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/hosted"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/templates"
)

// maxShownName is the longest name of a factor, in characters, that is put back
// into its field.
const maxShownName = 64

// newApp is an authenticator app that is being added. Its secret stays the same
// when a code was wrong: the person has scanned it. It comes back with the form,
// whose ticket proves that it was shown so.
type newApp struct {
	key, uri, sealed string
	name             string
	problem          templates.FactorProblem
}

// The fields that the ticket of the page about a new app covers.
func (a *newApp) shown() []string { return []string{a.sealed, a.key, a.uri} }

func (h *Factors) showNewApp(w http.ResponseWriter, r *http.Request) {
	query := h.Query(w, r)
	if query == nil {
		return
	}
	if o := h.changer(w, r, flowOf(query)); o != nil {
		h.beginApp(w, r, http.StatusOK, o, &newApp{})
	}
}

// beginApp shows the page with a new secret.
func (h *Factors) beginApp(w http.ResponseWriter, r *http.Request, status int, o *holder, a *newApp) {
	var err error
	if a.key, a.uri, a.sealed, err = h.Maker.BeginTOTP(r.Context(), o.user); err != nil {
		h.Broken(w, r, err)
		return
	}
	h.writeNewApp(w, r, status, o, a)
}

func (h *Factors) writeNewApp(w http.ResponseWriter, r *http.Request, status int, o *holder, a *newApp) {
	h.Rendered(w, r, h.Pages.NewApp(w, status, h.Language(r, ""), templates.NewApp{
		Page: h.frame(r, h.own(pathNewApp, o.flow), o), Key: a.key, URI: a.uri, Sealed: a.sealed, Name: shownName(a.name), Problem: a.problem,
		Action: h.Path(pathNewApp), Flow: h.ticket(w, r, pathNewApp, o, a.shown()...), BackURL: h.own(flow.PathEnrolFactor, o.flow),
	}))
}

func (h *Factors) addApp(w http.ResponseWriter, r *http.Request) {
	o, form := h.posted(w, r, pathNewApp, "sealed", "key", "uri")
	if o == nil {
		return
	}
	a := &newApp{key: form.Get("key"), uri: form.Get("uri"), sealed: form.Get("sealed"), name: form.Get("factor_name")}
	if !form.Has("code") {
		a.problem = templates.AppCodeMissing
		h.writeNewApp(w, r, http.StatusUnprocessableEntity, o, a)
		return
	}
	recovery, err := h.Maker.ConfirmTOTP(r.Context(), o.actor(), o.session, a.name, a.sealed, form.Get("code"))
	switch {
	case err == nil:
		h.added(w, r, o, recovery)
		return
	case errors.Is(err, accounts.ErrCode):
		a.problem = templates.AppCodeWrong
	case errors.Is(err, accounts.ErrInvalid) && a.name != "" && shownName(a.name) == "":
		a.problem = templates.FactorBadName
	case errors.Is(err, accounts.ErrInvalid):
		// The page is too old, or was sent twice: the secret is good no more.
		a.problem = templates.AppOutdated
		h.beginApp(w, r, http.StatusUnprocessableEntity, o, a)
		return
	case errors.Is(err, accounts.ErrConflict):
		a.problem = templates.TooManyFactors
	default:
		h.refuse(w, r, err)
		return
	}
	web.Event(r.Context()).Outcome = "refused"
	h.writeNewApp(w, r, http.StatusUnprocessableEntity, o, a)
}

func (h *Factors) showNewPasskey(w http.ResponseWriter, r *http.Request) {
	query := h.Query(w, r)
	if query == nil {
		return
	}
	if o := h.changer(w, r, flowOf(query)); o != nil {
		o.offered = query.Has(flow.OfferParam)
		h.writeNewPasskey(w, r, http.StatusOK, o, "", "")
	}
}

// writeNewPasskey shows the page, always with a new question: one is answered once.
func (h *Factors) writeNewPasskey(w http.ResponseWriter, r *http.Request, status int, o *holder, name string, problem templates.FactorProblem) {
	options, ceremony, err := h.Maker.BeginPasskey(r.Context(), o.user)
	if errors.Is(err, accounts.ErrNoPasskeys) {
		h.NotFound(w, r)
		return
	}
	if err != nil {
		h.Broken(w, r, err)
		return
	}
	p := templates.NewPasskey{
		Page: h.frame(r, h.own(flow.PathNewPasskey, o.flow), o), Name: shownName(name), Problem: problem,
		Passkey: &templates.PasskeyAsk{Options: string(options), Ceremony: ceremony},
		Action:  h.Path(flow.PathNewPasskey), Flow: h.ticket(w, r, flow.PathNewPasskey, o, ceremony), BackURL: h.own(flow.PathEnrolFactor, o.flow),
	}
	if o.offered {
		p.Page = h.Frame(r, h.own(flow.PathNewPasskey, o.flow, flow.OfferParam, "1"))
		p.LaterURL = h.Path(hosted.PathHome)
		if o.flow != "" {
			p.LaterURL = h.own(flow.PathAuthorize, o.flow)
		}
	}
	h.Rendered(w, r, h.Pages.NewPasskey(w, status, h.Language(r, ""), p))
}

func (h *Factors) addPasskey(w http.ResponseWriter, r *http.Request) {
	o, form := h.posted(w, r, flow.PathNewPasskey, "ceremony")
	if o == nil {
		return
	}
	o.offered = form.Has(flow.OfferParam)
	recovery, problem, err := h.finishPasskey(r, o, form)
	switch {
	case err != nil:
		h.refuse(w, r, err)
	case problem != "":
		web.Event(r.Context()).Outcome = "refused"
		h.writeNewPasskey(w, r, http.StatusUnprocessableEntity, o, form.Get("factor_name"), problem)
	default:
		h.added(w, r, o, recovery)
	}
}

func (h *Factors) finishPasskey(r *http.Request, o *holder, form url.Values) (recovery []string, problem templates.FactorProblem, err error) {
	if !form.Has("response") {
		return nil, templates.PasskeyNotAdded, nil
	}
	ceremony, name := form.Get("ceremony"), form.Get("factor_name")
	recovery, err = h.Maker.FinishPasskey(r.Context(), o.actor(), o.session, ceremony, name, []byte(form.Get("response")))
	switch {
	case errors.Is(err, accounts.ErrPasskey):
		return nil, templates.PasskeyNotAdded, nil
	case errors.Is(err, accounts.ErrInvalid):
		return nil, templates.FactorBadName, nil
	case errors.Is(err, accounts.ErrConflict):
		return nil, templates.PasskeyKnown, nil
	}
	return recovery, "", err
}

// added goes on after a new factor: the recovery codes that come with the first one
// are shown now or never.
func (h *Factors) added(w http.ResponseWriter, r *http.Request, o *holder, recovery []string) {
	if len(recovery) == 0 {
		h.done(w, r, o, templates.FactorAdded)
		return
	}
	web.Event(r.Context()).Outcome = "factor-added"
	h.writeCodes(w, r, o, recovery, true)
}

// shownName is a name if it can stand in its field, else nothing.
func shownName(name string) string {
	if !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxShownName {
		return ""
	}
	for _, c := range name {
		if !unicode.IsPrint(c) {
			return ""
		}
	}
	return name
}
