package accounts

import (
	"context"
	"fmt"
)

// Terms records that people have accepted the terms of use: those of the settings of
// Users.
type Terms struct{ Users *Users }

// Version is the one in force, empty for none.
func (s *Terms) Version(ctx context.Context) string {
	return CurrentSettings(ctx, s.Users.Settings).Policy.TermsVersion
}

// Accept records that a person has accepted a version, which is the one that they
// were shown. Errors: ErrNotFound, and ErrConflict if another version is in force by
// now.
func (s *Terms) Accept(ctx context.Context, u *User, version string) error {
	if version == "" || version != s.Version(ctx) {
		return fmt.Errorf("terms %q: %w", version, ErrConflict)
	}
	return s.Users.change(ctx, actorOf(u), u.Subject, func(_ context.Context, u *User, now int64) (*effect, error) {
		u.TermsVersion, u.TermsAcceptedAt = version, now
		u.Did(ActionAcceptTerms)
		return userEffect("user.terms.accept", u, map[string]any{"version": version}), nil
	})
}
