// Package provider speaks OAuth 2.0 and OpenID Connect: the endpoints, the grants
// and the rules of the protocol, on fosite.
//
// The browser's way is a state machine over a stored flow (authorize.go,
// authorize_next.go): the authorization endpoint validates and stores the
// request, sends the person to the next step, and every step returns to it. The
// token endpoint (token.go) authenticates the client, lets fosite check the
// grant, asks the gate (gate.go) whether a token may be issued now, signs, and
// only then writes what may happen once.
//
// fosite is kept at the edge: fosite_*.go adapt our clients, storage and tokens to
// its interfaces, and nothing else of the package depends on its types. What
// fosite gets wrong or lacks is decided here before or after it is called; the
// comments name the trap.
//
// Sources: RFC 6749, 6750, 7009, 7523, 7636, 7662, 8252, 8414, 8707, 9068, 9126,
// 9207, 9700; OpenID Connect Core, Discovery, RP-Initiated Logout and Back-Channel
// Logout 1.0.
package provider
