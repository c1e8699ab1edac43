package provider

import (
	"crypto/hmac"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// Codes and refresh tokens are opaque to everybody else. Both begin with the id of
// their grant, which finds the row by its primary key, and carry 256 secret bits of
// which only a keyed hash is kept.
const (
	codePrefix    = "ghc_"
	refreshPrefix = "ghr_"

	secretSize = 32
	tagSize    = 16

	purposeCode    = "authorization-code"
	purposeRefresh = "refresh-token"
	purposeNext    = "refresh-token-successor"
	purposeTag     = "refresh-token-tag"
)

var errNotOurs = errors.New("not a token of this server")

// codeToken is an authorization code in the clear.
type codeToken struct {
	grant  id.ID
	secret []byte
}

func newCode(grant id.ID) codeToken {
	return codeToken{grant: grant, secret: secret.Random(secretSize)}
}

func (c codeToken) String() string {
	return codePrefix + base64.RawURLEncoding.EncodeToString(append(c.grant[:], c.secret...))
}

func (c codeToken) hash(k *secret.Keyring) []byte {
	return k.MAC(purposeCode, c.grant[:], c.secret)
}

func (c codeToken) is(k *secret.Keyring, hash []byte) bool {
	return k.Verify(purposeCode, hash, c.grant[:], c.secret)
}

func parseCode(raw string) (codeToken, error) {
	b, err := decodeOpaque(raw, codePrefix, len(id.ID{})+secretSize)
	if err != nil {
		return codeToken{}, err
	}
	c := codeToken{grant: id.ID(b[:16]), secret: b[16:]}
	return c, nil
}

// refreshToken is a refresh token in the clear. Its tag proves that this server
// made it, so that a token of an earlier generation can be told from an invention
// without keeping any: who has only seen a grant's id must not be able to end it.
type refreshToken struct {
	grant      id.ID
	generation int64
	secret     []byte
	version    byte // of the server's secret that made the tag
	tag        []byte
}

func firstRefresh(k *secret.Keyring, grant id.ID) refreshToken {
	return sealRefresh(k, k.Current(), refreshToken{grant: grant, generation: 1, secret: secret.Random(secretSize)})
}

// successor derives the next token, always the same one (L25): nobody has to keep
// it to answer a repeated request with it.
func (t refreshToken) successor(k *secret.Keyring, version byte) (refreshToken, error) {
	next, err := k.DeriveWith(version, purposeNext, t.grant[:], generationBytes(t.generation), t.secret)
	if err != nil {
		return refreshToken{}, err
	}
	return sealRefresh(k, version, refreshToken{grant: t.grant, generation: t.generation + 1, secret: next}), nil
}

func sealRefresh(k *secret.Keyring, version byte, t refreshToken) refreshToken {
	t.version = version
	t.tag = t.makeTag(k)
	return t
}

func (t refreshToken) makeTag(k *secret.Keyring) []byte {
	tag, err := k.DeriveWith(t.version, purposeTag, t.grant[:], generationBytes(t.generation), t.secret)
	if err != nil {
		return nil // an unknown version: no tag is right
	}
	return tag[:tagSize]
}

func (t refreshToken) genuine(k *secret.Keyring) bool {
	want := t.makeTag(k)
	return want != nil && hmac.Equal(want, t.tag)
}

func (t refreshToken) hash(k *secret.Keyring) []byte {
	return k.MAC(purposeRefresh, t.grant[:], t.secret)
}

func (t refreshToken) is(k *secret.Keyring, hash []byte) bool {
	return k.Verify(purposeRefresh, hash, t.grant[:], t.secret)
}

func (t refreshToken) String() string {
	b := append([]byte(nil), t.grant[:]...)
	b = append(b, generationBytes(t.generation)...)
	b = append(b, t.secret...)
	b = append(b, t.version)
	b = append(b, t.tag...)
	return refreshPrefix + base64.RawURLEncoding.EncodeToString(b)
}

func parseRefresh(raw string) (refreshToken, error) {
	b, err := decodeOpaque(raw, refreshPrefix, 16+4+secretSize+1+tagSize)
	if err != nil {
		return refreshToken{}, err
	}
	return refreshToken{
		grant:      id.ID(b[:16]),
		generation: int64(binary.BigEndian.Uint32(b[16:20])),
		secret:     b[20 : 20+secretSize],
		version:    b[20+secretSize],
		tag:        b[20+secretSize+1:],
	}, nil
}

func generationBytes(n int64) []byte {
	return binary.BigEndian.AppendUint32(nil, uint32(n))
}

// decodeOpaque accepts the one canonical text of a token and nothing near it: no
// other alphabet, no padding, no line breaks, no bits to spare.
func decodeOpaque(raw, prefix string, size int) ([]byte, error) {
	text, ok := strings.CutPrefix(raw, prefix)
	if !ok || len(text) != base64.RawURLEncoding.EncodedLen(size) {
		return nil, errNotOurs
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != size {
		return nil, errNotOurs
	}
	return b, nil
}
