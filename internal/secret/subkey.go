package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"maps"
	"sync"
	"sync/atomic"
)

// cache maps purposes to keys. Purposes are few and soon all known, so readers
// take no lock and a writer copies the map.
type cache[K any] struct {
	write sync.Mutex
	keys  atomic.Pointer[map[string]K]
}

func (c *cache[K]) get(purpose string, derive func() (K, error)) (K, error) {
	if m := c.keys.Load(); m != nil {
		if k, ok := (*m)[purpose]; ok {
			return k, nil
		}
	}
	c.write.Lock()
	defer c.write.Unlock()
	next := map[string]K{}
	if m := c.keys.Load(); m != nil {
		if k, ok := (*m)[purpose]; ok {
			return k, nil
		}
		next = maps.Clone(*m)
	}
	k, err := derive()
	if err != nil {
		return k, err
	}
	next[purpose] = k
	c.keys.Store(&next)
	return k, nil
}

func (g *generation) mac(purpose string) *macKey {
	return g.hashKey(&g.macs, "mac", purpose)
}

func (g *generation) derive(purpose string) *macKey {
	return g.hashKey(&g.derives, "derive", purpose)
}

func (g *generation) hashKey(c *cache[*macKey], use, purpose string) *macKey {
	k, err := c.get(purpose, func() (*macKey, error) {
		key, err := g.expand(use, purpose, sha256.Size)
		if err != nil {
			return nil, err
		}
		return newMACKey(key), nil
	})
	if err != nil {
		// HKDF fails only for an output above 8160 bytes; ours has 32.
		panic(err)
	}
	return k
}

func (g *generation) seal(purpose string) (*sealKey, error) {
	return g.seals.get(purpose, func() (*sealKey, error) {
		key, err := g.expand("seal", purpose, 32)
		if err != nil {
			return nil, err
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, fmt.Errorf("seal key: %w", err)
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, fmt.Errorf("seal key: %w", err)
		}
		return &sealKey{aead}, nil
	})
}

type sealKey struct{ cipher.AEAD }

// macKey hands out keyed hash states: setting one up costs four times what a
// short message does.
type macKey struct{ states sync.Pool }

type macState struct {
	hash    hash.Hash
	message []byte
}

func newMACKey(key []byte) *macKey {
	return &macKey{states: sync.Pool{New: func() any {
		return &macState{hash: hmac.New(sha256.New, key)}
	}}}
}

// sum appends the hash of the parts to out. The message is put together in the
// state's own buffer, so that neither parts nor their bytes escape to the heap.
func (k *macKey) sum(out []byte, parts [][]byte) []byte {
	s, _ := k.states.Get().(*macState)
	m := s.message[:0]
	for _, p := range parts {
		m = binary.BigEndian.AppendUint64(m, uint64(len(p)))
		m = append(m, p...)
	}
	s.hash.Reset()
	s.hash.Write(m)
	out = s.hash.Sum(out)
	// What was hashed may be a secret: do not leave it in a pool.
	clear(m)
	if cap(m) > 4096 {
		m = nil
	}
	s.message = m
	k.states.Put(s)
	return out
}
