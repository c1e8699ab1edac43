package mail

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/jobs"
)

// Kind is the kind of the jobs that mails wait in.
const Kind = "mail"

// Outbox takes mails and queues them.
type Outbox struct {
	Jobs    jobs.Enqueuer
	Keyring *secret.Keyring
	Log     *slog.Logger
}

var _ accounts.Mailer = (*Outbox)(nil)

// Mail implements accounts.Mailer. In a transaction it becomes part of it.
func (o *Outbox) Mail(ctx context.Context, m accounts.Mail) error {
	if m.To == "" {
		return nil
	}
	to, domain, err := recipient(m.To)
	if err != nil {
		// An imported account may have what is no address. The owner could not be
		// told anyway, and must be able to change what the mail is about.
		o.Log.WarnContext(ctx, "a mail is dropped: its recipient is not a mail address", "kind", string(m.Kind))
		return nil
	}
	job := jobs.Job{ID: id.New(), Kind: Kind, Target: domain}
	p := payload{Kind: string(m.Kind), To: to}
	if err := p.seal(o.Keyring, job.ID, content{Language: m.Language, Data: m.Data}); err != nil {
		return fmt.Errorf("seal a mail: %w", err)
	}
	body, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("write a mail's job: %w", err)
	}
	job.Payload = string(body)
	if err := o.Jobs.Enqueue(ctx, job); err != nil {
		return fmt.Errorf("queue a mail: %w", err)
	}
	return nil
}

// recipient returns an address as it is sent to, with the domain in ASCII and lower
// case, and the domain. It takes one bare address alone (accounts.EmailKey).
func recipient(address string) (to, domain string, err error) {
	key, err := accounts.EmailKey(address)
	if err != nil {
		return "", "", err
	}
	_, domain, _ = strings.Cut(key, "@")
	// The local part is as the person wrote it: RFC 5321 §2.4 leaves its case to
	// the receiving side.
	local, _, _ := strings.Cut(address, "@")
	return local + "@" + domain, domain, nil
}
