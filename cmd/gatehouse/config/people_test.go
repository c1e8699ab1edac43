package config

import (
	"strings"
	"testing"
)

func TestPeople(t *testing.T) {
	for name, test := range map[string]struct {
		env  []string
		want string // part of the error; empty for none
	}{
		"nothing":                  {nil, ""},
		"open":                     {[]string{"GATEHOUSE_SIGN_UP=open"}, ""},
		"unknown way":              {[]string{"GATEHOUSE_SIGN_UP=maybe"}, "sign_up"},
		"domains":                  {[]string{"GATEHOUSE_SIGN_UP=domain", "GATEHOUSE_SIGN_UP_DOMAINS=Example.org, b.example"}, ""},
		"domain without domains":   {[]string{"GATEHOUSE_SIGN_UP=domain"}, "sign_up_domains"},
		"domains without domain":   {[]string{"GATEHOUSE_SIGN_UP=open", "GATEHOUSE_SIGN_UP_DOMAINS=example.org"}, "sign_up is not domain"},
		"no domain":                {[]string{"GATEHOUSE_SIGN_UP=domain", "GATEHOUSE_SIGN_UP_DOMAINS=@example.org"}, "not a mail domain"},
		"terms":                    {[]string{"GATEHOUSE_TERMS_VERSION=2", "GATEHOUSE_TERMS_URL=https://example.org/terms"}, ""},
		"terms that nobody reads":  {[]string{"GATEHOUSE_TERMS_VERSION=2"}, "terms_url"},
		"terms at no address":      {[]string{"GATEHOUSE_TERMS_VERSION=2", "GATEHOUSE_TERMS_URL=javascript:alert(1)"}, "terms_url"},
		"short passwords":          {[]string{"GATEHOUSE_PASSWORD_MIN_LENGTH=7"}, "from 8 to 64"},
		"breach service":           {[]string{"GATEHOUSE_BREACH_URL=https://example.org/range/"}, ""},
		"breach service of a user": {[]string{"GATEHOUSE_BREACH_URL=https://a:b@example.org/range/"}, "breach_url"},
		"passkeys of a domain":     {[]string{"GATEHOUSE_ISSUER=https://id.example.org", "GATEHOUSE_PASSKEY_RP_ID=Example.org"}, ""},
		"passkeys of all domains":  {[]string{"GATEHOUSE_ISSUER=https://id.example.org", "GATEHOUSE_PASSKEY_RP_ID=org"}, "passkey_rp_id"},
		"passkeys of another":      {[]string{"GATEHOUSE_ISSUER=https://id.example.org", "GATEHOUSE_PASSKEY_RP_ID=example.com"}, "passkey_rp_id"},
		"passkeys, no issuer told": {[]string{"GATEHOUSE_PASSKEY_RP_ID=example.org"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := Load(Flags{}, test.env)
			switch {
			case test.want == "" && err != nil:
				t.Fatal(err)
			case test.want != "" && (err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(test.want))):
				t.Fatalf("%v, want %q in it", err, test.want)
			case test.want != "":
				return
			}
			if name == "domains" && strings.Join(c.People.SignUpDomains, " ") != "example.org b.example" {
				t.Errorf("domains %q", c.People.SignUpDomains)
			}
			if c.People.PasswordMinLength != 8 || !c.People.SignInByMail {
				t.Errorf("defaults %+v", c.People)
			}
		})
	}
}
