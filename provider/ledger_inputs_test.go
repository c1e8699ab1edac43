package provider_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/provider/granting"
)

// inputTypes are what the gate and the scope formula read.
func inputTypes() []reflect.Type {
	return []reflect.Type{
		reflect.TypeFor[accounts.User](), reflect.TypeFor[accounts.Session](), reflect.TypeFor[accounts.Consent](),
		reflect.TypeFor[accounts.Client](), reflect.TypeFor[accounts.ClientSecret](), reflect.TypeFor[accounts.Grant](),
		reflect.TypeFor[granting.Held](), reflect.TypeFor[granting.Audience](),
	}
}

// shrinkingInputs says by which cases of shrinks the loss of each input is tested.
func shrinkingInputs() map[string][]string {
	return map[string][]string{
		"User.BannedAt":          {"banned"},
		"User.Superuser":         {"superuser taken away"},
		"User.Staff":             {"staff taken away"},
		"User.PasswordHash":      {"password reset"},
		"User.ValidFrom":         {"signed out everywhere", "deleted"},
		"Session.EndedAt":        {"session ended"},
		"Consent.Scopes":         {"consent narrowed"},
		"Consent.RevokedAt":      {"disconnected"},
		"Consent.ValidFrom":      {"disconnected"},
		"Client.AuthMethod":      {"client authentication changed"},
		"Client.JWKS":            {"client authentication changed", "client secret compromised"},
		"Client.GrantTypes":      {"client grant types reduced"},
		"Client.RedirectURIs":    {"client redirect URIs reduced"},
		"Client.Scopes":          {"client scopes reduced"},
		"Client.Permissions":     {"permission deleted"}, // and TestL10_Machines
		"Client.SetPermissions":  {"permission deleted"}, // and TestPermissionSetsOfMachines
		"Client.FirstParty":      {"client no longer first-party"},
		"Client.RequiredACR":     {"client requires more"},
		"Client.DisabledAt":      {"client disabled"},
		"Client.ValidFrom":       {"client disabled", "client deleted"},
		"Client.Secrets":         {"client secret compromised"},
		"ClientSecret.ExpiresAt": {"client secret compromised"},
		"Grant.EndedAt":          {"refresh token revoked"},
		"Held.Permission":        {"permission revoked", "permission deleted", "group deleted", "membership removed", "group taken out of another", "many memberships removed at once"},
		"Held.EndsAt":            {"membership shortened", "many memberships shortened at once", "membership ended by itself"},
		"Held.API":               {"API disabled", "API deleted"},
		"Audience.URI":           {"API disabled", "API deleted"}, // and TestTokensEndWithTheirAPI
	}
}

// otherInputs are the ones whose change takes nothing away from a token that was
// minted before, and why.
func otherInputs() map[string]string {
	const (
		never = "written once"
		told  = "told to apps and pages, decides nothing; userinfo reads it anew"
		time  = "ends by time: exp counts it (L11)"
		next  = "counts for what is made next, exp of what was made stays as promised"
		sign  = "decides how to sign, not what"
	)
	table := map[string]string{
		never: "User.ID User.Subject User.Demo User.CreatedAt Session.ID Session.TokenHash Session.UserID Session.Rev Session.AuthTime " +
			"Session.AMR Session.ACR Session.CreatedAt Consent.UserID Consent.ClientID Consent.GrantedAt Client.ID Client.ClientID " +
			"Client.Type Client.APIID Client.APIAud Client.Demo Client.CreatedAt ClientSecret.ID ClientSecret.Hash ClientSecret.CreatedAt " +
			"Grant.ID Grant.UserID Grant.ClientID Grant.SessionID Grant.Offline Grant.Scopes Grant.Resources Grant.CreatedAt",
		told: "User.Username User.UsernameKey User.Email User.EmailKey User.EmailVerified User.Name User.Profile User.UpdatedAt " +
			"User.LastSignInAt User.TermsAcceptedAt User.PasswordChangedAt Session.LastSeenAt Session.EndReason Session.UserAgent Session.Address Consent.UpdatedAt Client.Name " +
			"Client.HomeURI Client.LogoURI Client.PolicyURI Client.TermsURI Client.VisibleGroups Client.UpdatedAt Grant.EndReason " +
			"Client.PermissionSets Client.Texts Client.PostLogoutRedirectURIs Client.BackchannelLogoutURI Client.BackchannelLogoutSessionRequired",
		time: "Session.IdleEndsAt Session.ExpiresAt Consent.ExpiresAt",
		next: "User.RequiredActions User.TermsVersion User.DeleteAt Consent.Asked Client.OptionalScopes Client.RequirePKCE Client.RequirePAR Client.RotateRefresh Client.TokenEndpointAudience " +
			"Client.AccessTokenLifetime Client.IDTokenLifetime Client.RefreshIdle Client.RefreshAbsolute Audience.TokenLifetime",
		sign: "Client.IDTokenAlgorithm Audience.TokenAlgorithm Audience.AuthenticationClaims Audience.StatusList",
	}
	reasons := map[string]string{}
	for reason, names := range table {
		for name := range strings.FieldsSeq(names) {
			reasons[name] = reason
		}
	}
	return reasons
}

// TestL10_EveryInputIsJudged fails when a column is added to what the gate reads
// and nobody has said what happens to tokens when it shrinks.
func TestL10_EveryInputIsJudged(t *testing.T) {
	shrinking, other := shrinkingInputs(), otherInputs()
	var cases []string
	for _, c := range shrinks() {
		cases = append(cases, c.name)
	}
	for input, names := range shrinking {
		for _, name := range names {
			if !slices.Contains(cases, name) {
				t.Errorf("%s: there is no case %q", input, name)
			}
		}
	}
	known := map[string]bool{}
	for _, typ := range inputTypes() {
		for i := range typ.NumField() {
			name := typ.Name() + "." + typ.Field(i).Name
			known[name] = true
			_, shrinks := shrinking[name]
			if _, does := other[name]; shrinks == does {
				t.Errorf("%s must be judged once: either it shrinks with a row, or it cannot", name)
			}
		}
	}
	for name := range other {
		if !known[name] {
			t.Errorf("%s does not exist any more", name)
		}
	}
	for name := range shrinking {
		if !known[name] {
			t.Errorf("%s does not exist any more", name)
		}
	}
}
