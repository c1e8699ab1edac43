// Package hosted is what all hosted pages share: who is signed in in this browser,
// forms that only this page in this browser can have sent, error pages, language
// and theme. The packages consent, selfservice and admin build their pages on a
// [Desk].
//
// Invariants:
//   - A form counts only if this browser was shown it, at its path and about the
//     same thing (login CSRF, RFC 9700 §4.7); one from another origin never does.
//   - Redirects after a form are 303, so that a password is not sent on (RFC 9700
//     §4.12), to URLs made from the issuer alone; a way back that came from outside
//     is a path of this origin or it is not taken.
//   - Whoever has something to do first (verify an address, choose another
//     password, give the second factor that they must have and have) sees no other
//     page of their account, whichever address they open.
//   - The cause of a fault goes to the log; the page shows the request's id.
package hosted
