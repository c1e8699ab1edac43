package testenv_test

import (
	"net/smtp"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
)

const rawMail = "From: a@example.org\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n" +
	"--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" +
	"Open https://id.example.com/x?a=3D1=\r\n&b=3D2\r\n12345678\r\nin 2026\r\n" +
	"--b\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<p>Hi</p>\r\n--b--\r\n"

func TestSMTP(t *testing.T) {
	server := testenv.SMTP(t, testenv.SMTPOptions{})
	address := strings.TrimSuffix(strings.TrimPrefix(server.URL(), "smtp://"), "?tls=none")
	send := func(to string) error {
		return smtp.SendMail(address, nil, "a@example.org", []string{to}, []byte(rawMail))
	}
	server.Refuse(func(stage, argument string) *testenv.SMTPRefusal {
		if stage == "rcpt" && argument == "full@example.org" {
			return &testenv.SMTPRefusal{Code: 452, Text: "full"}
		}
		return nil
	})
	if err := send("full@example.org"); err == nil || !strings.HasPrefix(err.Error(), "452 ") {
		t.Errorf("refusal: %v", err)
	}
	for _, to := range []string{"Ada@example.org", "bob@example.org", "ada@example.org"} {
		if err := send(to); err != nil {
			t.Fatal(err)
		}
	}
	m := server.Next(t, "ada@example.org")
	if m.Subject != "Grüße" || m.Link() != "https://id.example.com/x?a=1&b=2" || m.Code() != "12345678" || m.HTML != "<p>Hi</p>" {
		t.Errorf("subject %q, link %q, code %q, HTML %q", m.Subject, m.Link(), m.Code(), m.HTML)
	}
	if again := server.Next(t, "ADA@example.org"); again == m || again.Recipients[0] != "ada@example.org" {
		t.Errorf("the second mail is %+v", again)
	}
	if len(server.Mails()) != 3 || len(server.To("bob@example.org")) != 1 || server.Tried() != 4 {
		t.Errorf("%d mails, %d tried", len(server.Mails()), server.Tried())
	}
}
