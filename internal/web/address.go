package web

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// maxHops bounds how many trusted proxies a request may have passed.
const maxHops = 16

// ParsePrefixes reads the addresses of trusted proxies: prefixes ("10.0.0.0/8")
// or single addresses. The error names the entry that is neither.
func ParsePrefixes(list []string) ([]netip.Prefix, error) {
	out := make([]netip.Prefix, 0, len(list))
	for _, s := range list {
		s = strings.TrimSpace(s)
		if addr, err := netip.ParseAddr(s); err == nil {
			addr = plain(addr)
			out = append(out, netip.PrefixFrom(addr, addr.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(s)
		if err != nil || p.Addr().Is4In6() {
			return nil, fmt.Errorf("%q is neither an address nor a prefix such as 10.0.0.0/8", s)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// Bucket names what an address is throttled as: its /64 for IPv6, where one
// subscriber has at least that many addresses, and itself for IPv4.
func Bucket(addr netip.Addr) string {
	addr = plain(addr)
	switch {
	case !addr.IsValid():
		return "unknown"
	case addr.Is4():
		return addr.String()
	}
	p, _ := addr.Prefix(64) // an IPv6 address has 64 bits to keep
	return p.String()
}

// origin returns the address and scheme of the client. Forwarded headers count
// only when the peer of the socket is trusted; then the client is the rightmost
// address of X-Forwarded-For that is not itself a trusted proxy, since everything
// left of it may have been written by the client. What cannot be read, up to that
// address, makes the whole header worthless: the peer's address is used, so that
// limits still have something to hold on to.
func origin(r *http.Request, trusted []netip.Prefix) (netip.Addr, string) {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	peer := parseHop(r.RemoteAddr)
	if !within(trusted, peer) {
		return peer, scheme
	}
	if s := lastElement(strings.Join(r.Header.Values("X-Forwarded-Proto"), ",")); s == "https" || s == "http" {
		scheme = s
	}
	return forwardedFor(strings.Join(r.Header.Values("X-Forwarded-For"), ","), peer, trusted), scheme
}

func forwardedFor(list string, peer netip.Addr, trusted []netip.Prefix) netip.Addr {
	addr := peer
	for hop := 0; list != ""; hop++ {
		var last string
		if i := strings.LastIndexByte(list, ','); i >= 0 {
			list, last = list[:i], list[i+1:]
		} else {
			list, last = "", list
		}
		addr = parseHop(strings.Trim(last, " \t"))
		if !addr.IsValid() || hop == maxHops {
			return peer
		}
		if !within(trusted, addr) {
			return addr
		}
	}
	return addr // every hop is trusted: the first of them is the client
}

// parseHop reads "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]" or
// "[2001:db8::1]:80" and returns the zero Addr for anything else.
func parseHop(s string) netip.Addr {
	if addr, err := netip.ParseAddr(s); err == nil {
		return plain(addr)
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return plain(ap.Addr())
	}
	if inner, ok := strings.CutPrefix(s, "["); ok {
		if inner, ok = strings.CutSuffix(inner, "]"); ok {
			if addr, err := netip.ParseAddr(inner); err == nil {
				return plain(addr)
			}
		}
	}
	return netip.Addr{}
}

func plain(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }

func within(prefixes []netip.Prefix, addr netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

func lastElement(list string) string {
	return strings.ToLower(strings.Trim(list[strings.LastIndexByte(list, ',')+1:], " \t"))
}
