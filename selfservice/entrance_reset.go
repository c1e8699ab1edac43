package selfservice

import (
	"net/http"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/templates"
)

// showReset asks for the address of whoever forgot their password; with "done" it
// says that another one is set.
func (h *Entrance) showReset(w http.ResponseWriter, r *http.Request) {
	query := h.Query(w, r)
	if query == nil || !h.needsMail(w, r) {
		return
	}
	carried := flowOf(query)
	if query.Has("done") {
		h.show(w, r, http.StatusOK, &entrancePage{path: accounts.PathReset, flow: carried, Form: templates.Form{
			Kind: "reset_done", Links: []templates.FormLink{h.signInLink(carried)},
		}})
		return
	}
	h.show(w, r, http.StatusOK, h.resetPage(carried, ""))
}

func (h *Entrance) resetPage(carried, email string) *entrancePage {
	return &entrancePage{path: accounts.PathReset, flow: carried, Form: templates.Form{
		Kind: "reset", Inputs: []templates.Input{{Name: "email", Value: email}}, Links: []templates.FormLink{h.signInLink(carried)},
	}}
}

// reset mails the proof, if there is anybody to mail it to, and answers alike.
func (h *Entrance) reset(w http.ResponseWriter, r *http.Request) {
	form, carried := h.posted(w, r, accounts.PathReset, "")
	if form == nil || !h.needsMail(w, r) {
		return
	}
	proofID, err := h.Resets.Ask(r.Context(), form.Get("email"), h.asker(r, carried))
	if err != nil {
		h.refuse(w, r, h.resetPage(carried, form.Get("email")), err)
		return
	}
	web.Event(r.Context()).Outcome = "mailed"
	h.Redirect(w, h.with(pathResetConfirm, "proof", proofID, "flow", carried))
}

// showResetCode asks for the code of the mail.
func (h *Entrance) showResetCode(w http.ResponseWriter, r *http.Request) {
	query := h.Query(w, r)
	if query == nil {
		return
	}
	p, err := h.resetCodePage(r, h.opened(r, query), flowOf(query))
	if err != nil {
		h.refuse(w, r, p, err)
		return
	}
	h.show(w, r, http.StatusOK, p)
}

func (h *Entrance) resetCodePage(r *http.Request, e accounts.Evidence, carried string) (*entrancePage, error) {
	email, _, err := h.Resets.Waiting(r.Context(), accounts.ProofReset, e)
	return &entrancePage{
		path: pathResetConfirm, flow: carried, proof: e.ProofID, again: accounts.PathReset,
		Form: templates.Form{
			Kind: "reset_code", About: email, Inputs: []templates.Input{{Name: "code"}},
			Links: []templates.FormLink{{Key: "begin_again", URL: h.with(accounts.PathReset, "flow", carried)}},
		},
	}, err
}

// resetCode turns a right code into what the page of the new password takes.
func (h *Entrance) resetCode(w http.ResponseWriter, r *http.Request) {
	form, carried := h.posted(w, r, pathResetConfirm, "")
	if form == nil {
		return
	}
	e := h.evidence(r, form, carried)
	e.Token = "" // of codes alone
	p, err := h.resetCodePage(r, e, carried)
	if err != nil {
		h.refuse(w, r, p, err)
		return
	}
	token, err := h.Resets.Exchange(r.Context(), e)
	if err != nil {
		h.refuse(w, r, p, err)
		return
	}
	h.Redirect(w, h.with(accounts.PathResetPassword, "token", token, "flow", carried))
}

// showResetPassword asks for the new password. To open it spends nothing.
func (h *Entrance) showResetPassword(w http.ResponseWriter, r *http.Request) {
	query := h.Query(w, r)
	if query == nil {
		return
	}
	p, err := h.resetPasswordPage(r, query.Get("token"), flowOf(query))
	if err != nil {
		h.refuse(w, r, p, err)
		return
	}
	h.show(w, r, http.StatusOK, p)
}

func (h *Entrance) resetPasswordPage(r *http.Request, token, carried string) (*entrancePage, error) {
	p := &entrancePage{path: accounts.PathResetPassword, flow: carried, link: token, again: accounts.PathReset}
	u, err := h.Resets.Look(r.Context(), token)
	if err != nil {
		return p, err
	}
	p.Kind, p.About = "reset_password", u.Username
	p.Inputs = []templates.Input{{Name: "username", Value: u.Username, ReadOnly: true}, h.newPassword(r)}
	return p, nil
}

// resetPassword sets the password. It signs nobody in: the sign-in that follows asks
// for the second factor of those who have one.
func (h *Entrance) resetPassword(w http.ResponseWriter, r *http.Request) {
	form, carried := h.posted(w, r, accounts.PathResetPassword, "")
	if form == nil {
		return
	}
	link := form.Get(fieldLink)
	p, err := h.resetPasswordPage(r, link, carried)
	if err != nil {
		h.refuse(w, r, p, err)
		return
	}
	stored, err := h.Resets.Finish(r.Context(), link, secret.Text(form.Get("new_password")), h.asker(r, carried), h.meta(r))
	if err != nil {
		h.refuse(w, r, p, err)
		return
	}
	if carried == "" {
		carried = stored
	}
	web.Event(r.Context()).Outcome = "password-reset"
	h.Redirect(w, h.with(accounts.PathReset, "done", "1", "flow", carried))
}
