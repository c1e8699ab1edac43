// Package api is the admin REST API, below /admin/api/v1 of the issuer: operations
// of package admin over HTTP, described by OpenAPI 3.1 generated from the Go types.
// It parses, calls one operation and answers; it decides nothing.
//
// Invariants:
//
//   - A route exists only by register, which demands its permission, puts it into
//     the description, and has the caller's access token checked before anything of
//     the request is read. Paths without a route answer 404 as a problem. The
//     description itself and its page are the only ones without a token.
//   - Tokens come in the Authorization header alone: no cookie counts, and no other
//     origin may read an answer, so a browser cannot be made to act for somebody.
//   - Bodies are explicit types. Unknown and repeated members are refused, and null
//     means "take it away" in a merge patch (RFC 7396) alone.
//   - Lists are read by keyset. A cursor is sealed, and good for the caller, the path
//     and the filters for which it was made (cursor.go).
//   - A PATCH says which state it changes (If-Match), and the state is compared under
//     the lock of the change (etag.go).
//   - A POST with an Idempotency-Key is done once (idempotency.go).
//   - Errors are problems (RFC 9457) without anything of the inside (problem.go).
//
// Sources: RFC 6750, RFC 7396, RFC 8288, RFC 9110 §13, RFC 9457, OpenAPI 3.1;
// draft-ietf-httpapi-idempotency-key-header-06 for the Idempotency-Key.
package api
