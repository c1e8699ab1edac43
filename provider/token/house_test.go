package token_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/provider/keys"
)

const issuer = "http://localhost:8400"

var now = time.Unix(1_795_000_000, 0)

// shelf is a key store for one test: no transactions, no other writers.
type shelf struct{ records []keys.Record }

func (s *shelf) Keys(context.Context) ([]keys.Record, int64, error) {
	return append([]keys.Record{}, s.records...), int64(len(s.records)), nil
}
func (s *shelf) Change(context.Context) (int64, error) { return int64(len(s.records)), nil }
func (s *shelf) InTx(ctx context.Context, f func(context.Context) error) error {
	return f(ctx)
}
func (s *shelf) LockKeys(context.Context) error { return nil }
func (s *shelf) InsertKey(_ context.Context, r keys.Record) error {
	s.records = append(s.records, r)
	return nil
}
func (s *shelf) UpdateKey(_ context.Context, r keys.Record) error {
	for i := range s.records {
		if s.records[i].KID == r.KID {
			s.records[i] = r
		}
	}
	return nil
}
func (s *shelf) WriteAudit(context.Context, audit.Event) error { return nil }

// house is our keys, and what only a thief would have: their private halves.
type house struct {
	set     *keys.Set
	private map[string]crypto.Signer // by algorithm, of the active key
	kid     map[string]string
	gone    string // kid of a key that was there once
}

var makeHouse = sync.OnceValues(func() (*house, error) {
	ctx := context.Background()
	keyring, err := secret.NewKeyring(secret.Text(strings.Repeat("s", 32)))
	if err != nil {
		return nil, err
	}
	store := &shelf{}
	keeper := &keys.Keeper{Store: store, Keyring: keyring, Now: func() time.Time { return now }}
	if err := keeper.Ensure(ctx, audit.Actor{}); err != nil {
		return nil, err
	}
	h := &house{private: map[string]crypto.Signer{}, kid: map[string]string{}, gone: "AAAAAAAA"}
	if h.set, err = keys.NewRing(store, keyring).Current(ctx); err != nil {
		return nil, err
	}
	for _, r := range store.records {
		if r.State != keys.Active {
			continue
		}
		pkcs8, err := keyring.Open("signing-key", r.Sealed, []byte(r.KID+"\x00"+r.Algorithm))
		if err != nil {
			return nil, err
		}
		private, err := x509.ParsePKCS8PrivateKey(pkcs8)
		if err != nil {
			return nil, err
		}
		h.private[r.Algorithm], h.kid[r.Algorithm] = private.(crypto.Signer), r.KID
	}
	return h, nil
})

func newHouse(t testing.TB) *house {
	t.Helper()
	h, err := makeHouse()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

type object = map[string]any

// jws signs any header and payload, as an attacker would write them.
func jws(t testing.TB, private crypto.Signer, header, payload string) string {
	t.Helper()
	input := b64([]byte(header)) + "." + b64([]byte(payload))
	return input + "." + b64(signature(t, private, header, []byte(input)))
}

func signature(t testing.TB, private crypto.Signer, header string, input []byte) []byte {
	t.Helper()
	sum := sha256.Sum256(input)
	var (
		sig []byte
		err error
	)
	switch k := private.(type) {
	case ed25519.PrivateKey:
		sig = ed25519.Sign(k, input)
	case *ecdsa.PrivateKey:
		r, s, signErr := ecdsa.Sign(rand.Reader, k, sum[:])
		if signErr != nil {
			t.Fatal(signErr)
		}
		size := (k.Curve.Params().BitSize + 7) / 8
		sig = append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
	case *rsa.PrivateKey:
		if strings.Contains(header, "PS256") {
			sig, err = rsa.SignPSS(rand.Reader, k, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		} else {
			sig, err = rsa.SignPKCS1v15(rand.Reader, k, crypto.SHA256, sum[:])
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

func text(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// without and with change one member of a copy.
func with(o object, name string, value any) object {
	c := object{}
	for k, v := range o {
		c[k] = v
	}
	if value == nil {
		delete(c, name)
	} else {
		c[name] = value
	}
	return c
}

func payloadOf(t testing.TB, raw string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	return b
}
