package token_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/provider/keys"
	"github.com/gatehouse-id/gatehouse/provider/token"
)

// example is the token of the size promise (docs/measurements.md).
func example() token.Access {
	return token.Access{
		Issuer:    issuer,
		Subject:   id.New().String(),
		Audience:  "http://localhost:8402",
		ClientID:  id.New().String(),
		IssuedAt:  now.Unix(),
		ExpiresAt: now.Add(10 * time.Minute).Unix(),
		ID:        id.New().String(),
		Scope:     "openid profile email offline_access posts:add",
		SessionID: id.New().String(),
		GrantID:   id.New().String(),
		Rev:       1234567,
	}
}

func mint(t testing.TB, h *house, algorithm string, a token.Access) string {
	t.Helper()
	raw, err := token.SignAccess(h.set, algorithm, a)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestAccessTokenIsSmall(t *testing.T) {
	h := newHouse(t)
	raw := mint(t, h, keys.ES256, example())
	if len(raw) > 600 {
		t.Errorf("%d bytes", len(raw))
	}
	t.Logf("%d bytes", len(raw))
}

func TestAccessClaimsInOrder(t *testing.T) {
	h := newHouse(t)
	a := token.Access{
		Issuer: "i", Subject: "s", Audience: "a", ClientID: "c", IssuedAt: 1, ExpiresAt: 2, ID: "j", Scope: "x y",
		SessionID: "d", GrantID: "g", Rev: 7, AuthTime: 3, ACR: "1", AMR: []string{"pwd"},
		Confirmation: &token.Confirmation{JKT: "k"}, KeyID: "not written",
	}
	tests := []struct {
		edit func(*token.Access)
		want string
	}{
		{func(*token.Access) {}, `{"iss":"i","sub":"s","aud":"a","client_id":"c","iat":1,"exp":2,"jti":"j","scope":"x y","sid":"d","gid":"g","rev":7,"auth_time":3,"acr":"1","amr":["pwd"],"cnf":{"jkt":"k"}}`},
		{func(a *token.Access) { // client credentials, on an empty ledger
			a.Scope, a.SessionID, a.GrantID, a.Rev, a.AuthTime, a.ACR, a.AMR, a.Confirmation = "", "", "", 0, 0, "", nil, nil
		}, `{"iss":"i","sub":"s","aud":"a","client_id":"c","iat":1,"exp":2,"jti":"j","rev":0}`},
	}
	for _, tt := range tests {
		c := a
		tt.edit(&c)
		if d := cmp.Diff(tt.want, string(payloadOf(t, mint(t, h, keys.ES256, c)))); d != "" {
			t.Error(d)
		}
	}
}

func TestAccessRoundTrip(t *testing.T) {
	h := newHouse(t)
	for _, algorithm := range keys.Algorithms() {
		t.Run(algorithm, func(t *testing.T) {
			want := example()
			want.AuthTime, want.ACR, want.AMR = now.Unix()-5, "2", []string{"pwd", "otp"}
			want.Confirmation = &token.Confirmation{X5T: "thumb"}
			raw := mint(t, h, algorithm, want)
			got, err := token.ParseAccess(h.set, issuer, raw, now)
			if err != nil {
				t.Fatal(err)
			}
			want.KeyID = h.kid[algorithm]
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
			// Another implementation agrees.
			body, _ := h.set.JWKS()
			var set jose.JSONWebKeySet
			if err := json.Unmarshal(body, &set); err != nil {
				t.Fatal(err)
			}
			parsed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(algorithm)})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := parsed.Verify(set); err != nil {
				t.Error(err)
			}
			if typ := parsed.Signatures[0].Header.ExtraHeaders["typ"]; typ != "at+jwt" {
				t.Errorf("typ %v", typ)
			}
		})
	}
}

func TestAccessExpiry(t *testing.T) {
	h := newHouse(t)
	a := example()
	raw := mint(t, h, keys.EdDSA, a)
	exp := time.Unix(a.ExpiresAt, 0)
	tests := map[string]struct {
		at   time.Time
		want error
	}{
		"last moment":         {exp.Add(-time.Nanosecond), nil},
		"at exp":              {exp, token.ErrExpired},
		"long after":          {exp.Add(1e6 * time.Hour), token.ErrExpired},
		"other node is ahead": {time.Unix(a.IssuedAt, 0).Add(-60 * time.Second), nil},
		"far future":          {time.Unix(a.IssuedAt, 0).Add(-62 * time.Second), token.ErrInvalid},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := token.ParseAccess(h.set, issuer, raw, tt.at); !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
	if !errors.Is(token.ErrExpired, token.ErrInvalid) {
		t.Error("who asks for ErrInvalid alone would take an expired token for good")
	}
}

func TestSignAccessRefuses(t *testing.T) {
	h := newHouse(t)
	tests := map[string]func(*token.Access){
		"no issuer":   func(a *token.Access) { a.Issuer = "" },
		"no subject":  func(a *token.Access) { a.Subject = "" },
		"no audience": func(a *token.Access) { a.Audience = "" },
		"no client":   func(a *token.Access) { a.ClientID = "" },
		"no jti":      func(a *token.Access) { a.ID = "" },
		"no iat":      func(a *token.Access) { a.IssuedAt = 0 },
		"no exp":      func(a *token.Access) { a.ExpiresAt = 0 },
		"backwards":   func(a *token.Access) { a.ExpiresAt = a.IssuedAt },
		"too long":    func(a *token.Access) { a.ExpiresAt = a.IssuedAt + 86401 },
		"rev below 0": func(a *token.Access) { a.Rev = -1 },
	}
	for name, edit := range tests {
		t.Run(name, func(t *testing.T) {
			a := example()
			edit(&a)
			if raw, err := token.SignAccess(h.set, keys.ES256, a); err == nil {
				t.Fatal("minted", raw)
			}
		})
	}
	if _, err := token.SignAccess(h.set, "HS256", example()); !errors.Is(err, keys.ErrNoKey) {
		t.Error(err)
	}
}

func TestParseAccessRefusesForms(t *testing.T) {
	h := newHouse(t)
	claims := text(t, example())
	forms := hostileForms(t, h, "at+jwt", claims)
	es, kid := h.private[keys.ES256], h.kid[keys.ES256]
	forms["ID token"] = jws(t, es, `{"alg":"ES256","kid":"`+kid+`","typ":"JWT"}`, claims)
	forms["no typ"] = jws(t, es, `{"alg":"ES256","kid":"`+kid+`"}`, claims)
	forms["typ in other case"] = jws(t, es, `{"alg":"ES256","kid":"`+kid+`","typ":"AT+JWT"}`, claims)
	forms["typ with prefix"] = jws(t, es, `{"alg":"ES256","kid":"`+kid+`","typ":"application/at+jwt"}`, claims)
	forms["no kid"] = jws(t, es, `{"alg":"ES256","typ":"at+jwt"}`, claims)
	forms["kid of a key that is gone"] = jws(t, es, `{"alg":"ES256","kid":"`+h.gone+`","typ":"at+jwt"}`, claims)
	forms["kid of another algorithm"] = jws(t, es, `{"alg":"ES256","kid":"`+h.kid[keys.EdDSA]+`","typ":"at+jwt"}`, claims)
	forms["RS256 by the PS256 key"] = jws(t, h.private[keys.PS256], `{"alg":"RS256","kid":"`+h.kid[keys.PS256]+`","typ":"at+jwt"}`, claims)
	forms["PS256 by the RS256 key"] = jws(t, h.private[keys.RS256], `{"alg":"PS256","kid":"`+h.kid[keys.RS256]+`","typ":"at+jwt"}`, claims)
	own := newClient(t)
	forms["key in the header"] = jws(t, own.es, `{"alg":"ES256","typ":"at+jwt","jwk":`+string(own.jwk(t, "ES256"))+`}`, claims)
	forms["key in the header, our kid"] = jws(t, own.es, `{"alg":"ES256","kid":"`+kid+`","typ":"at+jwt","jwk":`+string(own.jwk(t, "ES256"))+`}`, claims)
	forms["jku"] = jws(t, own.es, `{"alg":"ES256","kid":"es","typ":"at+jwt","jku":"https://evil.example/jwks"}`, claims)
	for name, raw := range forms {
		t.Run(name, func(t *testing.T) {
			_, err := token.ParseAccess(h.set, issuer, raw, now)
			if !errors.Is(err, token.ErrInvalid) || errors.Is(err, token.ErrExpired) {
				t.Fatalf("error %v", err)
			}
			if len(err.Error()) > 120 || strings.Contains(err.Error(), "evil") {
				t.Errorf("the error quotes the token: %v", err)
			}
		})
	}
	// The harness itself signs well, and ignored headers are ignored.
	for _, header := range []string{"", `,"jku":"https://evil.example"`, `,"x5u":"https://evil.example"`} {
		raw := jws(t, es, `{"alg":"ES256","kid":"`+kid+`","typ":"at+jwt"`+header+`}`, claims)
		if _, err := token.ParseAccess(h.set, issuer, raw, now); err != nil {
			t.Errorf("%s: %v", header, err)
		}
	}
}

// A claim that we do not know is skipped however deep it is, within MaxSize.
func TestDeepClaimsAreHarmless(t *testing.T) {
	h := newHouse(t)
	deep := `{"x":` + strings.Repeat("[", 4000) + strings.Repeat("]", 4000) + `,` + text(t, example())[1:]
	raw := jws(t, h.private[keys.ES256], `{"alg":"ES256","kid":"`+h.kid[keys.ES256]+`","typ":"at+jwt"}`, deep)
	if _, err := token.ParseAccess(h.set, issuer, raw, now); err != nil || len(raw) > token.MaxSize {
		t.Fatal(len(raw), err)
	}
}

func TestParseAccessRefusesClaims(t *testing.T) {
	h := newHouse(t)
	var base object
	if err := json.Unmarshal([]byte(text(t, example())), &base); err != nil {
		t.Fatal(err)
	}
	header := `{"alg":"ES256","kid":"` + h.kid[keys.ES256] + `","typ":"at+jwt"}`
	tests := map[string]object{
		"other issuer":       with(base, "iss", "http://localhost:8400/"),
		"issuer in case":     with(base, "iss", "HTTP://localhost:8400"),
		"issuer a list":      with(base, "iss", []string{issuer}),
		"audience a list":    with(base, "aud", []string{"http://localhost:8402"}),
		"exp a text":         with(base, "exp", "1795000600"),
		"exp a fraction":     with(base, "exp", 1795000600.5),
		"exp huge":           with(base, "exp", json.Number("1e300")),
		"exp beyond int64":   with(base, "exp", json.Number("9223372036854775808")),
		"exp negative":       with(base, "exp", -1),
		"lives too long":     with(base, "exp", now.Unix()+86401),
		"iat in the future":  with(with(base, "iat", now.Unix()+61), "exp", now.Unix()+600),
		"rev negative":       with(base, "rev", -1),
		"rev a text":         with(base, "rev", "1"),
		"rev in other case":  with(with(base, "rev", nil), "Rev", 1),
		"scope a list":       with(base, "scope", []string{"a"}),
		"cnf a text":         with(base, "cnf", "x"),
		"iss in other case":  with(with(base, "iss", nil), "ISS", issuer),
		"client_id a number": with(base, "client_id", 7),
	}
	for _, name := range []string{"iss", "sub", "aud", "client_id", "iat", "exp", "jti", "rev"} {
		tests["no "+name] = with(base, name, nil)
		tests[name+" null"] = with(base, name, json.RawMessage("null"))
	}
	for name, claims := range tests {
		t.Run(name, func(t *testing.T) {
			raw := jws(t, h.private[keys.ES256], header, text(t, claims))
			got, err := token.ParseAccess(h.set, issuer, raw, now)
			if !errors.Is(err, token.ErrInvalid) || errors.Is(err, token.ErrExpired) || got.Subject != "" {
				t.Fatalf("%+v, %v", got, err)
			}
		})
	}
	// A claim that we do not know is none of our business.
	if _, err := token.ParseAccess(h.set, issuer, jws(t, h.private[keys.ES256], header, text(t, with(base, "act", object{"sub": "x"}))), now); err != nil {
		t.Error(err)
	}
}

// FuzzParseAccess reads what anybody sends, and what a thief of our key signs: the
// first must never be accepted, the second only if it keeps the rules. Keys differ
// between the fuzzer's processes, so "KID" stands for ours.
func FuzzParseAccess(f *testing.F) {
	h := newHouse(f)
	const header = `{"alg":"ES256","kid":"KID","typ":"at+jwt"}`
	claims := text(f, example())
	f.Add("a.b.c", header, claims)
	f.Add("e30.e30.AA", `{"alg":"ES256","kid":"KID","typ":"at+jwt","crit":["b64"],"b64":false}`, `{}`)
	f.Add("", `{"alg":"none","kid":"KID","typ":"JWT"}`, strings.Replace(claims, `"iss"`, `"Iss"`, 1))
	for _, raw := range hostileForms(f, h, "at+jwt", claims) {
		if len(raw) <= token.MaxSize {
			f.Add(raw, header, claims)
		}
	}
	f.Fuzz(func(t *testing.T, raw, header, claims string) {
		if _, err := token.ParseAccess(h.set, issuer, raw, now); err == nil {
			t.Fatalf("accepted what nobody minted: %q", raw)
		}
		if _, err := token.ParseHint(h.set, issuer, raw); err == nil {
			t.Fatalf("accepted what nobody minted: %q", raw)
		}
		header = strings.ReplaceAll(header, "KID", h.kid[keys.ES256])
		signed := jws(t, h.private[keys.ES256], header, claims)
		a, err := token.ParseAccess(h.set, issuer, signed, now)
		if err == nil && (a.Issuer != issuer || a.Subject == "" || a.Audience == "" || a.ClientID == "" || a.ID == "" || a.Rev < 0 ||
			a.ExpiresAt <= now.Unix() || a.ExpiresAt-a.IssuedAt > 86400 || a.KeyID != h.kid[keys.ES256] || !strings.Contains(header, "at+jwt")) {
			t.Fatalf("accepted %+v from %s %s", a, header, claims)
		}
		if i, err := token.ParseHint(h.set, issuer, signed); err == nil && (a.Subject != "" || i.Issuer != issuer) {
			t.Fatalf("one text is two kinds of token: %s %s", header, claims)
		}
	})
}

func BenchmarkSignAccess(b *testing.B) {
	h := newHouse(b)
	for _, algorithm := range []string{keys.ES256, keys.EdDSA} {
		b.Run(algorithm, func(b *testing.B) {
			a := example()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := token.SignAccess(h.set, algorithm, a); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParseAccess(b *testing.B) {
	h := newHouse(b)
	for _, algorithm := range []string{keys.ES256, keys.EdDSA} {
		b.Run(algorithm, func(b *testing.B) {
			raw := mint(b, h, algorithm, example())
			b.ReportAllocs()
			for b.Loop() {
				if _, err := token.ParseAccess(h.set, issuer, raw, now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
