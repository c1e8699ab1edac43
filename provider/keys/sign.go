package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// signer makes tokens of one type with one key. It makes their header once, which
// go-jose encodes anew for each; what it signs, go-jose verifies.
type signer struct {
	header    []byte // encoded, with the dot that follows it
	algorithm string
	private   crypto.Signer
}

func newSigners(kid, algorithm string, private crypto.Signer) (map[string]*signer, error) {
	signers := map[string]*signer{}
	for _, typ := range []string{TypeAccess, TypeID, TypeLogout, TypeStatusList, TypeSET} {
		header, err := json.Marshal(struct {
			Algorithm string `json:"alg"`
			KID       string `json:"kid"`
			Type      string `json:"typ"`
		}{algorithm, kid, typ})
		if err != nil {
			return nil, fmt.Errorf("signer for key %s: %w", kid, err)
		}
		encoded := base64.RawURLEncoding.AppendEncode(nil, header)
		signers[typ] = &signer{header: append(encoded, '.'), algorithm: algorithm, private: private}
	}
	return signers, nil
}

// sign returns the compact form (RFC 7515 §7.1).
func (s *signer) sign(payload []byte) (string, error) {
	const longest = 512 // bytes of a signature by RSA with 4096 bits
	encoding := base64.RawURLEncoding
	token := make([]byte, 0, len(s.header)+encoding.EncodedLen(len(payload))+1+encoding.EncodedLen(longest))
	token = encoding.AppendEncode(append(token, s.header...), payload)
	signature, err := s.signature(token)
	if err != nil {
		return "", err
	}
	return string(encoding.AppendEncode(append(token, '.'), signature)), nil
}

// signature signs the input as RFC 7518 §3.3 to §3.5 and RFC 8037 §3.1 say.
func (s *signer) signature(input []byte) ([]byte, error) {
	digest := sha256.Sum256(input)
	switch key := s.private.(type) {
	case *ecdsa.PrivateKey:
		// Without a source of randomness the nonce is derived from key and input
		// (RFC 6979), as EdDSA's is: a quarter cheaper, and nothing to get wrong.
		der, err := key.Sign(nil, digest[:], crypto.SHA256)
		if err != nil {
			return nil, err
		}
		return halves(der)
	case ed25519.PrivateKey:
		return ed25519.Sign(key, input), nil
	case *rsa.PrivateKey:
		if s.algorithm == PS256 {
			return rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		}
		return rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	}
	return nil, fmt.Errorf("%w %q", ErrUnknownAlgorithm, s.algorithm)
}

// halves writes an ECDSA signature as two numbers of 32 bytes (RFC 7518 §3.4).
func halves(der []byte) ([]byte, error) {
	var r, s []byte
	input, sequence := cryptobyte.String(der), cryptobyte.String(nil)
	if !input.ReadASN1(&sequence, asn1.SEQUENCE) || !input.Empty() ||
		!sequence.ReadASN1Integer(&r) || !sequence.ReadASN1Integer(&s) || !sequence.Empty() ||
		len(r) > 32 || len(s) > 32 {
		return nil, errors.New("keys: a signature that is not of P-256")
	}
	out := make([]byte, 64)
	copy(out[32-len(r):], r)
	copy(out[64-len(s):], s)
	return out, nil
}
