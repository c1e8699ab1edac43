package keys

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"

	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// Set is all keys as they were at one change of the store. It never changes and
// is safe for concurrent use.
type Set struct {
	change int64
	active map[string]*Key // by algorithm
	byKID  map[string]*Key
	jwks   []byte
	etag   string
}

// newSet parses all keys that are not gone. One that cannot be used makes the
// whole set unusable: half a set would sign with one key and publish another.
func newSet(records []Record, change int64, keyring *secret.Keyring, known *Set) (*Set, error) {
	s := &Set{change: change, active: map[string]*Key{}, byKID: map[string]*Key{}}
	var published []*Key
	for _, r := range inOrder(records) {
		// An algorithm that we do not know comes from a newer release that runs
		// beside this one during an upgrade.
		if r.State == Gone || !slices.Contains(Algorithms(), r.Algorithm) {
			continue
		}
		if r.State != Next && r.State != Active && r.State != Retiring {
			return nil, fmt.Errorf("%w: key %s has the state %q", ErrDamaged, r.KID, r.State)
		}
		if s.byKID[r.KID] != nil {
			return nil, fmt.Errorf("%w: two keys are called %s", ErrDamaged, r.KID)
		}
		var before *Key
		if known != nil {
			before = known.byKID[r.KID]
		}
		key, err := newKey(r, keyring, before)
		if err != nil {
			return nil, err
		}
		if r.State == Active {
			if s.active[r.Algorithm] != nil {
				return nil, fmt.Errorf("%w: %s has two active keys", ErrDamaged, r.Algorithm)
			}
			s.active[r.Algorithm] = key
		}
		s.byKID[r.KID] = key
		published = append(published, key)
	}
	s.publish(published)
	return s, nil
}

// inOrder sorts for the JWKS: by algorithm, the active key first, then the oldest
// first. The same keys make the same document on every node.
func inOrder(records []Record) []Record {
	byUse := []State{Active, Next, Retiring, Gone}
	sorted := slices.Clone(records)
	slices.SortFunc(sorted, func(a, b Record) int {
		return cmp.Or(
			cmp.Compare(slices.Index(Algorithms(), a.Algorithm), slices.Index(Algorithms(), b.Algorithm)),
			cmp.Compare(slices.Index(byUse, a.State), slices.Index(byUse, b.State)),
			cmp.Compare(a.PublishedAt, b.PublishedAt),
			cmp.Compare(a.KID, b.KID),
		)
	})
	return sorted
}

func (s *Set) publish(published []*Key) {
	body := []byte(`{"keys":[`)
	for i, k := range published {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, k.jwk...)
	}
	s.jwks = append(body, `]}`...)
	sum := sha256.Sum256(s.jwks)
	s.etag = `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
}

// Change is the store's change counter at which the set was read.
func (s *Set) Change() int64 { return s.change }

// Signer returns the key that signs with the algorithm now, or ErrNoKey.
func (s *Set) Signer(algorithm string) (*Key, error) {
	k := s.active[algorithm]
	if k == nil {
		return nil, fmt.Errorf("%w for %s", ErrNoKey, algorithm)
	}
	return k, nil
}

// Verifier returns the key with the kid, whether it is next, active or retiring.
// Next is among them because a node that has not read the last rotation must
// accept what another one, which has, signs.
func (s *Set) Verifier(kid string) (*Key, bool) {
	k, ok := s.byKID[kid]
	return k, ok
}

// JWKS returns the JSON Web Key Set (RFC 7517 §5) and its entity tag, quoted for
// the header. The caller must not change the body.
func (s *Set) JWKS() (body []byte, etag string) { return s.jwks, s.etag }
