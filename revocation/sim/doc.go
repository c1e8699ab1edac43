// Package sim holds no code but tests: a seeded, deterministic simulation of a whole
// deployment, which drives the real cores: revocation.Mirror, the lanes, cursors,
// snapshots and reports of revocation/feed, resource/follow and resource/revset. It
// has no goroutines, sockets or real clocks; one seed is one course of events.
//
// What surrounds the cores is modelled: PostgreSQL with serial commits, the counter
// and its hash chain, purges, outages and failovers to replicas that lack commits;
// Redis as a hint that is lost, doubled and late; the network between nodes and
// followers (late, cut with and without notice, stalled and then all at once, events
// lost or doubled by a bad proxy, full sockets); nodes and followers that crash,
// stop, sleep and start again; clocks that are wrong, drift and are set; a changed
// secret; people and apps who sign in, refresh, sign out, are banned and forge tokens
// with a stolen key. revocation.Tail, the loop of package resource and the gate are
// restated, because the real ones need goroutines: who changes them changes node_test.go,
// follower_test.go and token_test.go as well.
//
// # Invariants
//
//   - I1: a follower that is fresh refuses every token that a commit killed ten
//     seconds ago or earlier, and a node that is confirmed what was killed three
//     seconds ago. Commits that a failover lost do not count.
//   - I2: a token that a fresh follower's set has refused it refuses again, as long
//     as a row stands that it knew then.
//   - I3: nothing is refused but by a row or the floor; after healing one refresh
//     at any node gives a token that every follower accepts.
//   - I4: once all is mended and quiet, every follower is fresh and the sets of
//     followers and nodes answer as the database's rows do.
//   - I5: a token of a dead grant, person or client is refused within the bound,
//     whatever the ledger says: the database's own state is asked.
//   - I6: positions only go up, and a loss is repaired above everything that a
//     machine which lived on knew. (A follower may step back in position, never in
//     what it holds, by the snapshot of a node that lags.)
//
// # What is allowed for
//
//   - 100 ms of each bound, for clocks of different rates (200 ppm).
//   - What a server's wall clock was set forward during a connection: frames that
//     are late by as much look younger by that (I1).
//   - Rows of the kind token, and those of a stolen key, leave by a server's wall
//     clock, and no floor stands in for them: one that is ahead by more than their
//     margin lets go of them early (I1, I2).
//   - What was lost in a failover and nobody who lived on knew.
//
// # Planted bugs
//
// TestPlantedBugs plants one bug after the other in what surrounds the cores and
// fails if it is not found. Seeds that it took: heartbeats with the global head 426;
// freshness from arrival 2; sessions filtered by their audiences 1; a gap ignored
// 43; the floor forgotten 1406; a reset that empties the set 4; an old head beaten
// for ever 5; a rev newer than what was read 63; evidence not looked at 222; the hash
// chain not compared 19; own writes no proof of a loss 357; streams that go on over
// a repair 573; no row of kind all after a repair 6; what was decided before a ban
// written after it 2.
//
// A failing seed prints the command that replays it with all that happens in it;
// GATEHOUSE_SIM_SEED=1-5000 runs those. `make test` runs 3,000 without the race
// detector, and `make test-long` 200,000.
package sim
