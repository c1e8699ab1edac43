package accounts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// ErrLastSuperuser refuses what would leave no superuser who can sign in.
var ErrLastSuperuser = errors.New("the last active superuser")

// Users makes, changes and ends the accounts of people. Users are named by sub.
type Users struct {
	Journal
	Store    UserStore
	Lister   UserLister
	Sessions SessionStore
	Grants   GrantStore
	Hasher   *Hasher
	Policy   PasswordPolicy
	// Settings say who can make an account, and replace what Policy says of lengths and
	// names.
	Settings SettingsSource
	// SecurityURL is the link in the mails about passwords; empty leaves it out.
	SecurityURL string
}

// NewUser is what an account is made of.
type NewUser struct {
	Username      string
	Email         string // empty without
	EmailVerified bool
	Name          string
	Profile       Profile
	Password      secret.Text // empty: the account cannot be signed in to by password
	// AnyPassword skips the policy; for demonstration accounts.
	AnyPassword bool
	// PasswordHash is an argon2id PHC string from an import, instead of Password.
	PasswordHash string
	// Subject is kept from an import; empty means a random one.
	Subject   string
	Staff     bool
	Superuser bool
	Demo      bool
}

// Create makes an account. Errors: ErrInvalid, *ProfileError, *WeakPassword,
// ErrConflict, ErrBusy.
func (s *Users) Create(ctx context.Context, actor audit.Actor, n NewUser) (*User, error) {
	u, err := s.build(n)
	if err != nil {
		return nil, err
	}
	if n.Password != "" {
		// Before the transaction: hashing takes longer than all of it.
		u.PasswordHash, err = s.hashNew(ctx, n.Password, n.AnyPassword, u)
		if err != nil {
			return nil, err
		}
	}
	err = s.record(ctx, actor, func(ctx context.Context, now int64) (*effect, error) {
		u.CreatedAt, u.UpdatedAt = now, now
		if err := s.Store.InsertUser(ctx, u); err != nil {
			return nil, fmt.Errorf("insert user %q: %w", u.Username, err)
		}
		e := userEffect("user.create", u, map[string]any{
			"username": u.Username, "staff": u.Staff, "superuser": u.Superuser,
		})
		return e.changed(nil, userValues(u)), nil
	})
	if err != nil {
		return nil, err
	}
	return u, nil
}

func (s *Users) build(n NewUser) (*User, error) {
	u := &User{
		ID: id.New(), Subject: n.Subject, Username: n.Username, Email: n.Email, EmailVerified: n.EmailVerified,
		Staff: n.Staff, Superuser: n.Superuser, Demo: n.Demo, PasswordHash: n.PasswordHash,
	}
	var err error
	if u.UsernameKey, err = UsernameKey(n.Username); err != nil {
		return nil, fmt.Errorf("username: %w", err)
	}
	if n.Email != "" {
		if u.EmailKey, err = EmailKey(n.Email); err != nil {
			return nil, fmt.Errorf("mail address: %w", err)
		}
	} else if n.EmailVerified {
		return nil, invalid("a verified mail address that is empty")
	}
	p, err := Person{Name: n.Name, Profile: n.Profile}.brought(s.Now())
	if err != nil {
		return nil, err
	}
	u.Name, u.Profile = p.Name, p.Profile
	if n.PasswordHash != "" {
		if _, err := parsePHC(n.PasswordHash); err != nil {
			return nil, fmt.Errorf("%w: password hash: %w", ErrInvalid, err)
		}
	}
	if n.Subject == "" {
		u.Subject = newSubject()
	}
	// OpenID Connect Core §2: at most 255 ASCII characters.
	if len(u.Subject) > 255 || strings.ContainsFunc(u.Subject, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return nil, invalid("sub: at most 255 printable ASCII characters without spaces")
	}
	return u, nil
}

func (s *Users) hashNew(ctx context.Context, password secret.Text, unchecked bool, u *User) (string, error) {
	if !unchecked {
		err := s.policy(ctx).Accept(ctx, password, u.Username, u.Email, u.Name, u.Profile.GivenName, u.Profile.FamilyName)
		if err != nil {
			return "", err
		}
	}
	return s.Hasher.Hash(ctx, password)
}

// policy is what a new password must meet now.
func (s *Users) policy(ctx context.Context) PasswordPolicy {
	p, now := s.Policy, CurrentSettings(ctx, s.Settings)
	p.MinLength = cmp.Or(now.PasswordMinLength, p.MinLength)
	p.Brand = cmp.Or(now.Brand, p.Brand)
	return p
}

// Find returns the user whom an operator means by a username, a verified mail
// address or a sub, in this order. Errors: ErrNotFound.
func (s *Users) Find(ctx context.Context, name string) (*User, error) {
	if key, err := loginKey(name); err == nil {
		u, _, err := s.Store.UserByLogin(ctx, key)
		if !errors.Is(err, ErrNotFound) {
			return u, err
		}
	}
	return s.Store.UserBySubject(ctx, name)
}

// SetPassword gives a user another password, by an operator or after a reset: who
// had the account is out. Errors: ErrNotFound, *WeakPassword, ErrBusy.
func (s *Users) SetPassword(ctx context.Context, actor audit.Actor, subject string, password secret.Text) error {
	u, err := s.Store.UserBySubject(ctx, subject)
	if err != nil {
		return fmt.Errorf("find user: %w", err)
	}
	hash, err := s.hashNew(ctx, password, false, u)
	if err != nil {
		return err
	}
	return s.change(ctx, actor, subject, func(ctx context.Context, u *User, now int64) (*effect, error) {
		u.PasswordHash, u.PasswordChangedAt = hash, now
		e, err := s.die(ctx, "user.password.reset", u, now, reasonPasswordReset)
		if err == nil {
			e.mails = s.aboutPassword(u, now)
		}
		return e, err
	})
}

// aboutPassword tells a person that their password is another one now.
func (s *Users) aboutPassword(u *User, now int64) []Mail {
	if !u.EmailVerified {
		return nil
	}
	data := map[string]string{MailDataWhen: until(now), MailDataZone: u.Profile.Zoneinfo}
	if s.SecurityURL != "" {
		data[MailDataLink] = s.SecurityURL
	}
	return []Mail{{Kind: MailPasswordChanged, To: u.Email, Language: languageOf(u, ""), Data: greeting(u, data)}}
}

// ChangePassword gives a user another password by their own wish, proven by the
// present one. The browser that asks stays signed in; all others are signed out,
// with the grants that are bound to them. Errors: ErrCredentials if the proof no
// longer holds, ErrBanned, *WeakPassword, ErrBusy.
//
// The user's valid_from stays: it would also kill the grants that outlive their
// session and those of the session that is kept. A sign-in that is under way with
// the old password fails in Sessions.Start, which compares the hash it was
// proven by under the lock that is held here.
func (s *Users) ChangePassword(ctx context.Context, actor audit.Actor, proof *Result, password secret.Text, keep id.ID) error {
	hash, err := s.hashNew(ctx, password, false, proof.User)
	if err != nil {
		return err
	}
	same, _, err := s.Hasher.Verify(ctx, proof.User.PasswordHash, password)
	if errors.Is(err, ErrBusy) {
		return err
	}
	if same { // whoever was asked to choose another one has not
		return &WeakPassword{Reason: PasswordSame}
	}
	return s.change(ctx, actor, proof.User.Subject, func(ctx context.Context, u *User, now int64) (*effect, error) {
		if err := proof.holds(u); err != nil {
			return nil, err
		}
		u.PasswordHash, u.PasswordChangedAt = hash, now
		u.Did(ActionChangePassword)
		e := userEffect("user.password.change", u, nil)
		e.signals = []Signal{{Kind: SignalPasswordChanged, Subject: u.Subject, At: now, Own: true}}
		e.mails = s.aboutPassword(u, now)
		f := SessionFilter{UserID: u.ID, Except: keep}
		e.rows, err = endSessions(ctx, s.Sessions, s.Grants, f, now, reasonPasswordChange)
		return e, err
	})
}

// SetStaff lets a user enter the console, or no longer.
func (s *Users) SetStaff(ctx context.Context, actor audit.Actor, subject string, staff bool) error {
	return s.change(ctx, actor, subject, func(_ context.Context, u *User, _ int64) (*effect, error) {
		if u.Staff == staff {
			return nil, nil
		}
		u.Staff = staff
		return flagEffect("user.staff", u, staff, reasonStaffRemoved), nil
	})
}

// SetSuperuser gives a user every permission, or takes that away. Errors:
// ErrLastSuperuser.
func (s *Users) SetSuperuser(ctx context.Context, actor audit.Actor, subject string, superuser bool) error {
	return s.change(ctx, actor, subject, func(ctx context.Context, u *User, _ int64) (*effect, error) {
		if u.Superuser == superuser {
			return nil, nil
		}
		if err := s.SpareLast(ctx, u); err != nil {
			return nil, err
		}
		u.Superuser = superuser
		return flagEffect("user.superuser", u, superuser, reasonSuperuserRemoved), nil
	})
}

// flagEffect writes a row only if the flag was taken away: what only gives shows
// at the next refresh.
func flagEffect(action string, u *User, given bool, reason string) *effect {
	e := userEffect(action+".grant", u, nil)
	if !given {
		e.action = action + ".revoke"
		e.rows = []revocation.Entry{{Kind: revocation.Membership, Key: u.Subject, Reason: reason}}
	}
	return e
}

// change locks a user, lets f change them, and writes them back if f had an
// effect.
func (s *Users) change(ctx context.Context, actor audit.Actor, subject string, f func(ctx context.Context, u *User, now int64) (*effect, error)) error {
	return s.record(ctx, actor, func(ctx context.Context, now int64) (*effect, error) {
		u, err := s.Store.LockUser(ctx, subject)
		if err != nil {
			return nil, fmt.Errorf("lock user: %w", err)
		}
		before := userValues(u)
		e, err := f(ctx, u, now)
		if err != nil || e == nil {
			return nil, err
		}
		u.UpdatedAt = now
		if err := s.Store.UpdateUser(ctx, u); err != nil {
			return nil, fmt.Errorf("update user: %w", err)
		}
		return e.changed(before, userValues(u)), nil
	})
}

// SpareLast refuses with ErrLastSuperuser unless there is another superuser than u who
// can sign in. Whoever has planned to leave can still come back, and counts as u, but
// not as the other one.
func (s *Users) SpareLast(ctx context.Context, u *User) error {
	if !u.Superuser || !u.Active() {
		return nil
	}
	ready, err := s.Lister.ReadySuperusers(ctx)
	if err != nil {
		return fmt.Errorf("other superusers: %w", err)
	}
	if !slices.ContainsFunc(ready, func(other id.ID) bool { return other != u.ID }) {
		return ErrLastSuperuser
	}
	return nil
}

func userEffect(action string, u *User, details map[string]any) *effect {
	return &effect{action: action, kind: "user", target: u.Subject, details: details}
}
