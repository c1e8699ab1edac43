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
	// Inviters are asked about every invitation of a person or a client; nil: those
	// are void.
	Inviters Inviters
}

// Inviters tells whether whoever sent an invitation could send it now: in the week
// that it is good they may lose what it gives, and the groups may come to give more.
type Inviters interface {
	// MayInvite reports whether a person or a client could invite into the groups
	// now. Scope is what the token allowed by which they did; nil: there was none.
	MayInvite(ctx context.Context, inviter audit.Actor, scope, groups []string) (bool, error)
}

// Invitation is whom to invite.
type Invitation struct {
	Email    string
	Groups   []string
	Language string // of the mail, BCP 47
	// Scope is what the inviter's access token allows; nil: there is none.
	Scope []string
}

func (s *Invites) closed(ctx context.Context) bool {
	mode := CurrentSettings(ctx, s.Users.Settings).SignUp
	return mode == SignUpClosed || mode == ""
}

// Invite mails a link by which somebody makes an account with this address, as a
// member of the groups, within a week; it also returns the link. A newer invitation
// to the address replaces this one. Errors: ErrClosed, *BadField (ErrConflict: the
// address has an account), ErrNotFound for a group.
func (s *Invites) Invite(ctx context.Context, actor audit.Actor, n Invitation) (link string, err error) {
	if s.closed(ctx) {
		return "", ErrClosed
	}
	key, err := EmailKey(n.Email)
	if err != nil {
		return "", &BadField{Field: "email", Err: err}
	}
	subject, err := s.subjectFor(ctx, key)
	if err != nil {
		return "", err
	}
	_, _, err = s.Users.Store.UserByLogin(ctx, key)
	if err == nil {
		return "", &BadField{Field: "email", Err: ErrConflict}
	}
	if !errors.Is(err, ErrNotFound) {
		return "", fmt.Errorf("find user of an address: %w", err)
	}
	told := map[string]any{"email": n.Email}
	if told["groups"], err = s.promised(ctx, n.Groups); err != nil {
		return "", err
	}
	o := order{
		purpose: ProofInvitation, email: n.Email, emailKey: key, asker: Asker{Language: n.Language}, life: lifeInvitation,
		data: proofData{Subject: subject, Groups: n.Groups, Inviter: actor, Scope: n.Scope}, told: told,
	}
	m, err := s.issue(ctx, actor, "user.invite", o, func(m *made) Mail {
		data := map[string]string{MailDataLink: s.Links.token(PathInvitation, m.token), MailDataUntil: until(m.ExpiresAt)}
		if actor.Kind == audit.Person && actor.Name != "" {
			data[MailDataInviter] = actor.Name
		}
		return Mail{Kind: MailInvitation, To: n.Email, Language: n.Language, Data: data}
	})
	if err != nil {
		return "", err
	}
	return s.Links.token(PathInvitation, m.token), nil
}

// subjectFor is the sub that whoever accepts an invitation to an address will have. It
// is chosen now, and kept by newer invitations, so that the events about them are
// theirs: they hold the address, which has to be erased with the person.
func (s *Invites) subjectFor(ctx context.Context, emailKey string) (string, error) {
	before, err := s.Store.OpenProof(ctx, ProofInvitation, emailKey)
	if errors.Is(err, ErrNotFound) {
		return newSubject(), nil
	}
	if err != nil {
		return "", fmt.Errorf("invitation before: %w", err)
	}
	data, err := s.opened(before)
	if err != nil || data.Subject == "" { // of another secret, or of before subs were chosen here
		return newSubject(), nil
	}
	return data.Subject, nil
}

// promised are the names of the groups of an invitation. Errors: ErrNotFound.
func (s *Invites) promised(ctx context.Context, groups []string) ([]string, error) {
	var names []string
	for _, name := range groups {
		g, err := s.Groups.Find(ctx, name)
		if err != nil {
			return nil, err
		}
		names = append(names, g.Name)
	}
	return names, nil
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
	if err := s.stands(ctx, h); err != nil {
		return "", err
	}
	return h.data.Email, nil
}

// stands refuses with ErrProofVoid an invitation whose sender could not send it now.
// Those of commands need nobody to stand behind them.
func (s *Invites) stands(ctx context.Context, h *held) error {
	by := h.data.Inviter
	if by.Kind == audit.CommandLine || by.Kind == audit.System {
		return nil
	}
	if s.Inviters == nil {
		return ErrProofVoid
	}
	may, err := s.Inviters.MayInvite(ctx, by, h.data.Scope, h.data.Groups)
	if err != nil {
		return fmt.Errorf("sender of an invitation: %w", err)
	}
	if !may {
		return ErrProofVoid
	}
	return nil
}

// Invited is what somebody chooses who was invited.
type Invited struct {
	Username string
	Name     string // may be empty
	Password secret.Text
	Asker    Asker
}

// Accept spends an invitation and makes the account, with its address proven, in
// those of its groups that are still there. It is void unless whoever sent it could
// send it now. Errors: ErrClosed, ErrProofVoid, *BadField, *Throttled, ErrBusy.
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
		if err := s.stands(ctx, h); err != nil {
			return err
		}
		// From their browser, by their request: it is they who do it.
		by := map[string]any{"invited_by": h.data.Inviter.ID, "invited_by_kind": h.data.Inviter.Kind}
		for _, g := range h.data.Groups {
			err := s.Groups.addMember(ctx, actorOf(u), g, u.Subject, 0, by)
			if err != nil && !errors.Is(err, ErrNotFound) {
				return fmt.Errorf("add to the group of an invitation: %w", err)
			}
		}
		return nil
	})
}
