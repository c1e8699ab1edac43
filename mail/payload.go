package mail

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// sealPurpose binds what is sealed to its use.
const sealPurpose = "mail"

// payload is a mail's row in the queue.
type payload struct {
	Kind   string `json:"kind"`
	To     string `json:"to"`
	Sealed []byte `json:"sealed"` // content
}

// content is what nobody but the recipient may read.
type content struct {
	Language string            `json:"language,omitempty"`
	Data     map[string]string `json:"data,omitempty"`
}

var errMalformed = errors.New("malformed mail job")

func (p *payload) seal(keys *secret.Keyring, job id.ID, c content) error {
	plain, err := json.Marshal(c)
	if err != nil {
		return err
	}
	bound, err := p.bound(job)
	if err != nil {
		return err
	}
	p.Sealed, err = keys.Seal(sealPurpose, plain, bound)
	return err
}

// openPayload reads a job's payload. Errors: errMalformed, and those of
// secret.Keyring.Open.
func openPayload(keys *secret.Keyring, job id.ID, text string) (*payload, *content, error) {
	var p payload
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return nil, nil, errMalformed // the parser's error quotes what it read
	}
	bound, err := p.bound(job)
	if err != nil {
		return nil, nil, err
	}
	plain, err := keys.Open(sealPurpose, p.Sealed, bound)
	if err != nil {
		return nil, nil, fmt.Errorf("open a mail: %w", err)
	}
	var c content
	if err := json.Unmarshal(plain, &c); err != nil {
		return nil, nil, errMalformed
	}
	return &p, &c, nil
}

// bound is what the content is sealed for: who can write to the table must not be
// able to have a link sent to another address, or under another text.
func (p *payload) bound(job id.ID) ([]byte, error) {
	return json.Marshal([]string{job.String(), p.Kind, p.To})
}
