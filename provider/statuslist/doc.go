// Package statuslist publishes the ledger as token status lists, for resource
// servers that have a library for those and follow no feed: access tokens of an
// API that asks for it name a list and a place in it, and the bit at that place is
// set once the ledger has revoked the token.
//
// A list is a view of the ledger and never a second truth: nothing writes bits.
// A list is made when somebody asks, from the entries of the tokens that live and
// what this node has in memory of the ledger, confirmed within the last seconds.
//
// Invariants:
//   - An entry is in the database, durably, before its token is answered: a token
//     without one could never be shown revoked.
//   - A place is given once. Indexes are taken from the database in blocks; the
//     primary key of the entries decides, should a restored backup give a block
//     again.
//   - What was revoked before iat is set in the list. iat lies before the moment at
//     which the entries and the ledger are read.
//   - A list says nothing to who guesses: all indexes are there from the beginning,
//     and numbers are random.
//
// The price: one durable row for each token of such an API, and for each list in
// use and each node, reading the entries of its living tokens twice in [TTL].
//
// Sources: draft-ietf-oauth-status-list-21 (Token Status List; not yet an RFC).
package statuslist
