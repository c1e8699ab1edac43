// Package resource checks Gatehouse access tokens in a resource server.
//
// A [Verifier] belongs to one API: one issuer whose tokens it takes and one
// audience that they must be for. It checks tokens offline, with the issuer's
// public keys, which it fetches, caches and refreshes by itself. Its
// middleware guards net/http handlers and answers as RFC 6750 asks:
//
//	verifier, err := resource.New(resource.Config{
//		Issuer:   "https://id.example.com",
//		Audience: "https://posts.example.com",
//	})
//	...
//	mux.Handle("GET /posts", verifier.RequireLogin(list))
//	mux.Handle("POST /posts", verifier.RequirePermission("posts:add")(create))
//
// A handler behind the middleware reads who is calling with [FromContext].
//
// # What a token must be
//
// A token is a JWS in compact form (RFC 7515) of at most 16 KB, of the type
// at+jwt (RFC 9068 §4, so that an ID token is no access token), signed with
// ES256, EdDSA, PS256 or RS256 by a key whose own algorithm is that one
// (RFC 8725 §3.1). What its header says about where keys are found (jku, jwk,
// x5u, x5c) is never looked at; one that carries crit is refused. Its claims
// must name the issuer and the audience exactly, it must be within its time,
// and its lifetime must be at most [Config.MaxLifetime]: who stole a signing
// key writes exp himself, and this bounds how long the row that names the
// stolen key has to be kept. It must carry rev, the ledger's position at
// which it was decided. A token bound to a key of its sender (cnf) is refused,
// because a bearer cannot prove that key (RFC 9449 §7.1).
//
// # Keys
//
// The first token fetches the keys; many at once share one fetch. The answer's
// Cache-Control max-age, at least one minute and at most one hour, says when
// they are fetched again, in the background, while the old ones go on serving.
// A key that is gone from the new set is gone here. When the issuer does not
// answer, the last set serves until two hours after its fetch: tokens are
// short-lived and come from the same issuer, so a longer outage leaves nothing
// to verify, and nobody accepts a removed key for longer than that. A key id
// that is not in the set causes at most one fetch a minute, whoever sends it.
// Without keys the answer is [ErrUnavailable] (503), never a yes.
//
// Sources: RFC 6750, RFC 7515, RFC 7517, RFC 8725, RFC 9068, RFC 9728.
package resource
