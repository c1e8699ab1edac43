package accounts

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// Invites lets operators invite people by mail, unless the settings of Users let
// nobody in (SignUpClosed).
type Invites struct {
	*Proofs
	Groups *Groups
}

func (s *Invites) closed(ctx context.Context) bool {
	mode := CurrentSettings(ctx, s.Users.Settings).SignUp
	return mode == SignUpClosed || mode == ""
}

// Invite mails a link by which somebody makes an account with this address, as a
// member of the groups, within a week; it also returns the link. A newer invitation
// to the address replaces this one. Errors: ErrClosed, *BadField (ErrConflict: the
// address has an account), ErrNotFound for a group.
func (s *Invites) Invite(ctx context.Context, actor audit.Actor, email string, groups []string, language string) (link string, err error) {
	if s.closed(ctx) {
		return "", ErrClosed
	}
	key, err := EmailKey(email)
	if err != nil {
		return "", &BadField{Field: "email", Err: err}
	}
	_, _, err = s.Users.Store.UserByLogin(ctx, key)
	if err == nil {
		return "", &BadField{Field: "email", Err: ErrConflict}
	}
	if !errors.Is(err, ErrNotFound) {
		return "", fmt.Errorf("find user of an address: %w", err)
	}
	for _, g := range groups {
		if _, err := s.Groups.Find(ctx, g); err != nil {
			return "", err
		}
	}
	o := order{
		purpose: ProofInvitation, email: email, emailKey: key, asker: Asker{Language: language}, life: lifeInvitation,
		data: proofData{Groups: groups, Inviter: actor},
	}
	m, err := s.issue(ctx, actor, "user.invite", o, func(m *made) Mail {
		data := map[string]string{MailDataLink: s.Links.token(PathInvitation, m.token), MailDataUntil: until(m.ExpiresAt)}
		if actor.Kind == audit.Person && actor.Name != "" {
			data[MailDataInviter] = actor.Name
		}
		return Mail{Kind: MailInvitation, To: email, Language: language, Data: data}
	})
	if err != nil {
		return "", err
	}
	return s.Links.token(PathInvitation, m.token), nil
}

// Look returns the address to which an invitation was sent. Errors: ErrProofVoid,
// ErrClosed.
func (s *Invites) Look(ctx context.Context, token string) (email string, err error) {
	h, err := s.byToken(ctx, ProofInvitation, token, "")
	if err != nil {
		return "", err
	}
	if s.closed(ctx) {
		return "", ErrClosed
	}
	return h.data.Email, nil
}

// Invited is what somebody chooses who was invited.
type Invited struct {
	Username string
	Name     string // may be empty
	Password secret.Text
	Asker    Asker
}

// Accept spends an invitation and makes the account, with its address proven, in
// those of its groups that are still there. Errors: ErrClosed, ErrProofVoid,
// *BadField, *Throttled, ErrBusy.
func (s *Invites) Accept(ctx context.Context, token string, n Invited) (*Entry, error) {
	h, err := s.byToken(ctx, ProofInvitation, token, n.Asker.Browser)
	if err != nil {
		return nil, err
	}
	if s.closed(ctx) {
		return nil, ErrClosed
	}
	u, err := s.Users.named(strings.TrimSpace(n.Username), h.data.Email, strings.TrimSpace(n.Name))
	if err != nil {
		return nil, err
	}
	// Each try tells whether a name is taken.
	if err := s.payName(ctx, n.Asker.Address); err != nil {
		return nil, err
	}
	hash, err := s.Users.hashNew(ctx, n.Password, false, u)
	if err != nil {
		return nil, inField("new_password", err)
	}
	made := NewUser{Username: u.Username, Email: u.Email, EmailVerified: true, Name: u.Name, PasswordHash: hash}
	return s.enter(ctx, h, made, func(ctx context.Context, u *User) error {
		for _, g := range h.data.Groups {
			err := s.Groups.AddMember(ctx, h.data.Inviter, g, u.Subject, 0)
			if err != nil && !errors.Is(err, ErrNotFound) {
				return fmt.Errorf("add to the group of an invitation: %w", err)
			}
		}
		return nil
	})
}
