// Package mail tells people things by mail: it takes what is to be said in the
// transaction of its cause, keeps it in the queue of package jobs, and sends it.
//
// Invariants:
//   - Nothing is sent in the request's way. The Outbox writes one row; the Courier,
//     a jobs.Handler, puts the mail into words and sends it later, on any node.
//   - Links and codes are sealed in the queue, bound to the job, the kind and the
//     recipient: who reads the database, or a backup of it, can act for nobody. No
//     log and no error holds them, nor an address.
//   - A mail whose link or code has expired is thrown away, not sent late.
//   - Whatever the texts, names and addresses hold, a mail has one recipient and the
//     headers of message.go; no value can begin another line of its header.
//   - Mails go out encrypted and to a server whose certificate is checked, unless
//     the server is this machine or the operator has said otherwise. A password is
//     never sent in clear over a network.
//   - All tries of one mail have the same Message-ID, by which receivers know a
//     repetition. A mail may arrive twice, as a job may be done twice.
//
// Sources: RFC 5321 and 5322; RFC 8314 for TLS; RFC 3207 for STARTTLS; RFC 4954 for
// AUTH; RFC 6531 for addresses beyond ASCII; RFC 3834 for Auto-Submitted.
package mail
