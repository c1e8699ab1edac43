package accounts

import (
	"context"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

const (
	minChosenSecret    = 32 // bytes
	minChosenCharacter = 12 // different ones: random hexadecimals have as many nearly always
)

// ChooseSecret gives a client a secret that was made elsewhere, as RotateSecret
// gives it one of ours. It is kept as a keyed hash, as ours are, and so has to be
// as good as random. Errors: ErrInvalid, ErrNotFound.
func (s *Clients) ChooseSecret(ctx context.Context, actor audit.Actor, clientID string, text secret.Text, overlap time.Duration) error {
	if overlap < 0 || overlap > MaxSecretOverlap {
		return invalid("overlap: at most %s", MaxSecretOverlap)
	}
	if err := checkChosenSecret(text); err != nil {
		return err
	}
	mac := s.Keys.MAC(secretPurpose, []byte(clientID), []byte(text.Reveal()))
	sec := ClientSecret{ID: id.New(), Hash: generatedHash + base64.RawURLEncoding.EncodeToString(mac)}
	return s.change(ctx, actor, clientID, func(ctx context.Context, c *Client, now int64) (*effect, error) {
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
		return clientEffect("client.secret.choose", c, map[string]any{"overlap_ms": overlap.Milliseconds()}), nil
	})
}

func checkChosenSecret(text secret.Text) error {
	plain := text.Reveal()
	different := map[rune]bool{}
	for _, r := range plain {
		different[r] = true
	}
	if len(plain) < minChosenSecret || len(plain) > maxSecretBytes || !printable(plain) || len(different) < minChosenCharacter {
		return invalid("a chosen secret has %d to %d random printable ASCII characters without spaces", minChosenSecret, maxSecretBytes)
	}
	return nil
}
