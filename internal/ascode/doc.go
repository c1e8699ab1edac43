// Package ascode keeps a deployment as a file: its APIs and permissions, permission
// sets, groups and clients, and its settings. Export writes the file, Apply makes what
// it says, and the same code with DryRun shows what Apply would do.
//
// Its rules:
//
//   - What a file does not name stays as it is; within a named object, members that
//     are left out stay, and lists are exactly as written.
//   - One file is one transaction. A dry run is that transaction, rolled back.
//   - The same file twice changes nothing: no audit event, no row in the ledger.
//   - An object belongs to the file that named it first, by the name that the file
//     gives itself (manager). What a file set last is kept beside the mark, which
//     outlives its object and speaks for one that was made anew in its place. Where
//     the live object differs from that, somebody changed it by hand since: Apply
//     refuses to undo that unless it is told to, so that a file that is applied again
//     does not revive what was disabled, taken away or removed in an emergency. Of
//     sets each item counts for itself; memberships that ended by themselves do not.
//   - A file holds no secret, only where one is found. A secret that was replaced or
//     ended is never taken again.
//
// Of the settings, Apply makes those that the database can keep. A file that wants
// another value than the configuration of the servers gives, which goes before the
// database, is refused before anything is changed.
//
// A file is compared with the deployment in one form, facts: Export's view of the
// live object, and the members that the file names.
package ascode
