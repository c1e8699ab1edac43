package accounts_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// Attack 210: a code is taken once, in its step and the ones beside it, however many
// come with it at once.
func TestAttack_210_CodeOnce(t *testing.T) { withFactorsOnBoth(t, codeOnce) }

func codeOnce(t *testing.T, w *factorWorld) {
	u, _, key, _ := w.enrolled("alice")
	try := func(code string) error {
		_, err := w.signIns.Code(t.Context(), w.signIn(u, "").Pending, code, meta("192.0.2.1"), false)
		return err
	}
	w.pass(5 * time.Minute)
	code := w.code(key)
	var wins atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		pending := w.signIn(u, "").Pending
		wg.Go(func() {
			_, err := w.signIns.Code(t.Context(), pending, code, meta("192.0.2.1"), false)
			if err == nil {
				wins.Add(1)
			} else if !errors.Is(err, accounts.ErrCode) {
				t.Errorf("loser: %v", err)
			}
		})
	}
	wg.Wait()
	if wins.Load() != 1 {
		t.Fatalf("one code was taken %d times", wins.Load())
	}
	w.pass(30 * time.Second) // the next step, in which the code would still be good
	w.pass(10 * time.Minute)
	w.must(try(w.code(key)))
	w.pass(30 * time.Second)
	ahead := w.now().Add(30 * time.Second)
	w.pass(30 * time.Second)
	future := w.code(key)
	w.pass(-30 * time.Second)
	w.must(try(future)) // a clock that is ahead
	if err := try(w.code(key)); !errors.Is(err, accounts.ErrCode) {
		t.Errorf("an earlier step after a later one: %v", err)
	}
	w.pass(90 * time.Second)
	if err := try(future); !errors.Is(err, accounts.ErrCode) {
		t.Errorf("a code of %s at %s: %v", ahead, w.now(), err)
	}
}

// Attacks 202, 204 and 210: all codes of an account, of whatever kind and in however
// many pending sign-ins, pay from one bucket, which neither a right password nor a
// known browser fills; while it is empty, the right code does not help.
func TestAttack_202_OneCounterForCodes(t *testing.T) {
	w := newFactorWorld(t)
	u, _, key, recovery := w.enrolled("alice")
	var throttled *accounts.Throttled
	for i := range 11 {
		pending := w.signIn(u, "").Pending
		m := meta(fmt.Sprintf("198.51.100.%d", i))
		var err error
		if i%2 == 0 {
			_, err = w.signIns.Code(t.Context(), pending, "000000", m, false)
		} else {
			_, err = w.signIns.RecoveryCode(t.Context(), pending, "0000-0000-0000", m)
		}
		if i < 10 && !errors.Is(err, accounts.ErrCode) || i == 10 && !errors.As(err, &throttled) {
			t.Fatalf("try %d: %v", i+1, err)
		}
	}
	if throttled.Wait <= 0 || throttled.Wait > 5*time.Minute {
		t.Errorf("wait %s", throttled.Wait)
	}
	pending := w.signIn(u, "").Pending
	for name, err := range map[string]error{
		"code":          second(w.signIns.Code(t.Context(), pending, w.code(key), meta("203.0.113.1"), false)),
		"recovery code": second(w.signIns.RecoveryCode(t.Context(), pending, recovery[0], meta("203.0.113.1"))),
	} {
		if !errors.As(err, &throttled) {
			t.Errorf("the right %s while it is empty: %v", name, err)
		}
	}
	// Nobody else is concerned, and after the wait neither is the owner.
	bob, _, bobs, _ := w.enrolled("bob")
	if _, err := w.signIns.Code(t.Context(), w.signIn(bob, "").Pending, w.code(bobs), meta("192.0.2.9"), false); err != nil {
		t.Errorf("somebody else: %v", err)
	}
	w.pass(5 * time.Minute)
	if _, err := w.signIns.Code(t.Context(), w.signIn(u, "").Pending, w.code(key), meta("203.0.113.1"), false); err != nil {
		t.Errorf("after the wait: %v", err)
	}
}

func second(_ *accounts.Passage, err error) error { return err }

// A right code costs nothing; a pending sign-in takes ten attempts.
func TestSignIns_Attempts(t *testing.T) {
	w := newFactorWorld(t)
	u, _, key, _ := w.enrolled("alice")
	for range 12 {
		if _, err := w.signIns.Code(t.Context(), w.signIn(u, "").Pending, w.code(key), meta("192.0.2.1"), false); err != nil {
			t.Fatal(err)
		}
		w.pass(30 * time.Second)
	}
	w.pass(time.Hour)
	pending := w.signIn(u, "").Pending
	w.limiter.broken = errors.New("no answer") // the count in the database is what holds
	for i := range 12 {
		_, err := w.signIns.Code(t.Context(), pending, "000000", meta("192.0.2.1"), false)
		if want := []error{accounts.ErrCode, accounts.ErrNotFound}[min(i/10, 1)]; !errors.Is(err, want) {
			t.Errorf("try %d: %v", i+1, err)
		}
	}
	if _, err := w.signIns.Code(t.Context(), pending, w.code(key), meta("192.0.2.1"), false); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("the right code after ten wrong ones: %v", err)
	}
}

func TestSignIns_RecoveryCode(t *testing.T) {
	w := newFactorWorld(t)
	u, _, _, recovery := w.enrolled("alice")
	use := func(code string) (*accounts.Passage, error) {
		w.pass(5 * time.Minute)
		return w.signIns.RecoveryCode(t.Context(), w.signIn(u, "").Pending, code, meta("192.0.2.1"))
	}
	if len(slices.Compact(slices.Sorted(slices.Values(recovery)))) != 10 || len(recovery[0]) != 14 {
		t.Fatalf("codes %v", recovery)
	}
	p, err := use(" " + strings.ToUpper(strings.ReplaceAll(recovery[0], "-", " ")))
	w.must(err)
	if p.Session.ACR != accounts.ACRTwoFactors {
		t.Errorf("session %+v", p.Session)
	}
	for _, code := range []string{recovery[0], "", "0", recovery[1] + "0", recovery[1][1:], "é", strings.Repeat("-", 100), strings.Repeat("0", 1<<20)} {
		if _, err := use(code); !errors.Is(err, accounts.ErrCode) {
			t.Errorf("%.20q: %v", code, err)
		}
	}
	w.post.kinds()
	var told []string
	for i, code := range recovery[1:] {
		_, err := use(code)
		w.must(err)
		for _, kind := range w.post.kinds() {
			told = append(told, fmt.Sprint(9-1-i, " ", kind))
		}
	}
	want := []string{}
	for left := 3; left >= 0; left-- {
		want = append(want, fmt.Sprint(left, " recovery_codes_low to alice@test.com"))
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	w.must(w.factors.MayChange(t.Context(), p.Session, u))
	renewed, err := w.factors.NewRecoveryCodes(t.Context(), actorOf(u), u)
	w.must(err)
	if _, err := use(renewed[0]); err != nil {
		t.Errorf("a new code: %v", err)
	}
	if _, err := use(recovery[9]); !errors.Is(err, accounts.ErrCode) {
		t.Errorf("an old code: %v", err)
	}
	bob := w.person("bob")
	if _, err := w.factors.NewRecoveryCodes(t.Context(), actorOf(bob), bob); !errors.Is(err, accounts.ErrNoFactor) {
		t.Errorf("codes without a factor: %v", err)
	}
}

// Attack 210: a recovery code is spent once.
func TestAttack_210_RecoveryCodeOnce(t *testing.T) { withFactorsOnBoth(t, recoveryCodeOnce) }

func recoveryCodeOnce(t *testing.T, w *factorWorld) {
	u, _, _, recovery := w.enrolled("alice")
	var wins atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		pending := w.signIn(u, "").Pending
		wg.Go(func() {
			_, err := w.signIns.RecoveryCode(t.Context(), pending, recovery[0], meta("192.0.2.1"))
			if err == nil {
				wins.Add(1)
			} else if !errors.Is(err, accounts.ErrCode) {
				t.Errorf("loser: %v", err)
			}
		})
	}
	wg.Wait()
	if wins.Load() != 1 {
		t.Fatalf("one recovery code was taken %d times", wins.Load())
	}
}

// A pending sign-in is spent once, also by different factors at once.
func TestSignIns_PendingOnce(t *testing.T) { withFactorsOnBoth(t, pendingOnce) }

func pendingOnce(t *testing.T, w *factorWorld) {
	u, _, _, recovery := w.enrolled("alice")
	pending := w.signIn(u, "").Pending
	var wins atomic.Int64
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			_, err := w.signIns.RecoveryCode(t.Context(), pending, recovery[i], meta("192.0.2.1"))
			if err == nil {
				wins.Add(1)
			} else if !errors.Is(err, accounts.ErrNotFound) {
				t.Errorf("loser: %v", err)
			}
		})
	}
	wg.Wait()
	if wins.Load() != 1 {
		t.Fatalf("%d sessions of one pending sign-in", wins.Load())
	}
	if list, err := w.factors.List(t.Context(), u); err != nil || list.RecoveryCodes != 9 {
		t.Errorf("%d codes left: a loser's code is spent; %v", list.RecoveryCodes, err)
	}
}
