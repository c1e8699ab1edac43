package selfservice

import (
	"net/http"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/templates"
)

// showMailCode asks for an address to send a code to, then for the code; or it shows
// the button of a link that an operator made.
func (h *Entrance) showMailCode(w http.ResponseWriter, r *http.Request) {
	query := h.Query(w, r)
	if query == nil {
		return
	}
	p, err := h.mailCodePage(r, h.opened(r, query), flowOf(query))
	if err != nil {
		h.refuse(w, r, p, err)
		return
	}
	if p.link == "" && !h.codesOn(w, r) {
		return
	}
	h.show(w, r, http.StatusOK, p)
}

func (h *Entrance) codesOn(w http.ResponseWriter, r *http.Request) bool {
	if h.Mails && accounts.CurrentSettings(r.Context(), h.Settings).SignInByMail {
		return true
	}
	h.NotFound(w, r)
	return false
}

func (h *Entrance) mailCodePage(r *http.Request, e accounts.Evidence, carried string) (*entrancePage, error) {
	p := &entrancePage{path: accounts.PathMailCode, flow: carried, link: e.Token, proof: e.ProofID}
	again := []templates.FormLink{{Key: "begin_again", URL: h.with(accounts.PathMailCode, "flow", carried)}}
	switch {
	case e.Token != "":
		u, err := h.Codes.Look(r.Context(), e.Token)
		if err != nil {
			return p, err
		}
		p.Form = templates.Form{Kind: "signin_link", About: u.Username, Action: p.path}
	case e.ProofID != "":
		p.again = accounts.PathMailCode
		email, _, err := h.Codes.Waiting(r.Context(), accounts.ProofCode, e)
		if err != nil {
			return p, err
		}
		p.Form = templates.Form{Kind: "signin_code", About: email, Inputs: []templates.Input{{Name: "code"}}, Links: append(again, h.signInLink(carried))}
	default:
		p.Form = templates.Form{Kind: "signin_mail", Inputs: []templates.Input{{Name: "email"}}, Links: []templates.FormLink{h.signInLink(carried)}}
	}
	return p, nil
}

// mailCode mails a code, or takes one, or the operator's link.
func (h *Entrance) mailCode(w http.ResponseWriter, r *http.Request) {
	form, carried := h.posted(w, r, accounts.PathMailCode, "")
	if form == nil {
		return
	}
	e := h.evidence(r, form, carried)
	if e.Token == "" && !h.codesOn(w, r) {
		return
	}
	p, err := h.mailCodePage(r, e, carried)
	if err != nil {
		h.refuse(w, r, p, err)
		return
	}
	if e.Token == "" && e.ProofID == "" {
		p.Inputs[0].Value = form.Get("email")
		proofID, err := h.Codes.Ask(r.Context(), form.Get("email"), h.askerFor(r, carried))
		if err != nil {
			h.refuse(w, r, p, err)
			return
		}
		web.Event(r.Context()).Outcome = "mailed"
		h.Redirect(w, h.with(accounts.PathMailCode, "proof", proofID, "flow", carried))
		return
	}
	entry, err := h.Codes.Enter(r.Context(), e, h.Cookies.Get(r, flow.KnownCookie))
	if err != nil {
		h.refuse(w, r, p, err)
		return
	}
	h.enter(w, r, entry, "otp")
}
