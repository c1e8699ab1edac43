package outbound

import (
	"fmt"
	"net/netip"
	"slices"
	"syscall"
)

// loopbackName is true for the three ways to write this machine.
func loopbackName(host string) bool {
	return host == "localhost" || host == "127.0.0.1" || host == "::1"
}

// rules say which addresses may be dialled.
type rules struct {
	never, private []netip.Prefix
	global         netip.Prefix
	allowPrivate   bool
}

func newRules(allowPrivate bool) *rules {
	return &rules{
		never: never(), private: private(), allowPrivate: allowPrivate,
		// All of IPv6 that is assigned to anybody; what is outside (IPv4 in disguise
		// such as 64:ff9b::/96, link-local, multicast) is refused by not being in.
		global: netip.MustParsePrefix("2000::/3"),
	}
}

// control is called with each address between the lookup and the connection.
func (r *rules) control(network, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || network != "tcp4" && network != "tcp6" {
		return fmt.Errorf("%w: %s is no address of TCP", ErrRefused, network)
	}
	if !r.allow(to.Addr()) {
		return fmt.Errorf("%w: it is not a public one", ErrRefused)
	}
	return nil
}

func (r *rules) allow(a netip.Addr) bool {
	if a.Zone() != "" {
		return false
	}
	a = a.Unmap()
	switch {
	case !a.IsValid() || within(a, r.never):
		return false
	case within(a, r.private):
		return r.allowPrivate
	}
	return a.Is4() || r.global.Contains(a)
}

func within(a netip.Addr, list []netip.Prefix) bool {
	return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(a) })
}

// never are refused whatever is allowed: nobody's service, or everybody's secrets.
// Sources: IANA's special-purpose registries (RFC 6890) and the documentation of
// the clouds.
func never() []netip.Prefix {
	return prefixes(
		"0.0.0.0/8",          // this network
		"169.254.0.0/16",     // link-local, where most metadata services are
		"100.100.100.200/32", // metadata
		"168.63.129.16/32",   // metadata, at a public address
		"192.0.0.0/24",       // protocol assignments, metadata among them
		"192.0.2.0/24",       // documentation
		"198.18.0.0/15",      // benchmarks
		"198.51.100.0/24",    // documentation
		"203.0.113.0/24",     // documentation
		"192.88.99.0/24",     // 6to4 relays
		"224.0.0.0/4",        // multicast
		"240.0.0.0/4",        // reserved, and broadcast
		"fd00:ec2::/32",      // metadata
		"fd20:ce::/32",       // metadata
		"2001::/23",          // protocol assignments, Teredo among them
		"2001:db8::/32",      // documentation
		"2002::/16",          // 6to4: an IPv4 address inside
		"3fff::/20",          // documentation
	)
}

// private are refused unless private addresses are allowed.
func private() []netip.Prefix {
	return prefixes(
		"127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
		"100.64.0.0/10", // behind a carrier's NAT, and many clusters
		"::1/128", "fc00::/7",
	)
}

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		list[i] = netip.MustParsePrefix(t)
	}
	return list
}
