package config

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
)

// Brand is how the pages look, and where they lead.
type Brand struct {
	Logo   string // a file, empty for ours
	Accent string // #rrggbb, empty for ours
	// The links at the foot of the pages, each empty for none.
	ImprintURL, PrivacyURL, HelpURL string
}

// BrandFlags are the same as the command line gives them.
type BrandFlags struct {
	BrandLogo       string `name:"brand-logo" placeholder:"FILE" group:"settings" help:"Logo on the pages, SVG, PNG, JPEG or WebP (ours)."`
	BrandAccent     string `name:"brand-accent" placeholder:"COLOUR" group:"settings" help:"Colour of buttons and links, such as #0e6b60 (ours)."`
	BrandImprintURL string `name:"brand-imprint-url" placeholder:"URL" group:"settings" help:"Legal notice, at the foot of the pages (none)."`
	BrandPrivacyURL string `name:"brand-privacy-url" placeholder:"URL" group:"settings" help:"Privacy notice, at the foot of the pages (none)."`
	BrandHelpURL    string `name:"brand-help-url" placeholder:"URL" group:"settings" help:"Help, at the foot of the pages; may be mailto: (none)."`
}

func brandSettings(f BrandFlags) []setting {
	return []setting{
		{name: "brand_logo", flag: f.BrandLogo, apply: text(func(c *Config) *string { return &c.Brand.Logo })},
		{name: "brand_accent", flag: f.BrandAccent, apply: (*Config).setBrandAccent},
		{name: "brand_imprint_url", flag: f.BrandImprintURL, apply: footLink(func(c *Config) *string { return &c.Brand.ImprintURL })},
		{name: "brand_privacy_url", flag: f.BrandPrivacyURL, apply: footLink(func(c *Config) *string { return &c.Brand.PrivacyURL })},
		{name: "brand_help_url", flag: f.BrandHelpURL, apply: footLink(func(c *Config) *string { return &c.Brand.HelpURL })},
	}
}

var hexColour = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)

func (c *Config) setBrandAccent(v string) error {
	if !hexColour.MatchString(v) {
		return fmt.Errorf("%q is not a colour such as #0e6b60", v)
	}
	c.Brand.Accent = v
	return nil
}

// footLink takes what people can follow from a page: a page, or a mail to write.
func footLink(field func(c *Config) *string) func(*Config, string) error {
	return func(c *Config, v string) error {
		u, err := url.Parse(v)
		switch {
		case err != nil:
		case (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil,
			u.Scheme == "mailto" && u.Opaque != "":
			*field(c) = v
			return nil
		}
		return errors.New("write an https or mailto URL")
	}
}
