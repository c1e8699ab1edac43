package config

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/passkey"
)

// How people come to an account (People.SignUp).
const (
	SignUpOpen       = "open"       // anybody whose mail address is proven
	SignUpDomain     = "domain"     // of them, those with an address of a listed domain
	SignUpInvitation = "invitation" // who was invited
	SignUpClosed     = "closed"     // whom an operator makes
)

func signUpModes() []string {
	return []string{SignUpOpen, SignUpDomain, SignUpInvitation, SignUpClosed}
}

// People is what operators decide about accounts.
type People struct {
	SignUp        string
	SignUpDomains []string // lower case, for SignUpDomain
	// SignInByMail lets people sign in with a code that they are mailed.
	SignInByMail bool
	// VerifyEmail asks everybody to prove their address before they go on.
	VerifyEmail bool
	// TermsVersion is the version that everybody has to have accepted, empty for
	// none; TermsURL is where they can be read.
	TermsVersion string
	TermsURL     *url.URL
	// PasswordMinLength is in characters.
	PasswordMinLength int
	// BreachURL is a service that tells whether a password is known, asked with five
	// hexadecimal digits of its digest; nil for none.
	BreachURL *url.URL
	// SuperuserSecondFactor demands a second factor of superusers and staff.
	SuperuserSecondFactor bool
	// PasskeyRPID is the domain that passkeys belong to, lower case; empty for the
	// issuer's host.
	PasskeyRPID string
}

// PeopleFlags are the same as the command line gives them.
type PeopleFlags struct {
	SignUp                string `name:"sign-up" placeholder:"open|domain|invitation|closed" group:"settings" help:"Who can make an account (closed; dev: open)."`
	SignUpDomains         string `name:"sign-up-domains" placeholder:"LIST" group:"settings" help:"With sign-up domain: mail domains, with commas (none)."`
	SignInByMail          string `name:"sign-in-by-mail" placeholder:"BOOL" group:"settings" help:"Whether people can sign in with a code by mail, where mail is sent (true)."`
	VerifyEmail           string `name:"verify-email" placeholder:"BOOL" group:"settings" help:"Whether people must prove their address before they go on, where mail is sent (false)."`
	TermsVersion          string `name:"terms-version" placeholder:"VERSION" group:"settings" help:"Version of the terms that people must accept (none)."`
	TermsURL              string `name:"terms-url" placeholder:"URL" group:"settings" help:"Where the terms can be read."`
	PasswordMinLength     string `name:"password-min-length" placeholder:"N" group:"settings" help:"Characters of a new password at least (8)."`
	BreachURL             string `name:"breach-url" placeholder:"URL" group:"settings" help:"Range API that tells whether a password is known from a breach, such as https://api.pwnedpasswords.com/range/ (none)."`
	SuperuserSecondFactor string `name:"superuser-second-factor" placeholder:"BOOL" group:"settings" help:"Whether superusers and staff need a second factor (false)."`
	PasskeyRPID           string `name:"passkey-rp-id" placeholder:"DOMAIN" group:"settings" help:"Domain that passkeys belong to, the issuer's host or one above it; another one later makes all passkeys useless (the issuer's host)."`
}

func peopleSettings(f PeopleFlags) []setting {
	return []setting{
		{
			name: "sign_up", flag: f.SignUp,
			apply: oneOf(func(c *Config) *string { return &c.People.SignUp }, signUpModes()...),
			kind:  accounts.SettingChoice, choices: signUpModes(),
		},
		{name: "sign_up_domains", flag: f.SignUpDomains, apply: (*Config).setSignUpDomains, kind: accounts.SettingList},
		{
			name: "sign_in_by_mail", flag: f.SignInByMail, otherwise: "true",
			apply: yesOrNo(func(c *Config) *bool { return &c.People.SignInByMail }), kind: accounts.SettingTruth,
		},
		{
			name: "verify_email", flag: f.VerifyEmail,
			apply: yesOrNo(func(c *Config) *bool { return &c.People.VerifyEmail }), kind: accounts.SettingTruth,
		},
		{name: "terms_version", flag: f.TermsVersion, apply: (*Config).setTermsVersion, kind: accounts.SettingText},
		{
			name: "terms_url", flag: f.TermsURL,
			apply: webURL(func(c *Config) **url.URL { return &c.People.TermsURL }), kind: accounts.SettingURL,
		},
		{
			name: "password_min_length", flag: f.PasswordMinLength, otherwise: "8",
			apply: (*Config).setPasswordMinLength, kind: accounts.SettingNumber,
		},
		{name: "breach_url", flag: f.BreachURL, apply: webURL(func(c *Config) **url.URL { return &c.People.BreachURL })},
		{
			name: "superuser_second_factor", flag: f.SuperuserSecondFactor,
			apply: yesOrNo(func(c *Config) *bool { return &c.People.SuperuserSecondFactor }), kind: accounts.SettingTruth,
		},
		{name: "passkey_rp_id", flag: f.PasskeyRPID, apply: func(c *Config, v string) error {
			c.People.PasskeyRPID = strings.ToLower(v)
			return nil
		}},
	}
}

var mailDomain = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

func (c *Config) setSignUpDomains(v string) error {
	for domain := range strings.SplitSeq(v, ",") {
		domain = strings.ToLower(strings.TrimSpace(domain))
		if !mailDomain.MatchString(domain) || len(domain) > 253 {
			return fmt.Errorf("%q is not a mail domain such as example.org", domain)
		}
		c.People.SignUpDomains = append(c.People.SignUpDomains, domain)
	}
	return nil
}

func (c *Config) setTermsVersion(v string) error {
	if len(v) > 100 || !norm.NFC.IsNormalString(v) {
		return errors.New("write at most 100 bytes, such as 2026-11")
	}
	c.People.TermsVersion = v
	return nil
}

func (c *Config) setPasswordMinLength(v string) error {
	n, err := strconv.Atoi(v)
	// NIST SP 800-63B-4 §3.1.1.2: at least eight, and who may choose sixty-four must
	// be let.
	if err != nil || n < 8 || n > 64 {
		return fmt.Errorf("%q is not a number from 8 to 64", v)
	}
	c.People.PasswordMinLength = n
	return nil
}

func webURL(field func(c *Config) **url.URL) func(*Config, string) error {
	return func(c *Config, v string) error {
		u, err := url.Parse(v)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
			return errors.New("write a URL such as https://example.org/page")
		}
		*field(c) = u
		return nil
	}
}

// checkPeople finds settings that do not go together.
func (c *Config) checkPeople() error {
	if err := c.People.check(); err != nil {
		return err
	}
	if id := c.People.PasskeyRPID; id != "" && c.IssuerGiven {
		if err := passkey.CheckRelyingParty(c.Issuer, id); err != nil {
			return fmt.Errorf("passkey_rp_id: %w", err)
		}
	}
	return nil
}

func (p People) check() error {
	switch {
	case p.SignUp == SignUpDomain && len(p.SignUpDomains) == 0:
		return errors.New("sign_up is domain: name the domains in sign_up_domains")
	case p.SignUp != SignUpDomain && len(p.SignUpDomains) > 0:
		return errors.New("sign_up_domains is given, and sign_up is not domain: people of all domains would be treated alike")
	case p.TermsVersion != "" && p.TermsURL == nil:
		return errors.New("terms_version is given without terms_url: people must be able to read what they accept")
	}
	return nil
}
