package selfservice_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// Whether two kinds of requests can be told apart by how long they take, on a machine
// that has other things to do: they are sent in turns, and compared block by block, so
// that a load that comes and goes hits both.
const (
	timingBlock = 25 // samples of each kind
	// timingScore is how many standard deviations the sum of ranks may be off: by
	// chance it is once in 16,000 times.
	timingScore = 4
	// timingEffect is the difference that matters. Over the Internet less is not seen
	// with the number of tries that the limits leave.
	timingEffect = 200 * time.Microsecond
)

// comparison is what two kinds of samples say.
type comparison struct {
	// Score is the Mann-Whitney statistic of all samples, in standard deviations,
	// after the median of its block was taken from each.
	Score float64
	// Effect is how much longer the first kind takes: the median of the differences of
	// the blocks' medians.
	Effect time.Duration
	// Typical is the median of the second kind.
	Typical time.Duration
}

// toldApart reports a difference that is neither chance nor too small to matter.
func (c comparison) toldApart() bool {
	return math.Abs(c.Score) > timingScore && max(c.Effect, -c.Effect) > timingEffect
}

// compare takes samples in the order in which they were taken, as many of each kind.
func compare(first, second []time.Duration) comparison {
	var effects []time.Duration
	var a, b []float64
	for at := 0; at < len(first); at += timingBlock {
		end := min(at+timingBlock, len(first))
		x, y := first[at:end], second[at:end]
		effects = append(effects, median(x)-median(y))
		middle := median(append(slices.Clone(x), y...))
		for i := range x {
			a, b = append(a, float64(x[i]-middle)), append(b, float64(y[i]-middle))
		}
	}
	return comparison{Score: mannWhitney(a, b), Effect: median(effects), Typical: median(second)}
}

func median(list []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(list))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// mannWhitney is the normal approximation of the statistic U, with the correction for
// ties (Mann and Whitney 1947).
func mannWhitney(a, b []float64) float64 {
	type sample struct {
		value float64
		first bool
	}
	var all []sample
	for _, v := range a {
		all = append(all, sample{v, true})
	}
	for _, v := range b {
		all = append(all, sample{v, false})
	}
	slices.SortFunc(all, func(x, y sample) int {
		switch {
		case x.value < y.value:
			return -1
		case x.value > y.value:
			return 1
		}
		return 0
	})
	var ranks, ties float64
	for i := 0; i < len(all); {
		j := i
		for j < len(all) && all[j].value == all[i].value {
			j++
		}
		n := float64(j - i)
		ties += n*n*n - n
		for _, s := range all[i:j] {
			if s.first {
				ranks += float64(i+j+1) / 2
			}
		}
		i = j
	}
	n, m := float64(len(a)), float64(len(b))
	total := n + m
	deviation := math.Sqrt(n * m / 12 * (total + 1 - ties/(total*(total-1))))
	if deviation == 0 {
		return 0
	}
	return (ranks - n*(n+1)/2 - n*m/2) / deviation
}

// TestTimingComparison: what the comparison sees in a noise like that of a machine with
// other things to do, and what it does not take for a difference.
func TestTimingComparison(t *testing.T) {
	const pairs = 600
	random := rand.New(rand.NewPCG(1, 2))
	// noise is a request of 5 ms with a long tail, beside a load that comes and goes.
	noise := func(i int) time.Duration {
		ms := 5 + 3*math.Sin(float64(i)/90) + math.Exp(random.NormFloat64()*0.8)
		if random.IntN(20) == 0 {
			ms += 40 * random.Float64()
		}
		return time.Duration(ms * float64(time.Millisecond))
	}
	for name, tt := range map[string]struct {
		first, second func(i int) time.Duration
		want          bool
	}{
		"the same":          {noise, noise, false},
		"a millisecond":     {func(i int) time.Duration { return noise(i) + time.Millisecond }, noise, true},
		"the other way":     {noise, func(i int) time.Duration { return noise(i) + time.Millisecond }, true},
		"too small to see":  {func(i int) time.Duration { return noise(i) + 20*time.Microsecond }, noise, false},
		"now and then":      {func(i int) time.Duration { return noise(i) + time.Duration(random.IntN(2))*2*time.Millisecond }, noise, true},
		"no noise, no news": {func(int) time.Duration { return time.Millisecond }, func(int) time.Duration { return time.Millisecond }, false},
	} {
		var a, b []time.Duration
		for i := range pairs {
			a, b = append(a, tt.first(i)), append(b, tt.second(i))
		}
		if c := compare(a, b); c.toldApart() != tt.want {
			t.Errorf("%s: told apart %t, %+v", name, c.toldApart(), c)
		}
	}
	// All of one kind above all of the other: U is n*m, known from tables.
	if got := mannWhitney([]float64{4, 5, 6}, []float64{1, 2, 3}); math.Abs(got-4.5/math.Sqrt(3.0*3*7/12)) > 1e-9 {
		t.Errorf("score %v", got)
	}
}
