package mail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	netmail "net/mail"
	"strconv"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/jobs"
	"github.com/gatehouse-id/gatehouse/templates"
)

// Writer puts mails into words.
type Writer interface {
	// Write returns an error that wraps templates.ErrMailData for a mail that
	// cannot be written however often it is tried.
	Write(m templates.Mail) (*templates.Letter, error)
}

// Sender brings a message on its way.
type Sender interface {
	// Send returns what the other side said. Errors that wrap jobs.ErrFinal are
	// those that another try would not change; none holds an address, a link or a
	// code.
	Send(ctx context.Context, m *Message) (answer string, err error)
}

// Identity is as whom mails are sent.
type Identity struct {
	From    netmail.Address
	ReplyTo *netmail.Address // nil for none
}

// Courier does the jobs of the kind "mail".
type Courier struct {
	Identity
	Keyring *secret.Keyring
	Writer  Writer
	Sender  Sender
	Now     func() time.Time
	Log     *slog.Logger
}

var _ jobs.Handler = (*Courier)(nil)

const (
	// tryTimeout is for one conversation with a mail server.
	tryTimeout = 60 * time.Second
	// giveUpAfter is the life of the longest proof but invitations: later, what the
	// mail says is old news.
	giveUpAfter = 24 * time.Hour
	// workers bounds the conversations of one node, of which perDomain may be about
	// one domain.
	workers, perDomain = 8, 4
)

// backoff is the wait after so many tries. Greylisting servers let in who comes
// again after some minutes.
func backoff(attempt int) time.Duration {
	steps := []time.Duration{
		20 * time.Second, time.Minute, 3 * time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour,
	}
	return steps[min(max(attempt, 1), len(steps))-1]
}

// NewWorker returns the worker that sends. It does nothing else, so that a mail
// server which hangs keeps no other job waiting.
func NewWorker(store jobs.Store, c *Courier) *jobs.Worker {
	return &jobs.Worker{
		Store: store, Now: c.Now, Log: c.Log, Total: workers, PerTarget: perDomain,
		Work: map[string]jobs.Work{Kind: {
			Handler: c, Policy: jobs.Policy{Timeout: tryTimeout, GiveUpAfter: giveUpAfter, Backoff: backoff},
		}},
	}
}

// Handle implements jobs.Handler. What is given up has an event in the audit log,
// written by the worker.
func (c *Courier) Handle(ctx context.Context, j jobs.Job) error {
	p, content, err := openPayload(c.Keyring, j.ID, j.Payload)
	if errors.Is(err, errMalformed) || errors.Is(err, secret.ErrSealBroken) {
		return fmt.Errorf("%w: %w", jobs.ErrFinal, err)
	}
	if err != nil {
		return err // a secret that is not listed can be listed again
	}
	if p.Kind == string(accounts.MailResetUnknown) {
		return nil // it cost what the mail of somebody with an account costs; nobody asked for it to be read
	}
	if expired(content.Data, c.Now()) {
		c.Log.InfoContext(ctx, "a mail is thrown away: what it holds has expired", "kind", p.Kind, "job", j.ID, "attempts", j.Attempts)
		return nil
	}
	m, err := c.message(j.ID, p, content, time.UnixMilli(j.CreatedAt))
	if err != nil {
		return err
	}
	answer, err := c.Sender.Send(ctx, m)
	if err != nil {
		return err
	}
	c.Log.InfoContext(ctx, "mail sent", "kind", p.Kind, "domain", j.Target, "job", j.ID, "attempts", j.Attempts, "answer", m.scrub(answer))
	return nil
}

// expired reports whether what the mail holds is worth nothing any more.
func expired(data map[string]string, now time.Time) bool {
	text, given := data[accounts.MailDataUntil]
	if !given {
		return false
	}
	until, err := strconv.ParseInt(text, 10, 64)
	return err == nil && now.UnixMilli() >= until
}

func (c *Courier) message(job id.ID, p *payload, content *content, at time.Time) (*Message, error) {
	letter, err := c.Writer.Write(templates.Mail{Kind: p.Kind, To: p.To, Language: content.Language, Data: content.Data})
	if errors.Is(err, templates.ErrMailData) {
		return nil, fmt.Errorf("%w: %w", jobs.ErrFinal, err)
	}
	if err != nil {
		return nil, err
	}
	return c.Identity.message(job, p.Kind, p.To, at, letter, content.Data), nil
}

// Test sends one mail at once that shows that mails arrive, and returns what the
// server said. Errors: accounts.ErrInvalid for what is no address, and the
// Sender's.
func (c *Courier) Test(ctx context.Context, address, language string) (answer string, err error) {
	to, _, err := recipient(address)
	if err != nil {
		return "", err
	}
	letter, err := c.Writer.Write(templates.Mail{Kind: "test", To: to, Language: language})
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	m := c.Identity.message(id.New(), "test", to, c.Now(), letter, nil)
	answer, err = c.Sender.Send(ctx, m)
	return m.scrub(answer), err
}
