package accounts

import (
	"net/url"
	"strings"
	"time"
	_ "time/tzdata" // zoneinfo is checked alike on hosts without a tz database
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/language"
)

// The longest that a person says of themselves, in characters.
const (
	maxProfileText  = 100
	maxStreet       = 300
	maxProfileURL   = 1000
	maxProfileWords = 50 // gender, postal code
)

// ProfileError says which claims cannot be taken, and why.
type ProfileError struct {
	Fields []ProfileField
}

// ProfileField is one claim that cannot be taken.
type ProfileField struct {
	Claim string // as OpenID Connect Core §5.1 calls it; parts of the address by their own names
	Cause ProfileCause
	Limit int // of ProfileTooLong, in characters
}

// ProfileCause says why a claim cannot be taken.
type ProfileCause string

// Why a claim cannot be taken.
const (
	ProfileTooLong   ProfileCause = "too_long"
	ProfileInvisible ProfileCause = "invisible" // holds what cannot be seen, or turns the text around it
	ProfileBirthdate ProfileCause = "birthdate"
	ProfileFuture    ProfileCause = "future" // born tomorrow
	ProfileZone      ProfileCause = "zoneinfo"
	ProfileLocale    ProfileCause = "locale"
	ProfileLink      ProfileCause = "url"
	ProfilePhone     ProfileCause = "phone"
)

// Error names the claims and no values.
func (e *ProfileError) Error() string {
	var list []string
	for _, f := range e.Fields {
		list = append(list, f.Claim+": "+string(f.Cause))
	}
	return "invalid profile: " + strings.Join(list, ", ")
}

// Is makes every ProfileError an ErrInvalid.
func (e *ProfileError) Is(target error) bool { return target == ErrInvalid }

// checker collects what is wrong.
type checker struct{ fields []ProfileField }

func (c *checker) refuse(claim string, cause ProfileCause, limit int) {
	c.fields = append(c.fields, ProfileField{Claim: claim, Cause: cause, Limit: limit})
}

// checked returns the person in the one form in which each claim is kept.
func (p Person) checked(now time.Time) (Person, error) {
	var c checker
	line := func(claim string, s *string, limit int) { *s = c.text(claim, *s, limit, false) }
	line("name", &p.Name, 2*maxProfileText)
	line("given_name", &p.GivenName, maxProfileText)
	line("family_name", &p.FamilyName, maxProfileText)
	line("middle_name", &p.MiddleName, maxProfileText)
	line("nickname", &p.Nickname, maxProfileText)
	line("gender", &p.Gender, maxProfileWords)
	p.ProfileURL = c.link("profile", p.ProfileURL)
	p.Website = c.link("website", p.Website)
	p.Birthdate = c.birthdate(p.Birthdate, now)
	p.Zoneinfo = c.zone(p.Zoneinfo)
	p.Locale = c.locale(p.Locale)
	p.PhoneNumber = c.phone(p.PhoneNumber)
	p.Address = c.address(p.Address)
	if len(c.fields) > 0 {
		return Person{}, &ProfileError{Fields: c.fields}
	}
	return p, nil
}

// brought is checked for a new account, which may bring a picture's address and the
// proof of its phone number from elsewhere.
func (p Person) brought(now time.Time) (Person, error) {
	p, err := p.checked(now)
	if err != nil {
		return Person{}, err
	}
	var c checker
	p.Picture = c.link("picture", p.Picture)
	if len(c.fields) > 0 {
		return Person{}, &ProfileError{Fields: c.fields}
	}
	if p.PhoneVerified && p.PhoneNumber == "" {
		return Person{}, invalid("phone_number_verified without phone_number")
	}
	return p, nil
}

// text takes what people will read on the pages of apps that may not escape it as
// well as ours: nothing in it hides or redirects the text beside it.
func (c *checker) text(claim, s string, limit int, lines bool) string {
	s = strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n"))
	flat := s
	if lines {
		flat = strings.ReplaceAll(s, "\n", "")
	}
	switch {
	case utf8.RuneCountInString(s) > limit:
		c.refuse(claim, ProfileTooLong, limit)
	case !utf8.ValidString(s) || visible(flat) != nil:
		c.refuse(claim, ProfileInvisible, 0)
	}
	return s
}

// link takes an https URL. A name of a host without a scheme gets one: people type
// "example.org".
func (c *checker) link(claim, s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return ""
	}
	if !strings.Contains(s, ":") {
		s = "https://" + s
	}
	u, err := url.Parse(s)
	spoiled := strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune("\\\"<>^`{|}", r) })
	if err != nil || spoiled || visible(s) != nil || u.Scheme != "https" || u.User != nil || u.Opaque != "" {
		c.refuse(claim, ProfileLink, 0)
		return ""
	}
	host, err := idna.Lookup.ToASCII(u.Hostname())
	host, port := strings.ToLower(host), u.Port()
	if err != nil || !validHost(host) || port != "" && !validPort(port) || strings.HasSuffix(u.Host, ":") {
		c.refuse(claim, ProfileLink, 0)
		return ""
	}
	u.Host = host
	if port != "" && port != "443" {
		u.Host += ":" + port
	}
	s = u.String()
	if len(s) > maxProfileURL {
		c.refuse(claim, ProfileTooLong, maxProfileURL)
	}
	return s
}

// birthdate takes what OpenID Connect Core §5.1 allows: YYYY-MM-DD, the year 0000
// where it is not told, and the year alone.
func (c *checker) birthdate(s string, now time.Time) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return ""
	}
	layout := time.DateOnly
	if len(s) == 4 {
		layout = "2006"
	}
	born, err := time.Parse(layout, s)
	switch {
	case err != nil || born.Format(layout) != s || layout == "2006" && born.Year() == 0:
		c.refuse("birthdate", ProfileBirthdate, 0)
	// Where the day has begun already, it is one day later than here.
	case born.After(now.UTC().AddDate(0, 0, 1)):
		c.refuse("birthdate", ProfileFuture, 0)
	case born.Year() != 0 && born.Year() < 1850:
		c.refuse("birthdate", ProfileBirthdate, 0)
	}
	return s
}

// zone takes a name of the tz database, as it is spelled there.
func (c *checker) zone(s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return ""
	}
	// LoadLocation reads files by the name; it gets only what such names are made
	// of, and neither "Local" nor the folders that hold the database twice.
	spelled := len(s) <= 64 && s != "Local" && unicode.IsUpper(rune(s[0])) && strings.Count(s, "/") <= 2 &&
		!strings.ContainsFunc(s, func(r rune) bool {
			return r >= 0x80 || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("/_+-", r)
		})
	if !spelled {
		c.refuse("zoneinfo", ProfileZone, 0)
		return ""
	}
	if _, err := time.LoadLocation(s); err != nil {
		c.refuse("zoneinfo", ProfileZone, 0)
	}
	return s
}

// locale takes a BCP 47 tag and returns it in its usual case: de-AT. Some send an
// underscore (OpenID Connect Core §5.1).
func (c *checker) locale(s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return ""
	}
	tag, err := language.Parse(s)
	if err != nil || len(s) > 35 || tag == language.Und { // RFC 5646 §4.4.1 for the length
		c.refuse("locale", ProfileLocale, 0)
		return ""
	}
	return tag.String()
}

// phone takes an international number and returns it as E.164 writes it: a plus
// sign and digits.
func (c *checker) phone(s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return ""
	}
	var digits strings.Builder
	for i, r := range s {
		switch {
		case '0' <= r && r <= '9':
			digits.WriteRune(r)
		case r == '+' && i == 0, strings.ContainsRune(" -./()\u00a0", r):
		default:
			c.refuse("phone_number", ProfilePhone, 0)
			return ""
		}
	}
	number := digits.String()
	if s[0] != '+' || len(number) < 7 || len(number) > 15 || number[0] == '0' {
		c.refuse("phone_number", ProfilePhone, 0)
		return ""
	}
	return "+" + number
}

// AddressParts is an address as a form shows it. One that is known as a whole alone
// stands where the street does.
func AddressParts(a *Address) Address {
	if a == nil {
		return Address{}
	}
	parts := *a
	parts.Formatted = ""
	if parts == (Address{}) {
		parts.StreetAddress = strings.ReplaceAll(a.Formatted, "\r\n", "\n")
	}
	return parts
}

// address takes the parts and makes the formatted address of them.
func (c *checker) address(a *Address) *Address {
	if a == nil {
		return nil
	}
	out := &Address{
		StreetAddress: c.text("street_address", a.StreetAddress, maxStreet, true),
		Locality:      c.text("locality", a.Locality, maxProfileText, false),
		Region:        c.text("region", a.Region, maxProfileText, false),
		PostalCode:    c.text("postal_code", a.PostalCode, maxProfileWords, false),
		Country:       c.text("country", a.Country, maxProfileText, false),
	}
	if *out == (Address{}) {
		return nil
	}
	out.Formatted = out.formatted()
	return out
}

// formatted is the address in lines (OpenID Connect Core §5.1.1).
func (a *Address) formatted() string {
	var lines []string
	for _, line := range []string{a.StreetAddress, strings.TrimSpace(a.PostalCode + " " + a.Locality), a.Region, a.Country} {
		if line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}
