package accounts

import (
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"reflect"
	"slices"

	"github.com/gatehouse-id/gatehouse/internal/audit"
)

// values are what an object is set to, by name, as the audit log tells it. What is
// not set is absent. Secrets, hashes of passwords and tokens never are in it; what is
// personal is, under the names of audit.Personal.
type values map[string]any

// put sets a value unless it says nothing.
func (v values) put(name string, value any) {
	r := reflect.ValueOf(value)
	switch r.Kind() {
	case reflect.Slice, reflect.Map:
		if r.Len() == 0 {
			return
		}
	default:
		if !r.IsValid() || r.IsZero() {
			return
		}
	}
	v[name] = value
}

// changed notes in e what differs between two states of its target.
func (e *effect) changed(before, after values) *effect {
	for _, side := range []struct {
		to         *map[string]any
		own, other values
	}{{&e.before, before, after}, {&e.after, after, before}} {
		for name, value := range side.own {
			if reflect.DeepEqual(value, side.other[name]) {
				continue
			}
			if *side.to == nil {
				*side.to = map[string]any{}
			}
			(*side.to)[name] = value
		}
	}
	return e
}

// inEvents makes the events that name people, as many in each as one tells.
func inEvents(subs []string, event func(some []string) *effect) []*effect {
	var events []*effect
	for some := range slices.Chunk(subs, audit.MaxListed) {
		events = append(events, event(some))
	}
	return events
}

// together makes one change of events; nil of none.
func together(events []*effect) *effect {
	if len(events) == 0 {
		return nil
	}
	events[0].also = events[1:]
	return events[0]
}

// userValues are those of a person.
func userValues(u *User) values {
	v := values{}
	v.put("username", u.Username)
	v.put("email", u.Email)
	v.put("email_verified", u.EmailVerified)
	v.put("name", u.Name)
	v.put("given_name", u.Profile.GivenName)
	v.put("family_name", u.Profile.FamilyName)
	v.put("middle_name", u.Profile.MiddleName)
	v.put("nickname", u.Profile.Nickname)
	v.put("profile", u.Profile.ProfileURL)
	v.put("picture", u.Profile.Picture)
	v.put("website", u.Profile.Website)
	v.put("gender", u.Profile.Gender)
	v.put("birthdate", u.Profile.Birthdate)
	v.put("zoneinfo", u.Profile.Zoneinfo)
	v.put("locale", u.Profile.Locale)
	v.put("phone_number", u.Profile.PhoneNumber)
	v.put("phone_number_verified", u.Profile.PhoneVerified)
	if u.Profile.Address != nil {
		v.put("address", *u.Profile.Address)
	}
	for name, value := range rankValues(u) {
		v[name] = value
	}
	v.put("has_password", u.PasswordHash != "")
	v.put("password_changed_at", u.PasswordChangedAt)
	v.put("banned_at", u.BannedAt)
	v.put("required_actions", slices.Clone(u.RequiredActions))
	v.put("terms_version", u.TermsVersion)
	v.put("delete_at", u.DeleteAt)
	return v
}

// rankValues are those that stay in the log when the person has gone.
func rankValues(u *User) values {
	v := values{}
	v.put("staff", u.Staff)
	v.put("superuser", u.Superuser)
	return v
}

// clientValues are those of an app.
func clientValues(c *Client) values {
	v := values{}
	v.put("name", c.Name)
	v.put("texts", maps.Clone(c.Texts))
	v.put("type", c.Type)
	v.put("auth_method", c.AuthMethod)
	if c.JWKS != "" { // which keys they are is told by their digest
		sum := sha256.Sum256([]byte(c.JWKS))
		v.put("jwks_sha256", base64.RawURLEncoding.EncodeToString(sum[:]))
	}
	for name, list := range map[string][]string{
		"grant_types": c.GrantTypes, "redirect_uris": c.RedirectURIs, "post_logout_redirect_uris": c.PostLogoutRedirectURIs,
		"scopes": c.Scopes, "optional_scopes": c.OptionalScopes, "permissions": c.Permissions, "visible_groups": c.VisibleGroups,
	} {
		v.put(name, slices.Clone(list))
	}
	v.put("backchannel_logout_uri", c.BackchannelLogoutURI)
	v.put("backchannel_logout_session_required", c.BackchannelLogoutSessionRequired)
	v.put("home_uri", c.HomeURI)
	v.put("logo_uri", c.LogoURI)
	v.put("policy_uri", c.PolicyURI)
	v.put("terms_uri", c.TermsURI)
	v.put("id_token_algorithm", c.IDTokenAlgorithm)
	v.put("first_party", c.FirstParty)
	v.put("required_acr", c.RequiredACR)
	v.put("require_pkce", c.RequirePKCE)
	v.put("require_par", c.RequirePAR)
	v.put("rotate_refresh", c.RotateRefresh)
	v.put("token_endpoint_audience", c.TokenEndpointAudience)
	v.put("access_token_lifetime", c.AccessTokenLifetime)
	v.put("id_token_lifetime", c.IDTokenLifetime)
	v.put("refresh_idle", c.RefreshIdle)
	v.put("refresh_absolute", c.RefreshAbsolute)
	v.put("disabled_at", c.DisabledAt)
	return v
}

// apiValues are those of an API; its permissions have events of their own.
func apiValues(a *API) values {
	v := values{}
	v.put("audience", a.Audience)
	v.put("name", a.Name)
	v.put("texts", maps.Clone(a.Texts))
	v.put("token_lifetime", a.TokenLifetime)
	v.put("token_algorithm", a.TokenAlgorithm)
	v.put("authentication_claims", a.AuthenticationClaims)
	v.put("status_list", a.StatusList)
	v.put("disabled_at", a.DisabledAt)
	return v
}

// permissionNames are those of an API.
func permissionNames(permissions []Permission) []string {
	names := make([]string, 0, len(permissions))
	for _, p := range permissions {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return names
}

// permissionValues are those of one permission.
func permissionValues(p *Permission) values {
	v := values{}
	v.put("permission", p.Name)
	v.put("description", p.Description)
	v.put("texts", maps.Clone(p.Texts))
	return v
}

// setValues are those of a permission set.
func setValues(p *PermissionSet) values {
	v := values{}
	v.put("description", p.Description)
	v.put("permissions", slices.Clone(p.Permissions))
	return v
}

// consentValues are what a person allows an app.
func consentValues(c *Consent, now int64) values {
	v := values{}
	if c.Live(now) {
		v.put("scopes", slices.Sorted(slices.Values(c.Scopes)))
	}
	return v
}
