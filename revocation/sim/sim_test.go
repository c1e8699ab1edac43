package sim

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// bug is one that is planted, to see whether the simulation finds it.
type bug int

// The bugs.
const (
	bugNone bug = iota
	bugGlobalHead
	bugArrival
	bugSessionAudience
	bugIgnoredGap
	bugNoFloor
	bugEmptied
	bugStaleHead
	bugRevNow
	bugNoEvidence
	bugNoChain
	bugNoWrote
	bugNoReplace
	bugNoAll
	bugNoValidFrom
	bugs
)

func (b bug) String() string {
	return [...]string{
		"none", "heartbeats carry the global head (L6)", "freshness from arrival (L7)", "sessions are filtered by their audiences (L3)",
		"a gap is ignored (H5)", "the floor is forgotten (L12)", "a reset empties the set (H6)", "an old head is beaten for ever (L5)",
		"rev is newer than what was read (L9)", "evidence is not looked at (L8)", "the hash chain is not compared (L8)",
		"what this node wrote itself proves no loss (L8)", "streams go on over a repair (L8)",
		"no row of kind all after a repair (L8)",
		"what was decided before a ban is written after it (L2)",
	}[b]
}

// seedVariable names the runs: one is replayed with all that happens in it, from-to
// are many.
const seedVariable = "GATEHOUSE_SIM_SEED"

func newKeyrings(t testing.TB) *keyrings {
	t.Helper()
	old, later := secret.Text(strings.Repeat("an old secret ", 3)), secret.Text(strings.Repeat("a later secret ", 3))
	before, err := secret.NewKeyring(old)
	if err != nil {
		t.Fatal(err)
	}
	after, err := secret.NewKeyring(later, old)
	if err != nil {
		t.Fatal(err)
	}
	return &keyrings{before, after}
}

// simulate is one run.
func simulate(seed uint64, b bug, keys *keyrings, origin time.Time, trace func(string, ...any)) *world {
	w := &world{seed: seed, bug: b, rng: rand.New(rand.NewPCG(seed, 1)), origin: origin, keys: keys, redis: true, trace: trace, nextID: 1}
	w.plan = newPlan(w)
	w.tell("plan %+v", w.plan)
	w.db = newDatabase(w)
	for i := range w.plan.nodes {
		w.nodes = append(w.nodes, newNode(w, fmt.Sprint("node", i)))
	}
	for i := range w.plan.followers {
		w.followers = append(w.followers, newFollower(w, i))
	}
	w.load()
	if len(w.plan.faults) > 0 {
		w.every(500*time.Millisecond, 6*time.Second, func() {
			if !w.healing {
				pick(w, w.plan.faults)(w)
			}
		})
	}
	if w.plan.rotate {
		w.after(w.between(10*time.Second, 60*time.Second), w.rotate)
	}
	w.run(chaosFor)
	w.heal()
	w.run(endAt)
	if w.fail == nil {
		w.settled()
	}
	if w.fail == nil {
		w.healed()
	}
	return w
}

// load is what people and apps do.
func (w *world) load() {
	often := func(least, most time.Duration, do func()) {
		w.every(least, most, func() {
			if w.at < loadFor {
				do()
			}
		})
	}
	often(0, 1500*time.Millisecond, w.signIn)
	often(0, time.Second, w.mint)
	often(0, 2500*time.Millisecond, w.cause)
	// Some things happen nearly at once.
	often(0, 10*time.Second, func() {
		for range 1 + w.rng.IntN(5) {
			w.after(w.between(0, 20*time.Millisecond), w.cause)
			w.after(w.between(0, 20*time.Millisecond), w.mint)
		}
	})
	w.every(10*time.Second, 10*time.Second, w.forget)
	w.every(400*time.Millisecond, 500*time.Millisecond, func() {
		for _, f := range w.followers {
			w.examine(f)
		}
		for _, n := range w.nodes {
			w.lookAtNode(n)
		}
	})
}

// seeds are the first and the last run. The race detector has little to find where
// there are no goroutines, and makes a run thirty times as long.
func seeds(t *testing.T) (first, last uint64) {
	text := os.Getenv(seedVariable)
	switch {
	case text != "":
		from, to, many := strings.Cut(text, "-")
		if !many {
			to = from
		}
		var err error
		if first, err = strconv.ParseUint(from, 10, 64); err == nil {
			last, err = strconv.ParseUint(to, 10, 64)
		}
		if err != nil || last < first {
			t.Fatalf("%s=%s is neither a seed nor from-to", seedVariable, text)
		}
		return first, last
	case raceEnabled:
		return 1, 150
	case os.Getenv("GATEHOUSE_TEST_LONG") != "":
		return 1, 200_000
	}
	return 1, 3000
}

// TestSimulation runs the deployment with everything that goes wrong in it, and
// checks the invariants all the time. Who changes a core and sees a seed fail
// replays it with the command that the failure prints.
func TestSimulation(t *testing.T) {
	keys, origin := newKeyrings(t), time.Now()
	first, last := seeds(t)
	var tell func(string, ...any)
	if first == last {
		tell = t.Logf
	}
	var next, failed atomic.Uint64
	next.Store(first - 1)
	var sum stats
	var mu sync.Mutex
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for {
				seed := next.Add(1)
				if seed > last || failed.Load() >= 5 {
					return
				}
				w := simulate(seed, bugNone, keys, origin, tell)
				if w.fail != nil {
					failed.Add(1)
					t.Errorf("%v\nreplay: %s=%d go test -run '^TestSimulation$' -v ./revocation/sim", w.fail, seedVariable, seed)
				}
				mu.Lock()
				sum.add(w.stats)
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	t.Logf("seeds %d to %d: %+v", first, last, sum)
}

// TestPlantedBugs: the simulation finds each bug that is planted in what is around
// the cores. A simulation that finds nothing proves nothing.
func TestPlantedBugs(t *testing.T) {
	keys, origin := newKeyrings(t), time.Now()
	// The first seeds that found them. Who changes what chance decides makes them
	// wrong: then the search goes on from there, and takes longer.
	first := [bugs]uint64{
		bugGlobalHead: 426, bugArrival: 2, bugSessionAudience: 1, bugIgnoredGap: 43, bugNoFloor: 1406, bugEmptied: 4, bugStaleHead: 5,
		bugRevNow: 63, bugNoEvidence: 222, bugNoChain: 19, bugNoWrote: 357, bugNoReplace: 573, bugNoAll: 6, bugNoValidFrom: 2,
	}
	const most = 1500
	for b := bugNone + 1; b < bugs; b++ {
		t.Run(strings.ReplaceAll(b.String(), " ", "-"), func(t *testing.T) {
			for seed := first[b]; seed < first[b]+most; seed++ {
				if w := simulate(seed, b, keys, origin, nil); w.fail != nil {
					t.Logf("seed %d: %v", seed, w.fail)
					return
				}
			}
			t.Errorf("%s: not found in %d seeds", b, most)
		})
	}
}
