package selfservice

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/hosted"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/templates"
)

const (
	pathProfile       = "/account/profile"
	pathPicture       = "/account/picture"
	pathPictureRemove = "/account/picture/remove"
	pathPictures      = "/pictures/"
	pathSeen          = "/account/seen"
)

// PictureFinder finds pictures by their random names.
type PictureFinder interface {
	// PictureByName returns accounts.ErrNotFound for what was replaced or removed.
	PictureByName(ctx context.Context, name string) (*accounts.Picture, error)
}

// Claims tells what apps are told of people. The protocol implements it by what
// answers at its userinfo endpoint, so that there is one truth.
type Claims interface {
	// ClaimsFor returns what userinfo would answer now about a person to a client
	// with a token of the scopes. Without a client_id it is a client that may see
	// every group. Errors: accounts.ErrNotFound.
	ClaimsFor(ctx context.Context, subject, clientID string, scopes []string) (map[string]any, error)
}

// Profile serves the pages on which people say who they are, their pictures, and what
// apps see of both. Its fields are its dependencies.
type Profile struct {
	*hosted.Desk
	Profiles *accounts.Profiles
	Pictures PictureFinder
	Activity *accounts.Activity
	Claims   Claims
}

// Mount adds the pages to r, as hosted.Desk.Routes does, and the pictures.
func (h *Profile) Mount(r *mux.Router, pages func(http.Handler) http.Handler) error {
	err := h.Routes(r, pages, map[string]hosted.Page{
		pathProfile:       {Get: h.show, Post: h.save},
		pathPicture:       {Get: h.showPicture, Post: h.savePicture},
		pathPictureRemove: {Get: h.showPictureRemove, Post: h.removePicture},
		pathSeen:          {Get: h.showSeen},
	})
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	r.HandleFunc(h.Issuer.Path+pathPictures+"{name}", h.servePicture).Methods(http.MethodGet, http.MethodHead)
	return nil
}

func (h *Profile) show(w http.ResponseWriter, r *http.Request) {
	_, user := h.Member(w, r)
	if user == nil {
		return
	}
	query := h.Query(w, r)
	if query == nil {
		return
	}
	p := h.form(profileInputs(accounts.Person{Name: user.Name, Profile: user.Profile}))
	if query.Get("done") == "saved" {
		p.Good = "saved"
	}
	h.draw(w, r, http.StatusOK, user, pathProfile, p)
}

// form is the page of the profile with its fields.
func (h *Profile) form(inputs []templates.Input) templates.Form {
	return templates.Form{Kind: "profile", Inputs: inputs, Links: []templates.FormLink{
		{Key: "picture", URL: h.Path(pathPicture)}, {Key: "seen", URL: h.Path(pathSeen)},
	}}
}

// draw writes one of the forms about somebody's own profile.
func (h *Profile) draw(w http.ResponseWriter, r *http.Request, status int, user *accounts.User, path string, p templates.Form) {
	p.Page, p.Action = memberPage(h.Desk, r, "profile", path), h.Path(path)
	p.Flow = memberTicket(h.Desk, w, r, path, user)
	h.Rendered(w, r, h.Pages.Form(w, status, memberLanguage(h.Desk, r, user), p))
}

func (h *Profile) save(w http.ResponseWriter, r *http.Request) {
	_, user := h.Member(w, r)
	if user == nil {
		return
	}
	values := memberForm(h.Desk, w, r, pathProfile, user)
	if values == nil {
		return
	}
	person := personOf(values)
	err := h.Profiles.Change(r.Context(), memberActor(user), user.Subject, person)
	if bad := (*accounts.ProfileError)(nil); errors.As(err, &bad) {
		web.Event(r.Context()).Outcome = "refused"
		p := h.form(profileInputs(person))
		p.Problems = profileProblems(bad)
		h.draw(w, r, http.StatusUnprocessableEntity, user, pathProfile, p)
		return
	}
	if err != nil {
		h.Broken(w, r, err)
		return
	}
	if person.Locale != user.Profile.Locale && person.Locale != "" {
		// This browser follows at once, also where nobody is signed in.
		h.Cookies.Set(w, flow.LanguageCookie, h.Pages.Language(person.Locale).Tag(), languageKept)
	}
	web.Event(r.Context()).Outcome = "profile-saved"
	h.Redirect(w, h.Path(pathProfile)+"?done=saved")
}

// personOf is what a form says of somebody. Unknown fields are none of its business:
// a picture, a verified number or a right cannot be set here.
func personOf(values url.Values) accounts.Person {
	p := accounts.Person{Name: values.Get("name")}
	p.GivenName, p.FamilyName, p.MiddleName = values.Get("given_name"), values.Get("family_name"), values.Get("middle_name")
	p.Nickname, p.ProfileURL, p.Website = values.Get("nickname"), values.Get("profile"), values.Get("website")
	p.Gender, p.Birthdate, p.PhoneNumber = values.Get("gender"), values.Get("birthdate"), values.Get("phone_number")
	p.Zoneinfo, p.Locale = values.Get("zoneinfo"), values.Get("locale")
	p.Address = &accounts.Address{
		StreetAddress: values.Get("street_address"), Locality: values.Get("locality"), Region: values.Get("region"),
		PostalCode: values.Get("postal_code"), Country: values.Get("country"),
	}
	return p
}

// profileInputs are the fields of the profile, in the order in which people write
// such things down.
func profileInputs(p accounts.Person) []templates.Input {
	address := accounts.AddressParts(p.Address)
	list := []templates.Input{
		{Name: "name", Value: p.Name},
		{Name: "given_name", Value: p.GivenName},
		{Name: "middle_name", Value: p.MiddleName},
		{Name: "family_name", Value: p.FamilyName},
		{Name: "nickname", Value: p.Nickname},
		{Name: "birthdate", Value: p.Birthdate, Hint: "birthdate"},
		{Name: "gender", Value: p.Gender},
		{Name: "phone_number", Value: p.PhoneNumber, Hint: "phone_number"},
		{Name: "website", Value: p.Website},
		{Name: "profile", Value: p.ProfileURL},
		{Name: "street_address", Value: address.StreetAddress},
		{Name: "postal_code", Value: address.PostalCode},
		{Name: "locality", Value: address.Locality},
		{Name: "region", Value: address.Region},
		{Name: "country", Value: address.Country},
		{Name: "locale", Value: p.Locale, Hint: "locale", Choices: localeChoices(p.Locale)},
		{Name: "zoneinfo", Value: p.Zoneinfo, Choices: zoneChoices(p.Zoneinfo)},
	}
	for i := range list {
		list[i].Optional = true
	}
	return list
}

func profileProblems(bad *accounts.ProfileError) []templates.FormProblem {
	var list []templates.FormProblem
	for _, f := range bad.Fields {
		p := templates.FormProblem{Field: f.Claim, Count: f.Limit}
		switch f.Cause {
		case accounts.ProfileTooLong:
			p.Key = "too_long"
		case accounts.ProfileInvisible:
			p.Key = "invisible"
		case accounts.ProfileBirthdate:
			p.Key = "birthdate"
		case accounts.ProfileFuture:
			p.Key = "birthdate_future"
		case accounts.ProfileZone:
			p.Key = "zoneinfo"
		case accounts.ProfileLocale:
			p.Key = "locale"
		case accounts.ProfileLink:
			p.Key = "url"
		case accounts.ProfilePhone:
			p.Key = "phone_number"
		}
		list = append(list, p)
	}
	return list
}
