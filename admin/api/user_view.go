package api

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// timestamp is a time as answers show it.
type timestamp = time.Time

// timeOf shows Unix milliseconds; zero is no time.
func timeOf(ms int64) *timestamp {
	if ms == 0 {
		return nil
	}
	t := time.UnixMilli(ms).UTC()
	return &t
}

// userView is somebody as operators see them. It is made of the account alone: its
// ETag changes whenever anything in it does.
type userView struct {
	Sub               string      `json:"sub" doc:"What tokens call the user; it never changes."`
	Self              string      `json:"self" format:"uri-reference" doc:"Where the user is."`
	Username          string      `json:"username"`
	Email             string      `json:"email,omitempty"`
	EmailVerified     bool        `json:"email_verified"`
	Name              string      `json:"name,omitempty"`
	Profile           profileView `json:"profile"`
	Staff             bool        `json:"staff" doc:"May enter the console."`
	Superuser         bool        `json:"superuser" doc:"Holds every permission."`
	Demo              bool        `json:"demo" doc:"Made for a demonstration."`
	HasPassword       bool        `json:"has_password"`
	RequiredActions   []string    `json:"required_actions" nullable:"false" doc:"What operators ask the user to do before anything else."`
	TermsVersion      string      `json:"terms_version,omitempty" doc:"The terms that the user has accepted."`
	BannedAt          *timestamp  `json:"banned_at,omitempty"`
	DeleteAt          *timestamp  `json:"delete_at,omitempty" doc:"When the account is deleted unless the user comes back."`
	CreatedAt         *timestamp  `json:"created_at"`
	UpdatedAt         *timestamp  `json:"updated_at,omitempty"`
	LastSignInAt      *timestamp  `json:"last_sign_in_at,omitempty"`
	PasswordChangedAt *timestamp  `json:"password_changed_at,omitempty"`
}

func (s *surface) userView(u *accounts.User) userView {
	v := userView{
		Sub: u.Subject, Self: s.base + "/users/" + segment(u.Subject), Username: u.Username,
		Email: u.Email, EmailVerified: u.EmailVerified, Name: u.Name, Profile: profileViewOf(&u.Profile),
		Staff: u.Staff, Superuser: u.Superuser, Demo: u.Demo, HasPassword: u.PasswordHash != "",
		RequiredActions: make([]string, len(u.RequiredActions)), TermsVersion: u.TermsVersion,
		BannedAt: timeOf(u.BannedAt), DeleteAt: timeOf(u.DeleteAt), CreatedAt: timeOf(u.CreatedAt), UpdatedAt: timeOf(u.UpdatedAt),
		LastSignInAt: timeOf(u.LastSignInAt), PasswordChangedAt: timeOf(u.PasswordChangedAt),
	}
	for i, a := range u.RequiredActions {
		v.RequiredActions[i] = string(a)
	}
	return v
}

// profileView holds the standard claims beyond name and mail (OpenID Connect Core
// §5.1).
type profileView struct {
	GivenName     string       `json:"given_name,omitempty"`
	FamilyName    string       `json:"family_name,omitempty"`
	MiddleName    string       `json:"middle_name,omitempty"`
	Nickname      string       `json:"nickname,omitempty"`
	ProfileURL    string       `json:"profile,omitempty" doc:"The address of a page about them."`
	Picture       string       `json:"picture,omitempty" readOnly:"true" doc:"It is theirs alone to change."`
	Website       string       `json:"website,omitempty"`
	Gender        string       `json:"gender,omitempty"`
	Birthdate     string       `json:"birthdate,omitempty"`
	Zoneinfo      string       `json:"zoneinfo,omitempty"`
	Locale        string       `json:"locale,omitempty"`
	PhoneNumber   string       `json:"phone_number,omitempty"`
	PhoneVerified bool         `json:"phone_number_verified,omitempty"`
	Address       *addressView `json:"address,omitempty"`
}

// addressView is the address claim (OpenID Connect Core §5.1.1).
type addressView struct {
	Formatted     string `json:"formatted,omitempty" readOnly:"true" doc:"As an import brought it."`
	StreetAddress string `json:"street_address,omitempty"`
	Locality      string `json:"locality,omitempty"`
	Region        string `json:"region,omitempty"`
	PostalCode    string `json:"postal_code,omitempty"`
	Country       string `json:"country,omitempty"`
}

func profileViewOf(p *accounts.Profile) profileView {
	v := profileView{
		GivenName: p.GivenName, FamilyName: p.FamilyName, MiddleName: p.MiddleName, Nickname: p.Nickname, ProfileURL: p.ProfileURL,
		Picture: p.Picture, Website: p.Website, Gender: p.Gender, Birthdate: p.Birthdate, Zoneinfo: p.Zoneinfo, Locale: p.Locale,
		PhoneNumber: p.PhoneNumber, PhoneVerified: p.PhoneVerified,
	}
	if a := p.Address; a != nil {
		v.Address = &addressView{a.Formatted, a.StreetAddress, a.Locality, a.Region, a.PostalCode, a.Country}
	}
	return v
}

// claims are what a new account is made with; pictures come from their owner alone.
func (v profileView) claims() accounts.Profile {
	p := accounts.Profile{
		GivenName: v.GivenName, FamilyName: v.FamilyName, MiddleName: v.MiddleName, Nickname: v.Nickname, ProfileURL: v.ProfileURL,
		Website: v.Website, Gender: v.Gender, Birthdate: v.Birthdate, Zoneinfo: v.Zoneinfo, Locale: v.Locale,
		PhoneNumber: v.PhoneNumber, PhoneVerified: v.PhoneVerified,
	}
	if a := v.Address; a != nil {
		p.Address = &accounts.Address{StreetAddress: a.StreetAddress, Locality: a.Locality, Region: a.Region, PostalCode: a.PostalCode, Country: a.Country}
	}
	return p
}

// userPatch is a merge patch of a user: what is not here cannot be changed so.
type userPatch struct {
	Username      Change[string]       `json:"username,omitempty" maxLength:"64"`
	Email         Change[string]       `json:"email,omitempty" maxLength:"254" doc:"null takes it away."`
	EmailVerified Change[bool]         `json:"email_verified,omitempty"`
	Name          Change[string]       `json:"name,omitempty" maxLength:"200"`
	Profile       Change[profilePatch] `json:"profile,omitempty" doc:"null takes all of it away."`
}

// profilePatch is the part about the standard claims.
type profilePatch struct {
	GivenName     Change[string]       `json:"given_name,omitempty"`
	FamilyName    Change[string]       `json:"family_name,omitempty"`
	MiddleName    Change[string]       `json:"middle_name,omitempty"`
	Nickname      Change[string]       `json:"nickname,omitempty"`
	ProfileURL    Change[string]       `json:"profile,omitempty"`
	Website       Change[string]       `json:"website,omitempty"`
	Gender        Change[string]       `json:"gender,omitempty"`
	Birthdate     Change[string]       `json:"birthdate,omitempty"`
	Zoneinfo      Change[string]       `json:"zoneinfo,omitempty"`
	Locale        Change[string]       `json:"locale,omitempty"`
	PhoneNumber   Change[string]       `json:"phone_number,omitempty"`
	PhoneVerified Change[bool]         `json:"phone_number_verified,omitempty"`
	Address       Change[addressPatch] `json:"address,omitempty"`
}

type addressPatch struct {
	StreetAddress Change[string] `json:"street_address,omitempty"`
	Locality      Change[string] `json:"locality,omitempty"`
	Region        Change[string] `json:"region,omitempty"`
	PostalCode    Change[string] `json:"postal_code,omitempty"`
	Country       Change[string] `json:"country,omitempty"`
}

func (p *userPatch) change() (admin.UserChange, error) {
	if p.Username.Null {
		return admin.UserChange{}, &admin.Field{Name: "username", Err: fmt.Errorf("%w: a user has a username", accounts.ErrInvalid)}
	}
	n := admin.UserChange{
		Username: p.Username.pointer(), Email: p.Email.pointer(), EmailVerified: p.EmailVerified.pointer(), Name: p.Name.pointer(),
	}
	switch {
	case p.Profile.Null:
		n.Profile = func(of *accounts.Profile) { *of = accounts.Profile{} }
	case p.Profile.Given:
		n.Profile = p.Profile.Value.apply
	}
	return n, nil
}

func (p *profilePatch) apply(of *accounts.Profile) {
	before := of.PhoneNumber
	for _, m := range []struct {
		change Change[string]
		to     *string
	}{
		{p.GivenName, &of.GivenName}, {p.FamilyName, &of.FamilyName}, {p.MiddleName, &of.MiddleName}, {p.Nickname, &of.Nickname},
		{p.ProfileURL, &of.ProfileURL}, {p.Website, &of.Website}, {p.Gender, &of.Gender}, {p.Birthdate, &of.Birthdate},
		{p.Zoneinfo, &of.Zoneinfo}, {p.Locale, &of.Locale}, {p.PhoneNumber, &of.PhoneNumber},
	} {
		m.change.set(m.to)
	}
	if of.PhoneNumber != before {
		of.PhoneVerified = false
	}
	p.PhoneVerified.set(&of.PhoneVerified)
	switch {
	case p.Address.Null:
		of.Address = nil
	case p.Address.Given:
		p.Address.Value.apply(of)
	}
}

func (p *addressPatch) apply(of *accounts.Profile) {
	var next accounts.Address
	if of.Address != nil {
		next = *of.Address
	}
	before := next
	p.StreetAddress.set(&next.StreetAddress)
	p.Locality.set(&next.Locality)
	p.Region.set(&next.Region)
	p.PostalCode.set(&next.PostalCode)
	p.Country.set(&next.Country)
	if next != before {
		next.Formatted = "" // it said what was before
		of.Address = &next
	}
}

// userPosition is admin.UserPosition in a cursor.
type userPosition admin.UserPosition

type sealedUserPosition struct {
	Stage int    `json:"s,omitempty"`
	Key   string `json:"k,omitempty"`
	ID    string `json:"i,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (p *userPosition) MarshalJSON() ([]byte, error) {
	sealed := sealedUserPosition{Stage: p.Stage, Key: p.Key}
	if !p.ID.IsZero() {
		sealed.ID = p.ID.String()
	}
	return json.Marshal(sealed)
}

// UnmarshalJSON implements json.Unmarshaler.
func (p *userPosition) UnmarshalJSON(b []byte) error {
	var sealed sealedUserPosition
	if err := json.Unmarshal(b, &sealed); err != nil {
		return err
	}
	*p = userPosition{Stage: sealed.Stage, Key: sealed.Key}
	if sealed.ID == "" {
		return nil
	}
	var err error
	p.ID, err = id.Parse(sealed.ID)
	return err
}
