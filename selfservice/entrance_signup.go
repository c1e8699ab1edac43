package selfservice

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/hosted"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/templates"
)

// showSignUp asks for what an account is made of.
func (h *Entrance) showSignUp(w http.ResponseWriter, r *http.Request) {
	query := h.Query(w, r)
	if query == nil {
		return
	}
	p := h.signUpPage(r, flowOf(query), nil)
	if !h.Mails || !h.SignUps.Open(r.Context()) {
		h.closed(w, r, p)
		return
	}
	_, user, err := h.Person(r)
	if err != nil {
		h.Broken(w, r, err)
		return
	}
	if user != nil && p.flow == "" {
		h.Redirect(w, h.Path(hosted.PathAccount)) // with a flow, an app may ask for another account (prompt=create)
		return
	}
	h.show(w, r, http.StatusOK, p)
}

func (h *Entrance) signUpPage(r *http.Request, carried string, typed url.Values) *entrancePage {
	return &entrancePage{path: flow.PathSignUp, flow: carried, Form: templates.Form{Kind: "signup", Inputs: []templates.Input{
		{Name: "email", Value: typed.Get("email")},
		{Name: "username", Value: typed.Get("username"), Hint: "username"},
		{Name: "name", Value: typed.Get("name"), Optional: true},
		h.newPassword(r),
	}, Links: []templates.FormLink{h.signInLink(carried)}}}
}

// signUp mails the proof; whoever has an account with the address is answered alike.
func (h *Entrance) signUp(w http.ResponseWriter, r *http.Request) {
	form, carried := h.posted(w, r, flow.PathSignUp, "")
	if form == nil {
		return
	}
	p := h.signUpPage(r, carried, form)
	if !h.Mails {
		h.closed(w, r, p)
		return
	}
	proofID, err := h.SignUps.Ask(r.Context(), accounts.SignUp{
		Username: form.Get("username"), Email: form.Get("email"), Name: form.Get("name"),
		Password: secret.Text(form.Get("new_password")), Asker: h.askerFor(r, carried),
	})
	if err != nil {
		h.refuse(w, r, p, err)
		return
	}
	web.Event(r.Context()).Outcome = "mailed"
	h.Redirect(w, h.with(accounts.PathSignUpConfirm, "proof", proofID, "flow", carried))
}

// showSignUpConfirm asks for the code, or shows the button of the mail's link.
func (h *Entrance) showSignUpConfirm(w http.ResponseWriter, r *http.Request) {
	query := h.Query(w, r)
	if query == nil {
		return
	}
	p, err := h.signUpConfirmPage(r, h.opened(r, query), flowOf(query))
	if err != nil {
		h.refuse(w, r, p, err)
		return
	}
	h.show(w, r, http.StatusOK, p)
}

func (h *Entrance) signUpConfirmPage(r *http.Request, e accounts.Evidence, carried string) (*entrancePage, error) {
	p := &entrancePage{
		path: accounts.PathSignUpConfirm, flow: carried, link: e.Token, proof: e.ProofID, again: flow.PathSignUp,
		wrong: "password_wrong", field: "password",
	}
	if e.Token == "" {
		email, _, err := h.SignUps.Waiting(r.Context(), accounts.ProofSignUp, e)
		p.Kind, p.About, p.Inputs = "signup_code", email, []templates.Input{{Name: "code"}}
		p.Links = []templates.FormLink{{Key: "begin_again", URL: h.with(flow.PathSignUp, "flow", carried)}}
		return p, err
	}
	pending, err := h.SignUps.Look(r.Context(), e.Token, e.Asker)
	if err != nil {
		return p, err
	}
	p.Kind, p.About, p.Inputs = "signup_confirm", pending.Email, []templates.Input{{Name: "username", Value: pending.Username, ReadOnly: true}}
	if !pending.Here {
		p.Kind = "signup_elsewhere"
		p.Inputs = append(p.Inputs, templates.Input{Name: "password"})
	}
	return p, nil
}

// confirmSignUp makes the account and signs in.
func (h *Entrance) confirmSignUp(w http.ResponseWriter, r *http.Request) {
	form, carried := h.posted(w, r, accounts.PathSignUpConfirm, "")
	if form == nil {
		return
	}
	e := h.evidence(r, form, carried)
	p, err := h.signUpConfirmPage(r, e, carried)
	if err != nil {
		h.refuse(w, r, p, err)
		return
	}
	choice := accounts.SignUpChoice{Password: secret.Text(form.Get("password"))}
	if form.Get("choose") != "" {
		choice.Username = form.Get("username")
	}
	entry, err := h.SignUps.Confirm(r.Context(), e, choice)
	if bad := (*accounts.BadField)(nil); errors.As(err, &bad) && bad.Field == "username" || choice.Username != "" && err != nil {
		h.chooseName(p, form)
	}
	if err != nil {
		h.refuse(w, r, p, err)
		return
	}
	h.enter(w, r, entry, "otp")
}

// chooseName lets somebody whose username was taken choose another: the code that
// they have typed comes along.
func (h *Entrance) chooseName(p *entrancePage, form url.Values) {
	p.Kind = "signup_name"
	inputs := []templates.Input{{Name: "username", Value: form.Get("username"), Hint: "username"}}
	for _, in := range p.Inputs {
		if in.Name == "password" {
			inputs = append(inputs, in)
		}
	}
	p.Inputs = inputs
	p.Hidden = append(p.Hidden, templates.Field{Name: "choose", Value: "1"})
	if p.link == "" {
		p.Hidden = append(p.Hidden, templates.Field{Name: "code", Value: form.Get("code")})
	}
}
