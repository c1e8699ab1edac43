package secret_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/secret"
)

var (
	first  = secret.Text(strings.Repeat("first secret ", 3))
	second = secret.Text(strings.Repeat("second secret ", 3))
)

func keyring(t testing.TB, secrets ...secret.Text) *secret.Keyring {
	t.Helper()
	k, err := secret.NewKeyring(secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func b(s string) []byte { return []byte(s) }

func TestNewKeyringRefuses(t *testing.T) {
	tests := map[string][]secret.Text{
		"none":        nil,
		"empty":       {""},
		"short":       {secret.Text(strings.Repeat("x", 31))},
		"old short":   {first, "short"},
		"same twice":  {first, first},
		"same thrice": {first, second, first},
	}
	for name, secrets := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := secret.NewKeyring(secrets...)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, s := range secrets {
				if s != "" && strings.Contains(err.Error(), s.Reveal()) {
					t.Fatalf("the error shows the secret: %v", err)
				}
			}
		})
	}
	keyring(t, secret.Text(strings.Repeat("x", secret.MinLength)))
}

// A version is one byte, so two secrets may share it; then a value would be
// verified under the wrong one and look forged.
func TestNewKeyringRefusesCollidingVersions(t *testing.T) {
	seen := map[byte]secret.Text{}
	for i := range 1000 {
		s := secret.Text(fmt.Sprintf("a secret of at least thirty-two bytes %d", i))
		v := keyring(t, s).Current()
		if other, ok := seen[v]; ok {
			if _, err := secret.NewKeyring(s, other); err == nil {
				t.Fatal("two secrets of one version accepted")
			}
			return
		}
		seen[v] = s
	}
	t.Fatal("no collision among 1000 secrets: the version is not one byte")
}

func TestMAC(t *testing.T) {
	k := keyring(t, first)
	mac := k.MAC("code", b("ab"), b("c"))
	if len(mac) != secret.MACSize || mac[0] != k.Current() {
		t.Fatalf("%d bytes, version %d", len(mac), mac[0])
	}
	if !bytes.Equal(mac, k.MAC("code", b("ab"), b("c"))) {
		t.Fatal("not deterministic")
	}
	if !k.Verify("code", mac, b("ab"), b("c")) {
		t.Fatal("does not verify")
	}
	changed := bytes.Clone(mac)
	changed[32] ^= 1
	version := bytes.Clone(mac)
	version[0] ^= 1
	refused := []struct {
		name    string
		purpose string
		mac     []byte
		parts   [][]byte
	}{
		{"other purpose", "refresh", mac, [][]byte{b("ab"), b("c")}},
		{"moved boundary", "code", mac, [][]byte{b("a"), b("bc")}},
		{"joined", "code", mac, [][]byte{b("abc")}},
		{"empty part added", "code", mac, [][]byte{b("ab"), b("c"), nil}},
		{"empty part in front", "code", mac, [][]byte{nil, b("ab"), b("c")}},
		{"no parts", "code", mac, nil},
		{"changed", "code", changed, [][]byte{b("ab"), b("c")}},
		{"unknown version", "code", version, [][]byte{b("ab"), b("c")}},
		{"short", "code", mac[:32], [][]byte{b("ab"), b("c")}},
		{"long", "code", append(bytes.Clone(mac), 0), [][]byte{b("ab"), b("c")}},
		{"empty", "code", nil, [][]byte{b("ab"), b("c")}},
		{"derived for the same purpose", "code", append([]byte{mac[0]}, k.Derive("code", b("ab"), b("c"))...), [][]byte{b("ab"), b("c")}},
	}
	for _, tt := range refused {
		t.Run(tt.name, func(t *testing.T) {
			if k.Verify(tt.purpose, tt.mac, tt.parts...) {
				t.Fatal("verified")
			}
		})
	}
}

// A length prefix inside a part must not be able to stand for a boundary.
func TestMACBoundariesCannotBeForged(t *testing.T) {
	k := keyring(t, first)
	two := k.MAC("p", b("a"), b("b"))
	forged := append([]byte("a"), 0, 0, 0, 0, 0, 0, 0, 1, 'b')
	if bytes.Equal(two, k.MAC("p", forged)) {
		t.Fatal("one part stands for two")
	}
}

func TestChangeOfSecret(t *testing.T) {
	before := keyring(t, first)
	after := keyring(t, second, first)
	alone := keyring(t, second)
	if after.Current() != alone.Current() || after.Current() == before.Current() {
		t.Fatal("the first secret is not the current one")
	}
	mac := before.MAC("p", b("x"))
	if !after.Verify("p", mac, b("x")) {
		t.Error("hash of the old secret does not verify")
	}
	if alone.Verify("p", mac, b("x")) {
		t.Error("hash of a forgotten secret verifies")
	}
	if after.MAC("p", b("x"))[0] != after.Current() {
		t.Error("new hashes are made with the old secret")
	}

	derived, err := after.DeriveWith(before.Current(), "p", b("x"))
	if err != nil || !bytes.Equal(derived, before.Derive("p", b("x"))) {
		t.Errorf("DeriveWith: %v", err)
	}
	if bytes.Equal(derived, after.Derive("p", b("x"))) {
		t.Error("both secrets derive the same")
	}
	if _, err := alone.DeriveWith(before.Current(), "p", b("x")); !errors.Is(err, secret.ErrUnknownVersion) {
		t.Errorf("DeriveWith of a forgotten secret: %v", err)
	}

	sealed, err := before.Seal("p", b("plain"), b("add"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := after.Open("p", sealed, b("add")); err != nil || string(got) != "plain" {
		t.Errorf("Open: %q, %v", got, err)
	}
	if _, err := alone.Open("p", sealed, b("add")); !errors.Is(err, secret.ErrUnknownVersion) {
		t.Errorf("Open of a forgotten secret: %v", err)
	}
}

// What is stored outlives the program: these values must never change.
func TestGolden(t *testing.T) {
	k := keyring(t, first)
	got := fmt.Sprintf("%x %x", k.MAC("p", b("x"), nil), k.Derive("p", b("x")))
	if got != golden {
		t.Fatalf("got\n%s, want\n%s", got, golden)
	}
}

const golden = "fce9c3433908e1280ddb63e381e7d6af921076f5bc0cad62703958a348272ecabe " +
	"a07122ea068cffce817e7b7fe6db4c678452f2a4c5933ed9d39c69ef7875ae2a"

func TestSeal(t *testing.T) {
	k := keyring(t, first)
	for _, plain := range []string{"", "x", strings.Repeat("long ", 1000)} {
		one, err := k.Seal("p", b(plain), b("a"))
		if err != nil {
			t.Fatal(err)
		}
		two, err := k.Seal("p", b(plain), b("a"))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(one, two) {
			t.Error("two seals of one text are equal: the nonce repeats")
		}
		if len(plain) > 16 && bytes.Contains(one, b(plain[:16])) {
			t.Error("the plain text shows")
		}
		got, err := k.Open("p", one, b("a"))
		if err != nil || string(got) != plain {
			t.Errorf("Open: %q, %v", got, err)
		}
		for i := range one {
			if i > 40 && i < len(one)-17 {
				continue
			}
			changed := bytes.Clone(one)
			changed[i] ^= 0x80
			if _, err := k.Open("p", changed, b("a")); err == nil {
				t.Errorf("byte %d changed and it opened", i)
			}
		}
		for n := range min(len(one), 40) {
			if _, err := k.Open("p", one[:n], b("a")); err == nil {
				t.Errorf("cut to %d bytes and it opened", n)
			}
		}
		if _, err := k.Open("q", one, b("a")); !errors.Is(err, secret.ErrSealBroken) {
			t.Errorf("other purpose: %v", err)
		}
		if _, err := k.Open("p", one, b("b")); !errors.Is(err, secret.ErrSealBroken) {
			t.Errorf("other additional data: %v", err)
		}
	}
}

func TestKeyringConcurrently(t *testing.T) {
	k := keyring(t, first)
	want := keyring(t, first)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for i := range 200 {
				purpose, part := fmt.Sprint("p", i%7), fmt.Appendf(nil, "part %d", i)
				mac := k.MAC(purpose, part)
				if !k.Verify(purpose, mac, part) || k.Verify(purpose, mac, b("other")) {
					t.Error("wrong answer")
				}
				if !bytes.Equal(k.Derive(purpose, part), want.Derive(purpose, part)) {
					t.Error("wrong derivation")
				}
				sealed, err := k.Seal(purpose, part, nil)
				if err != nil {
					t.Error(err)
					continue
				}
				if got, err := k.Open(purpose, sealed, nil); err != nil || !bytes.Equal(got, part) {
					t.Error("wrong seal", err)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkMAC(b *testing.B) {
	k := keyring(b, first)
	token := secret.Random(32)
	b.ReportAllocs()
	for b.Loop() {
		k.MAC("refresh token", token)
	}
}

func BenchmarkVerify(b *testing.B) {
	k := keyring(b, first)
	token := secret.Random(32)
	mac := k.MAC("refresh token", token)
	b.ReportAllocs()
	for b.Loop() {
		if !k.Verify("refresh token", mac, token) {
			b.Fatal("does not verify")
		}
	}
}
