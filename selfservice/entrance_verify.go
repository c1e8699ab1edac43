package selfservice

import (
	"net/http"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/hosted"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/templates"
)

// showVerify offers to mail a proof of the account's address, asks for the code, or
// shows the button of the mail's link; all of it to the person of the account.
func (h *Entrance) showVerify(w http.ResponseWriter, r *http.Request) {
	query := h.Query(w, r)
	if query == nil {
		return
	}
	_, user := h.Member(w, r, flow.PathVerifyEmail)
	if user == nil {
		return
	}
	carried := flowOf(query)
	if user.EmailVerified {
		h.Continue(w, carried, hosted.PathAccount) // in another tab, or by the link
		return
	}
	if user.EmailKey == "" {
		h.Redirect(w, h.with(pathEmail, "flow", carried))
		return
	}
	p, err := h.verifyPage(r, user, h.opened(r, query), carried)
	if err != nil {
		h.refuse(w, r, p, err)
		return
	}
	h.show(w, r, http.StatusOK, p)
}

func (h *Entrance) verifyPage(r *http.Request, user *accounts.User, e accounts.Evidence, carried string) (*entrancePage, error) {
	p := &entrancePage{path: flow.PathVerifyEmail, flow: carried, link: e.Token, proof: e.ProofID, about: user.Subject, again: flow.PathVerifyEmail}
	other := templates.FormLink{Key: "other_email", URL: h.with(pathEmail, "flow", carried)}
	switch {
	case e.Token != "":
		email, err := h.Verifications.Look(r.Context(), user, e.Token)
		p.Form = templates.Form{Kind: "verify_link", About: email, Action: p.path}
		return p, err
	case e.ProofID != "":
		email, _, err := h.Verifications.Waiting(r.Context(), accounts.ProofVerify, e)
		p.Form = templates.Form{Kind: "verify_code", About: email, Inputs: []templates.Input{{Name: "code"}}, Links: []templates.FormLink{
			{Key: "begin_again", URL: h.with(flow.PathVerifyEmail, "flow", carried)}, other,
		}}
		return p, err
	}
	p.Form = templates.Form{Kind: "verify", About: user.Email, Action: p.path, Links: []templates.FormLink{other}}
	return p, nil
}

// verify mails the proof, or takes it.
func (h *Entrance) verify(w http.ResponseWriter, r *http.Request) {
	_, user := h.Member(w, r, flow.PathVerifyEmail)
	if user == nil {
		return
	}
	form, carried := h.posted(w, r, flow.PathVerifyEmail, user.Subject)
	if form == nil {
		return
	}
	if user.EmailVerified {
		h.Continue(w, carried, hosted.PathAccount)
		return
	}
	e := h.evidence(r, form, carried)
	p, err := h.verifyPage(r, user, e, carried)
	if err != nil {
		h.refuse(w, r, p, err)
		return
	}
	if e.Token == "" && e.ProofID == "" {
		if !h.needsMail(w, r) {
			return
		}
		proofID, err := h.Verifications.Ask(r.Context(), user, h.asker(r, carried))
		if err != nil {
			h.refuse(w, r, p, err)
			return
		}
		web.Event(r.Context()).Outcome = "mailed"
		h.Redirect(w, h.with(flow.PathVerifyEmail, "proof", proofID, "flow", carried))
		return
	}
	stored, err := h.Verifications.Confirm(r.Context(), user, e)
	if err != nil {
		h.refuse(w, r, p, err)
		return
	}
	if carried == "" {
		carried = stored
	}
	web.Event(r.Context()).Outcome = "verified"
	h.Continue(w, carried, hosted.PathAccount)
}
