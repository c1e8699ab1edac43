package token_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/provider/keys"
	"github.com/gatehouse-id/gatehouse/provider/token"
)

const clientID = "https://client.example/app"

// client is a client with keys of its own: "es", "ed", "rs", "ps" and a weak one.
type client struct {
	es, es384, ed, rs, weak crypto.Signer
}

var makeClient = sync.OnceValues(func() (*client, error) {
	es, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	es384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		return nil, err
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		return nil, err
	}
	return &client{es, es384, ed, rs, weak}, nil
})

func newClient(t testing.TB) *client {
	t.Helper()
	c, err := makeClient()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *client) signer(algorithm string) crypto.Signer {
	return map[string]crypto.Signer{"ES256": c.es, "ES384": c.es384, "EdDSA": c.ed, "RS256": c.rs, "PS256": c.rs}[algorithm]
}

func (c *client) jwk(t testing.TB, algorithm string) []byte {
	return jwkOf(t, c.signer(algorithm).Public(), "kid-"+algorithm, "")
}

func jwkOf(t testing.TB, key any, kid, algorithm string) []byte {
	t.Helper()
	b, err := json.Marshal(jose.JSONWebKey{Key: key, KeyID: kid, Algorithm: algorithm, Use: "sig"})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func jwks(keys ...[]byte) []byte {
	var texts []string
	for _, k := range keys {
		texts = append(texts, string(k))
	}
	return []byte(`{"keys":[` + strings.Join(texts, ",") + `]}`)
}

func (c *client) jwks(t testing.TB) []byte {
	return jwks(c.jwk(t, "ES256"), c.jwk(t, "EdDSA"), c.jwk(t, "RS256"), c.jwk(t, "PS256"), c.jwk(t, "ES384"))
}

func rules() token.AssertionRules {
	return token.AssertionRules{Issuer: issuer, ClientID: clientID, Now: now}
}

func exampleAssertion() object {
	return object{"iss": clientID, "sub": clientID, "aud": issuer, "jti": "j-1", "iat": now.Unix(), "exp": now.Unix() + 60}
}

func TestVerifyAssertion(t *testing.T) {
	c := newClient(t)
	header := func(alg, rest string) string { return `{"alg":"` + alg + `"` + rest + `}` }
	body := text(t, exampleAssertion())
	want := token.Assertion{JTI: "j-1", IssuedAt: now, ExpiresAt: now.Add(time.Minute)}
	for _, alg := range keys.Algorithms() {
		for _, rest := range []string{
			"", `,"kid":"kid-` + alg + `"`, `,"typ":"JWT"`, `,"typ":"jwt"`, `,"typ":"client-authentication+jwt"`,
			`,"typ":"application/client-authentication+jwt"`, `,"jku":"https://evil.example/","x5u":"https://evil.example/"`,
		} {
			got, err := token.VerifyAssertion(jws(t, c.signer(alg), header(alg, rest), body), c.jwks(t), rules())
			if err != nil {
				t.Errorf("%s%s: %v", alg, rest, err)
			} else if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
		}
	}
}

func TestVerifyAssertionClaims(t *testing.T) {
	c := newClient(t)
	base := exampleAssertion()
	at := func(seconds int64) int64 { return now.Unix() + seconds }
	endpoint := issuer + "/oauth2/token"
	legacy := rules()
	legacy.AllowTokenEndpoint = endpoint
	short := rules()
	short.MaxLifetime = time.Minute
	nobody := rules()
	nobody.ClientID = ""
	tests := map[string]struct {
		claims object
		rules  token.AssertionRules
		ok     bool
	}{
		"plain":                   {base, rules(), true},
		"no iat":                  {with(base, "iat", nil), rules(), true},
		"iat 10 s ahead":          {with(base, "iat", at(10)), rules(), true},
		"iat 60 s ahead":          {with(base, "iat", at(60)), rules(), true},
		"iat 61 s ahead":          {with(base, "iat", at(61)), rules(), false},
		"nbf 10 s ahead":          {with(base, "nbf", at(10)), rules(), true},
		"nbf 61 s ahead":          {with(base, "nbf", at(61)), rules(), false},
		"exp with a fraction":     {with(base, "exp", float64(at(60))+0.5), rules(), true},
		"exp now":                 {with(base, "exp", at(0)), rules(), false},
		"exp 5 min past":          {with(base, "exp", at(-300)), rules(), false},
		"exp 1 h ahead":           {with(base, "exp", at(3600)), rules(), true},
		"exp 1 h on a fast clock": {with(base, "exp", at(3660)), rules(), true},
		"exp 1 h 2 min ahead":     {with(base, "exp", at(3720)), rules(), false},
		"exp above the client's":  {with(base, "exp", at(121)), short, false},
		"exp in 10 years":         {with(base, "exp", at(315360000)), rules(), false},
		"exp huge":                {with(base, "exp", json.Number("1e400")), rules(), false},
		"exp beyond dates":        {with(base, "exp", json.Number("9e18")), rules(), false},
		"exp negative":            {with(base, "exp", -1), rules(), false},
		"exp a text":              {with(base, "exp", fmt.Sprint(at(60))), rules(), false},
		"exp null":                {with(base, "exp", json.RawMessage("null")), rules(), false},
		"no exp":                  {with(base, "exp", nil), rules(), false},
		"no jti":                  {with(base, "jti", nil), rules(), false},
		"jti empty":               {with(base, "jti", ""), rules(), false},
		"jti of 255":              {with(base, "jti", strings.Repeat("j", 255)), rules(), true},
		"jti of 256":              {with(base, "jti", strings.Repeat("j", 256)), rules(), false},
		"jti with NUL":            {with(base, "jti", "a\x00b"), rules(), false},
		"jti a number":            {with(base, "jti", 1), rules(), false},
		"no iss":                  {with(base, "iss", nil), rules(), false},
		"no sub":                  {with(base, "sub", nil), rules(), false},
		"sub of another":          {with(base, "sub", "other"), rules(), false},
		"iss of another":          {with(base, "iss", "other"), rules(), false},
		"both of another":         {with(with(base, "iss", "other"), "sub", "other"), rules(), false},
		"nobody's":                {with(with(base, "iss", ""), "sub", ""), nobody, false},
		"no aud":                  {with(base, "aud", nil), rules(), false},
		"aud empty":               {with(base, "aud", ""), rules(), false},
		"aud null":                {with(base, "aud", json.RawMessage("null")), rules(), false},
		"aud with a slash":        {with(base, "aud", issuer+"/"), rules(), false},
		"aud another server":      {with(base, "aud", "https://evil.example"), rules(), false},
		"aud a list of ours":      {with(base, "aud", []string{issuer}), rules(), false},
		"aud a list with another": {with(base, "aud", []string{issuer, "https://evil.example"}), rules(), false},
		"aud an object":           {with(base, "aud", object{issuer: issuer}), rules(), false},
		"aud the token endpoint":  {with(base, "aud", endpoint), rules(), false},
		"aud the PAR endpoint":    {with(base, "aud", issuer+"/oauth2/par"), legacy, false},
		"legacy: token endpoint":  {with(base, "aud", endpoint), legacy, true},
		"legacy: issuer":          {base, legacy, true},
		"legacy: list":            {with(base, "aud", []string{endpoint}), legacy, false},
		"legacy: empty":           {with(base, "aud", ""), legacy, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			raw := jws(t, c.es, `{"alg":"ES256"}`, text(t, tt.claims))
			got, err := token.VerifyAssertion(raw, c.jwks(t), tt.rules)
			if tt.ok && err != nil || !tt.ok && (!errors.Is(err, token.ErrAssertion) || got != token.Assertion{}) {
				t.Fatalf("%+v, %v", got, err)
			}
		})
	}
}

func TestVerifyAssertionRefusesForms(t *testing.T) {
	c := newClient(t)
	body := text(t, exampleAssertion())
	// The same hostile forms as for our own tokens, with the client's key.
	asClient := &house{
		set:     newHouse(t).set,
		private: map[string]crypto.Signer{keys.ES256: c.es},
		kid:     map[string]string{keys.ES256: "kid-ES256"},
	}
	forms := hostileForms(t, asClient, "JWT", body)
	for name, raw := range map[string]string{
		"access token":           jws(t, c.es, `{"alg":"ES256","typ":"at+jwt"}`, body),
		"ES384":                  jws(t, c.es384, `{"alg":"ES384"}`, body),
		"ES256 by P-384":         jws(t, c.es384, `{"alg":"ES256"}`, body),
		"kid unknown":            jws(t, c.es, `{"alg":"ES256","kid":"other"}`, body),
		"kid of another key":     jws(t, c.es, `{"alg":"ES256","kid":"kid-RS256"}`, body),
		"our own key":            jws(t, newHouse(t).private[keys.ES256], `{"alg":"ES256"}`, body),
		"key in header":          jws(t, newHouse(t).private[keys.ES256], `{"alg":"ES256","jwk":`+string(jwkOf(t, newHouse(t).private[keys.ES256].Public(), "", ""))+`}`, body),
		"private key in header":  jws(t, c.es, `{"alg":"ES256","jwk":`+string(jwkOf(t, c.es, "", ""))+`}`, body),
		"certificate in header":  jws(t, c.es, `{"alg":"ES256","x5c":["MIIB"]}`, body),
		"RS256 by a weak key":    jws(t, c.weak, `{"alg":"RS256"}`, body),
		"RS256 signed as PS256":  jws(t, c.rs, `{"alg":"RS256","x":"PS256"}`, body),
		"critical type":          jws(t, c.es, `{"alg":"ES256","typ":"JWT","crit":["typ"]}`, body),
		"typ of an ID-JAG":       jws(t, c.es, `{"alg":"ES256","typ":"oauth-id-jag+jwt"}`, body),
		"typ of a token request": jws(t, c.es, `{"alg":"ES256","typ":"secevent+jwt"}`, body),
	} {
		forms[name] = raw
	}
	set := jwks(c.jwk(t, "ES256"), c.jwk(t, "ES384"), c.jwk(t, "RS256"), jwkOf(t, c.weak.Public(), "weak", ""))
	for name, raw := range forms {
		t.Run(name, func(t *testing.T) {
			if got, err := token.VerifyAssertion(raw, set, rules()); !errors.Is(err, token.ErrAssertion) {
				t.Fatalf("%+v, %v", got, err)
			}
		})
	}
	if _, err := token.VerifyAssertion(forms["kid unknown"], set, rules()); !errors.Is(err, token.ErrUnknownKey) {
		t.Errorf("%v: nobody would fetch the JWK set again", err)
	}
	if _, err := token.VerifyAssertion(forms["our own key"], set, rules()); errors.Is(err, token.ErrUnknownKey) {
		t.Error("a stranger makes us fetch the JWK set")
	}
}

func TestAssertionAlgorithms(t *testing.T) {
	c := newClient(t)
	raw := jws(t, c.es, `{"alg":"ES256"}`, text(t, exampleAssertion()))
	only := rules()
	for _, tt := range []struct {
		algs []string
		set  []byte
		ok   bool
	}{
		{nil, c.jwks(t), true},
		{[]string{"ES256"}, c.jwks(t), true},
		{[]string{"RS256"}, c.jwks(t), false},
		{[]string{"none", "HS256", "ES384"}, c.jwks(t), false},
		{nil, jwks(jwkOf(t, c.es.Public(), "k", "ES256")), true},
		{nil, jwks(jwkOf(t, c.es.Public(), "k", "ES384")), false},
	} {
		only.Algs = tt.algs
		if _, err := token.VerifyAssertion(raw, tt.set, only); (err == nil) != tt.ok {
			t.Errorf("%v %s: %v", tt.algs, tt.set, err)
		}
	}
	// HMAC with what is public, where the client registered it.
	only.Algs = []string{"HS256"}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: c.jwk(t, "ES256")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign([]byte(text(t, exampleAssertion())))
	if err != nil {
		t.Fatal(err)
	}
	forged, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := token.VerifyAssertion(forged, c.jwks(t), only); !errors.Is(err, token.ErrAssertion) {
		t.Error(err)
	}
}

// An assertion without kid must not make us try keys without end.
func TestAssertionAttemptsAreBounded(t *testing.T) {
	c := newClient(t)
	raw := jws(t, c.es, `{"alg":"ES256"}`, text(t, exampleAssertion()))
	for _, tt := range []struct {
		before int
		ok     bool
	}{{0, true}, {9, true}, {10, false}} {
		var set [][]byte
		for range tt.before {
			other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			set = append(set, jwkOf(t, other.Public(), "", ""))
		}
		// Keys of other kinds do not count.
		set = append(set, c.jwk(t, "EdDSA"), c.jwk(t, "RS256"), c.jwk(t, "ES256"))
		if _, err := token.VerifyAssertion(raw, jwks(set...), rules()); (err == nil) != tt.ok {
			t.Errorf("%d keys before: %v", tt.before, err)
		}
	}
}

func TestUnverifiedSubject(t *testing.T) {
	c := newClient(t)
	if got, err := token.UnverifiedSubject(jws(t, c.es, `{"alg":"ES256"}`, text(t, exampleAssertion()))); err != nil || got != clientID {
		t.Errorf("%q, %v", got, err)
	}
	for name, raw := range map[string]string{
		"empty":     "",
		"no sub":    jws(t, c.es, `{"alg":"ES256"}`, `{}`),
		"two subs":  jws(t, c.es, `{"alg":"ES256"}`, `{"sub":"a","sub":"b"}`),
		"alg none":  b64([]byte(`{"alg":"none"}`)) + "." + b64([]byte(`{"sub":"a"}`)) + ".",
		"too large": jws(t, c.es, `{"alg":"ES256"}`, `{"sub":"a","x":"`+strings.Repeat("x", token.MaxSize)+`"}`),
	} {
		if got, err := token.UnverifiedSubject(raw); !errors.Is(err, token.ErrAssertion) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// FuzzVerifyAssertion reads what anybody sends, and what the client itself signs.
func FuzzVerifyAssertion(f *testing.F) {
	c := newClient(f)
	set := jwks(c.jwk(f, "ES256"))
	claims := text(f, exampleAssertion())
	f.Add("a.b.c", []byte(`{"keys":[]}`), `{"alg":"ES256","kid":"kid-ES256"}`, claims)
	f.Add("e30.e30.AA", []byte(`{"keys":[{"kty":"RSA","n":"AQ","e":"AQAB"}]}`), `{"alg":"ES256","typ":"JWT"}`, `{}`)
	f.Add("", []byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AA"}]}`), `{"alg":"none"}`, strings.Replace(claims, issuer, "x", 1))
	f.Fuzz(func(t *testing.T, raw string, other []byte, header, claims string) {
		if _, err := token.VerifyAssertion(raw, set, rules()); err == nil {
			t.Fatalf("accepted what the client did not sign: %q", raw)
		}
		_, _ = token.VerifyAssertion(raw, other, rules())
		_, _ = token.UnverifiedSubject(raw)
		signed := jws(t, c.es, header, claims)
		a, err := token.VerifyAssertion(signed, set, rules())
		if err != nil {
			return
		}
		if subject, err := token.UnverifiedSubject(signed); err != nil || subject != clientID {
			t.Fatalf("subject %q, %v", subject, err)
		}
		if a.JTI == "" || len(a.JTI) > 255 || !a.ExpiresAt.After(now) || a.ExpiresAt.After(now.Add(61*time.Minute)) || !strings.Contains(header, "ES256") {
			t.Fatalf("accepted %+v from %s %s", a, header, claims)
		}
	})
}

func BenchmarkVerifyAssertion(b *testing.B) {
	c := newClient(b)
	set := jwks(c.jwk(b, "ES256"))
	raw := jws(b, c.es, `{"alg":"ES256","kid":"kid-ES256"}`, text(b, exampleAssertion()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := token.VerifyAssertion(raw, set, rules()); err != nil {
			b.Fatal(err)
		}
	}
}
