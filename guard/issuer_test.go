package guard

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/resource"
)

func TestMain(m *testing.M) { testenv.Main(m) }

const audience = "https://posts.example.com"

// issuer signs tokens of a test; what ends is told by it.
type issuer struct {
	t      testing.TB
	url    string
	signer jose.Signer
	*resource.Verifier

	mu    sync.Mutex
	ended map[string]chan struct{} // by jti
}

func newIssuer(t testing.TB) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{t: t, ended: map[string]chan struct{}{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, i.url, i.url+"/keys")
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		public := jose.JSONWebKey{Key: key.Public(), KeyID: "k", Algorithm: "ES256", Use: "sig"}
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{public}})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	i.url = server.URL
	i.signer, err = jose.NewSigner(jose.SigningKey{
		Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "k"},
	}, (&jose.SignerOptions{}).WithType("at+jwt"))
	if err != nil {
		t.Fatal(err)
	}
	i.Verifier, err = resource.New(resource.Config{Issuer: i.url, Audience: audience})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// token returns a good token but for changes in its claims; nil deletes.
func (i *issuer) token(changes map[string]any) string {
	i.t.Helper()
	now := time.Now().Unix()
	set := map[string]any{
		"iss": i.url, "sub": "ada", "aud": audience, "client_id": "app", "jti": "one", "iat": now, "exp": now + 600,
		"scope": "openid posts:add", "sid": "session", "gid": "grant", "rev": 7,
	}
	for name, value := range changes {
		if set[name] = value; value == nil {
			delete(set, name)
		}
	}
	payload, err := json.Marshal(set)
	if err != nil {
		i.t.Fatal(err)
	}
	jws, err := i.signer.Sign(payload)
	if err != nil {
		i.t.Fatal(err)
	}
	compact, err := jws.CompactSerialize()
	if err != nil {
		i.t.Fatal(err)
	}
	return compact
}

// Done implements Verifier: a token ends when the test says so.
func (i *issuer) Done(t *resource.Token) <-chan struct{} { return i.end(t.ID) }

func (i *issuer) end(jti string) chan struct{} {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.ended[jti] == nil {
		i.ended[jti] = make(chan struct{})
	}
	return i.ended[jti]
}

// logged is what a guard has logged.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logged) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// lostIssuer is i for a verifier that cannot reach it.
func lostIssuer(t testing.TB, i *issuer) *issuer {
	t.Helper()
	v, err := resource.New(resource.Config{Issuer: i.url, Audience: audience})
	if err != nil {
		t.Fatal(err)
	}
	return &issuer{t: t, url: i.url, signer: i.signer, Verifier: v, ended: map[string]chan struct{}{}}
}
