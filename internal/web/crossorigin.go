package web

import (
	"fmt"
	"net/http"
	"net/url"
)

// CrossOrigin refuses requests that change something and that another origin made
// the browser send (CSRF, login CSRF), by Sec-Fetch-Site or else by Origin.
// Requests from the issuer's own origin pass also where a proxy rewrites Host.
// Requests with neither header pass: they are not from a browser of this decade,
// and SameSite cookies and the flow id in the form still stand behind. Under our
// Referrer-Policy a browser sends "Origin: null" even with our own forms (Fetch
// §3.2), so one without Sec-Fetch-Site (older than March 2023) is refused. denied
// answers what is refused; nil means a plain 403.
func CrossOrigin(issuer *url.URL, denied, next http.Handler) (http.Handler, error) {
	p := http.NewCrossOriginProtection()
	if err := p.AddTrustedOrigin(Origin(issuer)); err != nil {
		return nil, fmt.Errorf("cross-origin protection: %w", err)
	}
	if denied == nil {
		denied = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			NoStore(w)
			http.Error(w, "This request came from another site.", http.StatusForbidden)
		})
	}
	p.SetDenyHandler(denied)
	return p.Handler(next), nil
}

// Origin returns the origin of u as browsers write it: lower case, without the
// scheme's default port.
func Origin(u *url.URL) string {
	return u.Scheme + "://" + canonicalHost(u.Scheme, u.Host)
}
