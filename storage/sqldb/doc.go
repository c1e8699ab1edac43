// Package sqldb keeps everything that must not be lost, on PostgreSQL and on
// SQLite, with one SQL text for both wherever they agree.
//
// What it owns: the connection pools, the transaction that travels in a context,
// the ledger's writer and reader, and one file per thing that is stored. It
// implements the store interfaces that the domain packages declare; no domain
// package knows it.
//
// Invariants:
//   - Ledger rows are queued in their transaction and written together with its
//     COMMIT, so that the counter's lock is held for the commit alone (L21) and
//     positions are in commit order (L20).
//   - Reads go to the primary (L18); reads that belong together are one
//     statement (L9).
//   - SQLite has one writer and runs with synchronous=FULL: a power cut does not
//     bring back what was committed as used (L14).
//   - Rows are collected before they are handed on; nothing streams to a client
//     from inside a read transaction (L24).
//
// SQL texts are constants in the file of what they read or write. Parameters are
// $1, $2, ...; times are Unix milliseconds. A few words stand for what the two
// engines spell differently and are replaced once, see dialect.go.
//
// Sources: /docs of PostgreSQL 15 (explicit locking, asynchronous commit) and of
// SQLite (WAL, isolation, STRICT tables); the rules L9, L12, L14, L15 and L20 to
// L24 of the ledger.
package sqldb
