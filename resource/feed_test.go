package resource

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/resource/wire"
)

// followed runs a test in made-up time with a verifier that has become fresh.
func followed(t *testing.T, change func(*Config), test func(t *testing.T, f *feedIssuer, v *Verifier)) {
	t.Helper()
	following(t, nil, change, func(t *testing.T, f *feedIssuer, v *Verifier) {
		if err := v.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		test(t, f, v)
	})
}

// following is followed without the wait, with an issuer that was changed first.
func following(t *testing.T, issuer func(*feedIssuer), change func(*Config), test func(t *testing.T, f *feedIssuer, v *Verifier)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f, mux := newFeedIssuer(t)
		if issuer != nil {
			issuer(f)
		}
		v := f.follower(mux, change)
		defer v.Close()
		test(t, f, v)
	})
}

func wantState(t *testing.T, v *Verifier, want State) {
	t.Helper()
	synctest.Wait()
	if got := v.State(); got != want {
		t.Fatalf("state %s, want %s", got, want)
	}
}

func wantVerify(t *testing.T, v *Verifier, raw string, want error) {
	t.Helper()
	if _, err := v.Verify(t.Context(), raw); !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
}

func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// TestH20_RevokedTokensAreRefused: also those that were verified before, by every
// kind of row, with words that tell the app what to do.
func TestH20_RevokedTokensAreRefused(t *testing.T) {
	for _, tt := range []struct{ kind, value, reason, words string }{
		{wire.KindToken, "id", ReasonToken, "the access token has been revoked"},
		{wire.KindSession, "session", ReasonSession, "the session has ended"},
		{wire.KindGrant, "grant", ReasonGrant, "the app's access has been withdrawn"},
		{wire.KindUser, "person", ReasonSubject, "the account or its permissions have changed, refresh the token"},
		{wire.KindMembership, "person", ReasonSubject, "the account or its permissions have changed, refresh the token"},
		{wire.KindPermission, "posts:add", ReasonPermission, "permissions have changed, refresh the token"},
		{wire.KindClient, "app", ReasonClient, "what the app may do has changed, refresh the token"},
		{wire.KindKey, "k1", ReasonKey, "the access token's key has been withdrawn, refresh the token"},
		{wire.KindAll, "", ReasonAll, "all access tokens have been withdrawn, refresh the token"},
	} {
		t.Run(tt.kind, func(t *testing.T) {
			var reasons []string
			hook := func(c *Config) { c.Events.Refused = func(r string) { reasons = append(reasons, r) } }
			followed(t, hook, func(t *testing.T, f *feedIssuer, v *Verifier) {
				raw := f.access(nil)
				wantVerify(t, v, raw, nil)
				wantVerify(t, v, raw, nil)
				f.commit(tt.kind, "another")
				synctest.Wait()
				if tt.kind != wire.KindAll {
					wantVerify(t, v, raw, nil)
				}
				position := f.commit(tt.kind, tt.value)
				synctest.Wait()
				for _, raw := range []string{raw, f.access(map[string]any{"nonce": "not seen before"})} {
					_, err := v.Verify(t.Context(), raw)
					var refusal *Error
					if !errors.Is(err, ErrRevoked) || !errors.Is(err, ErrInvalidToken) || !errors.As(err, &refusal) {
						t.Fatalf("got %v", err)
					}
					if refusal.Status != http.StatusUnauthorized || refusal.Description != tt.words {
						t.Errorf("got %d %q", refusal.Status, refusal.Description)
					}
				}
				if diff := cmp.Diff([]string{tt.reason, tt.reason}, reasons); diff != "" {
					t.Errorf("reasons differ (-want +got):\n%s", diff)
				}
				// One refresh heals what is no end.
				heals := slices.Contains([]string{wire.KindUser, wire.KindMembership, wire.KindPermission, wire.KindClient, wire.KindAll}, tt.kind)
				_, err := v.Verify(t.Context(), f.access(map[string]any{"rev": position}))
				if (err == nil) != heals {
					t.Errorf("after a refresh: %v, heals: %v", err, heals)
				}
			})
		})
	}
}

func TestChallengeOfARevokedToken(t *testing.T) {
	followed(t, nil, func(t *testing.T, f *feedIssuer, v *Verifier) {
		f.commit(wire.KindSession, "session")
		synctest.Wait()
		answer := serveOne(v.RequireLogin(nothing), f.access(nil))
		want := `Bearer realm="https://posts.example.com", error="invalid_token", error_description="the session has ended"`
		if got := answer.Header().Get("WWW-Authenticate"); answer.Code != 401 || got != want {
			t.Errorf("got %d %s", answer.Code, got)
		}
	})
}

// TestH5_SilenceIsNoticed: a connection that says nothing is given up after three
// heartbeats, and nothing counts as fresh ten seconds after it was confirmed.
func TestH5_SilenceIsNoticed(t *testing.T) {
	followed(t, nil, func(t *testing.T, f *feedIssuer, v *Verifier) {
		pass(5 * time.Second)
		wantState(t, v, Fresh)
		f.do(func() { f.silent = true })
		f.commit(wire.KindSession, "session") // is not sent
		pass(5 * time.Second)
		wantState(t, v, Fresh)
		if len(f.seen().opened) != 1 {
			t.Errorf("%d connections", len(f.seen().opened))
		}
		pass(5 * time.Second)
		wantState(t, v, Stale)
		if len(f.seen().opened) < 2 {
			t.Error("the silent connection was kept")
		}
		wantVerify(t, v.With(Deny), f.access(nil), ErrUnavailable)
		f.do(func() { f.silent = false })
		pass(3 * time.Second)
		wantState(t, v, Fresh)
		wantVerify(t, v, f.access(nil), ErrRevoked)
		if f.seen().complete != 1 {
			t.Errorf("%d complete snapshots, want the first alone", f.seen().complete)
		}
	})
}

// TestL7_StoppedProcess: while the process stands still, frames wait in the
// socket's buffer. When it goes on they do not make it fresh; a new request does.
func TestL7_StoppedProcess(t *testing.T) {
	var stood atomic.Int64
	clock := func(c *Config) {
		c.Now = func() time.Time { return time.Now().Add(time.Duration(stood.Load())) }
	}
	followed(t, clock, func(t *testing.T, f *feedIssuer, v *Verifier) {
		pass(3 * time.Second)
		stood.Store(int64(20 * time.Second))
		wantState(t, v, Stale)
		f.do(func() { f.status[wire.PathStream], f.status[wire.PathSnapshot] = 503, 503 })
		pass(beat) // made at once by the issuer's clock, twenty seconds ago by this one
		wantState(t, v, Stale)
		if f.seen().streams != 0 {
			t.Error("the connection was kept")
		}
		f.do(func() { clear(f.status) })
		pass(15 * time.Second)
		wantState(t, v, Fresh)
	})
}

// TestH6_ResetKeepsTheSet: while a complete snapshot is fetched, and when that
// fails for long, what was revoked stays so.
func TestH6_ResetKeepsTheSet(t *testing.T) {
	followed(t, nil, func(t *testing.T, f *feedIssuer, v *Verifier) {
		f.commit(wire.KindSession, "session")
		synctest.Wait()
		raw, good := f.access(nil), f.access(map[string]any{"sid": "good"})
		f.do(func() { f.timeline, f.status[wire.PathSnapshot] = "two", 500 })
		f.cut()
		for range 40 {
			pass(500 * time.Millisecond)
			wantVerify(t, v, raw, ErrRevoked)
			wantVerify(t, v.With(Allow), raw, ErrRevoked)
		}
		wantState(t, v, Stale)
		wantVerify(t, v.With(Deny), good, ErrUnavailable)
		f.do(func() { delete(f.status, wire.PathSnapshot) })
		pass(15 * time.Second)
		wantState(t, v, Fresh)
		wantVerify(t, v, raw, ErrRevoked)
		wantVerify(t, v, good, nil)
	})
}

// TestH7_StormDuringColdStart: revocations that happen between the snapshot and the
// stream are not lost.
func TestH7_StormDuringColdStart(t *testing.T) {
	storm := func(f *feedIssuer) {
		n := 0
		f.mangleAll = func(*wire.Snapshot) {
			n++
			go f.commit(wire.KindSession, fmt.Sprint("seam", n))
		}
	}
	following(t, storm, nil, func(t *testing.T, f *feedIssuer, v *Verifier) {
		for i := range 100 {
			f.commit(wire.KindSession, fmt.Sprint(i))
			time.Sleep(time.Millisecond)
		}
		pass(time.Second)
		wantState(t, v, Fresh)
		for i := range 100 {
			wantVerify(t, v, f.access(map[string]any{"sid": fmt.Sprint(i)}), ErrRevoked)
		}
		wantVerify(t, v, f.access(map[string]any{"sid": "seam1"}), ErrRevoked)
	})
}

// TestH13_SlowClock accepts nothing that has expired by the issuer's clock.
func TestH13_SlowClock(t *testing.T) {
	var logged bytes.Buffer
	slow := func(c *Config) {
		c.Now = func() time.Time { return time.Now().Add(-5 * time.Minute) }
		c.Logger = slog.New(slog.NewTextHandler(&logged, nil))
	}
	followed(t, slow, func(t *testing.T, f *feedIssuer, v *Verifier) {
		raw := f.access(map[string]any{"exp": time.Now().Add(time.Minute).Unix()})
		wantVerify(t, v, raw, nil) // although it is from the future here
		pass(91 * time.Second)     // and 30 of leeway
		wantVerify(t, v, raw, ErrInvalidToken)
		if n := strings.Count(logged.String(), "clock and the issuer's differ"); n != 1 {
			t.Errorf("%d warnings, want one", n)
		}
	})
}

// TestStaleOn: what the verifier does not understand or cannot hold is never
// silent.
func TestStaleOn(t *testing.T) {
	for name, wreck := range map[string]func(f *feedIssuer){
		"unknown kind": func(f *feedIssuer) { f.commit("tenant", "") },
		"unknown version": func(f *feedIssuer) {
			f.do(func() { f.mangle = func(fr *wire.Frame) { fr.Version = 2 } })
		},
		"too many rows": func(f *feedIssuer) {
			for i := range 11 {
				f.commit(wire.KindSession, fmt.Sprint(i))
			}
		},
		"lost frame": func(f *feedIssuer) {
			f.do(func() {
				f.mangle = func(fr *wire.Frame) { fr.Prev++; fr.Position++ }
				f.status[wire.PathSnapshot] = 500
			})
		},
		"no frame": func(f *feedIssuer) {
			f.do(func() {
				f.raw = func(w io.Writer) { fmt.Fprint(w, "event: rows\nid: x\ndata: no\n\n") }
				f.status[wire.PathSnapshot] = 500
			})
			f.cut()
		},
		"unknown event": func(f *feedIssuer) {
			f.do(func() {
				f.raw = func(w io.Writer) { fmt.Fprint(w, "event: news\nid: x\ndata: {}\n\n") }
				f.status[wire.PathSnapshot] = 500
			})
			f.cut()
		},
	} {
		t.Run(name, func(t *testing.T) {
			followed(t, func(c *Config) { c.MaxRows = 10 }, func(t *testing.T, f *feedIssuer, v *Verifier) {
				wreck(f)
				pass(11 * time.Second)
				if got := v.State(); got != Stale && got != Syncing {
					t.Errorf("state %s", got)
				}
				wantVerify(t, v.With(Deny), f.access(nil), ErrUnavailable)
			})
		})
	}
}

func TestUnknownKindIsStaleAtOnce(t *testing.T) {
	followed(t, nil, func(t *testing.T, f *feedIssuer, v *Verifier) {
		f.commit("tenant", "")
		wantState(t, v, Stale)
		f.commit(wire.KindSession, "session")
		pass(time.Minute)
		if got := v.State(); got != Stale {
			t.Errorf("state %s", got)
		}
		if f.seen().snapshots > 4 {
			t.Errorf("%d snapshots in a minute", f.seen().snapshots)
		}
		// What stands beside it is taken in all the same.
		wantVerify(t, v.With(Allow), f.access(nil), ErrRevoked)
	})
}
