// Package storagetest holds the contracts of what is stored, as tests that every
// implementation passes: the SQL stores on PostgreSQL and on SQLite, the
// short-lived state on Redis, in memory and on SQL.
//
// It knows the interfaces of the domain packages and no implementation. What only
// one engine does (plans, settings of a connection, one round trip) is tested
// beside that engine.
package storagetest
