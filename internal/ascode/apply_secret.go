package ascode

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

const (
	// factSecrets keeps fingerprints of the secrets that a file has chosen, in a mark.
	factSecrets = "secret_from"
	// fingerprintPurpose keys them: they tell nothing without the deployment's secret.
	fingerprintPurpose = "ascode-secret"
	// rememberedSecrets is how many of a client are never taken again.
	rememberedSecrets = 50
)

// chosen finds out whether the secret that a file refers to is another one than
// before. found is nil for a client that is not there.
func (r *run) chosen(ctx context.Context, t *target, w *Client, found *accounts.Client) error {
	if t.looked {
		return nil
	}
	t.looked = true
	before, err := r.fingerprints(t.name)
	if err != nil {
		return err
	}
	t.secrets = before // kept also while the file chooses none
	if w.SecretFrom == "" {
		return nil
	}
	if w.SecretFile != "" {
		return errors.New("secret_file is for a secret that Gatehouse makes, secret_from for one that is chosen elsewhere: leave one out")
	}
	text, err := r.readSecret(w.SecretFrom)
	if err != nil {
		return err
	}
	t.secret = text
	at := r.find(t.name, text, before)
	switch {
	case at > 0:
		return fmt.Errorf("secret_from %s: this secret was replaced before and is not taken again", w.SecretFrom)
	case at == 0 && found == nil:
		return fmt.Errorf("secret_from %s: the client was removed, and with it this secret: choose another", w.SecretFrom)
	case at == 0:
		return nil // also when somebody ended it since: it does not come back
	case found != nil:
		live, _, err := r.Clients.Store.ClientByID(ctx, found.ClientID, r.Clients.Now().UnixMilli())
		if err != nil {
			return err
		}
		if t.secretLives, err = r.Clients.VerifySecret(ctx, live, text); err != nil {
			return err
		}
	}
	t.secretNew = true
	return nil
}

// choose gives a client the secret that the file refers to.
func (r *run) choose(ctx context.Context, t *target, w *Client) error {
	if !t.secretNew {
		return nil
	}
	if !t.secretLives {
		overlap := time.Duration(value(w.SecretOverlap)) * time.Millisecond
		if err := r.Clients.ChooseSecret(ctx, r.by, t.name, t.secret, overlap); err != nil {
			return err
		}
	}
	return nil
}

// remembered are the fingerprints to keep in the mark, the present one first.
func (r *run) remembered(t *target) []string {
	if !t.secretNew {
		return t.secrets
	}
	mac := r.Keys.MAC(fingerprintPurpose, []byte(t.name), []byte(t.secret.Reveal()))
	all := append([]string{base64.RawURLEncoding.EncodeToString(mac)}, t.secrets...)
	return all[:min(len(all), rememberedSecrets)]
}

// fingerprints are those of the secrets that a client's file chose.
func (r *run) fingerprints(clientID string) ([]string, error) {
	m := r.marks[markKey{accounts.ManagedClient, clientID}]
	if m == nil || m.Applied[factSecrets] == nil {
		return nil, nil
	}
	list, ok := asSet(m.Applied[factSecrets])
	if !ok {
		return nil, errors.New("the mark of its secret is malformed")
	}
	return list, nil
}

// find returns which of the fingerprints is that of a secret, or -1.
func (r *run) find(clientID string, text secret.Text, fingerprints []string) int {
	for i, f := range fingerprints {
		mac, err := base64.RawURLEncoding.DecodeString(f)
		if err == nil && r.Keys.Verify(fingerprintPurpose, mac, []byte(clientID), []byte(text.Reveal())) {
			return i
		}
	}
	return -1
}

// secretField tells that a secret changes, and never which.
func secretField(t *target) []Field {
	if !t.secretNew || t.secretLives {
		return nil
	}
	f := Field{Name: factSecrets, New: "another secret"}
	if !t.object.IsZero() {
		f.Old = "the present secret"
	}
	return []Field{f}
}
