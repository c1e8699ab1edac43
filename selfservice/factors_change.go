package selfservice

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/templates"
)

// chosen finds the factor that a page is about among those of its person.
func (o *holder) chosen(values url.Values) (id.ID, string, bool) {
	factorID, err := id.Parse(values.Get("id"))
	if err != nil {
		return id.ID{}, "", false
	}
	for _, k := range o.list.Passkeys {
		if k.ID == factorID {
			return factorID, k.Name, true
		}
	}
	for _, a := range o.list.TOTPs {
		if a.ID == factorID {
			return factorID, a.Name, true
		}
	}
	return id.ID{}, "", false
}

// about shows a form about one factor; without one, as after a sign-in on the way
// here, the list does to choose it again.
func (h *Factors) about(path, kind string, fill func(p *templates.Form, name string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		query := h.Query(w, r)
		if query == nil {
			return
		}
		o := h.changer(w, r, flowOf(query))
		if o == nil {
			return
		}
		factorID, name, found := o.chosen(query)
		if !found {
			h.Redirect(w, h.own(flow.PathEnrolFactor, o.flow))
			return
		}
		p := templates.Form{Kind: kind, About: name, Hidden: []templates.Field{{Name: "id", Value: factorID.String()}}}
		fill(&p, name)
		h.writeForm(w, r, http.StatusOK, path, o, p, factorID.String())
	}
}

func (h *Factors) writeForm(w http.ResponseWriter, r *http.Request, status int, path string, o *holder, p templates.Form, factorID string) {
	p.Page = h.frame(r, h.own(path, o.flow, "id", factorID), o)
	p.Action, p.Flow = h.Path(path), h.ticket(w, r, path, o, factorID)
	p.Links = []templates.FormLink{{Key: "factors", URL: h.own(flow.PathEnrolFactor, o.flow)}}
	h.Rendered(w, r, h.Pages.Form(w, status, h.Language(r, ""), p))
}

func (h *Factors) showRename(w http.ResponseWriter, r *http.Request) {
	h.about(pathRenameFactor, "factor_name", func(p *templates.Form, name string) {
		p.Inputs = []templates.Input{{Name: "factor_name", Value: name}}
	})(w, r)
}

func (h *Factors) rename(w http.ResponseWriter, r *http.Request) {
	o, form := h.posted(w, r, pathRenameFactor, "id")
	if o == nil {
		return
	}
	factorID, before, found := o.chosen(form)
	if !found {
		h.Redirect(w, h.own(flow.PathEnrolFactor, o.flow))
		return
	}
	name := form.Get("factor_name")
	err := h.Keeper.Rename(r.Context(), o.actor(), factorID, name)
	switch {
	case errors.Is(err, accounts.ErrInvalid):
		web.Event(r.Context()).Outcome = "refused"
		h.writeForm(w, r, http.StatusUnprocessableEntity, pathRenameFactor, o, templates.Form{
			Kind: "factor_name", About: before, Hidden: []templates.Field{{Name: "id", Value: factorID.String()}},
			Inputs:   []templates.Input{{Name: "factor_name", Value: shownName(name)}},
			Problems: []templates.FormProblem{{Key: "factor_name", Field: "factor_name"}},
		}, factorID.String())
	case err != nil:
		h.refuse(w, r, err)
	default:
		h.done(w, r, o, templates.FactorRenamed)
	}
}

func (h *Factors) showRemove(w http.ResponseWriter, r *http.Request) {
	h.about(pathRemoveFactor, "factor_remove", func(p *templates.Form, _ string) { p.Danger = true })(w, r)
}

func (h *Factors) remove(w http.ResponseWriter, r *http.Request) {
	o, form := h.posted(w, r, pathRemoveFactor, "id")
	if o == nil {
		return
	}
	factorID, _, found := o.chosen(form)
	if !found {
		h.Redirect(w, h.own(flow.PathEnrolFactor, o.flow))
		return
	}
	err := h.Keeper.Remove(r.Context(), o.actor(), o.session, factorID)
	switch {
	case errors.Is(err, accounts.ErrLastFactor):
		h.done(w, r, o, templates.FactorLast)
	case err != nil:
		h.refuse(w, r, err)
	default:
		h.done(w, r, o, templates.FactorRemoved)
	}
}

// showNewCodes asks before codes are made: those that are written down somewhere
// stop working.
func (h *Factors) showNewCodes(w http.ResponseWriter, r *http.Request) {
	query := h.Query(w, r)
	if query == nil {
		return
	}
	if o := h.changer(w, r, flowOf(query)); o != nil {
		h.writeForm(w, r, http.StatusOK, pathRecoveryCodes, o, templates.Form{Kind: "recovery_new"}, "")
	}
}

func (h *Factors) newCodes(w http.ResponseWriter, r *http.Request) {
	o, _ := h.posted(w, r, pathRecoveryCodes, "id")
	if o == nil {
		return
	}
	codes, err := h.Keeper.NewRecoveryCodes(r.Context(), o.actor(), o.user)
	switch {
	case errors.Is(err, accounts.ErrNoFactor):
		h.Redirect(w, h.own(flow.PathEnrolFactor, o.flow))
	case err != nil:
		h.refuse(w, r, err)
	default:
		web.Event(r.Context()).Outcome = "recovery-codes-made"
		h.writeCodes(w, r, o, codes, false)
	}
}

// writeCodes shows recovery codes. They are in this answer alone.
func (h *Factors) writeCodes(w http.ResponseWriter, r *http.Request, o *holder, codes []string, first bool) {
	p := templates.RecoveryCodes{
		Page: h.Frame(r, h.own(flow.PathEnrolFactor, o.flow)), Codes: codes, First: first, ContinueURL: h.own(flow.PathEnrolFactor, ""),
	}
	if o.flow != "" {
		p.ContinueURL = h.own(flow.PathAuthorize, o.flow)
	}
	h.Rendered(w, r, h.Pages.RecoveryCodes(w, http.StatusOK, h.Language(r, ""), p))
}

// forget ends all remembered browsers.
func (h *Factors) forget(w http.ResponseWriter, r *http.Request) {
	o, form := h.posted(w, r, flow.PathEnrolFactor)
	if o == nil {
		return
	}
	if form.Get("action") != "forget" {
		h.UnknownAction(w, r)
		return
	}
	if err := h.Keeper.ForgetDevices(r.Context(), o.actor(), o.user); err != nil {
		h.refuse(w, r, err)
		return
	}
	h.done(w, r, o, templates.FactorForgotten)
}
