package config

import (
	"errors"
	"fmt"
	netmail "net/mail"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/mail"
)

// Mail is how people are sent mails.
type Mail struct {
	Server  *mail.Server     // nil: none are sent
	From    *netmail.Address // given with Server; may be nil without
	ReplyTo *netmail.Address // nil for none

	// What Server is made of. The password is exported, or fmt would print it.
	url       string
	Password  secret.Text
	plaintext bool
}

// MailFlags are the same as the command line gives them.
type MailFlags struct {
	SMTPURL          string `name:"smtp-url" placeholder:"URL" group:"settings" help:"Server that sends mails: smtp://user@host:587 (STARTTLS) or smtps://user@host:465 (none, no mails are sent)."`
	SMTPPasswordFile string `name:"smtp-password-file" placeholder:"FILE" group:"settings" help:"File that holds the password of the mail server's user."`
	SMTPPlaintext    string `name:"smtp-plaintext" placeholder:"BOOL" group:"settings" help:"Whether a mail server elsewhere may be used with ?tls=none, in clear and without a password (false)."`
	MailFrom         string `name:"mail-from" placeholder:"ADDRESS" group:"settings" help:"Who sends the mails, such as \"Example <id@example.org>\"."`
	MailReplyTo      string `name:"mail-reply-to" placeholder:"ADDRESS" group:"settings" help:"Who gets the answers to mails (the sender)."`
}

func mailSettings(f MailFlags) []setting {
	return []setting{
		{name: "smtp_url", flag: f.SMTPURL, apply: text(func(c *Config) *string { return &c.Mail.url })},
		{name: "smtp_password", file: true, flagFile: f.SMTPPasswordFile, apply: func(c *Config, v string) error {
			c.Mail.Password = secret.Text(v)
			return nil
		}},
		{name: "smtp_plaintext", flag: f.SMTPPlaintext, apply: yesOrNo(func(c *Config) *bool { return &c.Mail.plaintext })},
		{name: "mail_from", flag: f.MailFrom, apply: mailAddress(func(c *Config) **netmail.Address { return &c.Mail.From })},
		{name: "mail_reply_to", flag: f.MailReplyTo, apply: mailAddress(func(c *Config) **netmail.Address { return &c.Mail.ReplyTo })},
	}
}

func mailAddress(field func(c *Config) **netmail.Address) func(*Config, string) error {
	return func(c *Config, v string) error {
		a, err := netmail.ParseAddress(v)
		if err == nil {
			_, err = accounts.EmailKey(a.Address)
		}
		if err != nil {
			return fmt.Errorf("%q is not a mail address such as id@example.org or Example <id@example.org>", v)
		}
		*field(c) = a
		return nil
	}
}

// checkMail reads the server's URL, which only makes sense with the other settings.
func (c *Config) checkMail() error {
	m := &c.Mail
	if m.url == "" {
		if m.Password != "" {
			return errors.New("smtp_password is given without smtp_url")
		}
		return nil
	}
	server, err := mail.ParseServer(m.url, m.plaintext)
	switch {
	case err != nil:
		return fmt.Errorf("smtp_url: %w", err)
	case m.From == nil:
		return errors.New("smtp_url is given without mail_from: say who sends the mails, such as Example <id@example.org>")
	case server.Username == "" && m.Password != "":
		return errors.New("smtp_password is given and smtp_url names no user: write smtp://user@host")
	case server.Username != "" && m.Password == "":
		return errors.New("smtp_url names a user: set smtp_password_file (or GATEHOUSE_SMTP_PASSWORD) to the password")
	}
	server.Password = m.Password
	m.Server = server
	return nil
}
