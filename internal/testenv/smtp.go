package testenv

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// SMTPOptions say what a mail server demands.
type SMTPOptions struct {
	StartTLS bool // offers STARTTLS and takes no mail before it
	TLS      bool // speaks TLS from the first byte
	// User and Password are demanded before a mail when User is given. LOGIN is
	// offered instead of PLAIN if LoginOnly is set.
	User, Password string
	LoginOnly      bool
	UTF8           bool // offers SMTPUTF8 (RFC 6531)
}

// SMTPServer is a mail server in this process. It keeps what it takes.
type SMTPServer struct {
	tb      testing.TB
	opts    SMTPOptions
	addr    string
	roots   *x509.CertPool
	mu      sync.Mutex
	mails   []*ReceivedMail
	changed chan struct{} // closed and replaced at each mail
	refuse  func(stage, argument string) *SMTPRefusal
	tried   int
	taken   map[string]int // by recipient: how many Next has handed out
}

// SMTPRefusal is a reply that takes nothing.
type SMTPRefusal struct {
	Code int
	Text string
}

// SMTP starts a mail server that ends with the test.
func SMTP(tb testing.TB, opts SMTPOptions) *SMTPServer {
	tb.Helper()
	s := &SMTPServer{tb: tb, opts: opts, changed: make(chan struct{}), taken: map[string]int{}}
	server := smtp.NewServer(smtp.BackendFunc(s.session))
	server.Domain = "mail.test"
	server.AllowInsecureAuth = true
	server.EnableSMTPUTF8 = opts.UTF8
	server.MaxMessageBytes = 1 << 20
	server.ReadTimeout, server.WriteTimeout = time.Minute, time.Minute
	server.ErrorLog = silent{}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("testenv: listen for mails: %v", err)
	}
	s.addr = listener.Addr().String()
	if opts.TLS || opts.StartTLS {
		certificate, roots := selfSigned(tb)
		s.roots = roots
		config := &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
		if opts.TLS {
			listener = tls.NewListener(listener, config)
		} else {
			server.TLSConfig = config
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	tb.Cleanup(func() {
		// Here too: the server closes only those that it has begun to listen on.
		_ = listener.Close()
		if err := server.Close(); err != nil && !errors.Is(err, smtp.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			tb.Errorf("testenv: close the mail server: %v", err)
		}
		<-ended
	})
	return s
}

// URL is the setting smtp_url for this server. The password is not in it.
func (s *SMTPServer) URL() string {
	user, scheme, query := "", "smtp", "?tls=none"
	if s.opts.User != "" {
		user = strings.ReplaceAll(s.opts.User, "@", "%40") + "@"
	}
	if s.opts.StartTLS {
		query = ""
	}
	if s.opts.TLS {
		scheme, query = "smtps", ""
	}
	return scheme + "://" + user + s.addr + query
}

// Roots trust the server's certificate; nil without TLS.
func (s *SMTPServer) Roots() *x509.CertPool { return s.roots }

// Refuse lets f answer in the place of the server; nil takes the mail. f runs in
// the conversation's own goroutine and may block, as a slow server does. The
// stages are "connect", "auth" (argument: user), "mail" (sender), "rcpt"
// (recipient) and "data" (the raw mail).
func (s *SMTPServer) Refuse(f func(stage, argument string) *SMTPRefusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = f
}

// Tried counts the mails that were begun, taken or not.
func (s *SMTPServer) Tried() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tried
}

// Mails returns what was taken so far, in order.
func (s *SMTPServer) Mails() []*ReceivedMail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails)
}

// To returns what was taken so far for one address, in order.
func (s *SMTPServer) To(address string) []*ReceivedMail {
	var out []*ReceivedMail
	for _, m := range s.Mails() {
		if m.For(address) {
			out = append(out, m)
		}
	}
	return out
}

// Next waits for the next mail to an address: the first call returns the first
// one, the second call the second.
func (s *SMTPServer) Next(tb testing.TB, address string) *ReceivedMail {
	tb.Helper()
	key := strings.ToLower(address)
	s.mu.Lock()
	n := s.taken[key]
	s.taken[key]++
	s.mu.Unlock()
	s.until(tb, "a mail to "+address, func() bool { return len(s.To(address)) > n })
	return s.To(address)[n]
}

// Await waits until n mails were taken, and returns them.
func (s *SMTPServer) Await(tb testing.TB, n int) []*ReceivedMail {
	tb.Helper()
	s.until(tb, "mails", func() bool { return len(s.Mails()) >= n })
	return s.Mails()
}

func (s *SMTPServer) until(tb testing.TB, what string, f func() bool) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 30*time.Second)
	defer cancel()
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if f() {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			tb.Fatalf("testenv: waiting for %s: none came", what)
		}
	}
}

func (s *SMTPServer) session(c *smtp.Conn) (smtp.Session, error) {
	if err := s.answer("connect", ""); err != nil {
		return nil, err
	}
	return &smtpSession{server: s, conn: c}, nil
}

func (s *SMTPServer) answer(stage, argument string) error {
	s.mu.Lock()
	f := s.refuse
	if stage == "mail" {
		s.tried++
	}
	s.mu.Unlock()
	if f == nil {
		return nil
	}
	if r := f(stage, argument); r != nil {
		return &smtp.SMTPError{Code: r.Code, EnhancedCode: smtp.NoEnhancedCode, Message: r.Text}
	}
	return nil
}

func (s *SMTPServer) keep(m *ReceivedMail) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mails = append(s.mails, m)
	close(s.changed)
	s.changed = make(chan struct{})
}

// smtpSession is one conversation.
type smtpSession struct {
	server   *SMTPServer
	conn     *smtp.Conn
	user     string
	from     string
	to       []string
	utf8Mail bool
}

var _ smtp.AuthSession = (*smtpSession)(nil)

func (s *smtpSession) AuthMechanisms() []string {
	switch {
	case s.server.opts.User == "":
		return nil
	case s.server.opts.LoginOnly:
		return []string{sasl.Login}
	}
	return []string{sasl.Plain}
}

func (s *smtpSession) Auth(mechanism string) (sasl.Server, error) {
	check := func(user, password string) error {
		if err := s.server.answer("auth", user); err != nil {
			return err
		}
		if user != s.server.opts.User || password != s.server.opts.Password {
			return smtp.ErrAuthFailed
		}
		s.user = user
		return nil
	}
	if mechanism == sasl.Login {
		return &loginServer{check: check}, nil
	}
	return sasl.NewPlainServer(func(_, user, password string) error { return check(user, password) }), nil
}

func (s *smtpSession) Mail(from string, opts *smtp.MailOptions) error {
	if err := s.server.answer("mail", from); err != nil {
		return err
	}
	if _, secure := s.conn.TLSConnectionState(); s.server.opts.StartTLS && !secure {
		return &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "Must issue a STARTTLS command first"}
	}
	if s.server.opts.User != "" && s.user == "" {
		return smtp.ErrAuthRequired
	}
	s.from, s.utf8Mail = from, opts != nil && opts.UTF8
	return nil
}

func (s *smtpSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	if err := s.server.answer("rcpt", to); err != nil {
		return err
	}
	s.to = append(s.to, to)
	return nil
}

func (s *smtpSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if err := s.server.answer("data", string(raw)); err != nil {
		return err
	}
	m, err := parseMail(raw)
	if err != nil {
		s.server.tb.Errorf("testenv: a mail that does not parse: %v\n%s", err, raw)
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: "Malformed"}
	}
	m.From, m.Recipients, m.User, m.UTF8 = s.from, s.to, s.user, s.utf8Mail
	_, m.TLS = s.conn.TLSConnectionState()
	m.Greeting = s.conn.Hostname()
	s.server.keep(m)
	return nil
}

func (s *smtpSession) Reset() { s.from, s.to, s.utf8Mail = "", nil, false }

func (s *smtpSession) Logout() error { return nil }

// loginServer is the old LOGIN mechanism, which some providers still want.
type loginServer struct {
	check func(user, password string) error
	step  int
	user  string
}

func (l *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	l.step++
	switch l.step {
	case 1:
		return []byte("Username:"), false, nil
	case 2:
		l.user = string(response)
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(l.user, string(response))
}

type silent struct{}

func (silent) Printf(string, ...any) {}
func (silent) Println(...any)        {}
