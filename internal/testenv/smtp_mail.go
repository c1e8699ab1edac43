package testenv

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"regexp"
	"strings"
	"testing"
	"time"
)

// ReceivedMail is a mail as the server took it.
type ReceivedMail struct {
	Greeting   string   // how the client called itself
	User       string   // who signed in, empty for nobody
	TLS        bool     // whether it came encrypted
	UTF8       bool     // whether SMTPUTF8 was asked for
	From       string   // the envelope's
	Recipients []string // the envelope's
	Header     mail.Header
	Subject    string // decoded
	Text, HTML string // decoded; line ends are \n
	Raw        []byte
}

// For reports whether the envelope names an address.
func (m *ReceivedMail) For(address string) bool {
	for _, r := range m.Recipients {
		if strings.EqualFold(r, address) {
			return true
		}
	}
	return false
}

// Links returns the URLs of the text part, in order.
func (m *ReceivedMail) Links() []string {
	return regexp.MustCompile(`https?://[^\s<>"]+`).FindAllString(m.Text, -1)
}

// Link returns the first URL of the text part, or an empty text.
func (m *ReceivedMail) Link() string {
	if links := m.Links(); len(links) > 0 {
		return links[0]
	}
	return ""
}

// Code returns the code of six to ten digits that stands on a line of its own in
// the text part, or an empty text.
func (m *ReceivedMail) Code() string {
	if found := regexp.MustCompile(`(?m)^\s*([0-9]{6,10})\s*$`).FindStringSubmatch(m.Text); found != nil {
		return found[1]
	}
	return ""
}

// parseMail reads a mail with one text and one HTML part, both UTF-8.
func parseMail(raw []byte) (*ReceivedMail, error) {
	parsed, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	m := &ReceivedMail{Header: parsed.Header, Raw: raw}
	if m.Subject, err = new(mime.WordDecoder).DecodeHeader(parsed.Header.Get("Subject")); err != nil {
		return nil, fmt.Errorf("subject: %w", err)
	}
	kind, params, err := mime.ParseMediaType(parsed.Header.Get("Content-Type"))
	if err != nil {
		return nil, fmt.Errorf("content type: %w", err)
	}
	if kind != "multipart/alternative" {
		return nil, fmt.Errorf("content type %s", kind)
	}
	parts := multipart.NewReader(parsed.Body, params["boundary"])
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("part: %w", err)
		}
		var body io.Reader = part
		switch encoding := part.Header.Get("Content-Transfer-Encoding"); strings.ToLower(encoding) {
		case "quoted-printable":
			body = quotedprintable.NewReader(part)
		default:
			return nil, fmt.Errorf("encoding %q", encoding)
		}
		content, err := io.ReadAll(body)
		if err != nil {
			return nil, fmt.Errorf("part: %w", err)
		}
		text := strings.ReplaceAll(string(content), "\r\n", "\n")
		switch kind, _, _ := mime.ParseMediaType(part.Header.Get("Content-Type")); kind {
		case "text/plain":
			m.Text = text
		case "text/html":
			m.HTML = text
		default:
			return nil, fmt.Errorf("part of type %q", kind)
		}
	}
	return m, nil
}

// selfSigned makes a certificate for loopback, and what trusts it.
func selfSigned(tb testing.TB) (tls.Certificate, *x509.CertPool) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatalf("testenv: key: %v", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "loopback"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		tb.Fatalf("testenv: certificate: %v", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatalf("testenv: certificate: %v", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, roots
}
