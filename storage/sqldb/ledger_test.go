package sqldb

import (
	"bytes"
	"context"
	"sync"
	"testing"

	"github.com/gatehouse-id/gatehouse/revocation"
)

// TestUnknownKind: a row that a newer node wrote kills every token minted before
// it, as revocation.Row.Matches says; it is never silently ignored.
func TestUnknownKind(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		d := open(t)
		appendOne(t, d)
		const insert = `INSERT INTO revocations (position, kind, key, reason, at, expires_at) VALUES (7, 'future', 'x', '', 0, 0)`
		if _, err := d.exec(t.Context(), insert); err != nil {
			t.Fatal(err)
		}
		rows, err := d.After(t.Context(), 1, 10)
		if err != nil || len(rows) != 1 {
			t.Fatalf("%+v, %v", rows, err)
		}
		for _, rev := range []int64{6, 7} {
			k := revocation.Keys{ID: "a", Subject: "b", Rev: rev}
			got, err := d.Revoked(t.Context(), k)
			if err != nil || got != rows[0].Matches(k) {
				t.Errorf("rev %d: revoked %v, %v", rev, got, err)
			}
		}
	})
}

// TestNodesShareTheCounter: several handles on one database, as several nodes or a
// command beside the server, never give a position twice or leave one out.
func TestNodesShareTheCounter(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		const nodes, each = 3, 20
		var wg sync.WaitGroup
		for range nodes {
			d := open(t)
			wg.Go(func() {
				for range each {
					err := d.InTx(t.Context(), func(ctx context.Context) error { return d.Append(ctx, oneRow) })
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		rows, err := open(t).After(t.Context(), 0, 1000)
		if err != nil || len(rows) != nodes*each {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		for i, r := range rows {
			if r.Position != int64(i)+1 {
				t.Fatalf("row %d has position %d", i, r.Position)
			}
		}
	})
}

// TestHashChain: the counter's hash tells histories apart that have the same
// length (L8), and moves with rows alone.
func TestHashChain(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		d := open(t)
		hash := func() []byte {
			t.Helper()
			var h []byte
			if err := d.queryRow(t.Context(), `SELECT hash FROM ledger_head WHERE id = 1`, nil, &h); err != nil {
				t.Fatal(err)
			}
			return h
		}
		seen := [][]byte{hash()}
		for range 3 {
			appendOne(t, d) // the same entry each time
			now := hash()
			for _, before := range seen {
				if bytes.Equal(now, before) {
					t.Fatal("the hash did not move")
				}
			}
			if len(now) != 32 {
				t.Fatalf("a hash of %d bytes", len(now))
			}
			seen = append(seen, now)
		}
		if err := d.BumpChange(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(hash(), seen[3]) {
			t.Error("the hash moved without a row")
		}
	})
}

func TestChunkHash(t *testing.T) {
	row := revocation.Row{Kind: "user", Key: "ab", Reason: "c", At: 1, ExpiresAt: 2}
	base := chunkHash([]revocation.Row{row})
	for name, change := range map[string]func(*revocation.Row){
		"kind":          func(r *revocation.Row) { r.Kind = "client" },
		"key":           func(r *revocation.Row) { r.Key = "a" },
		"audience":      func(r *revocation.Row) { r.Audience = "x" },
		"reason":        func(r *revocation.Row) { r.Reason = "x" },
		"at":            func(r *revocation.Row) { r.At = 9 },
		"expires":       func(r *revocation.Row) { r.ExpiresAt = 9 },
		"moved letters": func(r *revocation.Row) { r.Key, r.Reason = "a", "bc" },
	} {
		other := row
		change(&other)
		if bytes.Equal(base, chunkHash([]revocation.Row{other})) {
			t.Errorf("%s: the same hash", name)
		}
	}
}
