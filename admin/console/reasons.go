package console

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/auditlog"
	"github.com/gatehouse-id/gatehouse/provider/keys"
	"github.com/gatehouse-id/gatehouse/templates"
)

// reason is what the console says for an accounts.Reason: the end of its message, and
// the names in it of the reason's arguments, empty for one that is not told.
type reason struct {
	format, end string
	names       []string
}

// reasons are all that have words of their own. Their formats are the code's own, to
// which a test holds them.
func reasons() []reason {
	return append(addressReasons(), []reason{
		{"a username holds no @", "username_at", nil},
		{"a name has at most %d characters", "name_long", []string{"Most"}},
		{"a name has at least one character", "name_empty", nil},
		{"a name neither begins nor ends with a space", "name_edges", nil},
		{"a name holds no two spaces in a row", "name_spaces", nil},
		{"a name does not begin with a combining mark", "name_mark", nil},
		{"a name that has no stable form", "name_unstable", nil},
		{"not UTF-8", "utf8", nil},
		{"%s: not UTF-8", "utf8", []string{""}},
		{"holds the space character %U", "space", []string{"Sign"}},
		{"holds the invisible or reserved character %U", "unseen", []string{"Sign"}},
		{"%s: 1 to %d characters", "length", []string{"What", "Most"}},
		{"a mail address has at most %d bytes", "mail_long", []string{"Most"}},
		{"not one plain mail address", "mail", nil},
		{"not a mail domain", "mail_domain", nil},
		{"a verified mail address that is empty", "mail_verified", nil},
		{"permission %q: the name is a scope of the protocol", "permission_protocol", []string{"Name"}},
		{"permission name: 1 to 64 characters", "permission_length", nil},
		{"permission %q: only a-z 0-9 and, not first, : _ . -", "permission_signs", []string{"Name"}},
		{"permission %q: such names are kept for the built-in API", "permission_builtin", []string{"Name"}},
		{"at most %d scopes, permissions and visible groups", "scopes_many", []string{"Most"}},
		{"scope %q", "scope", []string{"Scope"}},
		{"only a client with client credentials holds permissions itself", "permissions_machine", nil},
		{"permission sets are for clients with the grant type %s", "sets_machine", []string{"Grant"}},
		{"client %q has no secret: it authenticates by %s", "no_secret", []string{"", "Method"}},
		{"a group has at most %d managers", "managers_many", []string{"Most"}},
		{"the membership would have ended already", "membership_past", nil},
		{"at most %d users at once", "people_many", []string{"Most"}},
		{"at most %d people at once", "people_many", []string{"Most"}},
		{"a password has at most %d bytes", "password_long", []string{"Most"}},
		{"jti: %s", "jti", []string{""}},
		{"empty", "empty", nil},
		{"the app has %d secrets that live; end some first", "secrets_many", []string{"Most"}},
		{"the app is switched off", "app_off", nil},
		{"this answer was used already", "answer_used", nil},
		{"a reason has 1 to %d characters", "reason_length", []string{"Most"}},
		{"a reason is plain ASCII, for logs", "reason_ascii", nil},
		{"one of RS256, ES256, EdDSA, PS256", "algorithm", nil},
		{"no access token of this deployment", "token_foreign", nil},
		{notADay, "day", nil},
	}...)
}

// addressReasons are those about URIs.
func addressReasons() []reason {
	return []reason{
		{"not an absolute URI", "uri_absolute", nil},
		{"a URI with user information", "uri_user", nil},
		{"not a port", "uri_port", nil},
		{"not a host name or address in ASCII and lower case", "uri_host", nil},
		{"a URI has 1 to %d bytes", "uri_length", []string{"Most"}},
		{"a URI holds no spaces, control characters or letters beyond ASCII", "uri_letters", nil},
		{"a URI holds no %q", "uri_sign", []string{"Sign"}},
		{"a URI with a fragment", "uri_fragment", nil},
		{"wildcards are not supported", "uri_wildcard", nil},
		{"a broken escape", "uri_escape", nil},
		{"a broken or forbidden escape", "uri_escape", nil},
		{"a path that begins with two slashes", "uri_slashes", nil},
		{"a path with dot segments", "uri_dots", nil},
		{"an audience is an https URI or a URN", "audience", nil},
		{"an audience is an https URI, an http URI on loopback, or a URN", "audience", nil},
		{"not a URN", "urn", nil},
		{"a client of type %q has no redirect URIs", "redirect_none", []string{""}},
		{"a redirect URI is absolute, its scheme in lower case", "redirect_absolute", nil},
		{"this address belongs to the console of an authorization server", "redirect_console", nil},
		{"http is for loopback only (localhost, 127.0.0.1, [::1]); use https", "redirect_http", nil},
		{"scheme %q: only native apps have schemes of their own", "redirect_scheme", []string{"Scheme"}},
		{"scheme %q: use the reverse of a domain name that you hold, such as com.example.app", "redirect_domain", []string{"Scheme"}},
		{"a slash follows the scheme, as in %s:/callback", "redirect_slash", []string{"Scheme"}},
		{"a redirect URI is needed", "redirect_needed", nil},
		{"at most %d %ss", "addresses_many", []string{"Most", ""}},
		{"at most %d", "addresses_many", []string{"Most"}},
		{"only a client that people sign in to has a back-channel logout URI", "backchannel_people", nil},
		{"back-channel logout URI: https, or http on loopback", "backchannel_scheme", nil},
		{"not all of this URI is kept", "refused_part", nil},
	}
}

// states are the errors that have words of their own without being a Reason.
func states() []struct {
	err error
	end string
} {
	return []struct {
		err error
		end string
	}{
		{accounts.ErrNestingLoop, "nesting_loop"},
		{accounts.ErrNestingDepth, "nesting_depth"},
		{keys.ErrNextTooYoung, "key_young"},
		{keys.ErrNoKey, "key_none"},
		{accounts.ErrPinned, "pinned"},
		{auditlog.ErrQuery, "search"},
	}
}

// why says in words of the catalogs why something was refused. What has none there is
// told in general, with the error's own text behind it.
func why(err error) templates.Said {
	var address *accounts.AddressError
	if errors.As(err, &address) {
		inner := why(address.Err)
		said := templates.Say("console.why.address", "Address", address.Address, "Why", inner)
		said.English = inner.English
		return said
	}
	for _, s := range states() {
		if errors.Is(err, s.err) {
			return templates.Say("console.why." + s.end)
		}
	}
	said := templates.Say("console.why.something")
	var r *accounts.Reason
	if errors.As(err, &r) {
		if told, known := tell(r); known {
			said = told
		}
		if said.Key != "console.why.something" && err.Error() == r.Error() {
			return said
		}
	}
	if detail := strings.TrimPrefix(strings.TrimPrefix(err.Error(), accounts.ErrInvalid.Error()), ": "); detail != "" {
		said.English = detail
	}
	return said
}

func tell(r *accounts.Reason) (templates.Said, bool) {
	for _, known := range reasons() {
		if known.format != r.Format || len(known.names) != len(r.Args) {
			continue
		}
		var pairs []any
		for i, name := range known.names {
			if name != "" {
				pairs = append(pairs, name, argument(name, r.Args[i]))
			}
		}
		return templates.Say("console.why."+known.end, pairs...), true
	}
	return templates.Said{}, false
}

// argument is an argument of a reason as a message shows it.
func argument(name string, arg any) any {
	switch x := arg.(type) {
	case rune:
		return fmt.Sprintf("%U", x)
	case time.Duration:
		return lasting(x)
	case string:
		if name == "What" {
			return called(x)
		}
		return x
	case int:
		return x
	}
	return fmt.Sprint(arg)
}

// called is how the console's forms call a field of the admin API or of the domain; its
// own name where no form has it.
func called(name string) templates.Said {
	if permission, is := strings.CutPrefix(name, "description of "); is {
		return templates.Say("console.why.description_of", "Name", permission)
	}
	if key := labels()[name]; key != "" {
		return templates.Say(key)
	}
	if slices.Contains(settingNames(), name) {
		return templates.Say("console.setting." + name)
	}
	return templates.Named(name)
}

// labels are the messages that call a field in a form, by the field's name.
func labels() map[string]string {
	return map[string]string{
		"username": "console.user.username", "name": "console.user.name", "email": "console.user.email", "new_email": "console.user.email",
		"email_verified": "console.user.verified", "password": "console.user.password", "description": "console.group.about",
		"until": "console.user.until", "ends_at": "console.user.until", "reason": "console.reason", "note": "console.reason",
		"audience": "console.api.audience", "redirect_uris": "console.client.redirect_uris", "scopes": "console.client.scopes",
		"token": "console.revocations.token",
	}
}

// settingNames are the names of the settings that have a field.
func settingNames() []string {
	var names []string
	for _, f := range settingForms() {
		names = append(names, f.settings...)
	}
	return names
}

// unfit says which field does not fit, and why.
func unfit(name string, err error) templates.Said {
	inner := why(err)
	said := templates.Say("console.problem.field", "Field", called(name), "Why", inner)
	said.English = inner.English
	return said
}

// unfitProfile says what is wrong with what an operator writes of a person.
func unfitProfile(err *accounts.ProfileError) templates.Said {
	f := err.Fields[0]
	said := templates.Say("console.problem.field", "Field", called(f.Claim), "Why", templates.Say("console.why.something"))
	switch f.Cause {
	case accounts.ProfileTooLong:
		said.Data[3] = templates.Say("console.why.name_long", "Most", f.Limit)
	case accounts.ProfileInvisible:
		said.Data[3] = templates.Say("console.why.invisible")
	default:
		said.English = err.Error()
	}
	return said
}

// weaknesses are the ends of the messages about passwords that are too weak: the reasons
// of accounts.WeakPassword.
func weaknesses() []string {
	return []string{
		accounts.PasswordTooShort, accounts.PasswordTooLong, accounts.PasswordBlank, accounts.PasswordIsName, accounts.PasswordCommon,
		accounts.PasswordRepeats, accounts.PasswordSequence, accounts.PasswordKeyboard, accounts.PasswordGuessable, accounts.PasswordBreached,
		accounts.PasswordSame,
	}
}

// refusedFor says why, as one of the kinds of refusals that name it.
func refusedFor(err error) templates.Said {
	var profile *accounts.ProfileError
	var field *admin.Field
	var bad *accounts.BadField
	switch {
	case errors.As(err, &profile) && len(profile.Fields) > 0:
		return unfitProfile(profile)
	case errors.As(err, &field):
		return unfit(field.Name, field.Err)
	case errors.As(err, &bad):
		return unfit(bad.Field, bad.Err)
	}
	inner := why(err)
	said := templates.Say("console.problem.invalid", "Why", inner)
	said.English = inner.English
	return said
}
