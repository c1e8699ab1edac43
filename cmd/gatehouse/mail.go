package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	netmail "net/mail"
	"net/netip"
	"net/url"
	"os"
	"time"

	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/config"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/mail"
	"github.com/gatehouse-id/gatehouse/templates"
)

type mailCommand struct {
	Test mailTest `cmd:"" help:"Send a mail that shows that mails arrive."`
}

type mailTest struct {
	To       string `required:"" placeholder:"ADDRESS" help:"Who gets the mail."`
	Language string `placeholder:"TAG" help:"In which language, such as de (en)."`
}

var errNoMailServer = errors.New("no mail server is set: name one with smtp_url, and who sends with mail_from")

// Run sends one mail as the server would, and shows what the mail server said. It
// opens no database.
func (m *mailTest) Run(c *call) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	if cfg.Mail.Server == nil {
		return errNoMailServer
	}
	pages, err := newRenderer(cfg, nil)
	if err != nil {
		return err
	}
	mails, err := newMails(cfg, pages)
	if err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	courier := newCourier(cfg, mails, newSender(cfg, log), nil, c.now, log)
	answer, err := courier.Test(c.ctx, m.To, m.Language)
	if err != nil {
		return fmt.Errorf("not sent: %w", err)
	}
	result := map[string]string{"server": cfg.Mail.Server.Address(), "answer": plain(answer)}
	return c.answer(result, func(w io.Writer) {
		_, _ = fmt.Fprintf(w, "%s took the mail: %s\n", result["server"], result["answer"])
	})
}

// newMails reads the templates of mails.
func newMails(cfg *config.Config, pages *templates.Renderer) (*templates.Mails, error) {
	var override fs.FS
	if cfg.TemplatesDir != "" {
		override = os.DirFS(cfg.TemplatesDir)
	}
	mails, err := templates.NewMails(pages, override, cfg.Issuer)
	if err != nil {
		return nil, fmt.Errorf("mails: %w", err)
	}
	return mails, nil
}

// newSender hands mails in at the server that the settings name; without one it
// only says in the log that they were due.
func newSender(cfg *config.Config, log *slog.Logger) mail.Sender {
	if cfg.Mail.Server == nil {
		return &mail.Unsent{Log: log}
	}
	return &mail.SMTP{Server: *cfg.Mail.Server, Hello: helloName(cfg.Issuer)}
}

// newCourier builds what sends queued mails.
func newCourier(
	cfg *config.Config, mails *templates.Mails, sender mail.Sender, keyring *secret.Keyring, now func() time.Time, log *slog.Logger,
) *mail.Courier {
	from := cfg.Mail.From
	if from == nil { // nothing leaves this machine
		from = &netmail.Address{Name: cfg.BrandName, Address: "no-reply@localhost"}
	}
	return &mail.Courier{
		Identity: mail.Identity{From: *from, ReplyTo: cfg.Mail.ReplyTo},
		Keyring:  keyring, Writer: mails, Sender: sender, Now: now, Log: log,
	}
}

// helloName is how we call ourselves to mail servers: the issuer's host, as an
// address literal if it is one (RFC 5321 §4.1.3).
func helloName(issuer *url.URL) string {
	host := issuer.Hostname()
	switch address, err := netip.ParseAddr(host); {
	case err != nil:
		return host
	case address.Is4():
		return "[" + host + "]"
	default:
		return "[IPv6:" + host + "]"
	}
}
