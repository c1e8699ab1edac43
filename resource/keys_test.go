package resource

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/resource/wire"
)

// verifyAll verifies raw in n goroutines at once and returns their errors.
func verifyAll(ctx context.Context, v *Verifier, n int, raw func(i int) string) []error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { _, errs[i] = v.Verify(ctx, raw(i)) })
	}
	wg.Wait()
	return errs
}

// settle waits until no fetch is under way.
func settle(t *testing.T, v *Verifier) {
	t.Helper()
	v.keys.mu.Lock()
	flight := v.keys.flight
	v.keys.mu.Unlock()
	if err := v.keys.wait(t.Context(), flight); err != nil {
		t.Fatal(err)
	}
}

func wantFetches(t *testing.T, issuer *testIssuer, want int64) {
	t.Helper()
	if got := issuer.fetches.Load(); got != want {
		t.Errorf("%d fetches of the key set, want %d", got, want)
	}
}

func TestColdStampedeIsOneFetch(t *testing.T) {
	key := newTestKey(t, "k1", "EdDSA")
	issuer := newTestIssuer(t, key)
	v, c := issuer.verifier(t)
	wantFetches(t, issuer, 0) // New contacts nobody
	raw := issuer.token(t, key, c.now(), nil)
	for _, err := range verifyAll(t.Context(), v, 64, func(int) string { return raw }) {
		if err != nil {
			t.Error(err)
		}
	}
	wantFetches(t, issuer, 1)
}

func TestRefreshInTheBackground(t *testing.T) {
	key := newTestKey(t, "k1", "EdDSA")
	issuer := newTestIssuer(t, key)
	issuer.header.Set("Cache-Control", "public, max-age=120")
	v, c := issuer.verifier(t)
	token := func(int) string { return issuer.token(t, key, c.now(), nil) }
	check := func() {
		t.Helper()
		for _, err := range verifyAll(t.Context(), v, 64, token) {
			if err != nil {
				t.Error(err)
			}
		}
	}
	check()
	c.advance(119 * time.Second)
	check()
	settle(t, v)
	wantFetches(t, issuer, 1)

	// The issuer hangs: the old set serves everybody meanwhile.
	hold := make(chan struct{})
	issuer.change(func() { issuer.hold = hold })
	c.advance(time.Second)
	check()
	close(hold)
	settle(t, v)
	check()
	// Who saw the old set and comes here after the fetch has ended needs none.
	if flight := v.keys.start(c.now(), causeDue); flight != nil {
		t.Error("a fresh set is fetched again")
	}
	settle(t, v)
	wantFetches(t, issuer, 2)
}

// TestUnknownKeys: made-up keys make the issuer be asked rarely, and keep no good
// token of a new key out: it is never called invalid, and passes after seconds.
func TestUnknownKeys(t *testing.T) {
	key, next, forged := newTestKey(t, "k1", "EdDSA"), newTestKey(t, "k2", "EdDSA"), newTestKey(t, "x", "EdDSA")
	issuer := newTestIssuer(t, key)
	issuer.header.Set("Cache-Control", "max-age=3600")
	v, c := issuer.verifier(t)
	flood := func(want error) {
		t.Helper()
		errs := verifyAll(t.Context(), v, 64, func(i int) string {
			k := forged
			k.id = fmt.Sprintf("made-up-%d", i)
			return issuer.token(t, k, c.now(), nil)
		})
		for _, err := range errs {
			if !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
		}
	}
	verify := func(k testKey) error {
		_, err := v.Verify(t.Context(), issuer.token(t, k, c.now(), nil))
		return err
	}
	flood(ErrInvalidToken)
	wantFetches(t, issuer, 1) // the first one; it is young enough to know
	c.advance(missInterval)
	flood(ErrInvalidToken)
	wantFetches(t, issuer, 2)

	issuer.publish(next) // an emergency: it signs at once
	for range 3 {
		c.advance(2 * time.Second)
		flood(ErrUnavailable)
		if err := verify(next); !errors.Is(err, ErrUnavailable) {
			t.Errorf("a token of the new key: got %v, want 503", err)
		}
	}
	wantFetches(t, issuer, 2)
	c.advance(4 * time.Second)
	if err := verify(next); err != nil {
		t.Errorf("a token of the new key: %v", err)
	}
	wantFetches(t, issuer, 3)
	// Whoever has a token of the key before is told so, however many they are.
	c.advance(2 * time.Second)
	if err := verify(key); !errors.Is(err, ErrInvalidToken) {
		t.Errorf("a token of the key before: got %v, want an invalid token", err)
	}
	wantFetches(t, issuer, 3)
}

// TestKeyRowOutdatesTheKeys: once the ledger has taken a key back, the keys are
// fetched anew for the next token, whatever strangers have asked for before.
func TestKeyRowOutdatesTheKeys(t *testing.T) {
	next, forged := newTestKey(t, "k2", "EdDSA"), newTestKey(t, "x", "EdDSA")
	for name, lost := range map[string]bool{"by a frame": false, "by a snapshot": true} {
		t.Run(name, func(t *testing.T) {
			followed(t, nil, func(t *testing.T, f *feedIssuer, v *Verifier) {
				wantVerify(t, v, f.access(nil), nil)
				pass(missInterval)
				wantVerify(t, v, f.token(t, forged, time.Now(), nil), ErrInvalidToken)
				pass(2 * time.Second)
				if lost {
					f.do(func() { f.status[wire.PathStream] = http.StatusServiceUnavailable })
					f.cut()
				}
				f.commit(wire.KindKey, "k1")
				f.publish(next)
				if lost {
					f.do(func() { clear(f.status) })
				}
				pass(2 * time.Second)
				wantVerify(t, v, f.token(t, next, time.Now(), map[string]any{"rev": int64(1000)}), nil)
				wantVerify(t, v, f.access(nil), ErrInvalidToken)
				if got := f.fetches.Load(); got != 3 {
					t.Errorf("%d fetches of the keys, want 3", got)
				}
			})
		})
	}
}

func TestRotationAndRemoval(t *testing.T) {
	old, next := newTestKey(t, "k1", "EdDSA"), newTestKey(t, "k2", "ES256")
	issuer := newTestIssuer(t, old)
	issuer.header.Set("Cache-Control", "max-age=60")
	v, c := issuer.verifier(t)
	if _, err := v.Verify(t.Context(), issuer.token(t, old, c.now(), nil)); err != nil {
		t.Fatal(err)
	}
	c.advance(10 * time.Second)
	issuer.publish(next)
	if _, err := v.Verify(t.Context(), issuer.token(t, next, c.now(), nil)); err != nil {
		t.Errorf("key published since: %v", err)
	}
	if _, err := v.Verify(t.Context(), issuer.token(t, old, c.now(), nil)); !errors.Is(err, ErrInvalidToken) {
		t.Errorf("removed key: got %v, want an invalid token", err)
	}
	wantFetches(t, issuer, 2)

	// Removal alone shows with the next refresh.
	issuer.publish()
	c.advance(time.Minute)
	_, _ = v.Verify(t.Context(), issuer.token(t, next, c.now(), nil)) // starts it
	settle(t, v)
	if _, err := v.Verify(t.Context(), issuer.token(t, next, c.now(), nil)); !errors.Is(err, ErrInvalidToken) {
		t.Errorf("removed key: got %v, want an invalid token", err)
	}
	// The same id with another key is another key.
	issuer.publish(testKey{"k2", "EdDSA", old.signer})
	c.advance(2 * time.Minute)
	if _, err := v.Verify(t.Context(), issuer.token(t, next, c.now(), nil)); !errors.Is(err, ErrInvalidToken) {
		t.Errorf("replaced key: got %v, want an invalid token", err)
	}
}

func TestOutage(t *testing.T) {
	key := newTestKey(t, "k1", "EdDSA")
	issuer := newTestIssuer(t, key)
	issuer.down = true
	v, c := issuer.verifier(t)
	verify := func() error {
		_, err := v.Verify(t.Context(), issuer.token(t, key, c.now(), nil))
		return err
	}
	var refusal *Error
	if err := verify(); !errors.Is(err, ErrUnavailable) || !errors.As(err, &refusal) || refusal.Status != http.StatusServiceUnavailable {
		t.Errorf("cold: got %v, want 503", err)
	}
	issuer.change(func() { issuer.down = false })
	if err := verify(); !errors.Is(err, ErrUnavailable) {
		t.Errorf("before the pause has ended: got %v, want 503 without a fetch", err)
	}
	wantFetches(t, issuer, 0)
	c.advance(retryInterval)
	if err := verify(); err != nil {
		t.Errorf("back again: %v", err)
	}

	issuer.change(func() { issuer.down = true })
	c.advance(keepFor - time.Second)
	if err := verify(); err != nil {
		t.Errorf("the last set no longer serves: %v", err)
	}
	settle(t, v)
	stranger := newTestKey(t, "k2", "EdDSA")
	if _, err := v.Verify(t.Context(), issuer.token(t, stranger, c.now(), nil)); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a key that may be new: got %v, want 503", err)
	}
	c.advance(time.Second)
	if err := verify(); !errors.Is(err, ErrUnavailable) {
		t.Errorf("set too old: got %v, want 503", err)
	}
	issuer.change(func() { issuer.down = false })
	c.advance(retryInterval)
	if err := verify(); err != nil {
		t.Errorf("back again: %v", err)
	}
}

func TestWaitingEndsWithTheRequest(t *testing.T) {
	key := newTestKey(t, "k1", "EdDSA")
	issuer := newTestIssuer(t, key)
	issuer.hold = make(chan struct{})
	v, c := issuer.verifier(t)
	raw := issuer.token(t, key, c.now(), nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := v.Verify(ctx, raw); !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want 503 because of the context", err)
	}
	// The fetch goes on for those who still wait.
	close(issuer.hold)
	if _, err := v.Verify(t.Context(), raw); err != nil {
		t.Error(err)
	}
	wantFetches(t, issuer, 1)
}

func TestDiscoveryRefusals(t *testing.T) {
	key := newTestKey(t, "k1", "EdDSA")
	tests := []struct {
		name     string
		metadata func(i *testIssuer, w http.ResponseWriter)
		want     string
	}{
		{"another issuer", func(i *testIssuer, w http.ResponseWriter) {
			fmt.Fprintf(w, `{"issuer":"https://evil.example.com","jwks_uri":%q}`, i.url+"/keys")
		}, "another issuer"},
		{"no keys", func(i *testIssuer, w http.ResponseWriter) { fmt.Fprintf(w, `{"issuer":%q}`, i.url) }, "jwks_uri"},
		{"keys without TLS", func(i *testIssuer, w http.ResponseWriter) {
			fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":"http://keys.example.com/"}`, i.url)
		}, "https"},
		{"no JSON", func(_ *testIssuer, w http.ResponseWriter) { fmt.Fprint(w, `<html>`) }, "invalid character"},
		{"redirect", func(i *testIssuer, w http.ResponseWriter) {
			w.Header().Set("Location", i.url+"/keys")
			w.WriteHeader(http.StatusFound)
		}, "302"},
		{"too large", func(_ *testIssuer, w http.ResponseWriter) {
			fmt.Fprint(w, strings.Repeat(" ", maxDocumentBytes+1))
		}, "more than"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			issuer := newTestIssuer(t, key)
			issuer.metadata = func(w http.ResponseWriter) { tt.metadata(issuer, w) }
			v, c := issuer.verifier(t)
			_, err := v.Verify(t.Context(), issuer.token(t, key, c.now(), nil))
			if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want 503 because of %q", err, tt.want)
			}
			wantFetches(t, issuer, 0)
		})
	}
}

func TestConfiguredKeyAddress(t *testing.T) {
	key := newTestKey(t, "k1", "EdDSA")
	issuer := newTestIssuer(t, key)
	issuer.metadata = func(w http.ResponseWriter) { t.Error("metadata was asked for") }
	c := &clock{}
	v, err := New(Config{Issuer: issuer.url, Audience: testAudience, JWKSURL: issuer.url + "/keys", Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), issuer.token(t, key, c.now(), nil)); err != nil {
		t.Error(err)
	}
}

func TestOddKeysAreLeftOut(t *testing.T) {
	good, other := newTestKey(t, "good", "ES256"), newTestKey(t, "good", "ES256")
	private := newTestKey(t, "private", "EdDSA").jwk()
	private.Key = newTestKey(t, "private", "EdDSA").signer
	rsaKey := newTestKey(t, "rsa", "RS256")
	withAlg := func(k testKey, id, alg string) any { k.id, k.alg = id, alg; return k.jwk() }
	encryption := newTestKey(t, "enc", "ES256").jwk()
	encryption.Use = "enc"
	issuer := newTestIssuer(t)
	issuer.keys = []any{
		map[string]any{"kty": "oct", "kid": "symmetric", "alg": "HS256", "k": "c2VjcmV0"},
		map[string]any{"kty": "unheard-of", "kid": "new"},
		map[string]any{"kty": "EC", "crv": "P-256", "kid": "off-curve", "alg": "ES256", "x": encode(strings.Repeat("\x01", 32)), "y": encode(strings.Repeat("\x01", 32))},
		map[string]any{"kty": "RSA", "kid": "small", "alg": "RS256", "n": encode("\x80" + strings.Repeat("\x01", 127)), "e": "AQAB"},
		map[string]any{"kty": "RSA", "kid": "huge", "alg": "RS256", "n": encode("\x80" + strings.Repeat("\x01", 4096/8)), "e": "AQAB"},
		"text", 7, nil,
		private, encryption,
		withAlg(rsaKey, "no-alg", ""), withAlg(rsaKey, "wrong-alg", "ES256"), withAlg(rsaKey, "weak", "RS1"),
		withAlg(good, "", "ES256"),
		good.jwk(), other.jwk(), rsaKey.jwk(),
	}
	v, c := issuer.verifier(t)
	if _, err := v.Verify(t.Context(), issuer.token(t, good, c.now(), nil)); err != nil {
		t.Errorf("good key: %v", err)
	}
	if _, err := v.Verify(t.Context(), issuer.token(t, other, c.now(), nil)); !errors.Is(err, ErrInvalidToken) {
		t.Errorf("second key of one id: got %v, want an invalid token", err)
	}
	set := v.keys.set.Load()
	var ids []string
	for _, id := range []string{"", "good", "rsa"} {
		if _, ok := set.keys[id]; ok {
			ids = append(ids, id)
		}
	}
	if diff := cmp.Diff([]string{"good", "rsa"}, ids); diff != "" || len(set.keys) != 2 {
		t.Errorf("%d keys in use, of the ids wanted (-want +got):\n%s", len(set.keys), diff)
	}
	if got, want := len(set.ignored), len(issuer.keys)-2; got != want {
		t.Errorf("%d keys ignored, want %d: %v", got, want, set.ignored)
	}
}

func TestKeySetMustBeOne(t *testing.T) {
	for _, body := range []string{``, `{}`, `[]`, `null`, `{"keys":null}`, `{"keys":{}}`, `{"keys":[],"keys":[]}`} {
		if _, err := parseKeySet([]byte(body)); err == nil {
			t.Errorf("%q passed for a key set", body)
		}
	}
}

func TestAge(t *testing.T) {
	tests := map[string]time.Duration{
		"":                             defaultAge,
		"public":                       defaultAge,
		"public, max-age=300":          5 * time.Minute,
		"Max-Age=\"300\"":              5 * time.Minute,
		"max-age=0":                    minAge,
		"max-age=59":                   minAge,
		"max-age=3601":                 maxAge,
		"max-age=99999999999999999999": minAge,
		"max-age=-1":                   minAge,
		"max-age":                      minAge,
		"no-store, max-age=600":        minAge,
	}
	for value, want := range tests {
		header := http.Header{}
		if value != "" {
			header.Set("Cache-Control", value)
		}
		if got := age(header); got != want {
			t.Errorf("age of %q is %s, want %s", value, got, want)
		}
	}
}
