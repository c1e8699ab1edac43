package main

import "time"

// sizes are how large the experiments are.
type sizes struct {
	verifiers int           // resource servers of each kind that must refuse
	signOuts  int           // of each distribution
	spread    time.Duration // over which sign-outs are spread where lists and caches are compared
	lists     bool          // whether token status lists take part: they need a minute

	rows []int // of the set

	followers int // streams
	events    int // single ones
	rate      int // rows a second
	lasting   time.Duration

	refreshes int
	window    time.Duration // over which apps spread their refreshes

	held     int           // rows that the verifier of the verification holds
	tokens   int           // that it has not seen before, in each round
	patience time.Duration // of one round of a loop in memory
	costs    int           // operations of each kind; none leaves that experiment out

	occupants int           // deployments that take the storm and whose memory is watched
	quiet     time.Duration // before a node counts as idle
	loaded    time.Duration // how long each kind of work lasts
}

func shortSizes() sizes {
	return sizes{
		verifiers: 20, signOuts: 50, spread: 30 * time.Second, lists: true,
		rows:      []int{1e4, 1e6, 1e7},
		followers: 10_000, events: 10, rate: 700, lasting: 10 * time.Second,
		refreshes: 2000, window: 8 * time.Second,
		held: 1e6, tokens: 500, patience: 200 * time.Millisecond, costs: 1000,
		occupants: 2, quiet: 5 * time.Second, loaded: 10 * time.Second,
	}
}

func fullSizes() sizes {
	s := shortSizes()
	s.signOuts, s.spread = 500, 5*time.Minute
	s.events = 100
	s.refreshes, s.window = 100_000, 5*time.Minute
	s.tokens, s.patience, s.costs = 2000, 2*time.Second, 10_000
	s.quiet, s.loaded = 20*time.Second, 20*time.Second
	return s
}

func smokeSizes() sizes {
	return sizes{
		verifiers: 2, signOuts: 2, spread: time.Second,
		rows:      []int{1000},
		followers: 20, events: 2, rate: 50, lasting: time.Second,
		refreshes: 10, window: time.Second,
		held: 1000, tokens: 10, patience: 10 * time.Millisecond,
		occupants: 1, quiet: 10 * time.Millisecond, loaded: 200 * time.Millisecond,
	}
}
