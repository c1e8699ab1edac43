package sqldb

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/revocation"
)

func TestCatch(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		d, ctx := open(t), t.Context()
		catch := func(after int64, limit int) revocation.Batch {
			t.Helper()
			b, err := d.Catch(ctx, after, limit)
			if err != nil {
				t.Fatal(err)
			}
			head, err := d.Head(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(head, b.Head); diff != "" {
				t.Errorf("head:\n%s", diff)
			}
			return b
		}
		if b := catch(0, 10); len(b.Rows) != 0 || b.More || b.Chain != nil {
			t.Errorf("of an empty ledger: %+v", b)
		}
		// Blocks of one, two and three rows.
		var chains [][]byte
		for n := 1; n <= 3; n++ {
			var entries []revocation.Entry
			for i := range n {
				entries = append(entries, revocation.Entry{Kind: revocation.User, Key: fmt.Sprint(n, i), Reason: "test"})
			}
			if err := d.InTx(ctx, func(ctx context.Context) error { return d.Append(ctx, entries...) }); err != nil {
				t.Fatal(err)
			}
			chains = append(chains, catch(0, 10).Head.Hash)
		}
		all, err := d.After(ctx, 0, 10)
		if err != nil || len(all) != 6 {
			t.Fatal(all, err)
		}
		for after := range int64(7) {
			for limit := 1; limit < 8; limit++ {
				b := catch(after, limit)
				// Batches end with a block.
				end := after
				for _, border := range []int64{1, 3, 6} {
					if end == after || border <= after+int64(limit) {
						end = max(end, border)
					}
				}
				want := all[after:end]
				if more := end < 6; more != b.More {
					t.Errorf("after %d at most %d: more %v", after, limit, b.More)
				}
				if diff := cmp.Diff(want, b.Rows); len(want) > 0 && diff != "" {
					t.Errorf("after %d at most %d:\n%s", after, limit, diff)
				}
				if last := map[int64]int{1: 0, 3: 1, 6: 2}[end]; end > after && !bytes.Equal(b.Last, chains[last]) {
					t.Errorf("after %d at most %d the last row has the hash %x", after, limit, b.Last)
				}
				// The hash stands on the last row of each block.
				switch after {
				case 1, 3, 6:
					if !bytes.Equal(b.Chain, chains[map[int64]int{1: 0, 3: 1, 6: 2}[after]]) {
						t.Errorf("after %d the hash is %x", after, b.Chain)
					}
				case 0:
					if b.Chain != nil {
						t.Errorf("of no row there is a hash: %x", b.Chain)
					}
				default: // within a block: there, and no hash
					if len(b.Chain) != 1 {
						t.Errorf("after %d the hash is %x", after, b.Chain)
					}
				}
			}
		}
	})
}

// TestL4_TailHasItsOwnConnection: when every connection of the pool is taken, the
// ledger can still be read.
func TestL4_TailHasItsOwnConnection(t *testing.T) {
	d := openerOf(postgresURL(t) + "&pool_max_conns=1")(t)
	err := d.InTx(t.Context(), func(context.Context) error {
		_, err := d.Catch(t.Context(), 0, 1)
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
