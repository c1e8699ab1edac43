// Package admin is what operators may do, and who may do it. Its operations are
// methods of Admin; the admin API (admin/api) and the console call them and decide
// nothing themselves. It knows neither HTTP nor SQL.
//
// Each operation begins with the permission that it needs. Beyond that hold the
// rules of authority.go, whatever permissions somebody has:
//
//   - nobody gives what they do not hold: no membership, no permission of a machine
//     or an app, no staff or superuser flag;
//   - nobody touches somebody, or a client, who holds more of the deployment's own
//     permissions than they do, and nobody takes over an account that holds anything
//     at all that they do not;
//   - the last superuser who can sign in stays one.
//
// What a caller holds is read from the database for each request (Callers), never
// taken from a token: the token's scopes only narrow it.
//
// Changes are made by the domain (package accounts), which writes down who did what
// in the transaction of the change. Reading a person's data leaves a line in the log
// at level info, and no row: what was seen cannot be undone, and rows would outgrow
// those of changes.
//
// Sources: RFC 6750, RFC 9700; the advisories about administration APIs that
// docs/security.md names (CVE-2026-9099, CVE-2026-4629, GHSA-4r87-w2cx-fr3f).
package admin
