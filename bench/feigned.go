package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse-id/gatehouse/resource/wire"
)

// feigned is an issuer with as many rows as one likes; a real ledger of a million
// takes long to write.
type feigned struct {
	issuer string
	server *http.Server
	signer jose.Signer
	public jose.JSONWebKey
	rows   []wire.Row
	send   int // how many of them a snapshot has
	left   chan struct{}
}

var feignedKey = []byte("thirty-two bytes of a hash's key")

// feign starts an issuer that has n rows, which concern nobody.
func feign(n int) (*feigned, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	options := (&jose.SignerOptions{}).WithType("at+jwt").WithHeader("kid", "k1")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: private}, options)
	if err != nil {
		return nil, fmt.Errorf("signer: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	f := &feigned{
		issuer: "http://" + listener.Addr().String(), signer: signer, rows: make([]wire.Row, n), left: make(chan struct{}),
		public: jose.JSONWebKey{Key: private.Public(), KeyID: "k1", Algorithm: "ES256", Use: "sig"},
	}
	expires := time.Now().Unix() + 3600
	for i := range f.rows {
		f.rows[i] = wire.Row{Position: int64(i) + 1, Kind: wire.KindSession, Key: wire.Sum(feignedKey, "sid", fmt.Sprint(i)).Text(), Expires: expires}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(w, map[string]string{"issuer": f.issuer, "jwks_uri": f.issuer + "/keys", "token_endpoint": f.issuer + "/token", "introspection_endpoint": f.issuer + "/introspect"})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{f.public}})
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(w, map[string]any{"access_token": "any", "token_type": "Bearer", "expires_in": 600})
	})
	mux.HandleFunc("GET "+wire.PathSnapshot, f.snapshot)
	mux.HandleFunc("GET "+wire.PathStream, f.stream)
	mux.HandleFunc("POST "+wire.PathPosition, func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, wire.Reported{ReportAfter: 60}) })
	f.server = &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = f.server.Serve(listener) }() // ends with close
	return f, nil
}

func answerJSON(w http.ResponseWriter, document any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(document) // an error means that the verifier has left
}

// frame is the head, which never moves.
func (f *feigned) frame() wire.Frame {
	head := int64(len(f.rows))
	return wire.Frame{Version: wire.Version, Timeline: "one", Prev: head, Position: head, Time: time.Now().UnixMilli()}
}

func (f *feigned) snapshot(w http.ResponseWriter, _ *http.Request) {
	s := wire.Snapshot{Frame: f.frame(), Complete: true, Cursor: "here", HashKey: base64.RawURLEncoding.EncodeToString(feignedKey)}
	s.Prev, s.Rows = 0, f.rows[:f.send]
	answerJSON(w, s)
}

func (f *feigned) stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	for {
		data, err := json.Marshal(f.frame())
		if err != nil {
			return
		}
		if _, err := fmt.Fprintf(w, "event: %s\nid: here\ndata: %s\n\n", wire.EventHead, data); err != nil || http.NewResponseController(w).Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-f.left:
			return
		case <-time.After(wire.HeartbeatEvery * time.Millisecond):
		}
	}
}

// sign returns a new token with eleven keys.
func (f *feigned) sign() (string, error) {
	now := time.Now().Unix()
	payload, err := json.Marshal(map[string]any{
		"iss": f.issuer, "aud": audience, "sub": "ada", "client_id": "app", "jti": rand.Text(), "sid": rand.Text(), "gid": rand.Text(),
		"scope": "openid profile posts:add posts:edit posts:delete", "iat": now, "exp": now + 600, "rev": len(f.rows),
	})
	if err != nil {
		return "", err
	}
	signed, err := f.signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

func (f *feigned) close() {
	close(f.left)
	_ = f.server.Close()
}
