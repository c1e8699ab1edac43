package accounts

import "crypto/sha512"

// QuickHasher does the same work as NewHasher's but the hashing itself, for tests
// that make hundreds of attempts.
func QuickHasher() *Hasher {
	h := NewHasher(2, 0)
	h.run = func(password, salt []byte, _, _ uint32, _ uint8, length uint32) []byte {
		sum := sha512.Sum512(append(append([]byte{}, salt...), password...))
		return sum[:length]
	}
	return h
}
