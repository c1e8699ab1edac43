package mail_test

import (
	"bytes"
	"crypto/x509"
	"errors"
	"io"
	"net"
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/jobs"
	"github.com/gatehouse-id/gatehouse/mail"
)

func message() *mail.Message {
	return &mail.Message{
		ID: "AZr3", From: netmail.Address{Name: "Gatehouse", Address: "id@mail.example.com"}, To: "ada@example.org",
		Date: time.UnixMilli(1_800_000_000_000), Language: "en", Subject: "Hello", Text: "Hello.\n.\nBye.\n", HTML: "<p>Hello.</p>\n",
	}
}

func TestParseServer(t *testing.T) {
	tests := map[string]struct {
		raw       string
		plaintext bool
		want      mail.Server
		refused   string
	}{
		"starttls":             {raw: "smtp://ada%40example.org@mail.example.com", want: mail.Server{Host: "mail.example.com", Port: 587, Security: mail.StartTLS, Username: "ada@example.org"}},
		"tls":                  {raw: "smtps://mail.example.com/", want: mail.Server{Host: "mail.example.com", Port: 465, Security: mail.TLS}},
		"port":                 {raw: "smtp://[2001:db8::1]:2525", want: mail.Server{Host: "2001:db8::1", Port: 2525, Security: mail.StartTLS}},
		"loopback in clear":    {raw: "smtp://me@localhost:25?tls=none", want: mail.Server{Host: "localhost", Port: 25, Security: mail.None, Username: "me"}},
		"loopback address":     {raw: "smtp://[::1]:25?tls=none", want: mail.Server{Host: "::1", Port: 25, Security: mail.None}},
		"elsewhere in clear":   {raw: "smtp://mailpit:1025?tls=none", refused: "in clear to mailpit"},
		"allowed in clear":     {raw: "smtp://mailpit:1025?tls=none", plaintext: true, want: mail.Server{Host: "mailpit", Port: 1025, Security: mail.None}},
		"a password in clear":  {raw: "smtp://me@mailpit:1025?tls=none", plaintext: true, refused: "a password in clear"},
		"looks like loopback":  {raw: "smtp://localhost.example.com?tls=none", refused: "in clear"},
		"loopback as a name":   {raw: "smtp://127.0.0.1.example.com?tls=none", refused: "in clear"},
		"password in the URL":  {raw: "smtp://me:hunter2@mail.example.com", refused: "smtp_password_file"},
		"other scheme":         {raw: "https://mail.example.com", refused: "smtp://"},
		"no host":              {raw: "smtp://", refused: "write smtp://"},
		"no scheme":            {raw: "mail.example.com:587", refused: "smtp://"},
		"path":                 {raw: "smtp://mail.example.com/x", refused: "write smtp://"},
		"port 0":               {raw: "smtp://mail.example.com:0", refused: "not a port"},
		"large port":           {raw: "smtp://mail.example.com:70000", refused: "not a port"},
		"unknown query":        {raw: "smtp://mail.example.com?insecure=1", refused: "tls=none"},
		"other tls":            {raw: "smtp://mail.example.com?tls=maybe", refused: "tls=none"},
		"twice":                {raw: "smtp://localhost?tls=none&tls=none", refused: "tls=none"},
		"implicit and without": {raw: "smtps://localhost?tls=none", refused: "tls=none"},
		"line end in the user": {raw: "smtp://a%0d%0ab@mail.example.com", refused: "write smtp://"},
		"not a URL":            {raw: "smtp://hunter2:%zz@x", refused: "not a URL"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := mail.ParseServer(tt.raw, tt.plaintext)
			if tt.refused != "" {
				if err == nil || !strings.Contains(err.Error(), tt.refused) || strings.Contains(err.Error(), "hunter2") {
					t.Fatalf("%+v, %v", got, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, *got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSendEncryptedAndSignedIn(t *testing.T) {
	for name, opts := range map[string]testenv.SMTPOptions{
		"STARTTLS":       {StartTLS: true},
		"TLS":            {TLS: true},
		"STARTTLS, AUTH": {StartTLS: true, User: "gate@example.com", Password: "right"},
		"TLS, AUTH":      {TLS: true, User: "gate", Password: "right"},
		"AUTH LOGIN":     {TLS: true, User: "gate", Password: "right", LoginOnly: true},
		"loopback, AUTH": {User: "gate", Password: "right"},
		"loopback":       {},
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{t: t, smtp: testenv.SMTP(t, opts)}
			answer, err := w.sender("right").Send(t.Context(), message())
			if err != nil || answer == "" {
				t.Fatalf("%q, %v", answer, err)
			}
			m := w.smtp.Await(t, 1)[0]
			if m.TLS != (opts.TLS || opts.StartTLS) || m.User != opts.User {
				t.Errorf("TLS %v, user %q", m.TLS, m.User)
			}
			if m.Text != "Hello.\n.\nBye.\n" || m.HTML != "<p>Hello.</p>\n" {
				t.Errorf("%q and %q", m.Text, m.HTML)
			}
			if answer, err := w.sender("right").Check(t.Context()); err != nil || answer == "" {
				t.Errorf("check: %q, %v", answer, err)
			}
		})
	}
}

// TestSendRefusesWeakWays: neither a mail nor a password leaves when the way is not
// what was asked for.
func TestSendRefusesWeakWays(t *testing.T) {
	tests := map[string]struct {
		opts     testenv.SMTPOptions
		change   func(s *mail.SMTP)
		password string
		want     string
	}{
		"no STARTTLS offered":    {change: func(s *mail.SMTP) { s.Security = mail.StartTLS }, want: "does not offer STARTTLS"},
		"unknown certificate":    {opts: testenv.SMTPOptions{StartTLS: true}, change: func(s *mail.SMTP) { s.Roots = x509.NewCertPool() }, want: "certificate"},
		"unknown, TLS":           {opts: testenv.SMTPOptions{TLS: true}, change: func(s *mail.SMTP) { s.Roots = x509.NewCertPool() }, want: "certificate"},
		"TLS to a clear server":  {change: func(s *mail.SMTP) { s.Security = mail.TLS }, want: "TLS"},
		"wrong password":         {opts: testenv.SMTPOptions{TLS: true, User: "gate", Password: "right"}, password: "hunter2", want: "sign in: 535"},
		"no AUTH offered":        {opts: testenv.SMTPOptions{TLS: true}, change: func(s *mail.SMTP) { s.Username = "gate" }, want: "neither PLAIN nor LOGIN"},
		"AUTH in clear, network": {opts: testenv.SMTPOptions{User: "gate", Password: "right"}, password: "right", change: func(s *mail.SMTP) { s.Host = "0.0.0.0" }, want: "sign in"}, // reaches us, and is no loopback address
		"nobody there":           {change: func(s *mail.SMTP) { s.Port = 1 }, want: "connect"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := &world{t: t, smtp: testenv.SMTP(t, tt.opts)}
			w.smtp.Refuse(func(stage, argument string) *testenv.SMTPRefusal {
				if stage == "auth" && tt.password != "hunter2" {
					t.Errorf("a password was sent for %s", argument)
				}
				return nil
			})
			s := w.sender(tt.password)
			if tt.change != nil {
				tt.change(s)
			}
			_, err := s.Send(t.Context(), message())
			var r *mail.Refusal
			if !errors.As(err, &r) || !strings.Contains(err.Error(), tt.want) || errors.Is(err, jobs.ErrFinal) {
				t.Fatalf("error %v", err)
			}
			if strings.Contains(err.Error(), "hunter2") || len(w.smtp.Mails()) != 0 {
				t.Errorf("%v; %d mails", err, len(w.smtp.Mails()))
			}
			if _, err := s.Check(t.Context()); err == nil {
				t.Error("the check finds nothing wrong")
			}
		})
	}
}

// feigned is a server in the middle that answers what it likes.
func feigned(t *testing.T, answers ...string) (host string, port int, heard func() string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	var got bytes.Buffer
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		buffer := make([]byte, 4096)
		for i, answer := range answers {
			if i > 0 {
				n, err := conn.Read(buffer)
				got.Write(buffer[:n])
				if err != nil {
					return
				}
			}
			if _, err := io.WriteString(conn, answer); err != nil {
				return
			}
		}
		n, _ := conn.Read(buffer) // what was tempted out of the client, or its end
		got.Write(buffer[:n])
	}()
	address, _ := listener.Addr().(*net.TCPAddr)
	return "127.0.0.1", address.Port, func() string { <-done; return got.String() }
}

// TestStrippedStartTLS: who takes the offer of STARTTLS out of the greeting, or
// slips in answers before the handshake, gets neither mail nor password.
func TestStrippedStartTLS(t *testing.T) {
	for name, answers := range map[string][]string{
		"stripped": {"220 x\r\n", "250-x\r\n250 AUTH PLAIN\r\n"},
		"refused":  {"220 x\r\n", "250-x\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n", "454 not now\r\n"},
		"injected": {"220 x\r\n", "250-x\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n", "220 go\r\n250-x\r\n250 AUTH PLAIN\r\n235 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n"},
		"downcast": {"220 x\r\n", "500 no EHLO\r\n", "250 x\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			host, port, heard := feigned(t, answers...)
			s := &mail.SMTP{Server: mail.Server{Host: host, Port: port, Security: mail.StartTLS, Username: "gate", Password: secret.Text("hunter2")}, Hello: "id.example.com"}
			if _, err := s.Send(t.Context(), message()); err == nil {
				t.Fatal("sent")
			}
			if got := heard(); strings.Contains(got, "AUTH") || strings.Contains(got, "MAIL") || strings.Contains(got, "ada@") {
				t.Errorf("it heard %q", got)
			}
		})
	}
}

func TestAddressesBeyondASCII(t *testing.T) {
	m := message()
	m.To = "jürgen@example.org"
	with := &world{t: t, smtp: testenv.SMTP(t, testenv.SMTPOptions{UTF8: true})}
	if _, err := with.sender("").Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if got := with.smtp.Await(t, 1)[0]; !got.UTF8 || !got.For(m.To) {
		t.Errorf("%+v", got)
	}
	// For everybody else it is not asked for: it would keep the mail from servers
	// behind this one that lack it.
	if _, err := with.sender("").Send(t.Context(), message()); err != nil || with.smtp.Await(t, 2)[1].UTF8 {
		t.Errorf("error %v", err)
	}
	without := &world{t: t, smtp: testenv.SMTP(t, testenv.SMTPOptions{})}
	if _, err := without.sender("").Send(t.Context(), m); !errors.Is(err, jobs.ErrFinal) {
		t.Errorf("error %v", err)
	}
}

// TestAttack_181_Headers: whatever reaches a message, its header has the lines that
// we write, each once, and one recipient.
func TestAttack_181_Headers(t *testing.T) {
	const evil = "x\r\nBcc: eve@example.net\r\n\r\nbody\u202e\u2028\x00"
	tests := map[string]func(m *mail.Message){
		"subject":          func(m *mail.Message) { m.Subject = evil },
		"name":             func(m *mail.Message) { m.From.Name = evil },
		"name, quoted":     func(m *mail.Message) { m.From.Name = `"x" <eve@example.net>, "y"` },
		"reply name":       func(m *mail.Message) { m.ReplyTo = &netmail.Address{Name: evil, Address: "help@example.com"} },
		"long subject":     func(m *mail.Message) { m.Subject = strings.Repeat("ä ", 500) },
		"encoded word":     func(m *mail.Message) { m.Subject = "=?utf-8?q?x=0D=0ABcc:_eve?=" },
		"text":             func(m *mail.Message) { m.Text = "\r\n.\r\nMAIL FROM:<eve@example.net>\r\n" },
		"recipient":        func(m *mail.Message) { m.To += "\r\nBcc: eve@example.net" },
		"sender":           func(m *mail.Message) { m.From.Address += "\r\nBcc: eve@example.net" },
		"id":               func(m *mail.Message) { m.ID += "\r\nBcc: eve@example.net" },
		"language":         func(m *mail.Message) { m.Language += "\r\nBcc: eve@example.net" },
		"recipient, angle": func(m *mail.Message) { m.To = "ada@example.org> <eve@example.net" },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			w := &world{t: t, smtp: testenv.SMTP(t, testenv.SMTPOptions{})}
			m := message()
			change(m)
			_, err := w.sender("").Send(t.Context(), m)
			if err != nil {
				if !errors.Is(err, jobs.ErrFinal) || len(w.smtp.Mails()) != 0 {
					t.Errorf("error %v, %d mails", err, len(w.smtp.Mails()))
				}
				return
			}
			got := w.smtp.Await(t, 1)[0]
			if diff := cmp.Diff([]string{"ada@example.org"}, got.Recipients); diff != "" {
				t.Error(diff)
			}
			for field, values := range got.Header {
				if len(values) != 1 || strings.EqualFold(field, "Bcc") || strings.EqualFold(field, "Cc") {
					t.Errorf("%s: %q", field, values)
				}
			}
			if strings.ContainsAny(got.Subject, "\r\n\u202e") || len(w.smtp.Mails()) != 1 {
				t.Errorf("subject %q, %d mails", got.Subject, len(w.smtp.Mails()))
			}
			from, err := netmail.ParseAddress(got.Header.Get("From"))
			if err != nil || from.Address != "id@mail.example.com" {
				t.Errorf("from %q, %v", got.Header.Get("From"), err)
			}
		})
	}
}
