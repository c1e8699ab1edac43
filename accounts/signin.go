package accounts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

var (
	// ErrCredentials is the one answer to an unknown user, a wrong password, and
	// a banned user whose password is wrong: strangers learn nothing from it.
	ErrCredentials = errors.New("wrong username or password")
	// ErrBanned is returned when the password was right and the account is
	// banned: only its owner learns of it.
	ErrBanned = errors.New("the account is blocked")
)

// Authenticator checks who somebody is by username or mail address and password.
type Authenticator struct {
	Journal
	Users   UserStore
	Hasher  *Hasher
	Limiter Limiter
	Keys    *secret.Keyring
	Logger  *slog.Logger
}

// Attempt is one try to sign in.
type Attempt struct {
	Login    string // a username, or a verified mail address
	Password secret.Text
	Address  string // bucket of the client's address: IPv4, or the /64 of an IPv6
	Known    string // value of the known-browser cookie, empty without
}

// Result proves that somebody is who they say. It is good for one Sessions.Start
// or Users.ChangePassword right after.
type Result struct {
	User *User
	// Position is where the ledger stood when the password's hash was read: what
	// happens to the user after it outlives this proof (L2).
	Position int64
	Known    string   // new value for the known-browser cookie
	AMR      []string // RFC 8176
	ACR      string
	newHash  string // under today's parameters, if the stored one is not
}

// Authenticate checks an attempt. Each one that is not throttled costs exactly
// one argon2 run and one audit event, whether the user exists or not. All
// spellings of one account's names share their buckets. Errors: ErrCredentials,
// ErrBanned, *Throttled, ErrBusy.
func (a *Authenticator) Authenticate(ctx context.Context, at Attempt) (*Result, error) {
	u, position, account, err := a.find(ctx, at.Login)
	if err != nil {
		return nil, err
	}
	browser, hash := "", ""
	if u != nil {
		browser, hash = knownBrowserOf(a.Keys, u.Subject, at.Known), u.PasswordHash
	}
	limits := throttle{a.Limiter, a.Keys, a.Logger}
	paid, err := limits.pay(ctx, account, at.Address, browser)
	if err != nil {
		return nil, err
	}
	ok, rehash, err := a.Hasher.Verify(ctx, hash, at.Password)
	switch {
	case errors.Is(err, errPHC):
		a.Logger.ErrorContext(ctx, "stored password hash cannot be read", "sub", u.Subject)
	case err != nil:
		limits.giveBack(ctx, paid) // no password was checked
		return nil, err
	}
	if !ok {
		return nil, a.refuse(ctx, u, ErrCredentials, "credentials")
	}
	if !u.Active() {
		return nil, a.refuse(ctx, u, ErrBanned, "banned")
	}
	limits.forgive(ctx, paid)
	r := &Result{User: u, Position: position, Known: at.Known, AMR: []string{"pwd"}, ACR: ACRPassword}
	if browser == "" {
		r.Known = knownValue(a.Keys, u.Subject)
	}
	if rehash {
		r.newHash, err = a.Hasher.Hash(ctx, at.Password)
		if err != nil { // the next sign-in will do it
			a.Logger.WarnContext(ctx, "password hash not renewed", "sub", u.Subject, "error", err)
		}
	}
	return r, nil
}

// find returns the user of a login, nil if there is none, and the name by which
// attempts at the account are counted.
func (a *Authenticator) find(ctx context.Context, login string) (u *User, position int64, account string, err error) {
	key, err := loginKey(login)
	if err != nil {
		return nil, 0, "nobody", nil // what cannot be a login is nobody's
	}
	u, position, err = a.Users.UserByLogin(ctx, key)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, 0, "login:" + key, nil
	case err != nil:
		return nil, 0, "", fmt.Errorf("find user to sign in: %w", err)
	}
	return u, position, "sub:" + u.Subject, nil
}

// loginKey folds what somebody typed into the field for their name.
func loginKey(login string) (string, error) {
	login = strings.TrimSpace(login)
	if strings.Contains(login, "@") {
		return EmailKey(login)
	}
	return UsernameKey(login)
}

// refuse records a failed attempt and returns the answer to it. Nothing of what
// was typed is recorded: people type passwords into the field for the name. An
// attempt at nobody's account is recorded too, or the time of the write would
// tell strangers who exists.
func (a *Authenticator) refuse(ctx context.Context, u *User, answer error, cause string) error {
	target := ""
	if u != nil {
		target = u.Subject
	}
	err := a.record(ctx, audit.Actor{Kind: audit.System, ID: "sign-in"}, func(context.Context, int64) (*effect, error) {
		return &effect{action: "user.sign_in.refuse", kind: "user", target: target, details: map[string]any{"cause": cause}}, nil
	})
	if err != nil {
		return fmt.Errorf("record refused sign-in: %w", err)
	}
	return answer
}
