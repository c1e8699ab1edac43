package accounts

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatehouse-id/gatehouse/internal/audit"
)

// OpenInvitation is one that nobody has accepted yet.
type OpenInvitation struct {
	Email     string
	EmailKey  string
	Groups    []string
	Inviter   audit.Actor
	CreatedAt int64 // Unix milliseconds
	ExpiresAt int64
}

// Open returns invitations that nobody has accepted, in the order of the keys of their
// addresses and after one (OpenInvitation.EmailKey). Those whose sender could not send
// them now are among them: they are void only as long as that is so.
func (s *Invites) Open(ctx context.Context, after string, limit int) ([]OpenInvitation, error) {
	found, err := s.Store.OpenProofs(ctx, ProofInvitation, after, min(max(limit, 1), MaxPage), s.Users.now())
	if err != nil {
		return nil, fmt.Errorf("open invitations: %w", err)
	}
	list := make([]OpenInvitation, len(found))
	for i := range found {
		p := &found[i]
		list[i] = OpenInvitation{Email: p.EmailKey, EmailKey: p.EmailKey, CreatedAt: p.CreatedAt, ExpiresAt: p.ExpiresAt}
		data, err := s.opened(p)
		if err != nil { // of another secret: nobody can accept it
			continue
		}
		list[i].Email, list[i].Groups, list[i].Inviter = data.Email, data.Groups, data.Inviter
	}
	return list, nil
}

// Withdraw makes the invitation to an address void. Errors: ErrNotFound if there is
// none that somebody could accept.
func (s *Invites) Withdraw(ctx context.Context, actor audit.Actor, email string) error {
	key, err := EmailKey(email)
	if err != nil {
		return fmt.Errorf("invitation to %q: %w", email, ErrNotFound)
	}
	return s.Users.record(ctx, actor, func(ctx context.Context, now int64) (*effect, error) {
		p, err := s.Store.OpenProof(ctx, ProofInvitation, key)
		if err != nil {
			return nil, fmt.Errorf("invitation: %w", err)
		}
		// Somebody who accepts it at this moment is quicker, or finds it void.
		if err := s.Store.SpendProof(ctx, p.ID, p.Binding, now); err != nil {
			return nil, fmt.Errorf("withdraw invitation: %w", err)
		}
		e := &effect{action: "user.invite.withdraw", kind: "user", details: map[string]any{}}
		if data, err := s.opened(p); err == nil {
			e.target = data.Subject
		} else if !errors.Is(err, ErrProofVoid) {
			return nil, err
		}
		return e, nil
	})
}
