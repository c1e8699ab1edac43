package accounts

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// Limiter counts attempts in buckets that hold burst attempts and get one back
// each time that every passes. Spend takes n at once and returns zero, or takes
// nothing and returns how long to wait; a negative n gives back.
type Limiter interface {
	Spend(ctx context.Context, key string, burst int, every time.Duration, n int) (wait time.Duration, err error)
}

// bucket is the size of one kind of bucket.
type bucket struct {
	name  string
	burst int
	every time.Duration
	// forgives: a right password fills it up, for only its owner pays from it, or
	// somebody at the same address. The others count for all: with one account of
	// their own nobody may buy tries at those of others.
	forgives bool
}

// The buckets of a sign-in. A right password gives back what its attempt took, so
// they count wrong ones.
//
// One attacker at one address gets 10 tries at an account and then one a minute; a
// right password forgives the wrong ones before it.
// An address gets 30 tries at all accounts together and then one in 2 s: an office
// behind one address may mistype, a list of leaked passwords runs dry. All
// addresses together get 30 tries at an account and then one in 2 minutes, 750 a
// day, whatever the size of a botnet. That could lock the owner out, so a browser
// in which the account has signed in before pays from a bucket of its own, which
// no one else can empty.
func accountAtAddress() bucket { return bucket{"account-address", 10, time.Minute, true} }
func anyAccount() bucket       { return bucket{"address", 30, 2 * time.Second, false} }
func anyAddress() bucket       { return bucket{"account", 30, 2 * time.Minute, false} }
func knownBrowser() bucket     { return bucket{"known-browser", 10, time.Minute, true} }

// Throttled is returned for an attempt that was not made because there were too
// many before it.
type Throttled struct {
	Wait time.Duration // until an attempt can be made
}

// Error implements error.
func (e *Throttled) Error() string { return fmt.Sprintf("too many attempts, wait %s", e.Wait) }

// payment is what an attempt took from one bucket.
type payment struct {
	key string
	bucket
}

// throttle takes an attempt from its buckets.
type throttle struct {
	limiter Limiter
	keys    *secret.Keyring
	log     *slog.Logger
}

// pay takes one attempt from each bucket of an account and address. If one is
// empty, the others get theirs back, and the error is *Throttled. A limiter that
// does not answer lets the attempt through: the hasher still bounds how many are
// made, and nobody is locked out by a fault of the store.
func (t throttle) pay(ctx context.Context, account, address, browser string) ([]payment, error) {
	due := []payment{
		{t.key("account-address", account, address), accountAtAddress()},
		{t.key("account", account), anyAddress()},
		{t.key("address", address), anyAccount()},
	}
	if browser != "" {
		due = []payment{{t.key("known-browser", account, browser), knownBrowser()}}
	}
	return t.take(ctx, due...)
}

// take pays from buckets: from all or from none.
func (t throttle) take(ctx context.Context, due ...payment) ([]payment, error) {
	var paid []payment
	for _, p := range due {
		wait, err := t.limiter.Spend(ctx, p.key, p.burst, p.every, 1)
		if err != nil {
			t.log.WarnContext(ctx, "sign-in limit not checked", "bucket", p.name, "error", err)
			continue
		}
		if wait > 0 {
			t.giveBack(ctx, paid)
			return nil, &Throttled{Wait: wait}
		}
		paid = append(paid, p)
	}
	return paid, nil
}

// giveBack returns what was paid, also when the caller has gone away.
func (t throttle) giveBack(ctx context.Context, paid []payment) {
	for _, p := range paid {
		t.refill(ctx, p, 1)
	}
}

// forgive gives back what the attempt with a right password took, and from the
// buckets that forgive also what the wrong ones before it took.
func (t throttle) forgive(ctx context.Context, paid []payment) {
	for _, p := range paid {
		n := 1
		if p.forgives {
			n = p.burst
		}
		t.refill(ctx, p, n)
	}
}

func (t throttle) refill(ctx context.Context, p payment, n int) {
	if _, err := t.limiter.Spend(context.WithoutCancel(ctx), p.key, p.burst, p.every, -n); err != nil {
		t.log.WarnContext(ctx, "sign-in limit not given back", "bucket", p.name, "error", err)
	}
}

// key names a bucket without naming the person or the address in it: the store
// of short-lived state may be one that more people can read.
func (t throttle) key(parts ...string) string {
	b := make([][]byte, len(parts))
	for i, p := range parts {
		b[i] = []byte(p)
	}
	sum := t.keys.MAC("sign-in-bucket", b...)
	return "signin:" + base64.RawURLEncoding.EncodeToString(sum[1:17])
}

const knownPurpose = "known-browser"

// knownValue makes the value of a cookie that tells, at later sign-ins, that this
// account has signed in with this browser before. It proves nothing else.
func knownValue(keys *secret.Keyring, subject string) string {
	browser := secret.Random(16)
	mac := keys.MAC(knownPurpose, []byte(subject), browser)
	return base64.RawURLEncoding.EncodeToString(browser) + "." + base64.RawURLEncoding.EncodeToString(mac)
}

// knownBrowserOf returns the browser's name if the value was made for the account.
func knownBrowserOf(keys *secret.Keyring, subject, value string) string {
	name, sum, ok := strings.Cut(value, ".")
	encoding := base64.RawURLEncoding.Strict()
	// The decoder skips line breaks; the lengths give them away.
	if !ok || len(name) != encoding.EncodedLen(16) || len(sum) != encoding.EncodedLen(secret.MACSize) {
		return ""
	}
	browser, err := encoding.DecodeString(name)
	if err != nil || len(browser) != 16 {
		return ""
	}
	mac, err := encoding.DecodeString(sum)
	if err != nil || !keys.Verify(knownPurpose, mac, []byte(subject), browser) {
		return ""
	}
	return name
}
