// Package consent is what people meet on the way to an app: signing in, by a
// password, a passkey and a second factor, choosing an account, allowing the app
// what it asks for, and the start page. It knows no OAuth syntax: a stored flow
// says in plain words whose request it is.
//
// Invariants:
//   - A step writes down what was done and returns to the protocol
//     (flow.PathAuthorize), which decides from what is stored. Steps never send to
//     one another, but for the second half of a sign-in, and for the wish to sign in
//     as somebody else, which decides nothing. Nothing that a browser sends says that a step is done: to open a
//     step's address proves nothing.
//   - A flow is answered only in the browser that began it (login CSRF, RFC 9700
//     §4.7), and a form only if this browser was shown it, for this flow, this
//     person and this offer.
//   - There is no session before the second factor: what waits for it is named by a
//     cookie of its own, and the form for it by the value of that cookie. A passkey's
//     question is answered in the browser that got it (WebAuthn Level 3 §13.4.3).
//   - A way back that came from outside is a path below the issuer's, or none.
//   - What is allowed follows from the stored request and the client's record. The
//     form can only leave out optional scopes.
//   - Redirects after a form are 303, so that a password is not sent on (RFC 9700
//     §4.12), to URLs made from the issuer alone.
//   - No name, password, hint or form token reaches the log.
//
// A wrong password is answered 422: the page is a refused form, 401 would demand a
// WWW-Authenticate (RFC 9110 §15.5.2), and after a 200 browsers would offer to
// save the wrong password, which they do not after a 4xx.
package consent
