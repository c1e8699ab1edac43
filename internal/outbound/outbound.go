// Package outbound calls addresses that others chose: those at which clients want
// to be told something. Whoever registers a client must not get to see, or reach,
// what this machine can reach and they cannot.
//
// Invariants:
//   - The address that is checked is the one that is dialled, after the name was
//     resolved: a name that resolves to another address the second time (DNS
//     rebinding) gains nothing. See addresses.go for what is refused.
//   - https alone, by default; no redirect is followed, no proxy of the
//     environment is used, no cookie kept, nothing decompressed.
//   - An answer is bounded in time and size.
//   - Addresses may hold secrets (in a query): log Cause of an error, never the
//     error of net/http, which repeats the URL.
package outbound

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	defaultTimeout  = 5 * time.Second
	defaultResponse = 64 << 10
	longestHeader   = 64 << 10
	idleTimeout     = 30 * time.Second
	idleConns       = 64
)

var (
	// ErrRefused says that an address is one that must not be called.
	ErrRefused = errors.New("outbound: the address is refused")
	// ErrTooLarge says that an answer is larger than allowed.
	ErrTooLarge = errors.New("outbound: the answer is too large")
)

// Options say what a client may do.
type Options struct {
	// AllowPrivate lets it call loopback and private addresses, and http on
	// loopback. Link-local addresses and those of cloud metadata stay refused.
	AllowPrivate bool
	Timeout      time.Duration // of one request with its answer; zero means 5 seconds
	MaxResponse  int64         // bytes of an answer's body that can be read; zero means 64 KiB
	// Resolver looks names up; nil means the system's.
	Resolver *net.Resolver
	// TLS is for certificates of other authorities than the system's; nil means
	// the defaults.
	TLS *tls.Config
}

// NewClient returns a client for addresses that others chose. Its errors wrap
// ErrRefused or ErrTooLarge where that is the cause.
func NewClient(o Options) *http.Client {
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.MaxResponse <= 0 {
		o.MaxResponse = defaultResponse
	}
	dialer := &net.Dialer{
		Timeout: o.Timeout, KeepAlive: idleTimeout, Resolver: o.Resolver,
		Control: newRules(o.AllowPrivate).control,
	}
	return &http.Client{
		Timeout: o.Timeout,
		// The answer with the redirect is the answer.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &careful{
			allowPrivate: o.AllowPrivate, most: o.MaxResponse,
			base: &http.Transport{
				DialContext:            dialer.DialContext,
				TLSClientConfig:        o.TLS.Clone(),
				TLSHandshakeTimeout:    o.Timeout,
				ResponseHeaderTimeout:  o.Timeout,
				MaxResponseHeaderBytes: longestHeader,
				MaxIdleConns:           idleConns,
				MaxIdleConnsPerHost:    1,
				IdleConnTimeout:        idleTimeout,
				DisableCompression:     true, // a small answer may unpack to a large one
				ForceAttemptHTTP2:      true,
			},
		},
	}
}

// Cause returns what went wrong without the URL, which may hold a secret.
func Cause(err error) error {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		if u.Timeout() {
			return errors.New("outbound: no answer in time")
		}
		return u.Err
	}
	return err
}

// careful checks requests before and answers after the transport.
type careful struct {
	base         *http.Transport
	allowPrivate bool
	most         int64
}

// RoundTrip implements http.RoundTripper.
func (c *careful) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := c.checkURL(r.URL); err != nil {
		if r.Body != nil {
			_ = r.Body.Close() // the contract of RoundTrip; there was no other use of it
		}
		return nil, err
	}
	resp, err := c.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = &bounded{ReadCloser: resp.Body, left: c.most}
	return resp, nil
}

// CloseIdleConnections lets http.Client do so.
func (c *careful) CloseIdleConnections() { c.base.CloseIdleConnections() }

func (c *careful) checkURL(u *url.URL) error {
	switch {
	case u.User != nil:
		return fmt.Errorf("%w: user information in a URL", ErrRefused)
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && c.allowPrivate && loopbackName(u.Hostname()):
		return nil
	}
	return fmt.Errorf("%w: not https", ErrRefused)
}

// bounded fails, rather than ends, where an answer is too large: half an answer
// must not look like a whole one.
type bounded struct {
	io.ReadCloser
	left int64
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, ErrTooLarge
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	if b.left < 0 {
		return max(n-1, 0), ErrTooLarge
	}
	return n, err
}
