package selfservice

import (
	"net/http"
	"net/url"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/hosted"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/templates"
)

// showInvitation asks somebody who was invited for what an account is made of.
func (h *Entrance) showInvitation(w http.ResponseWriter, r *http.Request) {
	query := h.Query(w, r)
	if query == nil {
		return
	}
	p, err := h.invitationPage(r, query.Get("token"), nil)
	if err != nil {
		h.refuse(w, r, p, err)
		return
	}
	h.show(w, r, http.StatusOK, p)
}

func (h *Entrance) invitationPage(r *http.Request, token string, typed url.Values) (*entrancePage, error) {
	p := &entrancePage{path: accounts.PathInvitation, link: token}
	email, err := h.Invites.Look(r.Context(), token)
	if err != nil {
		return p, err
	}
	p.Form = templates.Form{Kind: "invitation", About: email, Inputs: []templates.Input{
		{Name: "username", Value: typed.Get("username"), Hint: "username"},
		{Name: "name", Value: typed.Get("name"), Optional: true},
		h.newPassword(r),
	}}
	return p, nil
}

// acceptInvitation makes the account and signs in.
func (h *Entrance) acceptInvitation(w http.ResponseWriter, r *http.Request) {
	form, _ := h.posted(w, r, accounts.PathInvitation, "")
	if form == nil {
		return
	}
	p, err := h.invitationPage(r, form.Get(fieldLink), form)
	if err != nil {
		h.refuse(w, r, p, err)
		return
	}
	entry, err := h.Invites.Accept(r.Context(), form.Get(fieldLink), accounts.Invited{
		Username: form.Get("username"), Name: form.Get("name"), Password: secret.Text(form.Get("new_password")), Asker: h.asker(r, ""),
	})
	if err != nil {
		h.refuse(w, r, p, err)
		return
	}
	h.enter(w, r, entry, "otp")
}

// showSetup asks whoever reads the log for the first superuser.
func (h *Entrance) showSetup(w http.ResponseWriter, r *http.Request) {
	query := h.Query(w, r)
	if query == nil {
		return
	}
	open, err := h.Setup.Open(r.Context())
	if err != nil {
		h.Broken(w, r, err)
		return
	}
	if !open {
		h.Redirect(w, h.Path(hosted.PathHome))
		return
	}
	h.show(w, r, http.StatusOK, h.setupPage(r, nil))
}

func (h *Entrance) setupPage(r *http.Request, typed url.Values) *entrancePage {
	return &entrancePage{path: PathSetup, wrong: "token_wrong", field: "token", Form: templates.Form{Kind: "setup", Inputs: []templates.Input{
		{Name: "token", Hint: "setup_token"},
		{Name: "username", Value: typed.Get("username"), Hint: "username"},
		{Name: "email", Value: typed.Get("email"), Optional: true},
		{Name: "name", Value: typed.Get("name"), Optional: true},
		h.newPassword(r),
	}}}
}

// setUp makes the first superuser and signs in.
func (h *Entrance) setUp(w http.ResponseWriter, r *http.Request) {
	form, _ := h.posted(w, r, PathSetup, "")
	if form == nil {
		return
	}
	entry, err := h.Setup.Make(r.Context(), secret.Text(form.Get("token")), accounts.FirstUser{
		Username: form.Get("username"), Email: form.Get("email"), Name: form.Get("name"), Password: secret.Text(form.Get("new_password")),
	})
	if err != nil {
		h.refuse(w, r, h.setupPage(r, form), err)
		return
	}
	h.enter(w, r, entry, "pwd")
}
