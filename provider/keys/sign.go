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
	"fmt"
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
		x, y, err := ecdsa.Sign(rand.Reader, key, digest[:])
		if err != nil {
			return nil, err
		}
		out := make([]byte, 64) // both halves, each 32 bytes long
		x.FillBytes(out[:32])
		y.FillBytes(out[32:])
		return out, nil
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
