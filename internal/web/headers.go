package web

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// setHeaders sets what every answer has.
//
// There is no Cross-Origin-Opener-Policy: any value but unsafe-none cuts the tie
// between a single-page app and the popup in which it runs the sign-in, also
// after the popup has come back to the app. HSTS leaves out includeSubDomains:
// other hosts are not ours to speak for.
func setHeaders(h http.Header, id string, hsts bool) {
	h.Set("X-Request-Id", id)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()")
	if hsts {
		h.Set("Strict-Transport-Security", "max-age=63072000")
	}
}

const (
	pagePolicy    = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'"
	policyHeader  = "Content-Security-Policy"
	formActionOwn = "; form-action 'self'"
)

// Pages sets the headers of HTML pages: a strict Content-Security-Policy without
// inline script or style, and no-store.
func Pages(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(policyHeader, pagePolicy+formActionOwn)
		NoStore(w)
		next.ServeHTTP(w, r)
	})
}

// AllowFormTarget lets the forms of the page that is being answered end, after
// redirects, at the origin of target, an absolute URI that has been validated.
// Chromium applies form-action to every redirect that follows a form, so a page
// whose form sends the person back to the app needs it. It must be called before
// the page is written. It returns an error, and changes nothing, if target has no
// scheme or one that can run script.
//
// An app whose callback redirects on to another origin is still stopped by
// Chromium; AllowAnyFormTarget is for pages that must work for these too.
func AllowFormTarget(w http.ResponseWriter, target string) error {
	source, err := formSource(target)
	if err != nil {
		return err
	}
	w.Header().Set(policyHeader, pagePolicy+formActionOwn+" "+source)
	return nil
}

// AllowAnyFormTarget leaves form-action out of the policy of the page that is
// being answered.
func AllowAnyFormTarget(w http.ResponseWriter) {
	w.Header().Set(policyHeader, pagePolicy)
}

// formSource returns the CSP source expression that matches target.
func formSource(target string) (string, error) {
	u, err := url.Parse(target)
	if err != nil || u.Scheme == "" {
		return "", fmt.Errorf("form target: not an absolute URI")
	}
	switch u.Scheme {
	case "javascript", "data", "vbscript", "blob", "filesystem", "about", "file":
		return "", fmt.Errorf("form target: scheme %s", u.Scheme)
	case "http", "https":
	default:
		return u.Scheme + ":", nil // url.Parse allows only scheme characters, in lower case
	}
	host := strings.ToLower(u.Host)
	for i := range len(host) {
		if c := host[i]; !isAlnum(c) && !strings.ContainsRune(".-:[]_", rune(c)) {
			return "", fmt.Errorf("form target: host")
		}
	}
	if host == "" || u.User != nil {
		return "", fmt.Errorf("form target: host")
	}
	// CSP 3 §6.7.2.8 (host-part matching): no IP address but 127.0.0.1 ever matches a host source.
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil && addr != netip.AddrFrom4([4]byte{127, 0, 0, 1}) {
		return u.Scheme + ":", nil
	}
	return u.Scheme + "://" + host, nil
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// NoStore forbids every cache to keep the answer (RFC 6749 §5.1).
func NoStore(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
}
