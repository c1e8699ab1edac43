package resource

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/resource/wire"
)

// benchScopes make a token with eleven keys.
const benchScopes = "openid profile posts:add posts:edit posts:delete"

// manyRows are rows that concern nobody in these benchmarks.
func manyRows(n int, key []byte) []wire.Row {
	rows := make([]wire.Row, n)
	for i := range rows {
		rows[i] = wire.Row{
			Position: int64(i%100) + 1, Kind: wire.KindSession, Key: wire.Sum(key, "sid", fmt.Sprint(i)).Text(),
			Expires: time.Now().Unix() + 3600,
		}
	}
	return rows
}

func BenchmarkVerify(b *testing.B) {
	for _, alg := range []string{"ES256", "EdDSA", "RS256"} {
		b.Run("cold/"+alg, func(b *testing.B) {
			key := newTestKey(b, "k1", alg)
			issuer := newTestIssuer(b, key)
			v, c := issuer.verifier(b)
			raw := issuer.token(b, key, c.now(), map[string]any{"scope": benchScopes})
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.prove(b.Context(), raw, [32]byte{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("seen/offline", func(b *testing.B) {
		key := newTestKey(b, "k1", "ES256")
		issuer := newTestIssuer(b, key)
		v, c := issuer.verifier(b)
		benchVerify(b, v, issuer.token(b, key, c.now(), map[string]any{"scope": benchScopes}))
	})
	for _, n := range []int{0, 1e4, 1e6} {
		b.Run(fmt.Sprintf("seen/following/%d", n), func(b *testing.B) {
			f, mux := newFeedIssuer(b)
			f.rows = manyRows(n, f.hashKey)
			v := f.serve(mux, nil)
			defer v.Close()
			if err := v.Ready(b.Context()); err != nil {
				b.Fatal(err)
			}
			benchVerify(b, v, f.access(map[string]any{"scope": benchScopes}))
		})
	}
}

func benchVerify(b *testing.B, v *Verifier, raw string) {
	b.Helper()
	b.ReportAllocs()
	b.ReportMetric(float64(len(raw)), "token-bytes")
	for b.Loop() {
		if _, err := v.Verify(b.Context(), raw); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPrepare makes a token's query, which happens once for each token.
func BenchmarkPrepare(b *testing.B) {
	f, mux := newFeedIssuer(b)
	v := f.serve(mux, nil)
	defer v.Close()
	if err := v.Ready(b.Context()); err != nil {
		b.Fatal(err)
	}
	token, err := v.Verify(b.Context(), f.access(map[string]any{"scope": benchScopes}))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		v.feed.core.View().Query(token.keys())
	}
}

// BenchmarkDone checks ten thousand open streams, which each frame with rows does.
func BenchmarkDone(b *testing.B) {
	f, mux := newFeedIssuer(b)
	v := f.serve(mux, nil)
	defer v.Close()
	if err := v.Ready(b.Context()); err != nil {
		b.Fatal(err)
	}
	token, err := v.Verify(b.Context(), f.access(map[string]any{"scope": benchScopes}))
	if err != nil {
		b.Fatal(err)
	}
	for i := range 10_000 {
		token.ID = fmt.Sprint(i)
		v.Done(token)
	}
	for b.Loop() {
		if !v.streams.sweep() {
			b.Fatal("nobody waits")
		}
	}
}

// BenchmarkSnapshot reads and puts in place a complete snapshot of a million rows.
func BenchmarkSnapshot(b *testing.B) {
	const n = 1e6
	f, mux := newFeedIssuer(b)
	v := f.serve(mux, nil)
	v.Close()
	f.rows = manyRows(n, f.hashKey)
	var document bytes.Buffer
	s := wire.Snapshot{Frame: f.frame(0), Complete: true, Cursor: "c", HashKey: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}
	if err := json.NewEncoder(&document).Encode(s); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(document.Len()))
	b.ReportAllocs()
	for b.Loop() {
		s, rows, failure, err := readSnapshot(bytes.NewReader(document.Bytes()), 0)
		if err != nil || failure != nil || len(rows) != n {
			b.Fatal(err, failure)
		}
		if err := v.feed.core.Load(s, rows, nil, time.Now(), time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}
