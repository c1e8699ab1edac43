package token_test

import (
	"crypto/rsa"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/provider/token"
)

func TestParseClientKeys(t *testing.T) {
	c := newClient(t)
	rs, _ := c.rs.Public().(*rsa.PublicKey)
	good := c.jwk(t, "ES256")
	encryption := strings.Replace(string(good), `"sig"`, `"enc"`, 1)
	large := jwkOf(t, &rsa.PublicKey{N: new(big.Int).SetBit(rs.N, 8200, 1), E: 65537}, "", "")
	tests := map[string]struct {
		jwks []byte
		ok   bool
	}{
		"one":                  {jwks(good), true},
		"unknown kind":         {jwks([]byte(`{"kty":"XYZ","kid":"a"}`), good), true},
		"unknown alone":        {jwks([]byte(`{"kty":"XYZ","kid":"a"}`)), false},
		"encryption alone":     {jwks([]byte(encryption)), false},
		"weak alone":           {jwks(jwkOf(t, c.weak.Public(), "", "")), false},
		"weak and good":        {jwks(jwkOf(t, c.weak.Public(), "", ""), good), true},
		"exponent 1":           {jwks(jwkOf(t, &rsa.PublicKey{N: rs.N, E: 1}, "", "")), false},
		"exponent 2":           {jwks(jwkOf(t, &rsa.PublicKey{N: rs.N, E: 2}, "", "")), false},
		"modulus of 8201 bits": {jwks(large), false},
		"private EC":           {jwks(jwkOf(t, c.es, "", "")), false},
		"private RSA":          {jwks(good, jwkOf(t, c.rs, "", "")), false},
		"private Ed25519":      {jwks(jwkOf(t, c.ed, "", "")), false},
		"symmetric":            {jwks(good, []byte(`{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`)), false},
		"point off curve":      {jwks([]byte(`{"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"}`)), false},
		"empty set":            {jwks(), false},
		"no set":               {[]byte(`{}`), false},
		"single key":           {good, false},
		"list":                 {[]byte(`[` + string(good) + `]`), false},
		"keys null":            {[]byte(`{"keys":null}`), false},
		"key null":             {jwks([]byte("null"), good), false},
		"duplicate keys":       {[]byte(`{"keys":[],"keys":[` + string(good) + `]}`), false},
		"duplicate member":     {jwks([]byte(`{"kid":"a",` + string(good[1:]))), false},
		"nothing":              {nil, false},
		"HTML":                 {[]byte("<html>"), false},
		"too large":            {[]byte(string(jwks(good)) + strings.Repeat(" ", 64<<10)), false},
		"too many":             {jwks(slices.Repeat([][]byte{good}, 101)...), false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := token.ParseClientKeys(tt.jwks); (err == nil) != tt.ok || err != nil && !errors.Is(err, token.ErrClientKeys) {
				t.Fatal(err)
			}
		})
	}
	// Bad keys make the assertion fail for another reason than the client's.
	if _, err := token.VerifyAssertion("x", nil, rules()); !errors.Is(err, token.ErrClientKeys) {
		t.Error(err)
	}
}
