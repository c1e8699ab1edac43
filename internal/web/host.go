package web

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// RequireHost answers 421 (RFC 9110 §15.5.20) to requests whose Host is not the
// issuer's, so that no link, cookie or cached document is ever made for a name
// that somebody pointed here. Requests for the exempt paths, which probes ask by
// address, pass.
func RequireHost(issuer *url.URL, next http.Handler, exempt ...string) http.Handler {
	want := canonicalHost(issuer.Scheme, issuer.Host)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if canonicalHost(issuer.Scheme, r.Host) != want && !slices.Contains(exempt, r.URL.Path) {
			NoStore(w)
			http.Error(w, "This server does not answer for that host.", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// canonicalHost returns host in lower case without the scheme's default port.
func canonicalHost(scheme, host string) string {
	host = strings.ToLower(host)
	name, port, err := net.SplitHostPort(host)
	if err == nil && (scheme == "https" && port == "443" || scheme == "http" && port == "80") {
		if strings.Contains(name, ":") {
			return "[" + name + "]"
		}
		return name
	}
	return host
}
