package auditlog

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// RFC 5424 §6.2.1: facility "log audit" (13), severity "notice" (5).
	syslogPriority = 13*8 + 5
	// RFC 5426 §3.2: what receivers of datagrams should take.
	maxDatagram   = 2048
	syslogTimeout = 10 * time.Second
)

// Default ports: RFC 5426 §3.3, RFC 6587 §3.1 (none is assigned; receivers listen
// there), RFC 5425 §4.1.
func syslogPort(scheme string) string {
	switch scheme {
	case "tls":
		return "6514"
	case "tcp":
		return "601"
	}
	return "514"
}

// SyslogAddress is a receiver: udp, tcp or tls.
type SyslogAddress struct {
	Network string // "udp", "tcp", "tls"
	Host    string // with port
}

// ParseSyslog reads udp://host:514, tcp://host:601 or tls://host:6514; the port may
// be left out.
func ParseSyslog(text string) (*SyslogAddress, error) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("write udp://host:514, tcp://host:601 or tls://host:6514")
	}
	switch u.Scheme {
	case "udp", "tcp", "tls":
	default:
		return nil, fmt.Errorf("%q is not udp, tcp or tls", u.Scheme)
	}
	port := u.Port()
	if port == "" {
		port = syslogPort(u.Scheme)
	}
	return &SyslogAddress{Network: u.Scheme, Host: net.JoinHostPort(u.Hostname(), port)}, nil
}

// Syslog sends events to a receiver, over a connection that it makes when it needs
// one. One goroutine uses it.
type Syslog struct {
	Address SyslogAddress
	TLS     *tls.Config // for tls; nil takes the system's authorities
	// Hostname names this machine; empty takes its own name.
	Hostname string

	conn   net.Conn
	broken *atomic.Pointer[error] // what the reader of conn has seen
}

var errHungUp = errors.New("the receiver has closed the connection")

// Send writes a message for each event. An error says that the connection is gone:
// how many of them arrived is not known.
func (s *Syslog) Send(ctx context.Context, events []Line) error {
	if err := s.connect(ctx); err != nil {
		return fmt.Errorf("connect to %s: %w", s.Address.Host, err)
	}
	var buffer bytes.Buffer
	for i := range events {
		message, err := s.message(&events[i])
		if err != nil {
			return err
		}
		if s.Address.Network == "udp" {
			if err := s.write(message); err != nil {
				return err
			}
			continue
		}
		// RFC 6587 §3.4.1 and RFC 5425 §4.3: the message's length in octets, a space.
		buffer.WriteString(strconv.Itoa(len(message)))
		buffer.WriteByte(' ')
		buffer.Write(message)
	}
	if buffer.Len() == 0 {
		return nil
	}
	return s.write(buffer.Bytes())
}

func (s *Syslog) write(b []byte) error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(syslogTimeout)); err != nil {
		return fmt.Errorf("send to %s: %w", s.Address.Host, err)
	}
	if _, err := s.conn.Write(b); err != nil {
		return fmt.Errorf("send to %s: %w", s.Address.Host, err)
	}
	return nil
}

// Alive returns what has ended the connection, nil while there is none.
func (s *Syslog) Alive() error {
	if s.conn == nil {
		return nil
	}
	if err := s.broken.Load(); err != nil {
		return fmt.Errorf("%s: %w", s.Address.Host, *err)
	}
	return nil
}

// Close ends the connection; what was written is still sent.
func (s *Syslog) Close() error {
	if s.conn == nil {
		return nil
	}
	err := s.conn.Close()
	s.conn = nil
	return err
}

func (s *Syslog) connect(ctx context.Context) error {
	if s.conn != nil {
		return nil
	}
	dialer := &net.Dialer{Timeout: syslogTimeout}
	ctx, cancel := context.WithTimeout(ctx, syslogTimeout)
	defer cancel()
	var conn net.Conn
	var err error
	if s.Address.Network == "tls" {
		conn, err = (&tls.Dialer{NetDialer: dialer, Config: s.TLS}).DialContext(ctx, "tcp", s.Address.Host)
	} else {
		conn, err = dialer.DialContext(ctx, s.Address.Network, s.Address.Host)
	}
	if err != nil {
		return err
	}
	broken := &atomic.Pointer[error]{}
	s.conn, s.broken = conn, broken
	// Receivers say nothing; reading is how one hears that they have gone.
	go func() {
		b := make([]byte, 512)
		for {
			if _, err := conn.Read(b); err != nil {
				if errors.Is(err, io.EOF) {
					err = errHungUp
				}
				broken.Store(&err)
				return
			}
		}
	}()
	return nil
}

// message is an event in the form of RFC 5424 §6: the header, no structured data,
// and the event as a JSON object.
func (s *Syslog) message(l *Line) ([]byte, error) {
	body, err := json.Marshal(l)
	if err != nil {
		return nil, fmt.Errorf("event %s: %w", l.ID, err)
	}
	header := fmt.Sprintf("<%d>1 %s %s gatehouse %d %s - ", syslogPriority, l.Time, s.hostname(), os.Getpid(), printable(l.Action, 32))
	if s.Address.Network == "udp" && len(header)+len(body) > maxDatagram {
		short := *l
		short.Details, short.Before, short.After, short.Cut = nil, nil, nil, true
		if body, err = json.Marshal(&short); err != nil {
			return nil, fmt.Errorf("event %s: %w", l.ID, err)
		}
	}
	return append([]byte(header), body...), nil
}

func (s *Syslog) hostname() string {
	if s.Hostname == "" {
		s.Hostname, _ = os.Hostname() // without one it is nil, as RFC 5424 says
	}
	return printable(s.Hostname, 255)
}

// printable is a text as a field of the header may be: PRINTUSASCII, and "-" for
// none (RFC 5424 §6).
func printable(text string, longest int) string {
	text = strings.Map(func(r rune) rune {
		if r <= ' ' || r >= 0x7f {
			return '_'
		}
		return r
	}, text)
	if text == "" {
		return "-"
	}
	return text[:min(len(text), longest)]
}
