package accounts

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// DefaultMinScore is the strength that passwords need by default: more than 10^6
// seconds for somebody who stole the hashes and has a hundred cores.
const DefaultMinScore = 3

// PasswordPolicy is what a new password must meet. Existing ones are never asked.
// The zero value demands 8 characters and refuses common ones.
type PasswordPolicy struct {
	// MinLength in characters; zero means 8. NIST SP 800-63B-4 §3.1.1.2 wants 15
	// where a password is the only factor, and lets strength not be measured.
	MinLength int
	// MinScore from 0 (anything) to 4 is the strength below which a password is
	// guessable.
	MinScore int
	// Brand is a name that people here put into passwords, beside their own.
	Brand string
	// Breaches knows passwords that were stolen elsewhere. Nil means that nobody is
	// asked.
	Breaches *Breaches
}

// Why a password is weak. The message that tells people is problem.password_ and
// the reason.
const (
	PasswordTooShort  = "short"
	PasswordTooLong   = "long"
	PasswordBlank     = "blank"     // one character over and over, spaces for instance
	PasswordIsName    = "name"      // mostly the username, the mail address, the person's name or the brand's
	PasswordCommon    = "common"    // among the first that everybody tries
	PasswordRepeats   = "repeats"   // "abcabcabc"
	PasswordSequence  = "sequence"  // "abcdef", "987654"
	PasswordKeyboard  = "keyboard"  // "qwertz"
	PasswordGuessable = "guessable" // none of these, and still too easy
	PasswordBreached  = "breached"  // was stolen elsewhere
	PasswordSame      = "same"      // is the one that it should replace
)

// PasswordReasons lists every reason, for those who must have a text for each.
func PasswordReasons() []string {
	return []string{
		PasswordTooShort, PasswordTooLong, PasswordBlank, PasswordIsName, PasswordCommon, PasswordRepeats,
		PasswordSequence, PasswordKeyboard, PasswordGuessable, PasswordBreached, PasswordSame,
	}
}

// WeakPassword is returned for a new password that the policy refuses.
type WeakPassword struct {
	Reason    string // one of the constants above
	MinLength int
}

// Key is that of the message which tells a person, without its prefix "problem."; a
// text that counts counts MinLength.
func (e *WeakPassword) Key() string { return "password_" + e.Reason }

// Error implements error, for the command line.
func (e *WeakPassword) Error() string {
	switch e.Reason {
	case PasswordTooShort:
		return fmt.Sprintf("the password has fewer than %d characters", e.MinLength)
	case PasswordTooLong:
		return fmt.Sprintf("the password has more than %d bytes", MaxPassword)
	case PasswordBlank:
		return "the password is one character over and over"
	case PasswordIsName:
		return "the password is mostly the name of the account, its mail address or the name of this place"
	case PasswordCommon:
		return "the password is among the first that everybody tries"
	case PasswordRepeats:
		return "the password repeats something short"
	case PasswordSequence:
		return "the password is mostly a sequence such as abcd or 4321"
	case PasswordKeyboard:
		return "the password is mostly keys that lie beside one another"
	case PasswordBreached:
		return "the password was stolen elsewhere and is on lists that attackers use"
	case PasswordSame:
		return "the password is the one of now"
	}
	return "the password is easy to guess; more words that do not belong together make it better"
}

// Check returns a *WeakPassword if the password is refused for an account with
// these names (username, mail address, the person's names; empty ones are passed
// over). It asks nobody; Accept does.
func (p PasswordPolicy) Check(password secret.Text, names ...string) error {
	least := p.MinLength
	if least == 0 {
		least = 8
	}
	text := password.Reveal()
	refuse := func(reason string) error { return &WeakPassword{Reason: reason, MinLength: least} }
	if len(text) > MaxPassword {
		return refuse(PasswordTooLong)
	}
	if utf8.RuneCountInString(norm.NFC.String(text)) < least {
		return refuse(PasswordTooShort)
	}
	first, _ := utf8.DecodeRuneInString(text)
	if strings.Trim(text, string(first)) == "" {
		return refuse(PasswordBlank)
	}
	for _, n := range names {
		if n != "" && strings.EqualFold(text, n) {
			return refuse(PasswordIsName)
		}
	}
	if isCommon(text) {
		return refuse(PasswordCommon)
	}
	if p.MinScore <= 0 {
		return nil
	}
	if score, reason := strength(text, append(slices.Clone(names), p.Brand)); score < p.MinScore {
		return refuse(reason)
	}
	return nil
}

// Accept is Check, and asks Breaches about a password that passed it.
func (p PasswordPolicy) Accept(ctx context.Context, password secret.Text, names ...string) error {
	if err := p.Check(password, names...); err != nil {
		return err
	}
	if p.Breaches.Known(ctx, password) {
		return &WeakPassword{Reason: PasswordBreached, MinLength: p.MinLength}
	}
	return nil
}
