// Package selfservice is a person's own pages: the way in (sign-up, verification,
// reset, codes by mail, invitations, first run) and everything about their account.
// It builds on hosted.Desk, and knows neither the protocol nor SQL: what is decided
// is decided in package accounts.
//
// Invariants:
//   - To open an address changes nothing and uses nothing up: programs that look
//     through mails open every link. A button does what the link is for.
//   - Nothing that a browser sends says that a step is done. Each page takes a proof
//     (a token, a code, a session) and the domain checks it again.
//   - What strangers can ask for is answered alike for known and unknown accounts:
//     the same text, the same status, the same work.
//   - Sensitive changes need a fresh sign-in, at the form and when it is sent.
//   - A flow that is carried along is an opaque text; where it leads is decided by
//     the protocol from what is stored.
package selfservice
