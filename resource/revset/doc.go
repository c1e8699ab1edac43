// Package revset is the set of what was taken back, in memory: which access
// tokens are dead although they have not expired. A node of the server and every
// resource server ask it for each request.
//
// It owns the answer to one question ([Set.Match]): does a row of the ledger that
// this process has heard of kill this token? It does not know where rows come
// from, nor whether they are all there; its owner knows both, and what to do when
// the set is stale.
//
// # Invariants
//
//   - Once Add, Replace or Reset has returned, a row that was in the call is
//     matched until it is dropped, also while the set grows, drops or is replaced.
//   - Before a row leaves, the floor covers its position (kind Token apart), and
//     Match looks at the floor last. So a token that the row killed because its
//     rev was lower is refused by the one or by the other, whatever any clock says
//     (L12 of the ledger's rules).
//   - Match takes no lock, waits for nobody and allocates nothing. Writers take
//     turns.
//   - What the set does not keep exactly (below) errs towards refusal.
//
// # Memory
//
// A row takes 16 bytes, and one and a seventh for finding it, in a table with open
// addressing of which 60 to 75 percent are in use; at most a sixteenth of those
// are rows dropped since it was built. So a row costs at most 32 bytes, also just
// after the table has grown, which it does by a quarter. While it is built anew,
// to grow, to drop or in Replace, the old one is kept beside it until its last
// reader has left and the garbage collector has passed.
//
// Rows that concern single people (kinds Token, Session, Grant and Subject) are
// in one table, which outgrows the processor's caches. The rare ones are in a
// table of their own, so that the lookups of a token's permissions, client and
// key do not pay for the mass.
//
// Of a fingerprint 61 bits are kept beside its kind. With n rows of a kind a
// token is refused by mistake with a probability of n/2^61 for each of its keys:
// 4e-12 at ten million rows; should it ever happen to a session, the person signs
// in again. Positions are kept within 2^32 of each other: a row that lies further
// below the newest counts as up to 2^31 below it, which a refresh heals. Two rows
// of one key are kept as one with the higher position and the later expiry.
//
// Source: rules L1, L12 and L19 of the ledger (docs/security.md), docs/revocation.md.
package revset
