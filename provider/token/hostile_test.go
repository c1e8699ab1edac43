package token_test

import (
	"encoding/asn1"
	"encoding/base64"
	"math/big"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse-id/gatehouse/provider/keys"
	"github.com/gatehouse-id/gatehouse/provider/token"
)

// hostileForms are ways to write a token that nobody who means well would use
// (attacks 92 to 102). Each is made with the right key where a key is used at all,
// so that nothing but the form can be the reason to refuse it.
func hostileForms(t testing.TB, h *house, typ, claims string) map[string]string {
	t.Helper()
	es, kid := h.private[keys.ES256], h.kid[keys.ES256]
	head := func(rest string) string {
		return `{"alg":"ES256","kid":"` + kid + `","typ":"` + typ + `"` + rest + `}`
	}
	good := jws(t, es, head(""), claims)
	parts := strings.Split(good, ".")
	sign := func(header string) string { return jws(t, es, header, claims) }
	unsigned := func(header string) string {
		return b64([]byte(header)) + "." + parts[1] + "."
	}
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		t.Fatal(err)
	}
	der, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])})
	if err != nil {
		t.Fatal(err)
	}
	body, _ := h.set.JWKS()
	hmacWith := func(key []byte) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: jose.JSONWebKey{Key: key, KeyID: kid}},
			(&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
		if err != nil {
			t.Fatal(err)
		}
		signed, err := signer.Sign([]byte(claims))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := signed.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	b64false := func() string {
		header := head(`,"b64":false,"crit":["b64"]`)
		payload := strings.ReplaceAll(claims, ".", "")
		input := b64([]byte(header)) + "." + payload
		return input + "." + b64(signature(t, es, header, []byte(input)))
	}
	// The same claims with spaces behind them, so that the last character has 4 or 2
	// unused bits: go-jose would verify the token with them set.
	loose := func(rest int) string {
		padded := claims
		for len(padded)%3 != rest {
			padded += " "
		}
		p := strings.Split(jws(t, es, head(""), padded), ".")
		return p[0] + "." + p[1][:len(p[1])-1] + next(p[1][len(p[1])-1]) + "." + p[2]
	}
	return map[string]string{
		"4 unused bits in claims": loose(1),
		"2 unused bits in claims": loose(2),
		"empty":                   "",
		"dots":                    "..",
		"a million dots":          strings.Repeat(".", 1_000_000),
		"16 KiB of dots":          strings.Repeat(".", token.MaxSize),
		"10 MB":                   strings.Repeat("A", 10<<20),
		"two parts":               parts[0] + "." + parts[1],
		"four parts":              good + ".AAAA",
		"five parts (JWE)":        parts[0] + ".AAAA.AAAA.AAAA.AAAA",
		"JSON serialization":      `{"protected":"` + parts[0] + `","payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`,
		"alg none":                unsigned(`{"alg":"none","kid":"` + kid + `","typ":"` + typ + `"}`),
		"alg None":                unsigned(`{"alg":"None","kid":"` + kid + `","typ":"` + typ + `"}`),
		"alg none, signed":        sign(`{"alg":"none","kid":"` + kid + `","typ":"` + typ + `"}`),
		"alg missing":             sign(`{"kid":"` + kid + `","typ":"` + typ + `"}`),
		"alg empty":               sign(`{"alg":"","kid":"` + kid + `","typ":"` + typ + `"}`),
		"alg a list":              sign(`{"alg":["ES256"],"kid":"` + kid + `","typ":"` + typ + `"}`),
		"alg in other case":       sign(`{"alg":"es256","kid":"` + kid + `","typ":"` + typ + `"}`),
		"header in other case":    sign(`{"Alg":"ES256","kid":"` + kid + `","typ":"` + typ + `"}`),
		"HS256 with the JWKS":     hmacWith(body),
		"HS256 with zeros":        hmacWith(make([]byte, 32)),
		"other alg of the key":    sign(`{"alg":"EdDSA","kid":"` + kid + `","typ":"` + typ + `"}`),
		"no signature":            parts[0] + "." + parts[1] + ".",
		"signature of zeros":      parts[0] + "." + parts[1] + "." + b64(make([]byte, 64)),
		"signature in DER":        parts[0] + "." + parts[1] + "." + b64(der),
		"signature cut":           parts[0] + "." + parts[1] + "." + b64(sig[:63]),
		"signature and more":      parts[0] + "." + parts[1] + "." + b64(append(append([]byte{}, sig...), 0)),
		"unused bits set":         parts[0] + "." + parts[1] + "." + parts[2][:len(parts[2])-1] + next(parts[2][len(parts[2])-1]),
		"padding":                 good + "==",
		"line break":              good[:20] + "\n" + good[20:],
		"trailing line break":     good + "\n",
		"leading space":           " " + good,
		"standard alphabet":       parts[0] + "." + parts[1] + "." + strings.NewReplacer("-", "+", "_", "/").Replace(parts[2]) + "+",
		"byte order mark":         "\ufeff" + good,
		"mark in the header":      sign("\ufeff" + head("")),
		"mark in the claims":      jws(t, es, head(""), "\ufeff"+claims),
		"crit unknown":            sign(head(`,"crit":["exp"],"exp":1`)),
		"crit empty":              sign(head(`,"crit":[]`)),
		"crit b64 true":           sign(head(`,"b64":true,"crit":["b64"]`)),
		"b64 alone":               sign(head(`,"b64":true`)),
		"b64 false":               b64false(),
		"duplicate alg":           sign(head(`,"alg":"ES256"`)),
		"duplicate kid":           sign(head(`,"kid":"` + kid + `"`)),
		"duplicate typ":           sign(head(`,"typ":"` + typ + `"`)),
		"typ a number":            sign(`{"alg":"ES256","kid":"` + kid + `","typ":1}`),
		"typ empty":               sign(`{"alg":"ES256","kid":"` + kid + `","typ":""}`),
		"typ of a logout token":   sign(`{"alg":"ES256","kid":"` + kid + `","typ":"logout+jwt"}`),
		"typ of a DPoP proof":     sign(`{"alg":"ES256","kid":"` + kid + `","typ":"dpop+jwt"}`),
		"typ of a request object": sign(`{"alg":"ES256","kid":"` + kid + `","typ":"oauth-authz-req+jwt"}`),
		"header not an object":    sign(`["ES256"]`),
		"header null":             sign(`null`),
		"claims not an object":    jws(t, es, head(""), `[`+claims+`]`),
		"claims null":             jws(t, es, head(""), `null`),
		"claims twice":            jws(t, es, head(""), claims+claims),
		"claims and rubbish":      jws(t, es, head(""), claims+"x"),
		"claims empty":            jws(t, es, head(""), `{}`),
		"duplicate iss":           jws(t, es, head(""), `{"iss":"https://evil.example",`+claims[1:]),
		"duplicate unknown":       jws(t, es, head(""), `{"x":1,"x":2,`+claims[1:]),
		"nested token":            jws(t, es, head(`,"cty":"JWT"`), good),
	}
}

// next is the character after c: the same token in a lax decoder.
func next(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, c)+1])
}
