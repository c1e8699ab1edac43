package endtoend_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/resource"
)

// death is a token that was taken back. Times are of the monotonic clock.
type death struct {
	token    string
	cause    string
	answered time.Time // when whoever took it back was told that it is done
}

func (d death) String() string {
	return fmt.Sprintf("%s, jti %s, answered at %s", d.cause, partOf(d.token, 1, "jti"), d.answered.Format("15:04:05.000"))
}

type counter = atomic.Int64

// judges are resource servers that are asked about dead tokens all the time.
type judges struct {
	t         *testing.T
	followers []*resource.Verifier
	accepted  []counter    // living tokens, by follower
	states    atomic.Int64 // changes of state
	wrong     sync.Map     // tokens that were accepted too late
	stolen    sync.Map     // kids of keys that were compromised

	mu     sync.Mutex
	deaths []death
	late   []time.Duration // from the answer to the refusal, each follower and token
	faults int
}

// died tells the judges of tokens that were taken back just now.
func (j *judges) died(cause string, tokens ...string) {
	now := time.Now()
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, token := range tokens {
		j.deaths = append(j.deaths, death{token, cause, now})
	}
}

// fault reports a broken promise; of many only the first.
func (j *judges) fault(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.faults++; j.faults <= 20 {
		j.t.Errorf(format, args...)
	}
}

// lives lets one follower look at a token that nobody has taken back.
func (j *judges) lives(token string) {
	i := rand.IntN(len(j.followers))
	if _, err := j.followers[i].Verify(j.t.Context(), token); err == nil {
		j.accepted[i].Add(1)
	}
}

// sit asks one follower about all dead tokens until stop is closed. What it has
// refused once, it must never accept again.
func (j *judges) sit(which int, stop <-chan struct{}) {
	var waiting, buried []death
	seen := 0
	for {
		select {
		case <-stop:
			return
		case <-time.After(20 * time.Millisecond):
		}
		j.mu.Lock()
		waiting = append(waiting, j.deaths[seen:]...)
		seen = len(j.deaths)
		j.mu.Unlock()
		var late []time.Duration
		waiting = slices.DeleteFunc(waiting, func(d death) bool {
			refused, delay := j.ask(which, d)
			if refused {
				late = append(late, delay)
				buried = append(buried, d)
			}
			return refused
		})
		for range min(3, len(buried)) {
			d := buried[rand.IntN(len(buried))]
			if _, err := j.followers[which].Verify(j.t.Context(), d.token); err == nil {
				j.fault("follower %d accepts a token again that it has refused (%s)", which, d)
			}
		}
		j.mu.Lock()
		j.late = append(j.late, late...)
		j.mu.Unlock()
	}
}

// ask reports whether a follower refuses a dead token as such, and how long after
// the death. Its policy is to deny, so it accepts only while it calls itself fresh:
// later than the bound it must not.
func (j *judges) ask(which int, d death) (refused bool, delay time.Duration) {
	began := time.Now()
	_, err := j.followers[which].Verify(j.t.Context(), d.token)
	if err == nil && began.Sub(d.answered) > bound {
		if _, known := j.wrong.LoadOrStore(d.token, true); !known {
			j.fault("follower %d, fresh, accepts a token %s after it was taken back (%s)", which, began.Sub(d.answered), d)
		}
	}
	return j.dead(err, d.token), max(0, time.Since(d.answered))
}

// dead reports whether a token was refused for having been taken back. It may also
// have expired since, or be signed with a key that nobody shows any more; that it is
// bad for another reason says nothing about the ledger.
func (j *judges) dead(err error, token string) bool {
	if errors.Is(err, resource.ErrRevoked) {
		return true
	}
	_, stolen := j.stolen.Load(keyOf(token))
	return errors.Is(err, resource.ErrInvalidToken) && (stolen || time.Now().After(expiryOf(token)))
}

// settle checks, after everything was healed, that nothing was lost: each follower
// gets fresh and refuses every dead token.
func (j *judges) settle() {
	j.t.Helper()
	for i, v := range j.followers {
		awaitWithin(j.t, 2*patience, "a follower is fresh again", func() bool { return v.State() == resource.Fresh })
		healed := time.Now()
		for _, d := range j.deaths {
			for {
				refused, _ := j.ask(i, d)
				if refused {
					break
				}
				if time.Since(healed) > bound {
					_, err := v.Verify(j.t.Context(), d.token)
					j.fault("follower %d, %s, has lost the end of a token (%s): %v", i, v.State(), d, err)
					break
				}
				pause()
			}
		}
		if j.accepted[i].Load() == 0 {
			j.t.Errorf("follower %d has never accepted anything", i)
		}
	}
}

// report logs how quick it was.
func (j *judges) report(rows int64) {
	slices.Sort(j.late)
	causes := map[string]int{}
	for _, d := range j.deaths {
		causes[d.cause]++
	}
	j.t.Logf("%d revocations took back %d tokens: %v", rows, len(j.deaths), causes)
	if n := len(j.late); n > 0 {
		at := func(share float64) time.Duration {
			return j.late[min(n-1, int(share*float64(n)))].Round(time.Millisecond)
		}
		j.t.Logf(
			"from the answer to the refusal by a follower, outages included: p50 %s, p90 %s, p99 %s, max %s of %d",
			at(0.5), at(0.9), at(0.99), at(1), n,
		)
	}
	for i := range j.followers {
		j.t.Logf("follower %d accepted %d living tokens", i, j.accepted[i].Load())
	}
	j.t.Logf("the followers changed their state %d times", j.states.Load())
}

// awaitWithin waits until something is so.
func awaitWithin(t *testing.T, limit time.Duration, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !so(); pause() {
		if time.Now().After(end) {
			t.Fatalf("not within %s: %s", limit, what)
		}
	}
}
