package keys_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse-id/gatehouse/provider/keys"
)

// One in 128 signatures has a half that begins with a zero byte, which must stay
// (RFC 7518 §3.4).
func TestSignaturesKeepTheirLength(t *testing.T) {
	h := newHouse(t)
	k, err := h.set(t).Signer(keys.ES256)
	if err != nil {
		t.Fatal(err)
	}
	zeros := 0
	for n := range 2000 {
		token, err := k.Sign(keys.TypeAccess, fmt.Appendf(nil, `{"n":%d}`, n))
		if err != nil {
			t.Fatal(err)
		}
		signature, err := base64.RawURLEncoding.Strict().DecodeString(token[strings.LastIndexByte(token, '.')+1:])
		if err != nil || len(signature) != 64 {
			t.Fatalf("%d bytes, %v", len(signature), err)
		}
		if signature[0] != 0 && signature[32] != 0 {
			continue
		}
		zeros++
		parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parsed.Verify(k.Public); err != nil {
			t.Errorf("a signature with a zero: %v", err)
		}
	}
	if zeros == 0 {
		t.Error("none of 2000 signatures begins with a zero")
	}
}
