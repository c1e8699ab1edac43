package accounts

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// MaxSecretOverlap is how long an old secret may go on beside its successor.
const MaxSecretOverlap = 90 * 24 * time.Hour

const (
	secretPurpose  = "client-secret"
	generatedHash  = "mac:"
	maxSecretBytes = 1024
)

// newClientID returns 128 random bits in 22 characters of base64url.
func newClientID() string { return base64.RawURLEncoding.EncodeToString(secret.Random(16)) }

// newSubject makes the sub of a person, as random as a client id.
func newSubject() string { return newClientID() }

// newSecret returns a secret of 256 random bits in 43 characters of base64url,
// and what is kept of it: a keyed hash, since so many bits need no stretching.
func newSecret(keys *secret.Keyring, clientID string) (secret.Text, ClientSecret) {
	text := secret.Text(base64.RawURLEncoding.EncodeToString(secret.Random(32)))
	mac := keys.MAC(secretPurpose, []byte(clientID), []byte(text.Reveal()))
	return text, ClientSecret{ID: id.New(), Hash: generatedHash + base64.RawURLEncoding.EncodeToString(mac)}
}

// VerifySecret reports whether a presented secret is one of the client's live
// ones, in constant time. An empty one never is. Errors come from imported
// secrets alone, which need a password's work: ErrBusy, and the context's.
func (s *Clients) VerifySecret(ctx context.Context, c *Client, presented secret.Text) (bool, error) {
	if presented == "" || len(presented) > maxSecretBytes || c.AuthMethod != AuthSecret {
		return false, nil
	}
	now, found := s.now(), false
	for _, sec := range c.Secrets {
		if sec.ExpiresAt != 0 && sec.ExpiresAt <= now {
			continue
		}
		encoded, generated := strings.CutPrefix(sec.Hash, generatedHash)
		if !generated {
			ok, _, err := s.Hasher.Verify(ctx, sec.Hash, presented)
			if err != nil && !errors.Is(err, errPHC) {
				return false, err
			}
			found = found || ok && sec.Hash != ""
			continue
		}
		mac, err := base64.RawURLEncoding.DecodeString(encoded)
		if err != nil {
			continue // not ours; nothing can match it
		}
		ok := s.Keys.Verify(secretPurpose, mac, []byte(c.ClientID), []byte(presented.Reveal()))
		found = found || ok
	}
	return found, nil
}

// RotateSecret gives a client another secret, returned this once. The ones before
// it go on for the overlap, then end; zero ends them now. Errors: ErrInvalid,
// ErrNotFound.
func (s *Clients) RotateSecret(ctx context.Context, actor audit.Actor, clientID string, overlap time.Duration) (secret.Text, error) {
	if overlap < 0 || overlap > MaxSecretOverlap {
		return "", invalid("overlap: at most %s", MaxSecretOverlap)
	}
	text, sec := newSecret(s.Keys, clientID)
	err := s.change(ctx, actor, clientID, func(ctx context.Context, c *Client, now int64) (*effect, error) {
		if c.AuthMethod != AuthSecret {
			return nil, invalid("client %q has no secret: it authenticates by %s", clientID, c.AuthMethod)
		}
		if _, err := s.Secrets.ExpireSecrets(ctx, c.ID, now+overlap.Milliseconds()); err != nil {
			return nil, fmt.Errorf("expire secrets: %w", err)
		}
		sec.CreatedAt = now
		if err := s.Secrets.InsertSecret(ctx, c.ID, sec); err != nil {
			return nil, fmt.Errorf("insert secret: %w", err)
		}
		return clientEffect("client.secret.rotate", c, map[string]any{"overlap_ms": overlap.Milliseconds()}), nil
	})
	if err != nil {
		return "", err
	}
	return text, nil
}

// Compromised is for a client whose secret or key got into other hands: its
// credentials end now, and with them its grants and tokens. RotateSecret, or
// Update with other keys, lets it go on.
func (s *Clients) Compromised(ctx context.Context, actor audit.Actor, clientID string) error {
	return s.change(ctx, actor, clientID, func(ctx context.Context, c *Client, now int64) (*effect, error) {
		if _, err := s.Secrets.ExpireSecrets(ctx, c.ID, now); err != nil {
			return nil, fmt.Errorf("expire secrets: %w", err)
		}
		c.JWKS, c.UpdatedAt = "", now
		if err := s.Store.UpdateClient(ctx, c); err != nil {
			return nil, fmt.Errorf("update client: %w", err)
		}
		return s.die(ctx, "client.compromised", c, now, reasonClientCompromised)
	})
}

// die ends all grants of a client, writes the row that kills its tokens, and
// stamps it (L2).
func (s *Clients) die(ctx context.Context, action string, c *Client, now int64, reason string) (*effect, error) {
	grants, err := s.Grants.EndGrants(ctx, GrantFilter{ClientID: c.ID}, now, reason)
	if err != nil {
		return nil, fmt.Errorf("end grants: %w", err)
	}
	e := clientEffect(action, c, map[string]any{"grants": len(grants)})
	e.rows = []revocation.Entry{{Kind: revocation.Client, Key: c.ClientID, Reason: reason}}
	e.stamps = []revocation.Stamp{{Subject: revocation.ClientValidFrom, ID: c.ClientID}}
	return e, nil
}
