package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/mail"
)

func TestMail(t *testing.T) {
	const from = "GATEHOUSE_MAIL_FROM=Example <id@example.org>"
	password := "GATEHOUSE_SMTP_PASSWORD=hunter2"
	for name, test := range map[string]struct {
		env  []string
		want string // part of the error; empty for none
	}{
		"nothing":              {nil, ""},
		"sender alone":         {[]string{from}, ""},
		"without a user":       {[]string{from, "GATEHOUSE_SMTP_URL=smtps://mail.example.org"}, ""},
		"with a user":          {[]string{from, "GATEHOUSE_SMTP_URL=smtp://me@mail.example.org", password}, ""},
		"no sender":            {[]string{"GATEHOUSE_SMTP_URL=smtps://mail.example.org"}, "mail_from"},
		"sender of two":        {[]string{"GATEHOUSE_MAIL_FROM=a@example.org, b@example.org"}, "not a mail address"},
		"sender without":       {[]string{"GATEHOUSE_MAIL_FROM=Example"}, "not a mail address"},
		"sender in quotes":     {[]string{`GATEHOUSE_MAIL_FROM="a b"@example.org`}, "not a mail address"},
		"answers":              {[]string{"GATEHOUSE_MAIL_REPLY_TO=nobody"}, "GATEHOUSE_MAIL_REPLY_TO"},
		"user, no password":    {[]string{from, "GATEHOUSE_SMTP_URL=smtp://me@mail.example.org"}, "smtp_password_file"},
		"password, no user":    {[]string{from, "GATEHOUSE_SMTP_URL=smtp://mail.example.org", password}, "names no user"},
		"password, no server":  {[]string{from, password}, "without smtp_url"},
		"password in the URL":  {[]string{from, "GATEHOUSE_SMTP_URL=smtp://me:hunter2@mail.example.org"}, "smtp_password_file"},
		"in clear":             {[]string{from, "GATEHOUSE_SMTP_URL=smtp://relay?tls=none"}, "smtp_plaintext"},
		"in clear, allowed":    {[]string{from, "GATEHOUSE_SMTP_URL=smtp://relay?tls=none", "GATEHOUSE_SMTP_PLAINTEXT=true"}, ""},
		"a password, in clear": {[]string{from, "GATEHOUSE_SMTP_URL=smtp://me@relay?tls=none", "GATEHOUSE_SMTP_PLAINTEXT=true", password}, "a password in clear"},
		"plaintext or not":     {[]string{"GATEHOUSE_SMTP_PLAINTEXT=perhaps"}, "neither true nor false"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := Load(Flags{}, test.env)
			switch {
			case test.want == "" && err != nil:
				t.Fatal(err)
			case test.want == "":
				if text := fmt.Sprintf("%v %+v", c, c.Mail); strings.Contains(text, "hunter2") {
					t.Error("the password is printed")
				}
			case err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2"):
				t.Fatalf("%v, want %q in it", err, test.want)
			}
		})
	}
}

func TestMailServer(t *testing.T) {
	c, err := Load(Flags{MailFlags: MailFlags{
		SMTPURL: "smtp://me@mail.example.org:2525", SMTPPasswordFile: write(t, "password", "hunter2\n"),
		MailFrom: "Ünïcode <id@example.org>", MailReplyTo: "help@example.org",
	}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := mail.Server{Host: "mail.example.org", Port: 2525, Security: mail.StartTLS, Username: "me", Password: secret.Text("hunter2")}
	if diff := cmp.Diff(want, *c.Mail.Server); diff != "" {
		t.Error(diff)
	}
	if c.Mail.From.Name != "Ünïcode" || c.Mail.From.Address != "id@example.org" || c.Mail.ReplyTo.Address != "help@example.org" {
		t.Errorf("from %v, answers to %v", c.Mail.From, c.Mail.ReplyTo)
	}
}
