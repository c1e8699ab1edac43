package accounts

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/gatehouse-id/gatehouse/internal/secret"
)

const (
	keySetup    = "setup"
	setupPrefix = "gh_setup_"
)

// SetupStore keeps whether the first user is still to be made.
type SetupStore interface {
	// HasUsers reports whether there is any user.
	HasUsers(ctx context.Context) (bool, error)
	// BeginSetup keeps the value unless there is one, and returns the one that is
	// kept.
	BeginSetup(ctx context.Context, value string) (kept string, err error)
	// Setup returns the value that is kept, or ErrNotFound.
	Setup(ctx context.Context) (string, error)
	// EndSetup removes the value in one statement, if it is the one given and there
	// is no user; else ErrNotFound. Of all who try, one wins.
	EndSetup(ctx context.Context, value string) error
}

// Setup makes the first superuser of a new deployment, for whoever reads its log:
// `serve` prints a token there. All nodes print the same one, and so does a node that
// starts again. Kept is a random value from which it follows under the secret, as a
// hash would be; the token itself is nowhere.
type Setup struct {
	Users *Users
	Store SetupStore
	Keys  *secret.Keyring

	done atomic.Bool // there is a user, and so there is nothing to set up ever again
}

// Open reports whether there is no user yet.
func (s *Setup) Open(ctx context.Context) (bool, error) {
	if s.done.Load() {
		return false, nil
	}
	has, err := s.Store.HasUsers(ctx)
	if err != nil {
		return false, fmt.Errorf("look for users: %w", err)
	}
	if has {
		s.done.Store(true)
	}
	return !has, nil
}

// Token returns the token to print, or nothing if there is a user.
func (s *Setup) Token(ctx context.Context) (secret.Text, error) {
	open, err := s.Open(ctx)
	if err != nil || !open {
		return "", err
	}
	value, err := s.Store.BeginSetup(ctx, base64.RawURLEncoding.EncodeToString(secret.Random(32)))
	if err != nil {
		return "", fmt.Errorf("begin setup: %w", err)
	}
	return s.tokenOf(value), nil
}

func (s *Setup) tokenOf(value string) secret.Text {
	return secret.Text(setupPrefix + base64.RawURLEncoding.EncodeToString(s.Keys.Derive(keySetup, []byte(value))))
}

// FirstUser is what the first superuser is made of.
type FirstUser struct {
	Username string
	Email    string // may be empty
	Name     string // may be empty
	Password secret.Text
}

// Make makes the first user, a superuser, if the token is the one in the log. Of two
// who try, one wins; as soon as there is a user, nobody does. Errors: ErrClosed,
// ErrCredentials (the token), *BadField, ErrBusy.
func (s *Setup) Make(ctx context.Context, token secret.Text, n FirstUser) (*Entry, error) {
	value, err := s.valueOf(ctx, token)
	if err != nil {
		return nil, err
	}
	username, email, name := strings.TrimSpace(n.Username), strings.TrimSpace(n.Email), strings.TrimSpace(n.Name)
	u, err := s.checked(username, email, name)
	if err != nil {
		return nil, err
	}
	hash, err := s.Users.hashNew(ctx, n.Password, false, u)
	if err != nil {
		return nil, inField("new_password", err)
	}
	made := NewUser{
		Username: username, Email: email, Name: name, PasswordHash: hash, Staff: true, Superuser: true,
		Subject: newSubject(),
	}
	err = s.Users.Tx.InTx(ctx, func(ctx context.Context) error {
		if err := s.Store.EndSetup(ctx, value); err != nil {
			return err
		}
		_, err := s.Users.Create(ctx, actorOf(&User{Subject: made.Subject, Username: username}), made)
		return err
	})
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrConflict) {
		return nil, ErrClosed
	}
	if err != nil {
		return nil, err
	}
	s.done.Store(true)
	u, position, err := s.Users.Store.UserByLogin(ctx, u.UsernameKey)
	if err != nil {
		return nil, fmt.Errorf("find the first user: %w", err)
	}
	return &Entry{User: u, Position: position}, nil
}

// checked is the first user, if the names can be names.
func (s *Setup) checked(username, email, name string) (*User, error) {
	if email != "" {
		return s.Users.named(username, email, name)
	}
	u, err := s.Users.named(username, "nobody@localhost", name)
	if u != nil {
		u.Email, u.EmailKey = "", ""
	}
	return u, err
}

// valueOf is the kept value, if the token follows from it.
func (s *Setup) valueOf(ctx context.Context, token secret.Text) (string, error) {
	open, err := s.Open(ctx)
	if err != nil {
		return "", err
	}
	if !open {
		return "", ErrClosed
	}
	value, err := s.Store.Setup(ctx)
	if errors.Is(err, ErrNotFound) {
		return "", ErrClosed
	}
	if err != nil {
		return "", fmt.Errorf("read setup: %w", err)
	}
	if !sameText(s.tokenOf(value).Reveal(), strings.TrimSpace(token.Reveal())) {
		return "", ErrCredentials
	}
	return value, nil
}

// sameText compares two secrets in constant time.
func sameText(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
