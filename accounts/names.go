package accounts

import (
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// ErrInvalid is wrapped by the errors about what somebody typed: names, addresses,
// URIs, a client's settings. Their texts may be shown to an operator.
var ErrInvalid = errors.New("invalid")

func invalid(format string, args ...any) error {
	return Because(ErrInvalid, format, args...)
}

const (
	maxNameRunes  = 64
	maxEmailBytes = 254 // RFC 5321 §4.5.3.1.3, without the angle brackets
	maxLocalBytes = 64  // RFC 5321 §4.5.3.1.1
)

// UsernameKey returns what makes a username unique: its NFKC and case folded form.
// Two names that most people could not tell apart by their letters' case, width
// or ligatures have one key. It refuses (ErrInvalid) an @, which is for mail
// addresses, characters that nobody sees, and names without or with more than 64
// characters.
func UsernameKey(s string) (string, error) {
	key, err := nameKey(s)
	if err != nil {
		return "", err
	}
	if strings.Contains(key, "@") {
		return "", invalid("a username holds no @")
	}
	return key, nil
}

// GroupKey is UsernameKey for the names of groups, which may hold an @.
func GroupKey(s string) (string, error) { return nameKey(s) }

func nameKey(s string) (string, error) {
	// A folded rune comes of at most four bytes' worth of input many times over;
	// this bound only keeps the work small.
	if len(s) > 8*maxNameRunes {
		return "", invalid("a name has at most %d characters", maxNameRunes)
	}
	key, err := fold(s)
	if err != nil {
		return "", err
	}
	n := utf8.RuneCountInString(key)
	switch {
	case n == 0:
		return "", invalid("a name has at least one character")
	case n > maxNameRunes:
		return "", invalid("a name has at most %d characters", maxNameRunes)
	case strings.TrimSpace(key) != key || strings.TrimSpace(s) != s:
		return "", invalid("a name neither begins nor ends with a space")
	case strings.Contains(key, "  "):
		return "", invalid("a name holds no two spaces in a row")
	}
	first, _ := utf8.DecodeRuneInString(key)
	if unicode.Is(unicode.M, first) {
		return "", invalid("a name does not begin with a combining mark")
	}
	return key, nil
}

// fold brings s to NFKC and folds its case until both agree (Unicode §3.13, R5),
// and refuses what cannot be seen before and after.
func fold(s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", invalid("not UTF-8")
	}
	if err := visible(s); err != nil {
		return "", err
	}
	folder := cases.Fold()
	key := norm.NFKC.String(s)
	for range 4 {
		next := norm.NFKC.String(folder.String(key))
		if next == key {
			return key, visible(key)
		}
		key = next
	}
	return "", invalid("a name that has no stable form")
}

// visible refuses control characters, characters without a shape of their own
// (zero width, direction marks, variation selectors, fillers), private and
// unpaired ones, and every space but U+0020 or what NFKC makes of it.
func visible(s string) error {
	for _, r := range s {
		switch {
		case r == ' ', r == 0xA0, unicode.Is(unicode.Zs, r):
			// NFKC turns most of them into U+0020; what is left is refused there.
			if r != ' ' && norm.NFKC.String(string(r)) != " " {
				return invalid("holds the space character %U", r)
			}
		case unicode.Is(unicode.C, r), unicode.Is(unicode.Zl, r), unicode.Is(unicode.Zp, r),
			unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r),
			unicode.Is(unicode.Variation_Selector, r), r == unicode.ReplacementChar:
			return invalid("holds the invisible or reserved character %U", r)
		}
	}
	return nil
}

// EmailKey returns what makes a mail address unique: folded local part, and the
// domain in ASCII and lower case. It takes exactly one bare address of RFC 5322
// without quotes, comments and address literals, so that nothing of it can become
// another header or another recipient of a mail.
func EmailKey(s string) (string, error) {
	if len(s) > maxEmailBytes {
		return "", invalid("a mail address has at most %d bytes", maxEmailBytes)
	}
	if strings.ContainsAny(s, " \t\r\n\x00\"(),:;<>[]\\") || strings.Count(s, "@") != 1 {
		return "", invalid("not one plain mail address")
	}
	parsed, err := mail.ParseAddress(s)
	if err != nil || parsed.Name != "" || parsed.Address != s {
		return "", invalid("not one plain mail address")
	}
	local, domain, _ := strings.Cut(s, "@")
	local, err = fold(local)
	if err != nil {
		return "", err
	}
	domain, err = idna.Lookup.ToASCII(domain)
	if err != nil || domain == "" || strings.HasSuffix(domain, ".") {
		return "", invalid("not a mail domain")
	}
	key := local + "@" + strings.ToLower(domain)
	if len(local) > maxLocalBytes || len(key) > maxEmailBytes || strings.ContainsAny(local, " @\"(),:;<>[]\\") {
		// Folding may lengthen, and NFKC may bring forth what was refused above.
		return "", invalid("not one plain mail address")
	}
	return key, nil
}

// isProtocolScope reports whether a scope is one of OpenID Connect's or our own
// that no permission may be called.
func isProtocolScope(s string) bool {
	switch s {
	case "openid", "profile", "email", "address", "phone", "offline_access", "groups":
		return true
	}
	return false
}

// ValidatePermissionName checks the name of a permission, which is a scope too:
// up to 64 characters of a-z 0-9 : _ . -, and none of the protocol's own scopes.
func ValidatePermissionName(name string) error {
	if isProtocolScope(name) {
		return invalid("permission %q: the name is a scope of the protocol", name)
	}
	if len(name) == 0 || len(name) > 64 {
		return invalid("permission name: 1 to 64 characters")
	}
	for i := range len(name) {
		c := name[i]
		letter := 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
		if !letter && (i == 0 || !strings.ContainsRune(":_.-", rune(c))) {
			return invalid("permission %q: only a-z 0-9 and, not first, : _ . -", name)
		}
	}
	return nil
}

// label checks a text that people will read: not empty, short, without anything
// that could hide or redirect the rest of the page's text.
func label(what, s string, limit int) error {
	if strings.TrimSpace(s) == "" || utf8.RuneCountInString(s) > limit {
		return invalid("%s: 1 to %d characters", what, limit)
	}
	if !utf8.ValidString(s) {
		return invalid("%s: not UTF-8", what)
	}
	if err := visible(s); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
