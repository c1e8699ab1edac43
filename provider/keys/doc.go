// Package keys owns the keys that sign tokens: their making, their states, their
// rotation and the JWKS document.
//
// Each algorithm has a ring of its own. A key is made as next (published, not yet
// signing), becomes active when every cache of the JWKS must have it, then
// retiring (it verifies what it signed, and its private half is erased), then
// gone. A compromised key goes at once.
//
// A Keeper changes keys; a Ring reads them. Both share nothing but the store, so
// that a rotation by a command holds in every node at its next request.
//
// Invariants:
//   - An algorithm that has ever had keys gets no new active one by itself: a key
//     that is missing or does not open is an error for people to see, never a
//     reason to make another (a node with a wrong secret would otherwise replace
//     the keys of all the others).
//   - Every write happens in one transaction that has taken the lock on keys and
//     looked again; keys are generated before it, as RSA takes its time.
//   - Private keys leave this package only as signatures. They are stored as
//     PKCS#8, sealed under GATEHOUSE_SECRET and bound to their kid and algorithm.
//   - A kid is random and never used again, so no session and no token may be tied
//     to the one in use now.
//
// Sources: RFC 7517 (JWK), RFC 7518 §3 (algorithms), RFC 8037 (Ed25519), RFC 8725
// (one key, one algorithm), OpenID Connect Core §10.1.1 (rotation).
package keys
