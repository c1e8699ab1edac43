package storagetest

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/provider/granting"
)

const racers = 64

func rounds() int { return size(8, 300) }

// Races lets 64 callers, spread over so many nodes, do at once what may happen
// once (L14).
func Races(t *testing.T, nodes int, open Nodes) {
	all := open(t, nodes)
	for name, check := range map[string]func(*testing.T, *World, []GrantBackend){
		"one code, one redemption":            raceRedeem,
		"one refresh token, one rotation":     raceRotate,
		"one assertion, one use":              raceAssertion,
		"one flow, one code":                  raceInsertCode,
		"the end of grants and a redemption":  raceEndRedeem,
		"the end of grants and a rotation":    raceEndRotate,
		"the end of a session, once told":     raceEndSessions,
		"the end of a session and its touch":  raceEndTouch,
		"the end of grants, each told once":   raceEndGrants,
		"the cleaning of one table, by nodes": raceClean,
	} {
		t.Run(name, func(t *testing.T) {
			w := NewWorld(t, all[0])
			defer w.end(t)
			check(t, w, all)
		})
	}
}

// race calls f from all racers at once and returns how many it let win.
func race(t *testing.T, nodes []GrantBackend, f func(node GrantBackend, i int) (bool, error)) int64 {
	t.Helper()
	var wins atomic.Int64
	var barrier, done sync.WaitGroup
	barrier.Add(1)
	for i := range racers {
		done.Go(func() {
			barrier.Wait()
			won, err := f(nodes[i%len(nodes)], i)
			if err != nil {
				t.Errorf("racer %d: %v", i, err)
			}
			if won {
				wins.Add(1)
			}
		})
	}
	barrier.Done()
	done.Wait()
	return wins.Load()
}

func wantOne(t *testing.T, wins int64) {
	t.Helper()
	if wins != 1 {
		t.Errorf("%d winners, want one", wins)
	}
}

func raceRedeem(t *testing.T, w *World, nodes []GrantBackend) {
	for range rounds() {
		c := w.Code("openid")
		mustInsert(t, w, c)
		wantOne(t, race(t, nodes, func(node GrantBackend, i int) (bool, error) {
			g := w.Grant("openid")
			g.ID, g.Refresh.Hash = c.GrantID, secretHash(byte(i))
			return node.RedeemCode(t.Context(), g)
		}))
	}
}

func raceRotate(t *testing.T, w *World, nodes []GrantBackend) {
	for range rounds() {
		g := w.Grant("openid")
		mustRedeem(t, w, g)
		wantOne(t, race(t, nodes, func(node GrantBackend, i int) (bool, error) {
			r := rotationOf(g)
			r.Hash = secretHash(byte(100 + i))
			return node.RotateRefresh(t.Context(), r)
		}))
		got, _, err := w.GrantStanding(t.Context(), g.ID, w.At)
		if err != nil || got.Refresh.Generation != 1 {
			t.Errorf("generation %d, %v", got.Refresh.Generation, err)
		}
	}
}

func raceAssertion(t *testing.T, w *World, nodes []GrantBackend) {
	for range rounds() {
		jti := id.New().String()
		wantOne(t, race(t, nodes, func(node GrantBackend, _ int) (bool, error) {
			return node.UseAssertion(t.Context(), "app", jti, w.At)
		}))
	}
}

func raceInsertCode(t *testing.T, w *World, nodes []GrantBackend) {
	for range rounds() {
		gid := id.New()
		wantOne(t, race(t, nodes, func(node GrantBackend, i int) (bool, error) {
			c := w.Code("openid")
			c.GrantID, c.SecretHash = gid, secretHash(byte(i))
			return node.InsertCode(t.Context(), c)
		}))
	}
}

// raceEndRedeem: whoever comes first, afterwards no grant lives, and its id was
// returned, for the row of the ledger that kills tokens on their way.
func raceEndRedeem(t *testing.T, w *World, nodes []GrantBackend) {
	for range rounds() {
		c := w.Code("openid")
		mustInsert(t, w, c)
		wins := race(t, nodes, func(node GrantBackend, i int) (bool, error) {
			if i%2 == 0 {
				g := w.Grant("openid")
				g.ID = c.GrantID
				_, err := node.RedeemCode(t.Context(), g)
				return false, err
			}
			ended, err := node.EndGrants(t.Context(), accounts.GrantFilter{UserID: w.User.ID}, w.At, "test")
			return len(ended) > 0, err
		})
		wantOne(t, wins)
		g, err := w.GrantByID(t.Context(), c.GrantID)
		if err != nil || g.EndedAt == 0 {
			t.Errorf("the grant lives: %+v, %v", g, err)
		}
	}
}

// raceEndRotate: a rotation that wins against the end leaves nothing that can
// rotate again.
func raceEndRotate(t *testing.T, w *World, nodes []GrantBackend) {
	for range rounds() {
		g := w.Grant("openid")
		mustRedeem(t, w, g)
		race(t, nodes, func(node GrantBackend, i int) (bool, error) {
			if i%2 == 0 {
				return node.RotateRefresh(t.Context(), rotationOf(g))
			}
			_, err := node.EndGrants(t.Context(), accounts.GrantFilter{GrantID: g.ID}, w.At, "test")
			return false, err
		})
		got, _, err := w.GrantStanding(t.Context(), g.ID, w.At)
		if err != nil || got.EndedAt == 0 {
			t.Fatalf("the grant lives: %v", err)
		}
		mustRotate(t, w, granting.Rotation{GrantID: g.ID, Old: got.Refresh.Hash, Hash: secretHash(9)}, false)
	}
}

func raceEndSessions(t *testing.T, w *World, nodes []GrantBackend) {
	for range rounds() {
		s := w.mustStart(t, asItIs)
		wantOne(t, race(t, nodes, func(node GrantBackend, _ int) (bool, error) {
			ended, err := node.EndSessions(t.Context(), accounts.SessionFilter{UserID: w.User.ID, SessionID: s.ID}, w.At, "test")
			return len(ended) == 1, err
		}))
	}
}

func raceEndTouch(t *testing.T, w *World, nodes []GrantBackend) {
	for range rounds() {
		s := w.mustStart(t, asItIs)
		race(t, nodes, func(node GrantBackend, i int) (bool, error) {
			if i%2 == 0 {
				return false, node.TouchSession(t.Context(), s.ID, w.At+int64(i), w.At+int64(1000+i))
			}
			_, err := node.EndSessions(t.Context(), accounts.SessionFilter{SessionID: s.ID}, w.At, "test")
			return false, err
		})
		if got := w.session(t, s.ID); got.EndedAt == 0 {
			t.Error("the session lives")
		}
	}
}

func raceEndGrants(t *testing.T, w *World, nodes []GrantBackend) {
	for range rounds() {
		for range 5 {
			mustRedeem(t, w, w.Grant("openid"))
			mustInsert(t, w, w.Code("openid"))
		}
		var told atomic.Int64
		race(t, nodes, func(node GrantBackend, _ int) (bool, error) {
			ended, err := node.EndGrants(t.Context(), accounts.GrantFilter{UserID: w.User.ID, ClientID: w.Client.ID}, w.At, "test")
			told.Add(int64(len(ended)))
			return false, err
		})
		if told.Load() != 10 {
			t.Errorf("%d ids told, want each of 10 once", told.Load())
		}
	}
}

// raceClean is for what a deployment does on every node at the same time.
func raceClean(t *testing.T, w *World, nodes []GrantBackend) {
	type cleaner interface {
		Clean(ctx context.Context, batch int) (map[string]int, error)
	}
	codes := size(50, 2000)
	for range codes {
		c := w.Code("openid")
		c.ExpiresAt = 1
		mustInsert(t, w, c)
	}
	var removed atomic.Int64
	race(t, nodes, func(node GrantBackend, _ int) (bool, error) {
		counts, err := node.(cleaner).Clean(t.Context(), 7)
		removed.Add(int64(counts["codes"]))
		return false, err
	})
	if removed.Load() != int64(codes) {
		t.Errorf("%d codes removed, want %d", removed.Load(), codes)
	}
}
