// Package follow is what a resource server knows of the ledger, and how sure of
// it it is: the part of package resource that has no network, no goroutines and no
// clock of its own, so that a simulation can drive it.
//
// A [Follower] is told what arrives: that a stream was asked for
// ([Follower.Connected]), its frames ([Follower.Frame]), snapshots
// ([Follower.Snapshot]) and resets ([Follower.Reset]). It keeps the set of what is
// revoked and answers whether that is confirmed recently enough to be relied on
// ([Follower.State]). Whoever drives it follows one rule: when there is no cursor,
// or a call has returned an error, ask for a snapshot after [Follower.Cursor]
// (complete when that is empty); when a stream has merely ended, ask for a stream
// after it.
//
// # Invariants
//
//   - Rows are in the set before the position that includes them counts, and that
//     before the confirmation counts. What does not continue what is known, or is
//     not understood, changes neither.
//   - The set is never emptied: a complete snapshot is put in its place in one step
//     (H6). On the same timeline nothing that it held is forgotten before a
//     snapshot at its position or above says so, so a lagging node cannot bring a
//     token back.
//   - Fresh never follows from the arrival of anything (L7): a frame counts from the
//     earliest moment at which it can have been made, by the server's time in it and
//     the moment when its connection was asked for, less the age that it admits
//     (L5). When clocks jump or this machine slept, nothing counts until a new
//     request has been answered.
//   - Positions decide, and no wall clock does.
//
// Sources: ledger rules L1, L5, L6, L7, L12, L17; hazards H5, H6, H7, H13.
package follow
