package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// TestKeep_Precedence: flag, variable, file, database, default.
func TestKeep_Precedence(t *testing.T) {
	file := filepath.Join(t.TempDir(), "gatehouse.yaml")
	if err := os.WriteFile(file, []byte("sign_up: invitation\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	kept := map[string]string{"sign_up": "closed"}
	for name, tt := range map[string]struct {
		flags   Flags
		environ []string
		kept    map[string]string
		dev     bool
		value   string
		origin  accounts.SettingOrigin
		pinned  bool
	}{
		"flag": {
			flags:   Flags{Config: file, PeopleFlags: PeopleFlags{SignUp: "open"}},
			environ: []string{"GATEHOUSE_SIGN_UP=closed"}, kept: kept, value: "open", origin: accounts.SettingFromFlag, pinned: true,
		},
		"variable": {
			flags: Flags{Config: file}, environ: []string{"GATEHOUSE_SIGN_UP=open"},
			kept: kept, value: "open", origin: accounts.SettingFromVariable, pinned: true,
		},
		"empty variable": {environ: []string{"GATEHOUSE_SIGN_UP="}, kept: map[string]string{"sign_up": "open"}, value: "open", origin: accounts.SettingFromDatabase},
		"file":           {flags: Flags{Config: file}, kept: kept, value: "invitation", origin: accounts.SettingFromFile, pinned: true},
		"database":       {kept: map[string]string{"sign_up": "invitation"}, value: "invitation", origin: accounts.SettingFromDatabase},
		"default":        {value: "closed", origin: accounts.SettingFromDefault},
		"default of dev": {dev: true, value: "open", origin: accounts.SettingFromDefault},
		"dev, database":  {dev: true, kept: kept, value: "closed", origin: accounts.SettingFromDatabase},
	} {
		c, err := Load(tt.flags, tt.environ)
		if err != nil {
			t.Fatal(err)
		}
		c.Dev = tt.dev
		with, list, err := c.Keep(tt.kept)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		s := list[slices.IndexFunc(list, func(s accounts.Setting) bool { return s.Name == "sign_up" })]
		if s.Value != tt.value || s.Origin != tt.origin || s.Pinned() != tt.pinned || with.People.SignUp != "" && with.People.SignUp != tt.value {
			t.Errorf("%s: %+v, and holds %q", name, s, with.People.SignUp)
		}
		if s.Kept != tt.kept["sign_up"] {
			t.Errorf("%s: keeps %q", name, s.Kept)
		}
	}
}

// TestKeep: every setting that can be kept takes hold, in the one form that it has,
// and nothing else of the configuration changes.
func TestKeep(t *testing.T) {
	c, err := Load(Flags{}, []string{"GATEHOUSE_BREACH_URL=https://breach.example/range/", "GATEHOUSE_PASSKEY_RP_ID=example.org", "GATEHOUSE_BRAND_ACCENT=#112233"})
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string]string{
		"access_token_lifetime": "300s", "brand_name": "Acme", "sign_up": "domain", "sign_up_domains": " A.example ,b.example",
		"sign_in_by_mail": "0", "verify_email": "true", "terms_version": "2", "terms_url": "https://acme.example/terms",
		"password_min_length": "012", "superuser_second_factor": "T", "of_a_newer_release": "x",
	}
	with, list, err := c.Keep(kept)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"access_token_lifetime": "5m", "brand_name": "Acme", "sign_up": "domain", "sign_up_domains": "a.example,b.example",
		"sign_in_by_mail": "false", "verify_email": "true", "terms_version": "2", "terms_url": "https://acme.example/terms",
		"password_min_length": "12", "superuser_second_factor": "true",
	}
	got, defaults := map[string]string{}, map[string]string{}
	for _, s := range list {
		got[s.Name], defaults[s.Name] = s.Kept, s.Default
		if s.Value != s.Kept || s.Origin != accounts.SettingFromDatabase || s.Kind == "" {
			t.Errorf("%+v", s)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{
		"access_token_lifetime": "10m", "brand_name": "Gatehouse", "sign_up": "closed", "sign_up_domains": "",
		"sign_in_by_mail": "true", "verify_email": "false", "terms_version": "", "terms_url": "",
		"password_min_length": "8", "superuser_second_factor": "false",
	}, defaults); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
	if p := with.People; with.AccessTokenLifetime != 5*time.Minute || p.SignInByMail || !p.VerifyEmail || p.PasswordMinLength != 12 ||
		!p.SuperuserSecondFactor || p.BreachURL == nil || p.PasskeyRPID != "example.org" || with.Brand.Accent != "#112233" || with.BrandName != "Acme" {
		t.Errorf("%+v", with)
	}
	if c.BrandName != "Gatehouse" || len(c.People.SignUpDomains) != 0 {
		t.Errorf("the configuration itself has changed: %+v", c)
	}
}

// TestKeep_Pins: what others give counts where this configuration gives nothing.
func TestKeep_Pins(t *testing.T) {
	server, err := Load(Flags{PeopleFlags: PeopleFlags{SignUp: "open"}}, []string{"GATEHOUSE_BRAND_NAME=Acme", "GATEHOUSE_LOG_LEVEL=warn"})
	if err != nil {
		t.Fatal(err)
	}
	pins := server.Pins()
	if diff := cmp.Diff(map[string]Pin{"sign_up": {"open", accounts.SettingFromFlag}, "brand_name": {"Acme", accounts.SettingFromVariable}}, pins); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	pins["of_a_newer_release"] = Pin{Value: "x", Origin: accounts.SettingFromFlag}
	command, err := Load(Flags{BrandName: "Mine"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	with, _, err := command.WithPins(pins).Keep(map[string]string{"sign_up": "closed", "brand_name": "Kept", "password_min_length": "10"})
	if err != nil || with.People.SignUp != "open" || with.BrandName != "Mine" || with.People.PasswordMinLength != 10 {
		t.Errorf("%+v, %v", with, err)
	}
	if len(command.Pins()) != 1 {
		t.Errorf("the command's own: %v", command.Pins())
	}
}

// TestKeep_Refuses what the configuration would refuse, and what goes with it no more.
func TestKeep_Refuses(t *testing.T) {
	for name, tt := range map[string]struct {
		environ []string
		kept    map[string]string
		field   string // of the BadField; empty for none
		told    string
	}{
		"a value":         {kept: map[string]string{"sign_up": "sometimes"}, field: "sign_up", told: "is not one of"},
		"a line break":    {kept: map[string]string{"brand_name": "A\nB"}, field: "brand_name", told: "one line"},
		"too long":        {kept: map[string]string{"brand_name": strings.Repeat("é", 61)}, field: "brand_name", told: "60 characters"},
		"much too long":   {kept: map[string]string{"sign_up_domains": strings.Repeat("a.b,", 2000)}, field: "sign_up_domains", told: "4096"},
		"a script":        {kept: map[string]string{"terms_url": "javascript:alert(1)"}, field: "terms_url", told: "write a URL"},
		"no domains":      {kept: map[string]string{"sign_up": "domain"}, told: "name the domains"},
		"no terms":        {kept: map[string]string{"terms_version": "1"}, told: "without terms_url"},
		"with what is":    {environ: []string{"GATEHOUSE_SIGN_UP=open"}, kept: map[string]string{"sign_up_domains": "a.example"}, told: "sign_up is not domain"},
		"short passwords": {kept: map[string]string{"password_min_length": "6"}, field: "password_min_length", told: "8 to 64"},
		"long tokens":     {kept: map[string]string{"access_token_lifetime": "9h"}, field: "access_token_lifetime", told: "not between"},
	} {
		c, err := Load(Flags{}, tt.environ)
		if err != nil {
			t.Fatal(err)
		}
		_, list, err := c.Keep(tt.kept)
		bad := new(accounts.BadField)
		if !errors.Is(err, accounts.ErrInvalid) || !strings.Contains(err.Error(), tt.told) || errors.As(err, &bad) != (tt.field != "") || bad.Field != tt.field {
			t.Errorf("%s: %v", name, err)
		}
		if len(list) != 10 {
			t.Errorf("%s: %d settings are told", name, len(list))
		}
	}
	// What is kept below a pinned setting does not count, whatever it is.
	c, err := Load(Flags{}, []string{"GATEHOUSE_SIGN_UP=closed"})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Keep(map[string]string{"sign_up": "sometimes"}); err != nil {
		t.Error(err)
	}
}
