package accounts

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// Profiles lets people change what apps are told of them. A change shows in the
// next userinfo answer and ID token; nothing of it is in an access token.
type Profiles struct {
	Journal
	Users    UserStore
	Pictures PictureStore
	// PictureURL returns the address at which a picture is served.
	PictureURL func(name string) string
	// Portraits makes what people send into pictures.
	Portraits *Portraits
	// What bounds how many pictures one account sends.
	Limiter Limiter
	Keys    *secret.Keyring
	Logger  *slog.Logger
}

// Person is what a person says of themselves: the standard claims of OpenID
// Connect Core §5.1 but those that are proven otherwise (mail address) or kept with
// the picture.
type Person struct {
	Name string
	Profile
}

// Change replaces what a person says of themselves, but their picture. A phone
// number that is another one is not verified any more. Errors: *ProfileError,
// ErrNotFound.
func (s *Profiles) Change(ctx context.Context, actor audit.Actor, subject string, p Person) error {
	p, err := p.checked(s.Now())
	if err != nil {
		return err
	}
	return s.change(ctx, actor, subject, func(u *User) (*effect, error) {
		next := p.Profile
		next.Picture = u.Profile.Picture
		next.PhoneVerified = u.Profile.PhoneVerified && next.PhoneNumber == u.Profile.PhoneNumber
		if AddressParts(next.Address) == AddressParts(u.Profile.Address) {
			next.Address = u.Profile.Address // an import may have formatted it otherwise
		}
		changed := changedClaims(u.Name, &u.Profile, p.Name, &next)
		if len(changed) == 0 {
			return nil, nil
		}
		u.Name, u.Profile = p.Name, next
		return userEffect("user.profile.change", u, map[string]any{"claims": changed}), nil
	})
}

// SetLocale keeps the language that somebody chose for these pages, a BCP 47 tag.
// Errors: *ProfileError, ErrNotFound.
func (s *Profiles) SetLocale(ctx context.Context, actor audit.Actor, subject, locale string) error {
	p, err := Person{Profile: Profile{Locale: locale}}.checked(s.Now())
	if err != nil {
		return err
	}
	return s.change(ctx, actor, subject, func(u *User) (*effect, error) {
		if u.Profile.Locale == p.Locale {
			return nil, nil
		}
		u.Profile.Locale = p.Locale
		return userEffect("user.profile.change", u, map[string]any{"claims": []string{"locale"}}), nil
	})
}

// change locks a user, lets f change them, and writes them back if f had an effect.
func (s *Profiles) change(ctx context.Context, actor audit.Actor, subject string, f func(u *User) (*effect, error)) error {
	return s.record(ctx, actor, func(ctx context.Context, now int64) (*effect, error) {
		u, err := s.Users.LockUser(ctx, subject)
		if err != nil {
			return nil, fmt.Errorf("lock user: %w", err)
		}
		before := userValues(u)
		e, err := f(u)
		if err != nil || e == nil {
			return nil, err
		}
		u.UpdatedAt = now
		if err := s.Users.UpdateUser(ctx, u); err != nil {
			return nil, fmt.Errorf("update user: %w", err)
		}
		return e.changed(before, userValues(u)), nil
	})
}

// changedClaims names the claims that differ.
func changedClaims(oldName string, old *Profile, newName string, next *Profile) []string {
	var names []string
	for _, c := range []struct{ name, before, after string }{
		{"name", oldName, newName},
		{"given_name", old.GivenName, next.GivenName},
		{"family_name", old.FamilyName, next.FamilyName},
		{"middle_name", old.MiddleName, next.MiddleName},
		{"nickname", old.Nickname, next.Nickname},
		{"profile", old.ProfileURL, next.ProfileURL},
		{"website", old.Website, next.Website},
		{"gender", old.Gender, next.Gender},
		{"birthdate", old.Birthdate, next.Birthdate},
		{"zoneinfo", old.Zoneinfo, next.Zoneinfo},
		{"locale", old.Locale, next.Locale},
		{"phone_number", old.PhoneNumber, next.PhoneNumber},
	} {
		if c.before != c.after {
			names = append(names, c.name)
		}
	}
	if AddressParts(old.Address) != AddressParts(next.Address) {
		names = append(names, "address")
	}
	return names
}
