package selfservice

import (
	"errors"
	"net/http"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/hosted"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/templates"
)

// showPassword asks for another password, after a fresh sign-in.
func (h *Entrance) showPassword(w http.ResponseWriter, r *http.Request) {
	query := h.Query(w, r)
	if query == nil {
		return
	}
	session, user := h.Member(w, r, flow.PathNewPassword)
	if user == nil {
		return
	}
	if query.Has("done") {
		h.show(w, r, http.StatusOK, &entrancePage{path: flow.PathNewPassword, Form: templates.Form{
			Kind: "password_done", Links: []templates.FormLink{{Key: "account", URL: h.Path(hosted.PathAccount)}},
		}})
		return
	}
	if !h.Fresh(w, r, session, hosted.FreshFor) {
		return
	}
	h.show(w, r, http.StatusOK, h.passwordPage(r, user, flowOf(query)))
}

func (h *Entrance) passwordPage(r *http.Request, user *accounts.User, carried string) *entrancePage {
	return &entrancePage{path: flow.PathNewPassword, flow: carried, about: user.Subject, Form: templates.Form{
		Kind:   "password",
		Inputs: []templates.Input{{Name: "username", Value: user.Username, ReadOnly: true}, h.newPassword(r)},
		Links:  []templates.FormLink{{Key: "account", URL: h.Path(hosted.PathAccount)}},
	}}
}

// changePassword sets it. The proof is the fresh sign-in of this session: user and
// session were read together, and whatever has happened to the user since makes it
// void.
func (h *Entrance) changePassword(w http.ResponseWriter, r *http.Request) {
	session, user := h.Member(w, r, flow.PathNewPassword)
	if user == nil || !h.Fresh(w, r, session, hosted.FreshFor) {
		return
	}
	form, carried := h.posted(w, r, flow.PathNewPassword, user.Subject)
	if form == nil {
		return
	}
	proof := &accounts.Result{User: user, Position: session.Rev, AMR: session.AMR, ACR: session.ACR}
	actor := audit.Actor{Kind: audit.Person, ID: user.Subject, Name: user.Username}
	err := h.Passwords.ChangePassword(r.Context(), actor, proof, secret.Text(form.Get("new_password")), session.ID)
	weak := (*accounts.WeakPassword)(nil)
	switch {
	case errors.As(err, &weak), errors.Is(err, accounts.ErrInvalid):
		err = &accounts.BadField{Field: "new_password", Err: err}
	case errors.Is(err, accounts.ErrCredentials), errors.Is(err, accounts.ErrNotFound):
		// Somebody changed it in another browser, and this session has ended.
		h.Redirect(w, h.with(flow.PathNewPassword, "flow", carried))
		return
	}
	if err != nil {
		h.refuse(w, r, h.passwordPage(r, user, carried), err)
		return
	}
	web.Event(r.Context()).Outcome = "password-changed"
	if carried != "" {
		h.Continue(w, carried, hosted.PathAccount)
		return
	}
	h.Redirect(w, h.with(flow.PathNewPassword, "done", "1"))
}

// showTerms asks to accept the terms in force.
func (h *Entrance) showTerms(w http.ResponseWriter, r *http.Request) {
	query := h.Query(w, r)
	if query == nil {
		return
	}
	_, user := h.Member(w, r, flow.PathTerms)
	if user == nil {
		return
	}
	carried := flowOf(query)
	version := h.Terms.Version(r.Context())
	if version == "" || user.TermsVersion == version && !asked(user, accounts.ActionAcceptTerms) {
		h.Continue(w, carried, hosted.PathAccount)
		return
	}
	h.show(w, r, http.StatusOK, h.termsPage(r, user, carried))
}

func asked(user *accounts.User, action accounts.Action) bool {
	for _, a := range user.RequiredActions {
		if a == action {
			return true
		}
	}
	return false
}

// termsPage is bound to the version that it shows.
func (h *Entrance) termsPage(r *http.Request, user *accounts.User, carried string) *entrancePage {
	now := accounts.CurrentSettings(r.Context(), h.Settings)
	p := &entrancePage{path: flow.PathTerms, flow: carried, about: user.Subject + " " + now.Policy.TermsVersion, Form: templates.Form{
		Kind: "terms", Inputs: []templates.Input{{Name: "terms"}},
	}}
	if now.TermsURL != "" {
		p.Links = append(p.Links, templates.FormLink{Key: "terms", URL: now.TermsURL})
	}
	p.Links = append(p.Links, templates.FormLink{Key: "sign_out", URL: h.Path("/logout")})
	return p
}

func (h *Entrance) acceptTerms(w http.ResponseWriter, r *http.Request) {
	_, user := h.Member(w, r, flow.PathTerms)
	if user == nil {
		return
	}
	version := h.Terms.Version(r.Context())
	form, carried := h.posted(w, r, flow.PathTerms, user.Subject+" "+version)
	if form == nil {
		return
	}
	if form.Get("terms") != "1" {
		web.Event(r.Context()).Outcome = "refused"
		h.again(w, r, http.StatusUnprocessableEntity, h.termsPage(r, user, carried), templates.FormProblem{Key: "terms_missing", Field: "terms"})
		return
	}
	if err := h.Terms.Accept(r.Context(), user, version); err != nil {
		h.Broken(w, r, err)
		return
	}
	web.Event(r.Context()).Outcome = "terms-accepted"
	h.Continue(w, carried, hosted.PathAccount)
}
