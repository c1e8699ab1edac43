package templates_test

import (
	"image"
	"image/color"
	"image/png"
	"net/http"
	"slices"

	"github.com/gatehouse-id/gatehouse/templates"
)

// gallery is every page of which docs/pages.md shows pictures: of pages that differ
// in a sentence alone, one.
func gallery() []fixture {
	alike := []string{
		"sign_in_own", "sign_in_missing", "sign_in_wait", "sign_in", "sign_in_passkey_unknown", "second_factor_code", "second_factor_wait",
		"account_apps_empty", "account_profile_wrong",
		"error_unknown_client", "error_already_used", "error_invalid_request", "error_temporarily_unavailable", "error_forbidden",
		"error_too_many_requests", "error_method_not_allowed",
	}
	var list []fixture
	for _, f := range append(fixtures(), moreForms()...) {
		// That page sends itself away.
		if f.name != "form_post" && !slices.Contains(alike, f.name) {
			list = append(list, f)
		}
	}
	return list
}

// moreForms are the pages that are made like others among the fixtures, so that
// drawing is all that is left to test.
func moreForms() []fixture {
	const mail = "ada@example.org"
	told := []string{"signup_closed", "reset_done", "email_undone", "deletion_planned"} // nothing is asked there
	form := func(kind, active string, p templates.Form, inputs ...templates.Input) fixture {
		name := "form_" + kind
		return fixture{name, func(r *templates.Renderer, w http.ResponseWriter, lang templates.Language, page templates.Page) error {
			if active != "" {
				page = accountPage(page, active)
			}
			p.Page, p.Kind, p.Inputs = page, kind, inputs
			if !slices.Contains(told, kind) {
				p.Action, p.Flow = "/"+kind, "AZr3.bWFj"
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
	about := func(who string, links ...string) templates.Form {
		return templates.Form{About: who, Links: link(links...)}
	}
	danger := func(p templates.Form) templates.Form { p.Danger = true; return p }
	username, code := templates.Input{Name: "username", Hint: "username"}, templates.Input{Name: "code"}
	name, fresh := templates.Input{Name: "name", Optional: true}, templates.Input{Name: "new_password", MinLength: 8, Hint: "new_password"}
	fixed := templates.Input{Name: "username", Value: "ada", ReadOnly: true}
	return []fixture{
		form("invitation", "", about(mail), username, name, fresh),
		form("signup_confirm", "", about(mail), fixed),
		form("signup_name", "", about(mail), username),
		form("signup_closed", "", about("", "sign_in")),
		form("reset_code", "", about(mail, "begin_again"), code),
		form("reset_done", "", about("", "sign_in")),
		form("signin_mail", "", about("", "sign_in"), templates.Input{Name: "email"}),
		form("signin_code", "", about(mail, "begin_again", "sign_in"), code),
		form("signin_link", "", about("ada")),
		form("verify_code", "", about(mail, "begin_again", "other_email"), code),
		form("verify_link", "", about(mail)),
		form("email_code", "", about(mail, "begin_again"), code),
		form("email_link", "", about(mail)),
		form("email_undone", "", about("", "reset")),
		form("factor_name", "factors", about("Phone", "factors"), templates.Input{Name: "factor_name", Value: "Phone"}),
		form("factor_remove", "factors", danger(about("Phone", "factors"))),
		form("recovery_new", "factors", about("", "factors")),
		form("picture_remove", "profile", danger(about("", "profile"))),
		form("report", "security", danger(about("", "security", "apps"))),
		form("keep_account", "", about("2026-12-07", "keep_account_leave")),
		form("deletion_planned", "", about("2026-12-07", "sign_in_again")),
	}
}

// portrait answers with somebody's picture.
func portrait(w http.ResponseWriter, _ *http.Request) {
	const side = 96
	drawn := image.NewRGBA(image.Rect(0, 0, side, side))
	for y := range side {
		for x := range side {
			dx, head, body := x-side/2, y-side*2/5, y-side
			c := color.RGBA{R: 0xc9, G: 0xdf, B: 0xd8, A: 0xff}
			if dx*dx+head*head < 18*18 || dx*dx+body*body < 34*34 {
				c = color.RGBA{R: 0x2f, G: 0x6f, B: 0x66, A: 0xff}
			}
			drawn.SetRGBA(x, y, c)
		}
	}
	w.Header().Set("Content-Type", "image/png")
	_ = png.Encode(w, drawn) // a browser that went away misses nothing
}
