package resource

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-id/gatehouse/resource/wire"
)

var nothing = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})

// serveOne sends a request with the token raw.
func serveOne(h http.Handler, raw string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+raw)
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	return answer
}

// blinded runs a test with a verifier that is stale: it was fresh, and the feed is
// gone.
func blinded(t *testing.T, change func(*Config), test func(t *testing.T, f *feedIssuer, v *Verifier)) {
	t.Helper()
	followed(t, change, func(t *testing.T, f *feedIssuer, v *Verifier) {
		f.do(func() { f.status[wire.PathStream], f.status[wire.PathSnapshot] = 503, 503 })
		f.cut()
		pass(11 * time.Second)
		wantState(t, v, Stale)
		test(t, f, v)
	})
}

func TestIntrospectWhileStale(t *testing.T) {
	outcomes := map[string]int{}
	var mu sync.Mutex
	hook := func(c *Config) {
		c.Events.Introspected = func(o string) { mu.Lock(); outcomes[o]++; mu.Unlock() }
	}
	blinded(t, hook, func(t *testing.T, f *feedIssuer, v *Verifier) {
		f.do(func() { f.delay = time.Second })
		raw := f.access(nil)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { wantVerify(t, v, raw, nil) })
		}
		wg.Wait()
		if f.seen().asked != 1 {
			t.Errorf("%d introspections for one token", f.seen().asked)
		}
		f.do(func() { f.active = false })
		pass(4 * time.Second) // five since it was asked
		wantVerify(t, v, raw, nil)
		pass(time.Millisecond)
		_, err := v.Verify(t.Context(), raw)
		if !errors.Is(err, ErrRevoked) || f.seen().asked != 2 {
			t.Errorf("got %v after %d introspections", err, f.seen().asked)
		}
		f.do(func() { f.status["/introspect"] = 503 })
		pass(6 * time.Second)
		wantVerify(t, v, raw, ErrUnavailable)
		f.do(func() { delete(f.status, "/introspect"); f.active = true })
		wantVerify(t, v, raw, nil) // a failure is not kept
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		if _, err := v.Verify(ctx, f.access(map[string]any{"jti": "2"})); !errors.Is(err, ErrUnavailable) {
			t.Errorf("with a context that has ended: %v", err)
		}
		pass(introspectTimeout)
		if outcomes[OutcomeActive] != 3 || outcomes[OutcomeInactive] != 1 || outcomes[OutcomeFailed] != 1 {
			t.Errorf("outcomes: %v", outcomes)
		}
	})
}

// TestIntrospectionsAreBounded: an issuer that hangs holds 64 requests, each for
// three seconds.
func TestIntrospectionsAreBounded(t *testing.T) {
	blinded(t, nil, func(t *testing.T, f *feedIssuer, v *Verifier) {
		f.do(func() { f.delay = time.Hour })
		began := time.Now()
		var wg sync.WaitGroup
		for i := range 200 {
			raw := f.access(map[string]any{"jti": fmt.Sprint(i)})
			wg.Go(func() { wantVerify(t, v, raw, ErrUnavailable) })
		}
		wg.Wait()
		if d := time.Since(began); f.seen().asked != maxIntrospecting || d != introspectTimeout {
			t.Errorf("%d introspections, for %v", f.seen().asked, d)
		}
		f.do(func() { f.delay = 0 })
		wantVerify(t, v, f.access(nil), nil)
	})
}

func TestColdIntrospects(t *testing.T) {
	off := func(f *feedIssuer) { f.status[wire.PathSnapshot] = 404 }
	following(t, off, nil, func(t *testing.T, f *feedIssuer, v *Verifier) {
		wantState(t, v, Cold)
		wantVerify(t, v, f.access(nil), nil)
		wantVerify(t, v.With(Deny), f.access(nil), ErrUnavailable)
		if f.seen().asked != 1 {
			t.Errorf("%d introspections", f.seen().asked)
		}
	})
}

func TestDenyWhileStale(t *testing.T) {
	var reasons []string
	hook := func(c *Config) {
		c.Stale = Deny
		c.Events.Refused = func(r string) { reasons = append(reasons, r) }
	}
	blinded(t, hook, func(t *testing.T, f *feedIssuer, v *Verifier) {
		answer := serveOne(v.RequireLogin(nothing), f.access(nil))
		if answer.Code != 503 || answer.Header().Get("Retry-After") == "" || answer.Header().Get("WWW-Authenticate") != "" {
			t.Errorf("got %d %v", answer.Code, answer.Header())
		}
		if f.seen().asked != 0 || len(reasons) != 1 || reasons[0] != ReasonStale {
			t.Errorf("%d introspections, reasons %v", f.seen().asked, reasons)
		}
		// A route of another policy inside does not inherit the answer, nor the
		// other way round.
		mild := v.With(Introspect)
		if answer := serveOne(mild.RequireLogin(v.RequireLogin(nothing)), f.access(nil)); answer.Code != 503 {
			t.Errorf("deny inside introspect: %d", answer.Code)
		}
		if answer := serveOne(mild.RequireLogin(nothing), f.access(nil)); answer.Code != 200 {
			t.Errorf("introspect: %d", answer.Code)
		}
	})
}

func TestAllowWhileStale(t *testing.T) {
	var logged bytes.Buffer
	allowed := 0
	hook := func(c *Config) {
		c.Stale = Allow
		c.Events.Allowed = func() { allowed++ }
		c.Logger = slog.New(slog.NewTextHandler(&logged, nil))
	}
	blinded(t, hook, func(t *testing.T, f *feedIssuer, v *Verifier) {
		raw := f.access(nil)
		for range 35 {
			wantVerify(t, v, raw, nil)
			pass(100 * time.Millisecond)
		}
		if n := strings.Count(logged.String(), "revocations are not known"); n != 4 || allowed != 35 {
			t.Errorf("%d warnings for %d tokens in 3.5 seconds", n, allowed)
		}
		if strings.Contains(logged.String(), raw) {
			t.Error("the log holds a token")
		}
	})
}

func TestKeyRemovalReachesTheCache(t *testing.T) {
	second := newTestKey(t, "k2", "EdDSA")
	followed(t, nil, func(t *testing.T, f *feedIssuer, v *Verifier) {
		raw := f.access(nil)
		wantVerify(t, v, raw, nil)
		wantVerify(t, v, raw, nil)
		f.publish(second)
		pass(defaultAge + time.Second)
		raw = f.access(nil)
		_, _ = v.Verify(t.Context(), raw) // begins the fetch
		synctest.Wait()
		wantVerify(t, v, raw, ErrInvalidToken)
	})
}

// TestKeyExchangeReachesTheCache: another key under the same id is another key.
func TestKeyExchangeReachesTheCache(t *testing.T) {
	impostor := newTestKey(t, "k1", "EdDSA")
	followed(t, nil, func(t *testing.T, f *feedIssuer, v *Verifier) {
		claims := map[string]any{"exp": time.Now().Add(time.Hour).Unix()}
		raw := f.access(claims)
		wantVerify(t, v, raw, nil)
		f.publish(impostor)
		pass(defaultAge + time.Second)
		_, _ = v.Verify(t.Context(), raw) // begins the fetch
		synctest.Wait()
		wantVerify(t, v, raw, ErrInvalidToken)
	})
}

// TestCachedTokensExpire: what was proven about a token does not outlive it.
func TestCachedTokensExpire(t *testing.T) {
	followed(t, nil, func(t *testing.T, f *feedIssuer, v *Verifier) {
		raw := f.access(nil)
		wantVerify(t, v, raw, nil)
		pass(10*time.Minute + 29*time.Second)
		wantVerify(t, v, raw, nil)
		pass(time.Second)
		wantVerify(t, v, raw, ErrInvalidToken)
	})
}

// TestTokensAreTheCallers: what one handler does to its token does not reach
// another's.
func TestTokensAreTheCallers(t *testing.T) {
	key := newTestKey(t, "k1", "EdDSA")
	issuer := newTestIssuer(t, key)
	v, c := issuer.verifier(t)
	raw := issuer.token(t, key, c.now(), map[string]any{"amr": []string{"pwd"}})
	for range 3 {
		token, err := v.Verify(t.Context(), raw)
		if err != nil {
			t.Fatal(err)
		}
		if token.Subject != "person" || !token.HasScope("posts:add") || token.Audience[0] != testAudience || token.AMR[0] != "pwd" {
			t.Fatalf("changed: %+v", token)
		}
		token.Subject, token.Scopes[1], token.AMR[0] = "admin", "admin", "hwk"
		token.Audience = append(token.Audience, "x", "y", "z")
	}
}

func TestProofsAreBounded(t *testing.T) {
	c := &proofs{}
	now := epoch
	digest := func(i byte) (d [32]byte) { d[31] = i; return d } // all in one row
	for i := range byte(10) {
		c.put(&proof{digest: digest(i), token: &Token{ExpiresAt: now.Add(time.Duration(10+i) * time.Minute)}}, now)
	}
	kept := 0
	for i := range byte(10) {
		if c.find(digest(i)) != nil {
			kept++
		}
	}
	if kept != proofWays || c.find(digest(9)) == nil {
		t.Errorf("%d kept, the newest: %v", kept, c.find(digest(9)) != nil)
	}
	if c.find([32]byte{1}) != nil {
		t.Error("found what was never put")
	}
}

func TestConfigOfFollowing(t *testing.T) {
	good := func() Config {
		return Config{Issuer: "https://id.example.com", Audience: testAudience, ClientID: "a", ClientSecret: "b"}
	}
	for name, change := range map[string]func(*Config){
		"no secret":         func(c *Config) { c.ClientSecret = "" },
		"no id":             func(c *Config) { c.ClientID = "" },
		"policy":            func(c *Config) { c.Stale = 3 },
		"policy of nothing": func(c *Config) { c.ClientID, c.ClientSecret, c.Stale = "", "", Deny },
		"rows":              func(c *Config) { c.MaxRows = -1 },
		"instance":          func(c *Config) { c.Instance = "a b" },
		"long instance":     func(c *Config) { c.Instance = strings.Repeat("a", 65) },
	} {
		cfg := good()
		change(&cfg)
		if v, err := New(cfg); err == nil {
			v.Close()
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), `"b"`) {
			t.Errorf("%s: %v", name, err)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("With took no policy")
		}
	}()
	issuer := newTestIssuer(t)
	v, _ := issuer.verifier(t)
	v.With(7)
}
