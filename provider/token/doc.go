// Package token owns the claims of what Gatehouse signs, and the reading of signed
// things that come back or come from clients: access tokens (RFC 9068), ID tokens
// (OpenID Connect Core §2) also as id_token_hint, and client assertions (RFC 7523
// as amended by draft-ietf-oauth-rfc7523bis).
//
// Invariants of everything that is read (RFC 8725):
//   - Its size is bounded before it is split, and it has one spelling only: base64
//     is canonical, duplicate JSON members and unknown case are refused.
//   - The algorithm is the key's, not the header's; "none" and HMAC do not exist
//     here. Keys named or carried by the header (jku, x5u, jwk, x5c) are ignored.
//   - Each kind of token has its own typ and is refused as any other kind.
//   - Claims are parsed after the signature has been verified. The one exception
//     says so in its name.
//   - Errors say what rule was broken and never quote what was sent.
//
// Whether a token is revoked is not decided here: the ledger knows.
package token
