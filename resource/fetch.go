package resource

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"

	"github.com/gatehouse-id/gatehouse/resource/wire"
)

const (
	// maxDocumentBytes bounds metadata and key set alike; a set of Gatehouse
	// is about 2 KB.
	maxDocumentBytes = 256 << 10

	minAge     = time.Minute
	maxAge     = time.Hour
	defaultAge = 5 * time.Minute // when the answer says nothing
	// keepFor is how long a set serves that could not be replaced. The ledger
	// keeps the row of a compromised key longer than this (L1).
	keepFor = wire.KeySetFor * time.Millisecond

	// minRSABits is RFC 7518 §3.3's; go-jose refuses keys above 4096 bits.
	minRSABits = 2048
)

// publicKey verifies tokens of one algorithm.
type publicKey struct {
	algorithm jose.SignatureAlgorithm
	key       crypto.PublicKey
}

// keySet is what one fetch brought. It never changes.
type keySet struct {
	keys      map[string]*publicKey // by key id
	ignored   []error               // why the set's other keys are not used
	gone      map[string]struct{}   // ids of keys that sets before it had
	fetchedAt time.Time
	refreshAt time.Time
	deadAt    time.Time
}

// dueAt returns the set as one that is to be replaced from then on.
func (s *keySet) dueAt(when time.Time) *keySet {
	due := *s
	if when.Before(due.refreshAt) {
		due.refreshAt = when
	}
	return &due
}

// missing returns the ids that a set or those before it had, and that the next one
// lacks.
func missing(before, next *keySet) map[string]struct{} {
	gone := map[string]struct{}{}
	if before == nil {
		return gone
	}
	note := func(id string) {
		if _, there := next.keys[id]; !there && len(gone) < maxGone {
			gone[id] = struct{}{}
		}
	}
	for id := range before.keys {
		note(id)
	}
	for id := range before.gone {
		note(id)
	}
	return gone
}

// source is where the issuer publishes its keys. Only one fetch runs at a time.
type source struct {
	client *http.Client
	issuer string
	// configured is the key set's address if the operator gave it, discovered
	// what the issuer's metadata said.
	configured, discovered string
}

func newSource(cfg Config) *source {
	client := *cfg.Client
	// Keys from where somebody's redirect points are not the issuer's.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &source{client: &client, issuer: cfg.Issuer, configured: cfg.JWKSURL}
}

// fetch returns the issuer's keys as of began.
func (s *source) fetch(ctx context.Context, began time.Time) (*keySet, error) {
	address := s.configured
	if address == "" {
		if err := s.discover(ctx); err != nil {
			return nil, fmt.Errorf("discovering %s: %w", s.issuer, err)
		}
		address = s.discovered
	}
	body, header, err := s.get(ctx, address)
	if err != nil {
		s.discovered = "" // it may have moved
		return nil, fmt.Errorf("fetching keys: %w", err)
	}
	set, err := parseKeySet(body)
	if err != nil {
		return nil, fmt.Errorf("reading keys of %s: %w", address, err)
	}
	set.fetchedAt = began
	set.refreshAt = began.Add(age(header))
	set.deadAt = began.Add(keepFor)
	return set, nil
}

// discover learns where the keys are (OpenID Connect Discovery §4).
func (s *source) discover(ctx context.Context) error {
	if s.discovered != "" {
		return nil
	}
	found, err := s.metadata(ctx)
	if err != nil {
		return err
	}
	if err := checkURL(found.JWKSURI); err != nil {
		return fmt.Errorf("jwks_uri %w", err)
	}
	s.discovered = found.JWKSURI
	return nil
}

// issuerMetadata is what of the issuer's metadata is used (RFC 8414 §2).
type issuerMetadata struct {
	Issuer        string `json:"issuer"`
	JWKSURI       string `json:"jwks_uri"`
	Token         string `json:"token_endpoint"`
	Introspection string `json:"introspection_endpoint"`
}

// metadata fetches what the issuer says about itself. Unlike fetch it may run any
// number of times at once.
func (s *source) metadata(ctx context.Context) (issuerMetadata, error) {
	var found issuerMetadata
	body, _, err := s.get(ctx, strings.TrimSuffix(s.issuer, "/")+"/.well-known/openid-configuration")
	if err != nil {
		return found, err
	}
	if err := json.Unmarshal(body, &found); err != nil {
		return found, err
	}
	// §4.3: otherwise one issuer could speak for another.
	if found.Issuer != s.issuer {
		return found, fmt.Errorf("metadata is of another issuer: %q", found.Issuer)
	}
	return found, nil
}

func (s *source) get(ctx context.Context, address string) ([]byte, http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("%s answered %d", address, resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxDocumentBytes+1))
	if err != nil {
		return nil, nil, err
	}
	if len(body) > maxDocumentBytes {
		return nil, nil, fmt.Errorf("%s answered more than %d bytes", address, maxDocumentBytes)
	}
	return body, resp.Header, nil
}

// age returns how long an answer may be used (RFC 9111 §5.2.2.1), within this
// package's bounds: no issuer can make it hammer, or hold on to a removed key.
func age(header http.Header) time.Duration {
	for directive := range strings.SplitSeq(strings.Join(header.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch strings.ToLower(name) {
		case "no-store", "no-cache":
			return minAge
		case "max-age":
			seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31)
			if err != nil {
				return minAge
			}
			return min(max(time.Duration(seconds)*time.Second, minAge), maxAge)
		}
	}
	return defaultAge
}

// parseKeySet reads a JWK set (RFC 7517 §5). A key that it cannot use makes
// the set no worse: it is left out.
func parseKeySet(body []byte) (*keySet, error) {
	var document struct {
		Keys *[]json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &document); err != nil {
		return nil, err
	}
	if document.Keys == nil {
		return nil, errors.New("no key set")
	}
	set := &keySet{keys: make(map[string]*publicKey, len(*document.Keys))}
	for i, raw := range *document.Keys {
		id, key, err := parseKey(raw)
		if _, taken := set.keys[id]; err == nil && taken {
			err = errors.New("its id is taken")
		}
		if err != nil {
			set.ignored = append(set.ignored, fmt.Errorf("key %d: %w", i, err))
			continue
		}
		set.keys[id] = key
	}
	return set, nil
}

// parseKey returns the id and the key of a JWK that may verify tokens.
func parseKey(raw []byte) (string, *publicKey, error) {
	var jwk jose.JSONWebKey
	if err := jwk.UnmarshalJSON(raw); err != nil {
		return "", nil, err
	}
	switch {
	case jwk.KeyID == "":
		return "", nil, errors.New("no id")
	case jwk.Use != "" && jwk.Use != "sig":
		return "", nil, errors.New("not for signatures")
	case !jwk.IsPublic() || !jwk.Valid():
		// Also a symmetric key, and a private key that should not be here.
		return "", nil, errors.New("not a public key")
	}
	key := &publicKey{algorithm: jose.SignatureAlgorithm(jwk.Algorithm), key: jwk.Key}
	if !key.fits() {
		return "", nil, fmt.Errorf("not a key for the algorithm %q", jwk.Algorithm)
	}
	return jwk.KeyID, key, nil
}

// fits reports whether the key is of the kind and size that its algorithm
// needs, and the algorithm is an accepted one.
func (k *publicKey) fits() bool {
	switch key := k.key.(type) {
	case *ecdsa.PublicKey:
		return k.algorithm == jose.ES256 && key.Curve == elliptic.P256()
	case ed25519.PublicKey:
		return k.algorithm == jose.EdDSA
	case *rsa.PublicKey:
		return (k.algorithm == jose.RS256 || k.algorithm == jose.PS256) && key.N.BitLen() >= minRSABits
	}
	return false
}
