package keycloak

import (
	"io"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/importing"
)

// People implements importing.Source.
func (r *Realm) People(report *importing.Report) (importing.People, error) {
	if _, err := r.file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	s := importing.NewStream(r.file)
	if err := s.Open('{'); err != nil {
		return nil, err
	}
	p := &people{Realm: r, stream: s, report: report}
	for s.More() {
		name, err := s.Name()
		if err != nil {
			return nil, err
		}
		if name == "users" {
			return p, s.Open('[')
		}
		if _, err := s.Value(); err != nil {
			return nil, err
		}
	}
	p.over = true
	return p, nil
}

// people reads the list users.
type people struct {
	*Realm
	stream *importing.Stream
	report *importing.Report
	over   bool
}

// Next implements importing.People. What comes behind the list was seen by Plan.
func (p *people) Next() (*importing.Person, error) {
	if p.over || !p.stream.More() {
		return nil, io.EOF
	}
	raw, err := p.stream.Value()
	if err != nil {
		return nil, err
	}
	o, err := importing.ParseObject(raw)
	if err != nil {
		return nil, err
	}
	if o.Text("serviceAccountClientId") != "" {
		return nil, nil // its client holds what it held
	}
	return p.person(o), nil
}

// person is nil for one whose members are not what they should be.
func (p *people) person(o *importing.Object) *importing.Person {
	one := &importing.Person{
		Subject: o.Text("id"), Username: o.Text("username"), Email: o.Text("email"), EmailVerified: o.Flag("emailVerified", false),
		Banned: !o.Flag("enabled", false),
	}
	one.Profile.GivenName, one.Profile.FamilyName = o.Text("firstName"), o.Text("lastName")
	if made := o.Number("createdTimestamp"); made > 0 {
		one.CreatedAt = time.UnixMilli(made)
	}
	credentials, actions, attributes := o.Objects("credentials"), o.Texts("requiredActions"), o.Lists("attributes")
	groups, realm, clients := o.Texts("groups"), o.Texts("realmRoles"), o.Lists("clientRoles")
	note := func(reason string) { p.report.Note("user", one.Username, reason) }
	if o.Err != nil {
		note("not made: " + o.Err.Error())
		return nil
	}
	if one.Banned {
		note("was not enabled: banned")
	}
	p.ask(one, actions, note)
	p.credentials(one, credentials, note)
	claims(one, attributes, note)
	p.join(one, groups, refs(realm, clients), note)
	for name, reason := range map[string]string{
		"federatedIdentities": "signed in with an identity provider, and needs a password or a passkey",
		"federationLink":      "comes from a directory, which holds the password",
		"clientConsents":      "had agreed to apps, and is asked for consent again",
	} {
		if slices.Contains(o.Names(), name) {
			note(reason)
		}
	}
	return one
}

// ask carries over what the person had to do at the next sign-in.
func (p *people) ask(one *importing.Person, actions []string, note func(string)) {
	for _, action := range actions {
		switch action {
		case "UPDATE_PASSWORD":
			one.RequiredActions = append(one.RequiredActions, accounts.ActionChangePassword)
		case "VERIFY_EMAIL":
			one.RequiredActions = append(one.RequiredActions, accounts.ActionVerifyEmail)
		case "CONFIGURE_TOTP", "CONFIGURE_RECOVERY_AUTHN_CODES", "webauthn-register", "webauthn-register-passwordless":
			one.RequiredActions = append(one.RequiredActions, accounts.ActionEnrolFactor)
		case "TERMS_AND_CONDITIONS", "terms_and_conditions":
			one.RequiredActions = append(one.RequiredActions, accounts.ActionAcceptTerms)
		default:
			note("the required action " + importing.Short(action))
		}
	}
}

// credentials takes the password. Who had a second factor has to enrol one again
// before anything else, or the password alone would do from now on.
func (p *people) credentials(one *importing.Person, list []*importing.Object, note func(string)) {
	for _, c := range list {
		kind := c.Text("type")
		switch {
		case kind == "password" && one.Credential != nil:
			note("a second password")
		case kind == "password" && c.Has("secretData"):
			one.Credential = &accounts.KeycloakCredential{Type: kind, SecretData: c.Text("secretData"), CredentialData: c.Text("credentialData")}
		case kind == "password":
			note("the password has to be reset: it stands in the file in clear, or as an old release wrote it")
		case kind == "password-history":
		default:
			note("the second factor " + importing.Short(kind) + " has to be enrolled again")
			one.RequiredActions = append(one.RequiredActions, accounts.ActionEnrolFactor)
		}
		if c.Err != nil {
			note("a credential that can not be read")
		}
	}
}

// claims takes the attributes that Keycloak's own mappers turn into standard claims.
func claims(one *importing.Person, attributes map[string][]string, note func(string)) {
	c, a := &one.Profile, accounts.Address{}
	to := map[string]*string{
		"middleName": &c.MiddleName, "middle_name": &c.MiddleName, "nickname": &c.Nickname, "profile": &c.ProfileURL,
		"picture": &c.Picture, "website": &c.Website, "gender": &c.Gender, "birthdate": &c.Birthdate, "zoneinfo": &c.Zoneinfo,
		"locale": &c.Locale, "phoneNumber": &c.PhoneNumber, "phone_number": &c.PhoneNumber,
		"formatted": &a.Formatted, "street": &a.StreetAddress, "locality": &a.Locality, "region": &a.Region,
		"postal_code": &a.PostalCode, "country": &a.Country,
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		values := attributes[name]
		switch claim := to[name]; {
		case len(values) == 0:
		case claim != nil && len(values) == 1 && *claim == "":
			*claim = values[0]
		case claim != nil:
			note("the attribute " + name + " has several values")
		case name == "phoneNumberVerified" || name == "phone_number_verified":
			verified, err := strconv.ParseBool(values[0])
			c.PhoneVerified = err == nil && verified
		default:
			note("the attribute " + importing.Short(name))
		}
	}
	c.PhoneVerified = c.PhoneVerified && c.PhoneNumber != ""
	if a != (accounts.Address{}) {
		c.Address = &a
	}
}

// join finds the groups, and those of the roles.
func (p *people) join(one *importing.Person, paths []string, held []ref, note func(string)) {
	add := func(name string) {
		if !slices.Contains(one.Groups, name) {
			one.Groups = append(one.Groups, name)
		}
	}
	for _, path := range paths {
		switch g, known := p.groups[path]; {
		case g != nil:
			add(g.Name)
		case known:
			note("is in a group that could not be carried over")
		default:
			note("is in a group that the file does not hold")
		}
	}
	permissions, groups := p.reach(held, p.report, "user", one.Username)
	for _, g := range groups {
		add(g.Name)
	}
	for _, name := range permissions {
		if !p.options.DirectGroups {
			note("holds a role of a client without a group, which Gatehouse does not have (--direct-groups makes groups)")
			continue
		}
		if g, err := p.plan.Direct(p.report, name); err == nil && g != nil {
			add(g.Name)
		}
	}
}
