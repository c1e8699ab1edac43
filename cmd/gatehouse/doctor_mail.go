package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/config"
	"github.com/gatehouse-id/gatehouse/mail"
)

// mailPatience bounds the doctor's conversation with the mail server.
const mailPatience = 20 * time.Second

// checkMail speaks with the mail server up to the mail itself.
func (d *diagnosis) checkMail(ctx context.Context, cfg *config.Config) {
	const check = "mail"
	server := cfg.Mail.Server
	smtp, ok := newSender(cfg, slog.New(slog.DiscardHandler)).(*mail.SMTP)
	if !ok {
		d.warn(check, "set smtp_url and mail_from", "no mail server is set: nobody can be sent a link or a code")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, mailPatience)
	defer cancel()
	if _, err := smtp.Check(ctx); err != nil {
		d.fail(check, mailRemedy(err), "%s: %s", server.Address(), firstLine(err))
		return
	}
	switch {
	case server.Username != "":
		d.ok(check, "%s lets us in as %s", server.Address(), server.Username)
	default:
		d.ok(check, "%s answers", server.Address())
	}
	if server.Security == mail.None && !server.Local() {
		d.warn(check, "use smtp:// without tls=none, or smtps://", "links to reset passwords go to %s in clear", server.Address())
	}
}

// mailRemedy says what to do about a mail server that does not let us in.
func mailRemedy(err error) string {
	var r *mail.Refusal
	if !errors.As(err, &r) {
		return "look at smtp_url"
	}
	switch r.Step {
	case mail.StepTLS:
		return "use the scheme that the port speaks (smtp:// 587, smtps:// 465) and the name in the server's certificate"
	case mail.StepSignIn:
		return "look at the user in smtp_url and at smtp_password_file"
	}
	return "look at host and port of smtp_url, and at the firewall"
}
