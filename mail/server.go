package mail

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// Security is how the way to the mail server is protected.
type Security string

// The ways.
const (
	StartTLS Security = "starttls" // TLS after the greeting; no mail without it (RFC 3207)
	TLS      Security = "tls"      // TLS from the first byte (RFC 8314 §3.3)
	None     Security = "none"     // in clear
)

// Server is where mails are handed in.
type Server struct {
	Host     string // name or IP address, without brackets
	Port     int
	Security Security
	Username string // empty without signing in
	Password secret.Text
}

// Address is host:port.
func (s *Server) Address() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

// ParseServer reads a mail server's URL: smtp://user@host:587, by which STARTTLS is
// demanded, or smtps://user@host:465, which is TLS from the first byte. With
// ?tls=none mails go in clear: to this machine, or, if plaintext says so, to
// another one, to which a password is not sent.
func ParseServer(raw string, plaintext bool) (*Server, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("it is not a URL") // the parser's error repeats it
	}
	s := &Server{Host: u.Hostname(), Security: StartTLS, Port: 587}
	switch u.Scheme {
	case "smtp":
	case "smtps":
		s.Security, s.Port = TLS, 465
	default:
		return nil, errors.New("it must begin with smtp:// or smtps://")
	}
	if u.User != nil {
		if _, given := u.User.Password(); given {
			return nil, errors.New("it holds a password: write that into a file and name it with smtp_password_file")
		}
		s.Username = u.User.Username()
	}
	if s.Host == "" || u.Path != "" && u.Path != "/" || u.Fragment != "" || strings.ContainsAny(s.Host+s.Username, " \r\n\x00") {
		return nil, errors.New("write smtp://user@host:587, smtps://user@host:465 or smtp://localhost:25?tls=none")
	}
	if port := u.Port(); port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return nil, fmt.Errorf("%q is not a port from 1 to 65535", port)
		}
		s.Port = int(n)
	}
	if err := s.readQuery(u); err != nil {
		return nil, err
	}
	if s.Security != None || s.Local() {
		return s, nil
	}
	switch {
	case !plaintext:
		return nil, fmt.Errorf("tls=none would send mails in clear to %s: leave it out, or set smtp_plaintext if the network between is yours", s.Host)
	case s.Username != "":
		return nil, fmt.Errorf("tls=none would send a password in clear to %s: leave the user out", s.Host)
	}
	return s, nil
}

func (s *Server) readQuery(u *url.URL) error {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return errors.New("its query does not parse")
	}
	for name, values := range query {
		if name != "tls" || len(values) != 1 || values[0] != "none" || u.Scheme != "smtp" {
			return errors.New("the one thing that may stand behind the ? is tls=none, of smtp://")
		}
		s.Security = None
	}
	return nil
}

// Local reports whether the server is on this machine.
func (s *Server) Local() bool {
	if strings.EqualFold(s.Host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(s.Host)
	return err == nil && address.IsLoopback()
}
