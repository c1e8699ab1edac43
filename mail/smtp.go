package mail

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wneessen/go-mail/smtp"

	"github.com/gatehouse-id/gatehouse/jobs"
)

// SMTP hands mails in at one server, each in a conversation of its own.
type SMTP struct {
	Server
	// Hello is our own name, for the greeting: the issuer's host.
	Hello string
	// Roots trust the server's certificate; nil means what this machine trusts.
	Roots *x509.CertPool
}

var _ Sender = (*SMTP)(nil)

// The steps of a conversation (Refusal.Step).
const (
	StepConnect   = "connect"
	StepTLS       = "TLS"
	StepSignIn    = "sign in"
	StepSender    = "sender"
	StepRecipient = "recipient"
	StepContent   = "content"
)

// Refusal says at which step a mail server refused, or was lost.
type Refusal struct {
	Step string
	Code int    // the server's, or zero when it gave none
	Text string // the server's words, or what went wrong; without what no log may hold
}

// Error implements error.
func (r *Refusal) Error() string {
	if r.Code == 0 {
		return fmt.Sprintf("mail server: %s: %s", r.Step, r.Text)
	}
	return fmt.Sprintf("mail server: %s: %d %s", r.Step, r.Code, r.Text)
}

// permanent reports whether the server will say the same to the same mail. What it
// says before it knows the recipient is about us, and an operator can mend it;
// meanwhile the mail waits.
func (r *Refusal) permanent() bool {
	if r.Step != StepRecipient && r.Step != StepContent {
		return false
	}
	// 530, 534, 535 and 538 ask for another way to sign in (RFC 4954 §6).
	return r.Code >= 500 && r.Code <= 599 && !slices.Contains([]int{530, 534, 535, 538}, r.Code)
}

// Send implements Sender.
func (s *SMTP) Send(ctx context.Context, m *Message) (answer string, err error) {
	var body bytes.Buffer
	if _, err := m.WriteTo(&body); err != nil {
		return "", fmt.Errorf("%w: %w", jobs.ErrFinal, err)
	}
	talk, err := s.open(ctx)
	if err == nil {
		defer talk.end()
		answer, err = talk.hand(m, body.Bytes())
	}
	var r *Refusal
	if !errors.As(err, &r) {
		return answer, err
	}
	r.Text = m.scrub(r.Text)
	if r.permanent() {
		return "", fmt.Errorf("%w: %w", jobs.ErrFinal, r)
	}
	return "", r
}

// Check speaks with the server as Send does, up to the mail itself, and returns how
// it calls itself.
func (s *SMTP) Check(ctx context.Context) (answer string, err error) {
	talk, err := s.open(ctx)
	if err != nil {
		return "", err
	}
	defer talk.end()
	return oneLine(talk.client.HelloResponse()), nil
}

// conversation is one connection.
type conversation struct {
	client *smtp.Client
	conn   net.Conn
	stop   func() bool // lets the context go
}

// open greets the server, encrypts and signs in. The conversation is cut off when
// ctx ends.
func (s *SMTP) open(ctx context.Context) (*conversation, error) {
	conn, err := s.dial(ctx)
	if err != nil {
		return nil, err
	}
	// Every wait for the server ends with the context.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	c, err := s.greet(conn)
	if err != nil {
		stop()
		_ = conn.Close() // it is lost either way
		return nil, err
	}
	c.stop = stop
	return c, nil
}

func (s *SMTP) dial(ctx context.Context) (net.Conn, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", s.Address())
	if err != nil {
		return nil, refusal(StepConnect, err)
	}
	if s.Security != TLS {
		return conn, nil
	}
	encrypted := tls.Client(conn, s.tls())
	if err := encrypted.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, refusal(StepTLS, err)
	}
	return encrypted, nil
}

func (s *SMTP) tls() *tls.Config {
	return &tls.Config{ServerName: s.Host, MinVersion: tls.VersionTLS12, RootCAs: s.Roots}
}

// greet leaves the connection to the caller when it fails.
func (s *SMTP) greet(conn net.Conn) (*conversation, error) {
	client, err := smtp.NewClient(conn, s.Host)
	if err != nil {
		return nil, refusal(StepConnect, err)
	}
	if err := client.Hello(s.Hello); err != nil {
		return nil, refusal(StepConnect, err)
	}
	if s.Security == StartTLS {
		if offered, _ := client.Extension("STARTTLS"); !offered {
			// Not "then without": whoever sits between could take the offer out.
			return nil, &Refusal{Step: StepTLS, Text: "the server does not offer STARTTLS"}
		}
		if err := client.StartTLS(s.tls()); err != nil {
			return nil, refusal(StepTLS, err)
		}
	}
	if s.Username != "" {
		if err := s.signIn(client); err != nil {
			return nil, err
		}
	}
	return &conversation{client: client, conn: conn}, nil
}

// signIn uses PLAIN, or LOGIN with servers that know no better. Both send the
// password itself, which ParseServer allows under TLS and to this machine alone.
func (s *SMTP) signIn(client *smtp.Client) error {
	_, offered := client.Extension("AUTH")
	mechanisms := strings.Fields(strings.ToUpper(offered))
	inClear := s.Security == None && s.Local()
	var mechanism smtp.Auth
	switch {
	case slices.Contains(mechanisms, "PLAIN"):
		mechanism = smtp.PlainAuth("", s.Username, s.Password.Reveal(), s.Host, inClear)
	case slices.Contains(mechanisms, "LOGIN"):
		mechanism = smtp.LoginAuth(s.Username, s.Password.Reveal(), s.Host, inClear)
	default:
		return &Refusal{Step: StepSignIn, Text: "the server offers neither PLAIN nor LOGIN"}
	}
	if err := client.Auth(mechanism); err != nil {
		return refusal(StepSignIn, err)
	}
	return nil
}

// hand gives the server one mail.
func (c *conversation) hand(m *Message, body []byte) (answer string, err error) {
	beyondASCII := strings.ContainsFunc(m.To, func(r rune) bool { return r >= utf8.RuneSelf })
	if offered, _ := c.client.Extension("SMTPUTF8"); beyondASCII && !offered {
		return "", &Refusal{Step: StepRecipient, Code: 553, Text: "the server takes no address beyond ASCII"}
	}
	c.client.SkipSMTPUTF8(!beyondASCII) // asked for without need, it keeps mails from servers that lack it
	if err := c.client.Mail("<" + m.From.Address + ">"); err != nil {
		return "", refusal(StepSender, err)
	}
	if err := c.client.Rcpt("<" + m.To + ">"); err != nil {
		return "", refusal(StepRecipient, err)
	}
	w, err := c.client.Data()
	if err != nil {
		return "", refusal(StepContent, err)
	}
	if _, err := w.Write(body); err != nil {
		return "", refusal(StepContent, err)
	}
	if err := w.Close(); err != nil {
		return "", refusal(StepContent, err)
	}
	if taken, ok := w.(interface{ ServerResponse() string }); ok {
		answer = taken.ServerResponse()
	}
	return answer, nil
}

// end says goodbye. The mail is taken or lost by then: nothing can go wrong, and
// nothing is worth a wait.
func (c *conversation) end() {
	const patience = 2 * time.Second
	timer := time.AfterFunc(patience, func() { _ = c.conn.Close() })
	defer timer.Stop()
	_ = c.client.Quit()
	c.stop()
	_ = c.conn.Close()
}

// refusal reads an error of the conversation.
func refusal(step string, err error) error {
	var said *textproto.Error
	if errors.As(err, &said) {
		return &Refusal{Step: step, Code: said.Code, Text: said.Msg}
	}
	if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
		return &Refusal{Step: step, Text: "the connection ended"}
	}
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Err != nil && step == StepConnect {
		return &Refusal{Step: step, Text: dial.Err.Error()}
	}
	return &Refusal{Step: step, Text: err.Error()}
}
