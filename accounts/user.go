package accounts

import (
	"context"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// User is a person who can sign in.
type User struct {
	ID            id.ID
	Subject       string // sub: random for users made here, kept for imported ones; at most 255 characters
	Username      string // as typed; holds no @
	UsernameKey   string // NFKC and case folded; unique
	Email         string
	EmailKey      string // folded; unique among verified addresses
	EmailVerified bool
	PasswordHash  string // PHC string, empty without a password
	Name          string
	Profile       Profile
	Staff         bool
	Superuser     bool
	Demo          bool  // made by `gatehouse dev`
	BannedAt      int64 // Unix milliseconds, zero when not banned
	ValidFrom     int64 // ledger position; what was decided before it is dead (L2)
	CreatedAt     int64
	UpdatedAt     int64
	LastSignInAt  int64

	// RequiredActions are what operators ask of the person before anything else; what
	// the policy asks of everybody is not among them (SignInPolicy.Required).
	RequiredActions   []Action
	TermsVersion      string // that they have accepted, empty for none
	TermsAcceptedAt   int64
	PasswordChangedAt int64
	DeleteAt          int64 // when the account is deleted unless its person comes back; zero: it is not
}

// Profile holds the standard claims beyond name and mail (OpenID Connect Core
// §5.1). Empty members are not released.
type Profile struct {
	GivenName     string   `json:"given_name,omitempty"`
	FamilyName    string   `json:"family_name,omitempty"`
	MiddleName    string   `json:"middle_name,omitempty"`
	Nickname      string   `json:"nickname,omitempty"`
	ProfileURL    string   `json:"profile,omitempty"`
	Picture       string   `json:"picture,omitempty"`
	Website       string   `json:"website,omitempty"`
	Gender        string   `json:"gender,omitempty"`
	Birthdate     string   `json:"birthdate,omitempty"`
	Zoneinfo      string   `json:"zoneinfo,omitempty"`
	Locale        string   `json:"locale,omitempty"`
	PhoneNumber   string   `json:"phone_number,omitempty"`
	PhoneVerified bool     `json:"phone_number_verified,omitempty"`
	Address       *Address `json:"address,omitempty"`
}

// Address is the address claim (OpenID Connect Core §5.1.1).
type Address struct {
	Formatted     string `json:"formatted,omitempty"`
	StreetAddress string `json:"street_address,omitempty"`
	Locality      string `json:"locality,omitempty"`
	Region        string `json:"region,omitempty"`
	PostalCode    string `json:"postal_code,omitempty"`
	Country       string `json:"country,omitempty"`
}

// Active reports whether the user may sign in and hold tokens.
func (u *User) Active() bool { return u.BannedAt == 0 }

// UserStore keeps users.
type UserStore interface {
	// InsertUser returns ErrConflict when the username, the sub or the verified
	// address is taken, or the sub is a client's id.
	InsertUser(ctx context.Context, u *User) error
	// UserByLogin finds a user by UsernameKey, or by verified EmailKey when the
	// login holds an @, together with the ledger's position in the same
	// snapshot: the rev of a session whose proof is this row's password (L2).
	UserByLogin(ctx context.Context, key string) (u *User, position int64, err error)
	// UserBySubject finds a user by sub.
	UserBySubject(ctx context.Context, sub string) (*User, error)
	// LockUser is UserBySubject that also locks the row for the transaction in
	// ctx; the first statement of every change of a user (L22).
	LockUser(ctx context.Context, sub string) (*User, error)
	// UpdateUser writes every column but ValidFrom (the ledger writes that).
	UpdateUser(ctx context.Context, u *User) error
	// DeleteUser removes the user and what belongs to them alone.
	DeleteUser(ctx context.Context, userID id.ID) error
}

// UserLister pages through users for operators.
type UserLister interface {
	// ListUsers returns users in the order of their username keys, after the
	// given key.
	ListUsers(ctx context.Context, after string, limit int) ([]User, error)
	// ReadySuperusers returns the superusers who can sign in, and locks their rows
	// until the transaction in ctx ends: those who are neither banned nor about to be
	// deleted, and have a password, a passkey or a proven address.
	ReadySuperusers(ctx context.Context) ([]id.ID, error)
}
