package config

import (
	"cmp"
	"net/url"

	"github.com/gatehouse-id/gatehouse/internal/ascode"
)

// Deployment is what of the settings concerns the people and apps of a deployment,
// wherever it runs: no address, no folder, no connection and no secret. In the order
// in which `gatehouse export` lists them.
func (c *Config) Deployment() []ascode.Setting {
	p := c.People
	return []ascode.Setting{
		{Name: "access_token_lifetime", Value: ascode.Duration(c.AccessTokenLifetime.Milliseconds()).String()},
		{Name: "brand_name", Value: c.BrandName},
		{Name: "brand_accent", Value: c.Brand.Accent},
		{Name: "brand_imprint_url", Value: c.Brand.ImprintURL},
		{Name: "brand_privacy_url", Value: c.Brand.PrivacyURL},
		{Name: "brand_help_url", Value: c.Brand.HelpURL},
		{Name: "sign_up", Value: cmp.Or(p.SignUp, SignUpClosed)},
		{Name: "sign_up_domains", Value: append([]string{}, p.SignUpDomains...)},
		{Name: "sign_in_by_mail", Value: p.SignInByMail},
		{Name: "verify_email", Value: p.VerifyEmail},
		{Name: "terms_version", Value: p.TermsVersion},
		{Name: "terms_url", Value: address(p.TermsURL)},
		{Name: "password_min_length", Value: p.PasswordMinLength},
		{Name: "breach_url", Value: address(p.BreachURL)},
		{Name: "superuser_second_factor", Value: p.SuperuserSecondFactor},
	}
}

func address(u *url.URL) string {
	if u == nil {
		return ""
	}
	return u.String()
}
