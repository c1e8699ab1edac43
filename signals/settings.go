package signals

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// Limits of what a receiver may set.
const (
	maxRequested   = 64   // types of events
	maxType        = 512  // bytes of one of them
	maxEndpoint    = 2048 // bytes
	maxHeader      = 4096 // bytes
	maxDescription = 256  // runes; the rest is cut off, as SSF allows
)

// apply writes what the receiver supplies into s: what the body names, and with
// whole also, as deleted, what it does not.
func (t *Transmitter) apply(o object, s *Stream, whole bool) error {
	requested, ok, err := o.list("events_requested", maxRequested, maxType)
	if err != nil {
		return err
	}
	if ok || whole {
		s.Requested = requested
	}
	description, ok, err := o.text("description")
	if err != nil {
		return err
	}
	if !shown(description) {
		return bad("description has control characters")
	}
	if runes := []rune(description); len(runes) > maxDescription {
		description = string(runes[:maxDescription])
	}
	if ok || whole {
		s.Description = description
	}
	raw, ok := o["delivery"]
	if !ok {
		if whole {
			// SSF §8.1.1.1: without, it is poll.
			s.Method, s.Endpoint, s.Sealed = Poll, "", nil
		}
		return nil
	}
	delivery, err := parseObject(raw)
	if err != nil {
		return bad("delivery must be an object")
	}
	return t.applyDelivery(delivery, s)
}

// applyDelivery takes delivery as one thing: a header that is not sent along with an
// address is forgotten, for it was meant for the address before.
func (t *Transmitter) applyDelivery(o object, s *Stream) error {
	method, err := o.need("method")
	if err != nil {
		return err
	}
	switch Method(method) {
	case Poll:
		s.Method, s.Endpoint, s.Sealed = Poll, "", nil
		return nil
	case Push:
	default:
		return bad("delivery: the method must be " + string(Push) + " or " + string(Poll))
	}
	endpoint, err := o.need("endpoint_url")
	if err != nil {
		return err
	}
	if err := checkEndpoint(endpoint, t.AllowHTTP); err != nil {
		return err
	}
	s.Method, s.Endpoint, s.Sealed = Push, endpoint, nil
	header, ok, err := o.text("authorization_header")
	if err != nil || !ok || header == "" {
		return err
	}
	if len(header) > maxHeader || strings.ContainsFunc(header, func(r rune) bool { return r < ' ' || r > '~' }) {
		return bad("delivery: authorization_header cannot be sent")
	}
	s.Sealed, err = t.Keyring.Seal(sealPurpose, []byte(header), s.ID[:])
	if err != nil {
		return fmt.Errorf("seal the authorization header: %w", err)
	}
	return nil
}

// checkEndpoint refuses what could never be pushed to. Whether the address behind a
// name may be called is decided when it is, by package outbound.
func checkEndpoint(raw string, allowHTTP bool) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || len(raw) > maxEndpoint || !shown(raw):
		return bad("delivery: endpoint_url is malformed")
	case u.Hostname() == "" || u.User != nil || u.Fragment != "" || strings.HasSuffix(raw, "#") || u.Opaque != "":
		return bad("delivery: endpoint_url must have a host, and neither user information nor a fragment")
	case u.Scheme == "https", u.Scheme == "http" && allowHTTP && loopback(u.Hostname()):
		return nil
	}
	return bad("delivery: endpoint_url must be https")
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
