package accounts

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/secret"
)

func TestHasher(t *testing.T) {
	ctx := t.Context()
	h := NewHasher(2, 0)
	for _, pw := range []secret.Text{"testpass123", "pass\x00word", "\xff\xfe not utf-8", secret.Text(strings.Repeat("x", MaxPassword))} {
		hash, err := h.Hash(ctx, pw)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
			t.Errorf("parameters of %q", hash)
		}
		if ok, rehash, err := h.Verify(ctx, hash, pw); !ok || rehash || err != nil {
			t.Errorf("right password: %v, %v, %v", ok, rehash, err)
		}
		// Attack 205: nothing is cut off, not at a NUL and not at a length.
		for _, wrong := range []secret.Text{"", pw + "x", pw[:len(pw)-1], "pass"} {
			if ok, _, err := h.Verify(ctx, hash, wrong); ok || err != nil {
				t.Errorf("%d bytes for %d: %v, %v", len(wrong), len(pw), ok, err)
			}
		}
	}
	if _, err := h.Hash(ctx, secret.Text(strings.Repeat("x", MaxPassword+1))); !errors.Is(err, ErrInvalid) {
		t.Errorf("too long: %v", err)
	}
}

// RFC 8265 §4.2: the two ways to send an é are one password.
func TestHasher_Normalizes(t *testing.T) {
	h := NewHasher(1, 0)
	hash, err := h.Hash(t.Context(), "caf\u00e9 creme")
	if err != nil {
		t.Fatal(err)
	}
	if ok, _, err := h.Verify(t.Context(), hash, "cafe\u0301 creme"); !ok || err != nil {
		t.Errorf("decomposed: %v, %v", ok, err)
	}
}

// The RFC 9106 family: a hash made by another program, with other parameters.
func TestHasher_Rehash(t *testing.T) {
	h := NewHasher(1, 0)
	p := phc{memory: 4096, passes: 3, threads: 2, salt: []byte("0123456789abcdef"), key: make([]byte, 32)}
	p.key = h.run([]byte("hunter2hunter2"), p.salt, p.passes, p.memory, p.threads, 32)
	if ok, rehash, err := h.Verify(t.Context(), p.String(), "hunter2hunter2"); !ok || !rehash || err != nil {
		t.Errorf("right: %v, %v, %v", ok, rehash, err)
	}
	if ok, rehash, err := h.Verify(t.Context(), p.String(), "wrong"); ok || rehash || err != nil {
		t.Errorf("wrong: %v, %v, %v", ok, rehash, err)
	}
}

// counted replaces argon2 by something quick that counts.
func counted(h *Hasher, runs *atomic.Int64) *Hasher {
	h.run = func(password, salt []byte, _, _ uint32, _ uint8, length uint32) []byte {
		runs.Add(1)
		out := make([]byte, length)
		copy(out, password)
		copy(out[length/2:], salt)
		return out
	}
	return h
}

// Attack 201: whatever is given, exactly one hash is computed.
func TestVerify_EqualWork(t *testing.T) {
	var runs atomic.Int64
	h := counted(NewHasher(1, 0), &runs)
	hash, err := h.Hash(t.Context(), "right horse")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, hash string
		password   secret.Text
		ok, broken bool
	}{
		{"right", hash, "right horse", true, false},
		{"wrong", hash, "wrong horse", false, false},
		{"no user", "", "right horse", false, false},
		{"no user, empty password", "", "", false, false},
		{"no user, the key of none", "", secret.Text(make([]byte, 16)), false, false},
		{"too long", hash, secret.Text(strings.Repeat("x", 1<<20)), false, false},
		{"no user, too long", "", "too long" + secret.Text(strings.Repeat("x", 1<<20)), false, false},
		{"broken hash", "$2a$10$bcrypt", "right horse", false, true},
	} {
		runs.Store(0)
		ok, _, err := h.Verify(t.Context(), tt.hash, tt.password)
		if ok != tt.ok || (err != nil) != tt.broken || runs.Load() != 1 {
			t.Errorf("%s: %v, %v, %d runs", tt.name, ok, err, runs.Load())
		}
	}
}

// A storm of attempts waits or is turned away; it never runs wider than allowed.
func TestHasher_Bounds(t *testing.T) {
	const limit, waiting, callers = 2, 3, 64
	h := NewHasher(limit, waiting)
	var running, most atomic.Int64
	hold := make(chan struct{})
	started := make(chan struct{}, callers)
	h.run = func(_, _ []byte, _, _ uint32, _ uint8, length uint32) []byte {
		n := running.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		started <- struct{}{}
		<-hold
		running.Add(-1)
		return make([]byte, length)
	}
	var busy, done atomic.Int64
	var wg sync.WaitGroup
	turnedAway := make(chan struct{}, callers)
	for range callers {
		wg.Go(func() {
			_, err := h.Hash(context.Background(), "x")
			switch {
			case errors.Is(err, ErrBusy):
				busy.Add(1)
				turnedAway <- struct{}{}
			case err == nil:
				done.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	for range callers - limit - waiting {
		<-turnedAway
	}
	for range limit {
		<-started
	}
	close(hold)
	wg.Wait()
	if most.Load() != limit || done.Load() != limit+waiting || busy.Load() != callers-limit-waiting {
		t.Errorf("%d ran at once, %d done, %d turned away", most.Load(), done.Load(), busy.Load())
	}
}

func TestHasher_HonoursContext(t *testing.T) {
	h := NewHasher(1, 1)
	h.slots <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Hash(ctx, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller who has gone: %v", err)
	}
	<-h.slots
	if _, err := h.Hash(t.Context(), "x"); err != nil {
		t.Errorf("the queue's place was not given back: %v", err)
	}
}

func TestParsePHC_Refuses(t *testing.T) {
	const salt, key = "c2FsdHNhbHRzYWx0c2FsdA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	ok := "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + key
	if _, err := parsePHC(ok); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{
		"", "$", "x" + ok, ok + "$", ok + " ", ok + "\n", strings.Replace(ok, "argon2id", "argon2i", 1), strings.Replace(ok, "v=19", "v=16", 1),
		strings.Replace(ok, "m=19456", "m=4294967295", 1), strings.Replace(ok, "m=19456", "m=131073", 1), strings.Replace(ok, "m=19456", "m=7", 1),
		strings.Replace(ok, "m=19456", "m=019456", 1), strings.Replace(ok, "m=19456", "m=+19456", 1), strings.Replace(ok, "m=19456", "m=131072", 1)[:0] + strings.Replace(strings.Replace(ok, "m=19456", "m=131072", 1), "t=2", "t=5", 1),
		strings.Replace(ok, "t=2", "t=0", 1), strings.Replace(ok, "t=2", "t=17", 1), strings.Replace(ok, "p=1", "p=0", 1), strings.Replace(ok, "p=1", "p=257", 1),
		strings.Replace(ok, "t=2,p=1", "p=1,t=2", 1), strings.Replace(ok, ",p=1", ",p=1,keyid=x", 1), strings.Replace(ok, salt, salt[:8], 1), strings.Replace(ok, key, key[:10], 1),
		strings.Replace(ok, salt, salt+"==", 1), strings.Replace(ok, key, key[:42]+"B", 1), strings.Replace(ok, salt, salt[:4]+"\n"+salt[4:], 1),
		strings.Replace(ok, salt, strings.Repeat("AAAA", 40), 1),
	} {
		if _, err := parsePHC(s); err == nil {
			t.Errorf("%q was read", s)
		}
	}
}

// Each hash has one text, and none that is read may eat memory or minutes.
func FuzzParsePHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=4294967295,t=4294967295,p=255$$")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePHC(s)
		if err != nil {
			return
		}
		if p.String() != s {
			t.Fatalf("%q reads as %q", s, p)
		}
		if p.memory > maxMemory || p.passes == 0 || p.threads == 0 || p.memory*p.passes > maxWork || len(p.key) < minKey || len(p.salt) < minSalt {
			t.Fatalf("out of bounds: %q", s)
		}
	})
}
