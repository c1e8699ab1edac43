package accounts

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-id/gatehouse/internal/audit"
)

// Amendment is what an operator may change about somebody by hand.
type Amendment struct {
	Username      string
	Email         string // empty without
	EmailVerified bool   // the operator knows that the address is theirs
	Person
}

// AmendmentOf is how things stand.
func AmendmentOf(u *User) Amendment {
	return Amendment{Username: u.Username, Email: u.Email, EmailVerified: u.EmailVerified, Person: Person{Name: u.Name, Profile: u.Profile}}
}

// Amend lets f change an account, which is locked meanwhile; f gets the user to look
// at, and an error of f leaves all as it is. The picture stays. Nothing ends: whoever
// fears that somebody else has the account sets a password or signs it out as well. An
// address that was proven and is another one now, or none, is told of it.
// Errors: ErrNotFound, ErrConflict when the name or the address is taken, *BadField
// with ErrInvalid, *ProfileError, and those of f.
func (s *Users) Amend(ctx context.Context, actor audit.Actor, subject string, f func(u *User, a *Amendment) error) error {
	return s.change(ctx, actor, subject, func(_ context.Context, u *User, now int64) (*effect, error) {
		a := AmendmentOf(u)
		if err := f(u, &a); err != nil {
			return nil, err
		}
		before := *u
		changed, err := s.amend(u, a)
		if err != nil || len(changed) == 0 {
			return nil, err
		}
		e := userEffect("user.update", u, map[string]any{"changed": changed})
		if u.EmailKey != before.EmailKey {
			e.mails = mailTo(&before, MailAddressReplaced, map[string]string{MailDataWhen: until(now), MailDataZone: before.Profile.Zoneinfo})
		}
		return e, nil
	})
}

// amend applies what has changed, and only that is checked: an import may have brought
// what nobody could enter today.
func (s *Users) amend(u *User, a Amendment) (changed []string, err error) {
	if a.Username != u.Username {
		if u.UsernameKey, err = UsernameKey(a.Username); err != nil {
			return nil, &BadField{Field: "username", Err: err}
		}
		u.Username, changed = a.Username, append(changed, "username")
	}
	if a.Email != u.Email {
		key := ""
		if a.Email != "" {
			if key, err = EmailKey(a.Email); err != nil {
				return nil, &BadField{Field: "email", Err: err}
			}
		}
		u.Email, u.EmailKey, changed = a.Email, key, append(changed, "email")
	}
	if a.EmailVerified && a.Email == "" {
		return nil, &BadField{Field: "email_verified", Err: invalid("a verified mail address that is empty")}
	}
	if a.EmailVerified != u.EmailVerified {
		u.EmailVerified, changed = a.EmailVerified, append(changed, "email_verified")
	}
	if u.EmailVerified {
		u.Did(ActionVerifyEmail)
	}
	p := a.Profile
	p.Picture = u.Profile.Picture
	claims := changedClaims(u.Name, &u.Profile, a.Name, &p)
	if p.PhoneVerified != u.Profile.PhoneVerified {
		claims = append(claims, "phone_number_verified")
	}
	if len(claims) == 0 {
		return changed, nil
	}
	checked, err := Person{Name: a.Name, Profile: p}.checked(s.Now())
	if err != nil {
		return nil, err
	}
	checked.Picture = p.Picture
	checked.PhoneVerified = p.PhoneVerified && checked.PhoneNumber != ""
	u.Name, u.Profile = checked.Name, checked.Profile
	return append(changed, claims...), nil
}

// maxSearch bounds what is searched for, in bytes.
const maxSearch = 256

// SearchKeys are the beginnings to look for, of whatever an operator typed of
// somebody; empty where nothing can begin so.
type SearchKeys struct {
	Username string // beginning of a UsernameKey
	Email    string // beginning of an EmailKey
	// Names are the beginnings of a name whose A to Z, or all letters, are lower case:
	// databases differ in what they can do.
	Names []string
}

// SearchKeysOf returns what to look for.
func SearchKeysOf(text string) SearchKeys {
	text = strings.TrimSpace(text)
	var k SearchKeys
	if text == "" || len(text) > maxSearch || !utf8.ValidString(text) {
		return k
	}
	folded, err := fold(text)
	if err != nil {
		return k
	}
	if !strings.Contains(folded, "@") {
		k.Username = folded
	}
	if !strings.Contains(folded, " ") {
		k.Email = folded
	}
	lower := strings.ToLower(text)
	k.Names = []string{lower}
	first, size := utf8.DecodeRuneInString(lower)
	if title := strings.ToUpper(string(first)) + lower[size:]; first >= utf8.RuneSelf {
		k.Names = append(k.Names, title)
	}
	return k
}
