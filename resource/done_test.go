package resource

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-id/gatehouse/resource/wire"
)

func verified(t *testing.T, v *Verifier, raw string) *Token {
	t.Helper()
	token, err := v.Verify(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func ended(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

func wantEnded(t *testing.T, done <-chan struct{}, want bool) {
	t.Helper()
	synctest.Wait()
	if got := ended(done); got != want {
		t.Fatalf("ended: %v, want %v", got, want)
	}
}

// TestH19_StreamsEndWithTheirToken: what began before the revocation ends by it.
func TestH19_StreamsEndWithTheirToken(t *testing.T) {
	followed(t, nil, func(t *testing.T, f *feedIssuer, v *Verifier) {
		token := verified(t, v, f.access(nil))
		other := verified(t, v, f.access(map[string]any{"sid": "other", "jti": "2"}))
		done, otherDone := v.Done(token), v.Done(other)
		ctx, cancel := v.Bind(t.Context(), token)
		defer cancel()
		if v.Done(verified(t, v, f.access(nil))) != done {
			t.Error("one token has two channels")
		}
		pass(2 * time.Second)
		wantEnded(t, done, false)
		f.commit(wire.KindSession, "session")
		pass(25 * time.Millisecond)
		wantEnded(t, done, true)
		wantEnded(t, otherDone, false)
		if err := context.Cause(ctx); !errors.Is(err, ErrEnded) {
			t.Errorf("bound context: %v", err)
		}
		wantEnded(t, v.Done(token), true) // at once
		f.cut()                           // under the default policy streams outlive a stale while
		f.do(func() { f.status[wire.PathStream], f.status[wire.PathSnapshot] = 503, 503 })
		pass(20 * time.Second)
		wantState(t, v, Stale)
		wantEnded(t, otherDone, false)
		pass(10*time.Minute + 10*time.Second)
		wantEnded(t, otherDone, true)
	})
}

func TestDoneUnderDeny(t *testing.T) {
	followed(t, nil, func(t *testing.T, f *feedIssuer, v *Verifier) {
		strict := v.With(Deny)
		token := verified(t, strict, f.access(nil))
		done, lenient := strict.Done(token), v.Done(token)
		if done == lenient {
			t.Fatal("policies share a channel")
		}
		f.do(func() { f.silent = true })
		pass(8 * time.Second)
		wantEnded(t, done, false)
		pass(5 * time.Second)
		wantEnded(t, done, true)
		wantEnded(t, lenient, false)
	})
}

func TestDoneWithoutFollowing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, err := New(Config{Issuer: "https://id.example.com", Audience: testAudience})
		if err != nil {
			t.Fatal(err)
		}
		done := v.Done(&Token{ID: "a", ExpiresAt: time.Now().Add(time.Minute)})
		pass(time.Minute + 29*time.Second)
		wantEnded(t, done, false)
		pass(2 * time.Second)
		wantEnded(t, done, true)
		if len(v.streams.waiting) != 0 || v.streams.running {
			t.Error("the registry is not cleaned")
		}
		wantEnded(t, v.Done(&Token{ID: "b", ExpiresAt: time.Now().Add(-time.Minute)}), true)

		// Another sweeper begins, and Close ends it.
		done = v.Done(&Token{ID: "c", ExpiresAt: time.Now().Add(time.Minute)})
		wantEnded(t, done, false)
		v.Close()
		wantEnded(t, done, true)
		wantEnded(t, v.Done(&Token{ID: "d", ExpiresAt: time.Now().Add(time.Minute)}), true)
	})
}

func TestDoneIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, err := New(Config{Issuer: "https://id.example.com", Audience: testAudience})
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		expires := time.Now().Add(time.Minute)
		for i := range maxStreams {
			if ended(v.Done(&Token{ID: fmt.Sprint(i), ExpiresAt: expires})) {
				t.Fatalf("stream %d was ended", i)
			}
		}
		// Too many end: an unbounded registry would be worse, and a stream that
		// nobody can end too.
		if !ended(v.Done(&Token{ID: "one more", ExpiresAt: expires})) {
			t.Error("there is no bound")
		}
		pass(2 * time.Minute)
		if ended(v.Done(&Token{ID: "one more", ExpiresAt: time.Now().Add(time.Minute)})) {
			t.Error("no room although all have ended")
		}
	})
}
