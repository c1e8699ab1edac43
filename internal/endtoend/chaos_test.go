package endtoend_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/resource"
)

// chaosStage is three nodes on one PostgreSQL and one Redis, and five resource
// servers, each behind a wire of its own.
type chaosStage struct {
	*cluster
	t        *testing.T
	postgres *testenv.PostgresServer
	redis    *testenv.RedisServer
	wires    []*link
	judges   *judges
	load     *load
	guard    *guardProcess
	known    register
}

func newChaosStage(t *testing.T) *chaosStage {
	t.Helper()
	const nodes, followers = 3, 5
	s := &chaosStage{t: t, postgres: testenv.OwnPostgres(t), redis: testenv.OwnRedis(t), known: register{newest: map[[2]string]int64{}}}
	s.cluster = clusterOf(t, nodes, s.postgres.URL, s.redis.URL)
	own := s.furnish(t)
	s.judges = &judges{t: t}
	events := resource.Events{State: func(resource.State, resource.State) { s.judges.states.Add(1) }}
	for range followers {
		wire := newLink(t, s.any)
		s.wires = append(s.wires, wire)
		s.judges.followers = append(s.judges.followers, s.follower(t, own, wire, events))
	}
	s.judges.accepted = make([]counter, followers)
	s.load = newLoad(t, s.cluster, s.judges)
	robot := s.register(t, "--name", "Guarded machine", "--type", "machine", "--scope", "posts:add")
	s.guard = newGuard(t, s.load, own, robot)
	return s
}

// TestH9_RevocationsUnderChaos: while nodes stand still and die, wires are cut and
// clamped, and Redis and PostgreSQL go and come back, no resource server that calls
// itself fresh accepts a token later than the bound after whoever took it back was
// told so; none is lost; and whoever may still have a token gets one.
func TestH9_RevocationsUnderChaos(t *testing.T) {
	goal, people, machines, apart := int64(2000), 4, 8, 100*time.Millisecond
	if os.Getenv("GATEHOUSE_TEST_LONG") != "" {
		goal, machines, apart = 100_000, 48, 0
	}
	s := newChaosStage(t)
	var sitting, working sync.WaitGroup
	done := make(chan struct{})
	for i := range s.judges.followers {
		sitting.Go(func() { s.judges.sit(i, done) })
	}
	for i := range people {
		s.load.enlist(fmt.Sprintf("person%d", i))
	}
	for i := range machines {
		c := s.register(t, "--name", fmt.Sprintf("Machine %d", i), "--type", "machine", "--scope", "posts:add")
		working.Go(func() { s.load.machine(c, apart) })
	}
	for _, p := range s.load.people {
		working.Go(p.live)
	}
	began := time.Now()
	for rounds := 0; rounds == 0 || s.load.rows.Load() < goal; rounds++ {
		s.disturb()
		s.audit()
		if since := time.Since(began); since > 20*time.Minute {
			t.Errorf("%d revocations in %s", s.load.rows.Load(), since)
			break
		}
	}
	close(s.load.stop)
	working.Wait()
	t.Logf("%s of disturbances", time.Since(began).Round(time.Second))
	s.audit()
	s.judges.settle()
	close(done)
	sitting.Wait()
	s.heal()
	s.judges.report(s.load.rows.Load())
}

// disturb does one bad thing after the other to everybody, and lets each of them
// recover. What kills the tokens of all comes first: after a crash it would hide what
// the crash has lost.
func (s *chaosStage) disturb() {
	s.t.Helper()
	for _, bad := range []struct {
		name string
		do   func()
		last time.Duration
		undo func()
	}{
		{"a signing key is compromised", s.compromise, 2 * time.Second, func() {}},
		{"everything is revoked", s.revokeAll, time.Second, func() {}},
		{"everybody's permission is taken away", s.takePermission, time.Second, s.givePermission},
		{"a node stands still", s.nodes[0].freeze, 3 * time.Second, s.nodes[0].thaw},
		{"connections of two followers are cut", func() { s.wires[0].hangUp(); s.wires[1].sever() }, 2 * time.Second, s.wires[1].heal},
		{"a follower's wire is clamped, frames come late", s.wires[2].hang, 13 * time.Second, s.wires[2].heal},
		{"Redis is emptied", s.flush, time.Second, func() {}},
		{"nodes lose Redis", func() { s.nodes[0].redis.sever(); s.nodes[1].redis.hang() }, 3 * time.Second, func() {
			s.nodes[0].redis.heal()
			s.nodes[1].redis.heal()
		}},
		{"Redis crashes", s.redis.Stop, 2 * time.Second, s.redis.Start},
		{"a node is killed", s.nodes[1].kill, time.Second, func() { s.start(s.t) }},
		{"PostgreSQL crashes", s.postgres.Stop, time.Second, s.postgres.Start},
		{"a node is cut off from its database", s.nodes[2].database.hang, 6 * time.Second, s.nodes[2].database.heal},
		{"a node and a guard stand still for longer than the bound", func() { s.guard.freeze(); s.nodes[2].freeze() }, 12 * time.Second, func() {
			s.guard.thaw()
			s.nodes[2].thaw()
		}},
	} {
		before, began := s.load.rows.Load(), time.Now()
		bad.do()
		time.Sleep(bad.last)
		bad.undo()
		time.Sleep(time.Second)
		s.t.Logf("%s %s: %d revocations meanwhile", began.Format("15:04:05.000"), bad.name, s.load.rows.Load()-before)
	}
	for _, n := range s.nodes {
		n.awaitReady(s.t)
	}
}

func (s *chaosStage) flush() {
	s.t.Helper()
	conn, err := net.Dial("tcp", parsed(s.t, s.redis.URL).Host)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // the answer has come
	answer := make([]byte, 5)
	if _, err = io.WriteString(conn, "FLUSHALL\r\n"); err == nil {
		_, err = io.ReadFull(conn, answer)
	}
	if err != nil || string(answer) != "+OK\r\n" {
		s.t.Fatalf("FLUSHALL: %q %v", answer, err)
	}
}

// takePermission holds the rights until givePermission.
func (s *chaosStage) takePermission() {
	s.load.rights.Lock()
	carries := func(h *holding) bool { return strings.Contains(h.Scope, "posts:add") }
	s.load.everywhere("permission", carries, func() {
		s.load.insist("take a permission", func(ctx context.Context) error {
			return s.load.groups.RevokePermission(ctx, operator(), "Editors", "posts:add")
		})
	})
}

func (s *chaosStage) givePermission() {
	defer s.load.rights.Unlock()
	s.load.insist("give a permission", func(ctx context.Context) error {
		return s.load.groups.GrantPermission(ctx, operator(), "Editors", "posts:add")
	})
}

func (s *chaosStage) revokeAll() {
	s.load.everywhere("all", all, func() { s.command(s.t, "revoke", "all") })
}

// compromise takes the key away that signs access tokens.
func (s *chaosStage) compromise() {
	s.t.Helper()
	list, _ := s.ask(s.t, "keys", "list")["keys"].([]any)
	for _, one := range list {
		key, _ := one.(map[string]any)
		if kid, _ := key["kid"].(string); key["algorithm"] == "ES256" && key["state"] == "active" {
			signed := func(h *holding) bool { return keyOf(h.Access) == kid }
			s.judges.stolen.Store(kid, true)
			s.load.everywhere("key", signed, func() { s.command(s.t, "keys", "compromise", "--kid", kid) })
			return
		}
	}
	s.t.Fatalf("no key signs: %v", list)
}

// heal checks that whoever was not shut out can go on after one refresh.
func (s *chaosStage) heal() {
	s.t.Helper()
	healed := 0
	for _, p := range s.load.people {
		held := p.held
		if h, err := p.use(); err != nil {
			s.t.Errorf("%s cannot sign in: %v", p.name, err)
		} else {
			held = append(held, h)
		}
		for _, h := range held {
			if err := p.refresh(s.t.Context(), h); err != nil {
				s.t.Errorf("%s cannot refresh: %v", p.name, err)
				continue
			}
			for i, v := range s.judges.followers {
				var err error
				awaitWithin(s.t, bound, fmt.Sprintf("follower %d accepts a living token", i), func() bool {
					_, err = v.Verify(s.t.Context(), h.Access)
					return err == nil
				})
			}
			healed++
		}
	}
	s.t.Logf("%d grants went on after one refresh", healed)
}
