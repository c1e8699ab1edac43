package web

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"net/netip"
)

// request is what the front knows of one request. It travels as one context
// value, so that all of it costs one allocation.
type request struct {
	id     string
	addr   netip.Addr
	scheme string
	event  RequestEvent
	answer recorder
}

type requestKey struct{}

func fromContext(ctx context.Context) *request {
	q, _ := ctx.Value(requestKey{}).(*request)
	return q
}

// RequestID returns the id of the request in whose context ctx was made: 22
// characters, never chosen by the client. It is empty outside a Front.
func RequestID(ctx context.Context) string {
	if q := fromContext(ctx); q != nil {
		return q.id
	}
	return ""
}

// ClientIP returns the address of the client, as far as trusted proxies vouch for
// it, without zone and never as an IPv4-mapped IPv6 address. It is the invalid
// zero Addr outside a Front and where the socket has no IP address.
func ClientIP(ctx context.Context) netip.Addr {
	if q := fromContext(ctx); q != nil {
		return q.addr
	}
	return netip.Addr{}
}

// Scheme returns "https" or "http" as the client used it, as far as trusted
// proxies vouch for it. URLs are built from the issuer, never from this.
func Scheme(ctx context.Context) string {
	if q := fromContext(ctx); q != nil {
		return q.scheme
	}
	return "http"
}

func newRequestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// recorder notes what was answered. Unwrap lets http.ResponseController reach the
// connection (flush, deadlines).
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (w *recorder) WriteHeader(status int) {
	// 1xx are not the answer; 101 ends HTTP on the connection and is one.
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// Unwrap serves http.ResponseController.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
