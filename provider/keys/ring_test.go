package keys_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/provider/keys"
)

func body(s *keys.Set) []byte {
	b, _ := s.JWKS()
	return b
}

func members(t testing.TB, s *keys.Set) []map[string]string {
	t.Helper()
	var doc struct{ Keys []map[string]string }
	if err := json.Unmarshal(body(s), &doc); err != nil {
		t.Fatal(err)
	}
	return doc.Keys
}

// Attack 108: every member of every key is on the list of its algorithm.
func TestJWKSSchema(t *testing.T) {
	h := newHouse(t)
	if _, err := h.keeper.Rotate(t.Context(), actor, "", true); err != nil {
		t.Fatal(err)
	}
	// A private member that got into the stored public half must not get out.
	h.edit(func(records []keys.Record) []keys.Record {
		for i := range records {
			records[i].Public = []byte(strings.Replace(string(records[i].Public), "{", `{"oth":"x","key_ops":["sign"],`, 1))
		}
		return records
	})
	s := h.set(t)
	schema := map[string]map[string]string{
		keys.RS256: {"kty": "RSA", "n": "", "e": "AQAB"},
		keys.PS256: {"kty": "RSA", "n": "", "e": "AQAB"},
		keys.ES256: {"kty": "EC", "crv": "P-256", "x": "", "y": ""},
		keys.EdDSA: {"kty": "OKP", "crv": "Ed25519", "x": ""},
	}
	var order []string
	kids := map[string]bool{}
	for _, k := range members(t, s) {
		alg := k["alg"]
		order = append(order, alg)
		if k["use"] != "sig" || kids[k["kid"]] || k["kid"] == "" {
			t.Errorf("key %v", k)
		}
		kids[k["kid"]] = true
		var names []string
		for name, value := range k {
			if want, ok := schema[alg][name]; ok && (want == value || want == "" && value != "") {
				continue
			}
			if !slices.Contains([]string{"alg", "use", "kid"}, name) {
				names = append(names, name)
			}
		}
		if len(names) != 0 || len(k) != len(schema[alg])+3 {
			t.Errorf("%s key has wrong or surplus members %v: %v", alg, names, k)
		}
	}
	want := []string{"RS256", "RS256", "RS256", "ES256", "ES256", "ES256", "EdDSA", "EdDSA", "EdDSA", "PS256", "PS256", "PS256"}
	if d := cmp.Diff(want, order); d != "" {
		t.Error(d)
	}

	var parsed jose.JSONWebKeySet
	if err := json.Unmarshal(body(s), &parsed); err != nil || len(parsed.Keys) != 12 {
		t.Fatalf("%d keys, %v", len(parsed.Keys), err)
	}
}

func TestJWKSIsTheSameEverywhere(t *testing.T) {
	h := newHouse(t)
	one, tag := h.set(t).JWKS()
	h.edit(func(records []keys.Record) []keys.Record {
		slices.Reverse(records)
		return records
	})
	s, err := keys.NewRing(h.memory, h.keyring).Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	two, tag2 := s.JWKS()
	if string(one) != string(two) || tag != tag2 || len(tag) != 18 || tag[0] != '"' || tag[17] != '"' {
		t.Fatalf("%s\n%s\n%s %s", one, two, tag, tag2)
	}
	if _, err := h.keeper.Rotate(t.Context(), actor, keys.ES256, true); err != nil {
		t.Fatal(err)
	}
	if _, tag3 := h.set(t).JWKS(); tag3 == tag {
		t.Error("the entity tag stays while the keys change")
	}
}

func TestSignAndVerify(t *testing.T) {
	h := newHouse(t)
	s := h.set(t)
	for _, algorithm := range keys.Algorithms() {
		k, err := s.Signer(algorithm)
		if err != nil {
			t.Fatal(err)
		}
		for _, typ := range []string{keys.TypeAccess, keys.TypeID, keys.TypeLogout, keys.TypeStatusList, keys.TypeSET} {
			token, err := k.Sign(typ, []byte(`{"a":1}`))
			if err != nil {
				t.Fatal(err)
			}
			parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(algorithm)})
			if err != nil {
				t.Fatal(err)
			}
			header := parsed.Signatures[0].Protected
			if header.KeyID != k.KID || header.ExtraHeaders["typ"] != typ || len(header.ExtraHeaders) != 1 {
				t.Errorf("%s: header %+v", algorithm, header)
			}
			v, ok := s.Verifier(header.KeyID)
			if !ok {
				t.Fatal("no verifier")
			}
			if payload, err := parsed.Verify(v.Public); err != nil || string(payload) != `{"a":1}` {
				t.Errorf("%s: %s, %v", algorithm, payload, err)
			}
		}
		if _, err := k.Sign("unknown+jwt", nil); err == nil {
			t.Error("signed an unknown type")
		}
		next, _ := s.Verifier(h.one(t, algorithm, keys.Next).KID)
		if _, err := next.Sign(keys.TypeID, nil); err == nil {
			t.Error("the next key signed")
		}
	}
	if _, err := s.Signer("HS256"); !errors.Is(err, keys.ErrNoKey) {
		t.Error(err)
	}
	if _, ok := s.Verifier("nosuch01"); ok {
		t.Error("found a key that is not there")
	}
}

// A rotation by another process holds at the next request of every node, and what
// the old key signed still verifies.
func TestRingFollowsChanges(t *testing.T) {
	h := newHouse(t)
	before := h.set(t)
	old, err := before.Signer(keys.ES256)
	if err != nil {
		t.Fatal(err)
	}
	reads := h.reads
	for range 10 {
		if s, err := h.ring.At(t.Context(), before.Change()); err != nil || s != before {
			t.Fatal("reloaded without a change", err)
		}
	}
	if h.reads != reads {
		t.Fatalf("%d reads without a change", h.reads-reads)
	}
	if _, err := h.keeper.Rotate(t.Context(), actor, keys.ES256, true); err != nil {
		t.Fatal(err)
	}
	after := h.set(t)
	now, err := after.Signer(keys.ES256)
	if err != nil || now.KID == old.KID {
		t.Fatal("the old key signs on", err)
	}
	if v, ok := after.Verifier(old.KID); !ok || v.State != keys.Retiring {
		t.Error("what the old key signed does not verify")
	}
	if _, err := mustVerifier(t, after, old.KID).Sign(keys.TypeID, nil); err == nil {
		t.Error("a retiring key signed")
	}
	// The set that a request still holds goes on as it was.
	if k, err := before.Signer(keys.ES256); err != nil || k != old {
		t.Error("a set changed")
	}
	// A restored database counts from below.
	h.edit(func(r []keys.Record) []keys.Record { return r })
	h.change = 3
	if s := h.set(t); s.Change() != 3 {
		t.Errorf("set of change %d", s.Change())
	}
}

func mustVerifier(t *testing.T, s *keys.Set, kid string) *keys.Key {
	t.Helper()
	k, ok := s.Verifier(kid)
	if !ok {
		t.Fatal("no key " + kid)
	}
	return k
}

func TestRingFailsClosed(t *testing.T) {
	h := newHouse(t)
	down := errors.New("database is down")
	h.failNext = down
	if _, err := h.ring.Current(t.Context()); !errors.Is(err, down) {
		t.Fatal(err)
	}
	h.set(t)

	_, err := keys.NewRing(h.memory, newKeyring(t, "other")).Current(t.Context())
	if !errors.Is(err, keys.ErrCannotOpen) || !strings.Contains(err.Error(), "GATEHOUSE_SECRET is not the one it was made with") {
		t.Fatal(err)
	}
	empty, err := keys.NewRing(&memory{}, h.keyring).Current(t.Context())
	if err != nil || string(body(empty)) != `{"keys":[]}` {
		t.Fatalf("%s, %v", body(empty), err)
	}
	if _, err := empty.Signer(keys.RS256); !errors.Is(err, keys.ErrNoKey) {
		t.Fatal(err)
	}
}

// A release that knows one more algorithm may run beside this one.
func TestUnknownAlgorithmIsLeftAlone(t *testing.T) {
	h := newHouse(t)
	h.edit(func(records []keys.Record) []keys.Record {
		return append(records, keys.Record{KID: "newer001", Algorithm: "ML-DSA-65", State: keys.Active, Public: []byte("{}")})
	})
	s := h.set(t)
	if _, ok := s.Verifier("newer001"); ok || len(members(t, s)) != 8 {
		t.Error("an unknown algorithm is published")
	}
	if err := h.keeper.Ensure(t.Context(), actor); err != nil {
		t.Error(err)
	}
}

type slowSource struct {
	*memory
	inside  chan struct{}
	release chan struct{}
}

func (s slowSource) Keys(ctx context.Context) ([]keys.Record, int64, error) {
	s.inside <- struct{}{}
	<-s.release
	return s.memory.Keys(ctx)
}

func TestRingReloadsOnceForAll(t *testing.T) {
	h := newHouse(t)
	slow := slowSource{h.memory, make(chan struct{}, 64), make(chan struct{})}
	ring := keys.NewRing(slow, h.keyring)
	change := h.change
	reads := h.reads
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			if s, err := ring.At(t.Context(), change); err != nil || s.Change() != change {
				t.Error(err)
			}
		})
	}
	<-slow.inside
	gaveUp, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ring.At(gaveUp, change); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that gave up waits: %v", err)
	}
	close(slow.release)
	wg.Wait()
	if h.reads != reads+1 {
		t.Errorf("%d reads", h.reads-reads)
	}
}

func TestConcurrentUse(t *testing.T) {
	h := newHouse(t)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				s, err := h.ring.Current(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				k, err := s.Signer(keys.EdDSA)
				if err != nil {
					t.Error(err)
					return
				}
				sum := sha256.Sum256([]byte{byte(n)})
				if _, err := k.Sign(keys.TypeAccess, sum[:]); err != nil {
					t.Error(err)
					return
				}
				s.JWKS()
			}
		})
	}
	for range 5 {
		if _, err := h.keeper.Rotate(t.Context(), actor, keys.EdDSA, true); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Millisecond)
	}
	close(stop)
	wg.Wait()
}

func BenchmarkAt(b *testing.B) {
	h := newHouse(b)
	s := h.set(b)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := h.ring.At(b.Context(), s.Change()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
