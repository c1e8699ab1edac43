package resource

import (
	"errors"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/revocation"
)

// TestStolenKeyStaysDead: the issuer's keys cannot be had for hours, the ledger can.
// Who stole a key writes any rev and any time into his tokens, so what he signs is
// dead until this verifier has forgotten the key: the row that says so lives longer.
func TestStolenKeyStaysDead(t *testing.T) {
	followed(t, nil, func(t *testing.T, f *feedIssuer, v *Verifier) {
		forged := func(id string) error {
			_, err := v.Verify(t.Context(), f.access(map[string]any{"rev": int64(1) << 52, "jti": id}))
			return err
		}
		if err := forged("before"); err != nil { // and the keys are in memory
			t.Fatal(err)
		}
		f.change(func() { f.down = true }) // no keys from now on
		f.commit("key", "k1")
		expires := f.now().Add(revocation.KeyLife)
		f.do(func() { f.rows[len(f.rows)-1].Expires = expires.Unix() })
		for _, later := range []time.Duration{3 * time.Second, 69 * time.Minute, 3 * time.Minute, 50 * time.Minute, 10 * time.Minute} {
			pass(later)
			if f.now().After(expires) {
				f.do(func() { f.rows, f.floor = nil, f.position })
			}
			if err := forged(f.now().String()); err == nil || v.State() != Fresh {
				t.Errorf("at %s, %s: %v", f.now(), v.State(), err)
			}
			if f.now().Before(expires.Add(-20*time.Minute)) && !errors.Is(forged("again"), ErrRevoked) {
				t.Errorf("at %s: not known to be revoked", f.now())
			}
		}
	})
}
