// Package signals is the transmitter of the Shared Signals Framework: a standard
// face on the ledger for who speaks CAEP and RISC instead of our own feed. It
// knows no cause of its own; what it tells is either a row of the ledger
// (expand.go) or one of the two changes that write none (signal.go).
//
// A receiver is a client with the permission signals:manage. It has one stream,
// manages it over HTTP (stream.go, status.go, subjects.go, verify.go), and gets
// security event tokens by push (push.go, RFC 8935) or by poll (poll.go, RFC
// 8936).
//
// Invariants:
//   - A receiver hears about the people whom it named, and about everybody only
//     while its client holds signals:all. About a permission hear those, and the
//     client of the API to which the permission belongs (L3).
//   - Whether a client may receive is read where it matters: with the stream, at
//     each delivery. One that is disabled gets nothing more.
//   - What a stream waits for is written in the transaction of the ledger's relay,
//     under a jti that is the same however often that runs. It leaves the stream
//     when the receiver acknowledges or refuses it; a stream that does not empty is
//     paused, and says so, before it grows without end.
//   - A stream, paused or not, holds 10,000 events and each of them for seven days.
//   - One job at a time pushes a stream, so events arrive in their order. The end of a
//     ban comes after the ban that it ends, and not at all once there is another; each
//     token says when its event happened (toe).
//   - The Authorization header of a receiver is kept sealed, shown to nobody, and
//     forgotten when the address changes to which it belongs.
//
// What is left out: identifiers by mail address or phone (a receiver gets iss and
// sub from the ID token), subjects with device, tenant or group, several streams
// for one client, and events without a cause here (assurance and compliance of
// devices, identifiers, recovery). Rows of the kinds token, grant, client, key and
// all have no CAEP or RISC event; resource servers follow the feed for them.
//
// Sources: OpenID Shared Signals Framework 1.0, CAEP 1.0, RISC 1.0, CAEP
// Interoperability Profile 1.0; RFC 8417, 8935, 8936, 9493.
package signals
