package templates_test

import (
	"net/http"

	"github.com/gatehouse-id/gatehouse/templates"
)

// formFixtures are the forms of an account, one of each make.
func formFixtures() []fixture {
	form := func(name, active string, p templates.Form, inputs ...templates.Input) fixture {
		return fixture{"account_" + name, func(r *templates.Renderer, w http.ResponseWriter, lang templates.Language, page templates.Page) error {
			p.Page, p.Inputs, p.Action, p.Flow = accountPage(page, active), inputs, "/account/"+p.Kind, "AZr3.bWFj"
			return r.Form(w, http.StatusOK, lang, p)
		}}
	}
	optional := func(name, value, hint string) templates.Input {
		return templates.Input{Name: name, Value: value, Hint: hint, Optional: true}
	}
	zone := optional("zoneinfo", "Europe/London", "")
	zone.Choices = []templates.Choice{{Key: "choice.none"}, {Value: "Europe/London", Text: "Europe/London"}}
	locale := optional("locale", "en", "locale")
	locale.Choices = []templates.Choice{{Key: "choice.none"}, {Value: "en", Text: "English"}, {Value: "de", Text: "Deutsch"}}
	profile := []templates.Input{
		optional("name", "Ada Lovelace", ""), optional("given_name", "Ada", ""), optional("middle_name", "", ""),
		optional("family_name", "Lovelace", ""), optional("nickname", "", ""), optional("birthdate", "1815-12-10", "birthdate"),
		optional("gender", "", ""), optional("phone_number", "+44 20 7946 0958", "phone_number"), optional("website", "https://example.org/ada", ""),
		optional("street_address", "12 St James's Square", ""), optional("postal_code", "SW1Y 4JH", ""), optional("locality", "London", ""),
		optional("region", "", ""), optional("country", "England", ""), locale, zone,
	}
	return []fixture{
		form("profile", "profile", templates.Form{
			Kind: "profile", Good: "saved", Links: []templates.FormLink{{Key: "picture", URL: "/account/picture"}, {Key: "seen", URL: "/account/seen"}},
		}, profile...),
		form("profile_wrong", "profile", templates.Form{
			Kind: "profile", Problems: []templates.FormProblem{{Key: "too_long", Field: "name", Count: 200}, {Key: "url", Field: "website"}},
		}, profile...),
		form("picture", "profile", templates.Form{Kind: "picture"}, templates.Input{Name: "picture"}),
		form("password", "security", templates.Form{Kind: "password"},
			templates.Input{Name: "username", Value: "ada", ReadOnly: true}, templates.Input{Name: "new_password", MinLength: 8, Hint: "new_password"}),
		form("email", "security", templates.Form{Kind: "email", About: "ada@example.org"}, templates.Input{Name: "new_email"}),
		form("data", "data", templates.Form{Kind: "data", Links: []templates.FormLink{{Key: "delete_account", URL: "/account/delete"}}}),
		form("delete", "data", templates.Form{Kind: "delete_account", About: "ada", Danger: true}, templates.Input{Name: "confirmation"}),
	}
}
