package accounts

import (
	"crypto/sha512"
	"sync/atomic"
)

// CountingHasher is QuickHasher with a count of the hashes.
func CountingHasher(count *atomic.Int64) *Hasher {
	h := NewHasher(2, 0)
	h.run = func(password, salt []byte, _, _ uint32, _ uint8, length uint32) []byte {
		count.Add(1)
		sum := sha512.Sum512(append(append([]byte{}, salt...), password...))
		return sum[:length]
	}
	return h
}
