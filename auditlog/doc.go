// Package auditlog owns the audit log after an event was written: the form in
// which it is kept, the chain that proves it complete, the search through it, its
// way to others, and its end.
//
// Events are written by storage in the transaction of their deed (accounts.Journal);
// nothing here is part of that transaction.
//
// Invariants:
//   - A row is chained exactly once. What a later step of the sealer finds comes
//     later, so that the order of steps is one of commits; within a step it is that of
//     ids, which is that of the clocks of the nodes that wrote. Whatever commits late
//     is chained late, never missed. The table of rows that wait is filled by the
//     row's own transaction. A step comes every 400 ms and takes all that waits.
//   - hash(n) = SHA-256(hash(n-1), n, everything public of row n, and commitments to
//     what is personal in it). The newest hash is authenticated under the secret
//     with each batch, and the sealer extends no chain whose head is not: who can
//     write to the database but has not the secret can rebuild the chain, but not
//     its head.
//   - One sealer works at a time: it holds the head's row.
//   - What is personal is kept apart with a random salt for each row. Erasing takes
//     values and salt; the commitments stay, so the chain holds, and tell nothing
//     without the salt. It happens when the deletion of the person is chained, and to
//     rows that are chained after it: no row escapes between two transactions.
//   - What leaves by age leaves from the beginning, and an authenticated anchor says
//     where the chain now begins. Each batch that leaves is told of in its transaction.
//   - What an event is found by besides its actor, its target, its request and its
//     session is kept apart, for the search alone, and is no part of the chain.
//
// What the chain cannot prove: an event that somebody wrote into the database
// before it was sealed, and that the end was cut off if the database was put back
// as a whole to what it was; a head noted elsewhere shows the latter (Verifier).
//
// Sources: RFC 5424 (syslog), RFC 5425 (over TLS), RFC 5426 (over UDP), RFC 6587
// §3.4.1 (octet counting over TCP).
package auditlog
