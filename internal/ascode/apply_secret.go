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

// SecretPlace says where the secret of a client is.
type SecretPlace struct {
	// SecretFile is where the secret is kept that is made with the client; without
	// it the secret is told, once.
	SecretFile string `yaml:"secret_file,omitempty" fact:"-"`
	// SecretFrom is where a secret is found that is chosen elsewhere: env:NAME or
	// file:PATH. SecretOverlap is how long those before it go on.
	SecretFrom    string    `yaml:"secret_from,omitempty" fact:"-"`
	SecretOverlap *Duration `yaml:"secret_overlap,omitempty" fact:"-"`
}

// chosen finds out whether the secret that a file refers to is another one than
// before. clientID is empty for a client that is not there.
func (r *run) chosen(ctx context.Context, t *target, clientID string) error {
	if t.looked {
		return nil
	}
	t.looked = true
	before, err := fingerprints(r.markOf(t))
	if err != nil {
		return err
	}
	t.secrets = before // kept also while the file chooses none
	from := t.place.SecretFrom
	if from == "" {
		if clientID == "" && t.place.SecretFile != "" {
			return r.Vacant(t.place.SecretFile)
		}
		return nil
	}
	if t.place.SecretFile != "" {
		return errors.New("secret_file is for a secret that Gatehouse makes, secret_from for one that is chosen elsewhere: leave one out")
	}
	if t.secret, err = r.readSecret(from); err != nil {
		return err
	}
	at := r.find(t, before)
	switch {
	case at > 0:
		return fmt.Errorf("secret_from %s: this secret was replaced before and is not taken again", from)
	case at == 0 && clientID == "":
		return fmt.Errorf("secret_from %s: the %s was removed, and with it this secret: choose another", from, kindName(t.kind))
	case at == 0:
		return nil // also when somebody ended it since: it does not come back
	case clientID != "":
		live, _, err := r.Clients.Store.ClientByID(ctx, clientID, r.Clients.Now().UnixMilli())
		if err != nil {
			return err
		}
		if t.secretLives, err = r.Clients.VerifySecret(ctx, live, t.secret); err != nil {
			return err
		}
	}
	t.secretNew = true
	return nil
}

// choose gives a client the secret that the file refers to.
func (r *run) choose(ctx context.Context, t *target, clientID string) error {
	if !t.secretNew || t.secretLives {
		return nil
	}
	overlap := time.Duration(value(t.place.SecretOverlap)) * time.Millisecond
	return r.Clients.ChooseSecret(ctx, r.by, clientID, t.secret, overlap)
}

// tell passes on the secret that was made with a client, unless the file has chosen
// another.
func (t *target) tell(made secret.Text) {
	if t.place.SecretFrom == "" && made != "" {
		t.change.Secret, t.change.SecretFile = made, t.place.SecretFile
	}
}

// remembered are the fingerprints to keep in the mark, the present one first.
func (r *run) remembered(t *target) []string {
	if !t.secretNew {
		return t.secrets
	}
	mac := r.Keys.MAC(fingerprintPurpose, []byte(t.secretKey), []byte(t.secret.Reveal()))
	all := append([]string{base64.RawURLEncoding.EncodeToString(mac)}, t.secrets...)
	return all[:min(len(all), rememberedSecrets)]
}

// fingerprints are those of the secrets that a file chose.
func fingerprints(m *accounts.Managed) ([]string, error) {
	if m == nil || m.Applied[factSecrets] == nil {
		return nil, nil
	}
	list, ok := asSet(m.Applied[factSecrets])
	if !ok {
		return nil, errors.New("the mark of its secret is malformed")
	}
	return list, nil
}

// find returns which of the fingerprints is that of the secret, or -1. A client that
// the file named by name alone at the time has one of that name, or of its client_id.
func (r *run) find(t *target, fingerprints []string) int {
	keys := []string{t.secretKey}
	if m := r.markOf(t); m != nil {
		name, _ := m.Applied["name"].(string)
		keys = append(keys, m.Name, Client{Name: name}.key())
	}
	for i, f := range fingerprints {
		mac, err := base64.RawURLEncoding.DecodeString(f)
		if err != nil {
			continue // of nothing that could be presented
		}
		for _, key := range keys {
			if r.Keys.Verify(fingerprintPurpose, mac, []byte(key), []byte(t.secret.Reveal())) {
				return i
			}
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
