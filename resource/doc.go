// Package resource checks Gatehouse access tokens in a resource server.
//
// A [Verifier] belongs to one API: one issuer whose tokens it takes and one
// audience that they must be for. It checks tokens offline, with the issuer's
// public keys, which it fetches, caches and refreshes by itself, and against the
// issuer's ledger of what was taken back, which it follows. Its middleware guards
// net/http handlers and answers as RFC 6750 asks:
//
//	verifier, err := resource.New(resource.Config{
//		Issuer:       "https://id.example.com",
//		Audience:     "https://posts.example.com",
//		ClientID:     id,
//		ClientSecret: secret,
//	})
//	...
//	defer verifier.Close()
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
// # Revocation
//
// With the API's own client ([Config.ClientID]) the verifier holds what was taken
// back in memory and keeps it up to date over one connection to the issuer. So a
// token is refused ([ErrRevoked]) within a fraction of a second after sign-out, a
// ban, or the loss of a permission, without a request to anybody. Where a refresh
// may heal it the answer says so.
//
// The state says whether that can be relied on. [Fresh] means that the issuer's
// database confirmed within ten seconds that nothing is missing; a connection that
// hangs, frames that arrive late, a clock that jumps, a machine that slept, or
// anything that this version does not understand ends it. While the state is not
// Fresh the [Policy] decides: ask the issuer about each token ([Introspect], at most
// every five seconds), refuse ([Deny]), or accept and log ([Allow]). It is set for
// all routes with [Config.Stale] and for single ones with [Verifier.With]:
//
//	mux.Handle("DELETE /account", verifier.With(resource.Deny).RequireLogin(remove))
//
// A request that has begun is not interrupted. Long answers and WebSockets ask
// [Verifier.Done] when to end, or take their context from [Verifier.Bind].
//
// What was proven about a token is remembered, up to 16,384 tokens of about a
// kilobyte each; its time, its key and the ledger are asked each time.
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
// Sources: RFC 6749 §4.4, RFC 6750, RFC 7515, RFC 7517, RFC 7662, RFC 8725,
// RFC 9068, RFC 9728; ledger rules L1, L7, L12, L16, L17, L19. The feed is described
// in package wire, how sure one can be of it in package follow.
package resource
