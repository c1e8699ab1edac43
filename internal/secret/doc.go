// Package secret owns what is done with GATEHOUSE_SECRET: keyed hashes, derived
// successors and sealed data; and the type by which any secret is carried.
//
// Invariants:
//   - Everything made under the secret begins with, or is kept beside, the version
//     of the secret that made it: one byte derived from the secret. So the secret
//     can change while what the old one made still verifies and opens.
//   - Each purpose has keys of its own, derived by HKDF-SHA256 (RFC 5869), and so
//     have a hash, a derivation and a seal for the same purpose: a value made for
//     one place is worth nothing in another.
//   - Parts of a message are length-prefixed: no byte can move from one part to
//     its neighbour without the hash changing.
//   - Comparisons take constant time.
package secret
