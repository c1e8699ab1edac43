package sqldb

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/resource/wire"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// TestChains: hashes are told of rows as far as anything hangs on them.
func TestChains(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		d, ctx := open(t), t.Context()
		commit := func(entries ...revocation.Entry) []byte {
			t.Helper()
			if err := d.InTx(ctx, func(ctx context.Context) error { return d.Append(ctx, entries...) }); err != nil {
				t.Fatal(err)
			}
			h, err := d.Head(ctx)
			if err != nil {
				t.Fatal(err)
			}
			return h.Hash
		}
		row := func(key string) revocation.Entry { return revocation.Entry{Kind: revocation.User, Key: key} }
		inside := []byte{0}
		check := func(when string, want map[int64][]byte) {
			t.Helper()
			got, err := d.Chains(ctx, []int64{1, 2, 3, 4, 5, 99})
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%s: %v\n%s", when, err, diff)
			}
		}
		check("an empty ledger", map[int64][]byte{})
		one, three := commit(row("1")), commit(row("2"), row("3"))
		check("two commits", map[int64][]byte{1: one, 2: inside, 3: three})
		four := commit(revocation.Entry{Kind: revocation.All, Audience: "https://a"})
		check("a row for one API", map[int64][]byte{1: one, 2: inside, 3: three, 4: four})
		if got, err := d.Chains(ctx, nil); len(got) != 0 || err != nil {
			t.Errorf("nothing asked: %v, %v", got, err)
		}
		if _, err := d.exec(ctx, `UPDATE ledger_head SET floor = 3 WHERE id = 1`); err != nil {
			t.Fatal(err)
		}
		check("a floor", map[int64][]byte{3: three, 4: four})
		five := commit(revocation.Entry{Kind: revocation.All})
		check("a row for all", map[int64][]byte{5: five})
	})
}

// TestKeyRowsOutliveKeySets: a stolen key is dead as long as any verifier may hold it,
// however short tokens live. Nothing else would end it: rev and exp are the thief's.
func TestKeyRowsOutliveKeySets(t *testing.T) {
	if revocation.KeyLife <= wire.KeySetFor*time.Millisecond {
		t.Errorf("rows about keys live %s, key sets %d ms", revocation.KeyLife, wire.KeySetFor)
	}
	for _, life := range []time.Duration{tokenLife, 24 * time.Hour} {
		d := openerOf(sqliteURL(t))(t, func(o *Options) { o.TokenLife = life })
		err := d.InTx(t.Context(), func(ctx context.Context) error {
			return d.Append(ctx, revocation.Entry{Kind: revocation.Key, Key: "kid"}, oneRow)
		})
		if err != nil {
			t.Fatal(err)
		}
		rows, err := d.After(t.Context(), 0, 10)
		if err != nil || len(rows) != 2 {
			t.Fatal(rows, err)
		}
		for i, want := range []time.Duration{max(life, revocation.KeyLife), life} {
			if got := rows[i].ExpiresAt - rows[i].At; got < want.Milliseconds() || got > want.Milliseconds()+1000 {
				t.Errorf("tokens live %s: the row of kind %s %d ms, want %s", life, rows[i].Kind, got, want)
			}
		}
	}
}
