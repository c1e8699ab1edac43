package accounts

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// Settings is what operators decide about people and tokens as a whole, as it holds
// at one moment. A value that is in use never changes: another decision is another
// value.
type Settings struct {
	// SignUp says who can make an account; empty is SignUpClosed.
	SignUp        SignUpMode
	SignUpDomains []string // of SignUpDomain, in lower case; their subdomains are others
	// SignInByMail lets people sign in by a code that they are mailed, where mails are
	// sent.
	SignInByMail bool
	// Policy is what is asked of everybody who signs in.
	Policy SignInPolicy
	// TermsURL is where the terms of Policy can be read.
	TermsURL string
	// PasswordMinLength is in characters; zero is what PasswordPolicy says.
	PasswordMinLength int
	// AccessTokenLifetime is that of tokens for which neither client nor API has one;
	// zero is the provider's own.
	AccessTokenLifetime time.Duration
	// Brand is the name of the place, as people read it.
	Brand string
}

// SettingsSource tells the settings that hold: the same ones throughout a request.
type SettingsSource interface {
	Current(ctx context.Context) *Settings
}

// Current implements SettingsSource by settings that stay as they are.
func (s *Settings) Current(context.Context) *Settings { return s }

// CurrentSettings are those of a source; a nil one has the zero value, which lets
// nobody sign up and asks nothing of anybody.
func CurrentSettings(ctx context.Context, source SettingsSource) *Settings {
	if source == nil {
		return &Settings{}
	}
	return source.Current(ctx)
}

// SettingKind is what the value of a setting can be.
type SettingKind string

// The kinds of settings.
const (
	SettingText     SettingKind = "text"
	SettingTruth    SettingKind = "truth"  // true or false
	SettingNumber   SettingKind = "number" // whole
	SettingDuration SettingKind = "duration"
	SettingURL      SettingKind = "url"
	SettingChoice   SettingKind = "choice" // one of Setting.Choices
	SettingList     SettingKind = "list"   // texts with commas between
)

// SettingOrigin is where the value of a setting comes from.
type SettingOrigin string

// The origins of settings: each goes before those below it.
const (
	SettingFromFlag     SettingOrigin = "flag"
	SettingFromVariable SettingOrigin = "variable"
	SettingFromFile     SettingOrigin = "file"
	SettingFromDatabase SettingOrigin = "database"
	SettingFromDefault  SettingOrigin = "default"
)

// Setting is one of those that can be kept in the database. All values are texts, in
// the one form that each has.
type Setting struct {
	Name    string
	Kind    SettingKind
	Choices []string // of SettingChoice
	Value   string   // the one that holds; empty for none
	Default string
	Origin  SettingOrigin
	// Kept is what the database keeps, also where Value is another; empty for nothing.
	Kept string
}

// Pinned reports whether the configuration of the servers gives the setting: then what
// the database keeps does not count.
func (s Setting) Pinned() bool {
	return s.Origin == SettingFromFlag || s.Origin == SettingFromVariable || s.Origin == SettingFromFile
}

// KeptSetting is a row of what the database keeps.
type KeptSetting struct {
	Name, Value string
	UpdatedAt   int64 // Unix milliseconds
}

// SettingObject is the id by which marks of files know a setting: it is always there,
// and always the same one.
func SettingObject(name string) id.ID {
	sum := sha256.Sum256([]byte("setting\x00" + name))
	return id.ID(sum[:16])
}
