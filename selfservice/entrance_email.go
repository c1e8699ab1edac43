package selfservice

import (
	"net/http"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/hosted"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/templates"
)

// showEmail asks for another address, after a fresh sign-in. It is also open to those
// who have to prove theirs and see that it is wrong.
func (h *Entrance) showEmail(w http.ResponseWriter, r *http.Request) {
	query := h.Query(w, r)
	if query == nil || !h.needsMail(w, r) {
		return
	}
	session, user := h.Member(w, r, flow.PathVerifyEmail)
	if user == nil || !h.Fresh(w, r, session, hosted.FreshFor) {
		return
	}
	h.show(w, r, http.StatusOK, h.emailPage(user, flowOf(query), ""))
}

func (h *Entrance) emailPage(user *accounts.User, carried, typed string) *entrancePage {
	return &entrancePage{path: pathEmail, flow: carried, about: user.Subject, Form: templates.Form{
		Kind: "email", About: user.Email, Inputs: []templates.Input{{Name: "new_email", Value: typed}},
		Links: []templates.FormLink{{Key: "account", URL: h.Path(hosted.PathAccount)}},
	}}
}

// changeEmail mails the proof to the new address.
func (h *Entrance) changeEmail(w http.ResponseWriter, r *http.Request) {
	if !h.needsMail(w, r) {
		return
	}
	session, user := h.Member(w, r, flow.PathVerifyEmail)
	if user == nil || !h.Fresh(w, r, session, hosted.FreshFor) {
		return
	}
	form, carried := h.posted(w, r, pathEmail, user.Subject)
	if form == nil {
		return
	}
	proofID, err := h.Addresses.Ask(r.Context(), user, form.Get("new_email"), h.asker(r, carried))
	if err != nil {
		h.refuse(w, r, h.emailPage(user, carried, form.Get("new_email")), err)
		return
	}
	web.Event(r.Context()).Outcome = "mailed"
	h.Redirect(w, h.with(accounts.PathEmailConfirm, "proof", proofID, "flow", carried))
}

// showEmailConfirm asks for the code, or shows the button of the mail's link.
func (h *Entrance) showEmailConfirm(w http.ResponseWriter, r *http.Request) {
	query := h.Query(w, r)
	if query == nil {
		return
	}
	_, user := h.Member(w, r, flow.PathVerifyEmail)
	if user == nil {
		return
	}
	p, err := h.emailConfirmPage(r, user, h.opened(r, query), flowOf(query))
	if err != nil {
		h.refuse(w, r, p, err)
		return
	}
	h.show(w, r, http.StatusOK, p)
}

func (h *Entrance) emailConfirmPage(r *http.Request, user *accounts.User, e accounts.Evidence, carried string) (*entrancePage, error) {
	p := &entrancePage{path: accounts.PathEmailConfirm, flow: carried, link: e.Token, proof: e.ProofID, about: user.Subject, again: pathEmail}
	if e.Token != "" {
		email, err := h.Addresses.Look(r.Context(), user, e.Token)
		p.Form = templates.Form{Kind: "email_link", About: email, Action: p.path}
		return p, err
	}
	email, _, err := h.Addresses.Waiting(r.Context(), accounts.ProofAddress, e)
	p.Form = templates.Form{Kind: "email_code", About: email, Inputs: []templates.Input{{Name: "code"}}, Links: []templates.FormLink{
		{Key: "begin_again", URL: h.with(pathEmail, "flow", carried)},
	}}
	return p, err
}

// confirmEmail changes the address.
func (h *Entrance) confirmEmail(w http.ResponseWriter, r *http.Request) {
	_, user := h.Member(w, r, flow.PathVerifyEmail)
	if user == nil {
		return
	}
	form, carried := h.posted(w, r, accounts.PathEmailConfirm, user.Subject)
	if form == nil {
		return
	}
	e := h.evidence(r, form, carried)
	p, err := h.emailConfirmPage(r, user, e, carried)
	if err == nil {
		err = h.Addresses.Confirm(r.Context(), user, e)
	}
	if err != nil {
		h.refuse(w, r, p, err)
		return
	}
	web.Event(r.Context()).Outcome = "email-changed"
	h.Continue(w, carried, hosted.PathAccount)
}

// showEmailUndo shows the button that takes a change of address back. It needs no
// session: whoever changed the address may have all of them.
func (h *Entrance) showEmailUndo(w http.ResponseWriter, r *http.Request) {
	query := h.Query(w, r)
	if query == nil {
		return
	}
	if query.Has("done") {
		h.show(w, r, http.StatusOK, &entrancePage{path: accounts.PathEmailUndo, Form: templates.Form{
			Kind: "email_undone", Links: []templates.FormLink{{Key: "reset", URL: h.Path(accounts.PathReset)}},
		}})
		return
	}
	p, err := h.undoPage(r, query.Get("token"))
	if err != nil {
		h.refuse(w, r, p, err)
		return
	}
	h.show(w, r, http.StatusOK, p)
}

func (h *Entrance) undoPage(r *http.Request, token string) (*entrancePage, error) {
	email, err := h.Addresses.LookUndo(r.Context(), token)
	return &entrancePage{path: accounts.PathEmailUndo, link: token, Form: templates.Form{
		Kind: "email_undo", About: email, Action: accounts.PathEmailUndo, Danger: true,
	}}, err
}

func (h *Entrance) undoEmail(w http.ResponseWriter, r *http.Request) {
	form, _ := h.posted(w, r, accounts.PathEmailUndo, "")
	if form == nil {
		return
	}
	p, err := h.undoPage(r, form.Get(fieldLink))
	if err == nil {
		err = h.Addresses.Undo(r.Context(), form.Get(fieldLink))
	}
	if err != nil {
		h.refuse(w, r, p, err)
		return
	}
	web.Event(r.Context()).Outcome = "email-undone"
	h.Redirect(w, h.with(accounts.PathEmailUndo, "done", "1"))
}
