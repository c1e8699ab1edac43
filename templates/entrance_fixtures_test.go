package templates_test

import (
	"net/http"

	"github.com/gatehouse-id/gatehouse/templates"
)

// entranceFixtures are the pages of the way in that differ in what they are made of.
func entranceFixtures() []fixture {
	page := func(kind, action string, p templates.Form, inputs ...templates.Input) fixture {
		return fixture{"entrance_" + kind, func(r *templates.Renderer, w http.ResponseWriter, lang templates.Language, page templates.Page) error {
			p.Page, p.Kind, p.Inputs = page, kind, inputs
			if action != "" {
				p.Action, p.Flow = action, "AZr3.bWFj"
			}
			return r.Form(w, http.StatusOK, lang, p)
		}}
	}
	link := func(keys ...string) (list []templates.FormLink) {
		for _, key := range keys {
			list = append(list, templates.FormLink{Key: key, URL: "/" + key})
		}
		return list
	}
	mail := "ada@example.org"
	username := templates.Input{Name: "username", Hint: "username"}
	fixed := templates.Input{Name: "username", Value: "ada", ReadOnly: true}
	name := templates.Input{Name: "name", Optional: true}
	password := templates.Input{Name: "new_password", MinLength: 8, Hint: "new_password"}
	return []fixture{
		page("signup", "/signup", templates.Form{Links: link("sign_in")}, templates.Input{Name: "email"}, username, name, password),
		page("signup_code", "/signup/confirm", templates.Form{About: mail, Hidden: []templates.Field{{Name: "proof", Value: "AZr4"}}, Links: link("begin_again")}, templates.Input{Name: "code"}),
		page("signup_elsewhere", "/signup/confirm", templates.Form{About: mail, Hidden: []templates.Field{{Name: "link", Value: "gh_mail_A"}}}, fixed, templates.Input{Name: "password"}),
		page("reset", "/reset", templates.Form{Links: link("sign_in")}, templates.Input{Name: "email"}),
		page("reset_password", "/reset/password", templates.Form{About: "ada"}, fixed, password),
		page("verify", "/verify-email", templates.Form{About: mail, Links: link("other_email")}),
		page("email_undo", "/email/undo", templates.Form{About: mail, Danger: true}),
		page("password_done", "", templates.Form{Links: link("account")}),
		page("proof_void", "", templates.Form{Links: link("begin_again", "sign_in")}),
		page("terms", "/terms", templates.Form{Links: link("terms", "sign_out")}, templates.Input{Name: "terms"}),
		page("setup", "/setup", templates.Form{}, templates.Input{Name: "token", Hint: "setup_token"}, username, templates.Input{Name: "email", Optional: true}, name, password),
	}
}
