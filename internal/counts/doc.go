// Package counts knows how often things happen that leave no row of their own:
// tokens that are issued, requests that are refused, tokens that are introspected,
// and beside them sign-ins, whose rows are too many to be counted again for each
// look at the console's first page.
//
// A request only adds to a map in memory. Every five seconds, and when it stops, a
// node adds what it has counted to the database, so that several nodes write to the
// same rows; a node at which nothing happens writes nothing. What the database does
// not take is kept and tried again.
//
// These are figures for operators and nothing is decided by them. A node that stops
// hard loses what it has counted since its last write, five seconds at most; if the
// answer to a write is lost on the way, its figures may count twice. What must be
// exact stands in the audit log and in the ledger.
//
// Invariants: all names come from fixed lists, and what is not in them is counted as
// "other", so that nobody can make the tables grow by what they send. Of clients only
// those are told apart that there are, and of those at most so many between two
// writes. Whoever knows a client's id can raise the number of its refusals.
package counts
