package provider_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/revocation"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
)

// troubled is a tail in a state that is hard to bring about.
type troubled struct {
	*revocation.Tail
	point error // of Point
	check error // of Check
}

func (t *troubled) Point(ctx context.Context) (revocation.Point, error) {
	if t.point != nil {
		return revocation.Point{}, t.point
	}
	return t.Tail.Point(ctx)
}

func (t *troubled) Check(before revocation.Point, position int64) error {
	if t.check != nil {
		return t.check
	}
	return t.Tail.Check(before, position)
}

// statements counts those of requests; the tail's own, which run beside them, are
// not counted.
type statements struct{ n atomic.Int64 }

func (c *statements) trace(sql string) {
	if !strings.Contains(sql, "c.chain FROM revocations c") {
		c.n.Add(1)
	}
}

func (c *statements) of(f func()) int64 {
	before := c.n.Load()
	f()
	return c.n.Load() - before
}

// tailWorld is a world with a tail, in which everybody has what they need, and
// everything has been asked once.
func tailWorld(t *testing.T) (*benchWorld, *statements, *troubled) {
	t.Helper()
	c := &statements{}
	s := newTracedNode(t, sqldbtest.Postgres(t), secret.Text(strings.Repeat("s", 40)), nil, c.trace)
	s.follow()
	tail := &troubled{Tail: s.tail}
	s.provider.Tail = tail
	return benchWorldOn(t, s), c, tail
}

// tailRequests are all that ask the ledger or decide by it.
func tailRequests(w *benchWorld) map[string]func() int {
	first := w.exchange(w.newCode())
	access, refresh := first.str("access_token"), first.str("refresh_token")
	return map[string]func() int{
		"authorize": func() int { return w.browser.authorize(w.app.request(benchScope)).StatusCode },
		"refresh": func() int {
			a := w.refresh(w.app, refresh)
			if a.status == http.StatusOK {
				refresh = a.str("refresh_token")
			}
			return a.status
		},
		"client credentials": func() int {
			return w.call("/oauth2/token", w.machine, url.Values{"grant_type": {"client_credentials"}}).status
		},
		"introspect": func() int { return w.introspect(w.resource, access).status },
		"userinfo":   func() int { return ledgerUserinfo(w.server, access) },
		"revoke nothing": func() int {
			return w.call("/oauth2/revoke", w.app, url.Values{"token": {"x"}}).status
		},
		"keys": func() int {
			return w.ask(httptest.NewRequest(http.MethodGet, issuer+"/.well-known/jwks.json", nil)).status
		},
		"origin": func() int {
			r := httptest.NewRequest(http.MethodOptions, issuer+"/oauth2/token", nil)
			r.Header.Set("Origin", "https://spa.example.com")
			r.Header.Set("Access-Control-Request-Method", http.MethodPost)
			return w.ask(r).status
		},
	}
}

// TestStatementsOfARequest: each request costs what the design says, once the node
// knows its clients.
func TestStatementsOfARequest(t *testing.T) {
	w, c, tail := tailWorld(t)
	for name, want := range map[string]struct{ fresh, stale int64 }{
		"authorize":          {2, 2}, // the standing, the code
		"refresh":            {2, 2}, // the standing, the rotation
		"client credentials": {0, 1}, // the machine's standing
		"introspect":         {0, 1}, // head
		"userinfo":           {1, 2}, // the person; head
		"revoke nothing":     {0, 1},
		"keys":               {0, 1},
		"origin":             {0, 1},
	} {
		do := tailRequests(w)[name]
		do()
		if got := c.of(func() { do() }); got != want.fresh {
			t.Errorf("%s: %d statements, want %d", name, got, want.fresh)
		}
		tail.point = revocation.ErrStale
		if got := c.of(func() { do() }); got != want.stale {
			t.Errorf("%s while the tail is stale: %d statements, want %d", name, got, want.stale)
		}
		tail.point = nil
	}
	code := w.newCode()
	if got := c.of(func() { w.exchange(code) }); got != 2 {
		t.Errorf("a code: %d statements, want 2", got)
	}
}

// TestL05_StaleTail: a node whose head was not confirmed lately asks the database,
// and what is revoked is refused.
func TestL05_StaleTail(t *testing.T) {
	w, _, tail := tailWorld(t)
	requests := tailRequests(w)
	access := w.exchange(w.newCode()).str("access_token")
	if !ledgerActive(t, w.server, w.resource, access) {
		t.Fatal("the token was dead before")
	}
	tail.point = revocation.ErrStale
	for name, do := range requests {
		if status := do(); status >= http.StatusBadRequest {
			t.Errorf("%s: %d", name, status)
		}
	}
	ledgerMust(t, w.clients.Disable(t.Context(), tester, w.app.ClientID))
	if ledgerActive(t, w.server, w.resource, access) {
		t.Error("the token outlived its client")
	}
}

// TestL08_NothingIsMintedDuringALoss: whether the loss is known already or shows in
// the very statement that decides, nothing is minted, used up or told; afterwards
// all goes on.
func TestL08_NothingIsMintedDuringALoss(t *testing.T) {
	w, _, tail := tailWorld(t)
	requests, code := tailRequests(w), w.newCode()
	mints := []string{"refresh", "client credentials"}
	for _, name := range mints {
		if status := requests[name](); status != http.StatusOK {
			t.Fatalf("%s: %d before", name, status)
		}
	}
	tail.check = revocation.ErrLost
	wantError(t, w.exchange(code), http.StatusServiceUnavailable, "temporarily_unavailable")
	for _, name := range []string{"refresh", "userinfo"} {
		if status := requests[name](); status != http.StatusServiceUnavailable {
			t.Errorf("%s: %d", name, status)
		}
	}
	if at := w.browser.authorize(w.app.request(benchScope)).Header.Get("Location"); strings.Contains(at, "code=") {
		t.Error("a code during a loss")
	}
	tail.point = revocation.ErrLost
	for _, name := range []string{"refresh", "client credentials", "introspect", "userinfo", "keys"} {
		if status := requests[name](); status != http.StatusServiceUnavailable {
			t.Errorf("%s: %d", name, status)
		}
	}
	tail.point, tail.check = nil, nil
	for _, name := range mints {
		if status := requests[name](); status != http.StatusOK {
			t.Errorf("%s: %d after", name, status)
		}
	}
	if a := w.exchange(code); a.status != http.StatusOK {
		t.Errorf("the code was used up: %s", a.raw)
	}
}

// TestL09_RevOfAMachine: a token from memory carries the position of the moment at
// which it was decided, not of the one at which its client was read.
func TestL09_RevOfAMachine(t *testing.T) {
	w, _, _ := tailWorld(t)
	machine := url.Values{"grant_type": {"client_credentials"}}
	for range 3 {
		ledgerAppend(t, w.server, revocation.Entry{Kind: revocation.Membership, Key: "somebody", Reason: "test"})
		a := w.call("/oauth2/token", w.machine, machine)
		if got, want := ledgerRev(t, a.str("access_token")), ledgerHead(t, w.server); got != want {
			t.Errorf("rev %d, the head is at %d", got, want)
		}
	}
	first := w.call("/oauth2/token", w.machine, machine).str("access_token")
	ledgerAppend(t, w.server, revocation.Entry{Kind: revocation.Client, Key: w.machine.ClientID, Reason: "test"})
	if ledgerActive(t, w.server, w.resource, first) {
		t.Error("the token outlived its client's row")
	}
	if !ledgerActive(t, w.server, w.resource, w.call("/oauth2/token", w.machine, machine).str("access_token")) {
		t.Error("the next token is dead")
	}
}
