package resource

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const testAudience = "https://posts.example.com"

// clock is a time that tests move.
type clock struct{ offset atomic.Int64 }

var epoch = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func (c *clock) now() time.Time           { return epoch.Add(time.Duration(c.offset.Load())) }
func (c *clock) advance(by time.Duration) { c.offset.Add(int64(by)) }

// testKey signs in tests.
type testKey struct {
	id     string
	alg    string
	signer crypto.Signer
}

func newTestKey(tb testing.TB, id, alg string) testKey {
	tb.Helper()
	var signer crypto.Signer
	var err error
	switch alg {
	case "ES256":
		signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "EdDSA":
		_, signer, err = ed25519.GenerateKey(rand.Reader)
	default:
		signer, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return testKey{id, alg, signer}
}

func (k testKey) jwk() jose.JSONWebKey {
	return jose.JSONWebKey{Key: k.signer.Public(), KeyID: k.id, Algorithm: k.alg, Use: "sig"}
}

// sign returns a token whose header and payload are the given texts, signed
// with k by the algorithm alg, whatever they say.
func (k testKey) sign(tb testing.TB, alg, header, payload string) string {
	tb.Helper()
	input := encode(header) + "." + encode(payload)
	digest := sha256.Sum256([]byte(input))
	var signature []byte
	var err error
	switch alg {
	case "ES256":
		r, s, signErr := ecdsa.Sign(rand.Reader, k.signer.(*ecdsa.PrivateKey), digest[:])
		if err = signErr; err == nil {
			signature = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
		}
	case "EdDSA":
		signature, err = k.signer.Sign(nil, []byte(input), crypto.Hash(0))
	case "RS256":
		signature, err = k.signer.Sign(rand.Reader, digest[:], crypto.SHA256)
	case "PS256":
		options := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
		signature, err = k.signer.Sign(rand.Reader, digest[:], options)
	default:
		tb.Fatalf("no such algorithm: %s", alg)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return input + "." + encode(string(signature))
}

func hmacSign(secret []byte, header, payload string) string {
	input := encode(header) + "." + encode(payload)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(input))
	return input + "." + encode(string(mac.Sum(nil)))
}

func encode(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// testIssuer publishes keys and counts who asks.
type testIssuer struct {
	url     string
	fetches atomic.Int64 // of the key set

	mu       sync.Mutex
	keys     []any // JWKs
	header   http.Header
	down     bool
	metadata func(w http.ResponseWriter)
	hold     chan struct{} // key set answers wait for it, if there is one
}

func newTestIssuer(tb testing.TB, keys ...testKey) *testIssuer {
	tb.Helper()
	i := &testIssuer{}
	server := httptest.NewServer(i.start(keys...))
	tb.Cleanup(server.Close)
	i.url = server.URL
	return i
}

// start publishes keys and returns what serves them; i.url must be set before it is
// asked.
func (i *testIssuer) start(keys ...testKey) *http.ServeMux {
	i.header = http.Header{}
	i.publish(keys...)
	i.metadata = func(w http.ResponseWriter) {
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q,"token_endpoint":%q,"introspection_endpoint":%q}`,
			i.url, i.url+"/keys", i.url+"/token", i.url+"/introspect")
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", i.serveMetadata)
	mux.HandleFunc("/keys", i.serveKeys)
	return mux
}

func (i *testIssuer) change(f func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	f()
}

func (i *testIssuer) publish(keys ...testKey) {
	i.change(func() {
		i.keys = []any{}
		for _, k := range keys {
			i.keys = append(i.keys, k.jwk())
		}
	})
}

func (i *testIssuer) serveMetadata(w http.ResponseWriter, _ *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.down {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	i.metadata(w)
}

func (i *testIssuer) serveKeys(w http.ResponseWriter, r *http.Request) {
	i.fetches.Add(1)
	i.mu.Lock()
	hold := i.hold
	i.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-r.Context().Done():
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.down {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	maps.Copy(w.Header(), i.header)
	_ = json.NewEncoder(w).Encode(map[string]any{"keys": i.keys})
}

// verifier returns a Verifier of i's tokens and the clock that it goes by.
func (i *testIssuer) verifier(tb testing.TB) (*Verifier, *clock) {
	tb.Helper()
	c := &clock{}
	v, err := New(Config{Issuer: i.url, Audience: testAudience, Now: c.now})
	if err != nil {
		tb.Fatal(err)
	}
	return v, c
}

// claimSet returns a good token's claims as of now, with changes; nil deletes.
func (i *testIssuer) claimSet(now time.Time, changes map[string]any) map[string]any {
	set := map[string]any{
		"iss": i.url, "sub": "person", "aud": testAudience, "client_id": "app", "jti": "id",
		"iat": now.Unix(), "exp": now.Add(10 * time.Minute).Unix(), "rev": 7,
		"scope": "openid posts:add", "sid": "session", "gid": "grant",
	}
	for name, value := range changes {
		if value == nil {
			delete(set, name)
			continue
		}
		set[name] = value
	}
	return set
}

// token returns a good token but for changes in its claims.
func (i *testIssuer) token(tb testing.TB, k testKey, now time.Time, changes map[string]any) string {
	tb.Helper()
	payload, err := json.Marshal(i.claimSet(now, changes))
	if err != nil {
		tb.Fatal(err)
	}
	return k.sign(tb, k.alg, fmt.Sprintf(`{"typ":"at+jwt","alg":%q,"kid":%q}`, k.alg, k.id), string(payload))
}
