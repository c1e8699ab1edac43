package provider_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"
)

// TestL19_RefreshShedsLoad: when as many refreshes run as may, another one is sent
// away for a few seconds with its token unspent, and a sign-in gets through.
func TestL19_RefreshShedsLoad(t *testing.T) {
	w := newWorld(t, newServer(t, sqliteURL(t)))
	one := w.tokens(w.web, w.user, "openid offline_access posts:add").str("refresh_token")
	two := w.tokens(w.web, w.user, "openid offline_access posts:add").str("refresh_token")
	code := w.signedIn(w.user).code(w.web.request("openid posts:add"))
	w.provider.Narrow(1, time.Millisecond)
	var shed, redeemed answer
	w.afterStanding(func() { // the first has the only place
		shed = w.refresh(w.web, two)
		redeemed = w.redeem(w.web, code)
	})
	if a := w.refresh(w.web, one); a.status != http.StatusOK {
		t.Errorf("the first: %s", a.raw)
	}
	wantError(t, shed, http.StatusServiceUnavailable, "temporarily_unavailable")
	if away, err := strconv.Atoi(shed.header.Get("Retry-After")); err != nil || away < 2 || away > 6 {
		t.Errorf("Retry-After %q", shed.header.Get("Retry-After"))
	}
	if redeemed.status != http.StatusOK {
		t.Errorf("a code behind refreshes: %s", redeemed.raw)
	}
	if a := w.refresh(w.web, two); a.status != http.StatusOK {
		t.Errorf("when it comes again: %s", a.raw)
	}
}

// TestL19_RefreshWaitsForAPlace: a short crowd is no error.
func TestL19_RefreshWaitsForAPlace(t *testing.T) {
	w := newWorld(t, newServer(t, sqliteURL(t)))
	one := w.tokens(w.web, w.user, "openid offline_access posts:add").str("refresh_token")
	two := w.tokens(w.web, w.user, "openid offline_access posts:add").str("refresh_token")
	w.provider.Narrow(1, time.Hour)
	waited := make(chan answer, 1)
	w.afterStanding(func() {
		go func() { waited <- w.refresh(w.web, two) }()
	})
	if a := w.refresh(w.web, one); a.status != http.StatusOK {
		t.Errorf("the first: %s", a.raw)
	}
	if a := <-waited; a.status != http.StatusOK {
		t.Errorf("the second: %s", a.raw)
	}
}
