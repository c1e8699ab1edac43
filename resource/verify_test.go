package resource

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestVerifyEveryAlgorithm(t *testing.T) {
	for _, alg := range []string{"ES256", "EdDSA", "PS256", "RS256"} {
		t.Run(alg, func(t *testing.T) {
			key := newTestKey(t, "k1", alg)
			issuer := newTestIssuer(t, key)
			v, c := issuer.verifier(t)
			raw := issuer.token(t, key, c.now(), map[string]any{
				"aud": []string{"https://other.example.com", testAudience}, "auth_time": epoch.Unix() - 60,
				"acr": "2", "amr": []string{"pwd", "otp"}, "nbf": epoch.Unix(), "unknown": map[string]any{"a": 1},
			})
			got, err := v.Verify(t.Context(), raw)
			if err != nil {
				t.Fatal(err)
			}
			want := &Token{
				Issuer: issuer.url, Subject: "person", Audience: []string{"https://other.example.com", testAudience},
				ClientID: "app", ID: "id", SessionID: "session", GrantID: "grant",
				Scopes: []string{"openid", "posts:add"}, IssuedAt: epoch, ExpiresAt: epoch.Add(10 * time.Minute),
				AuthTime: epoch.Add(-time.Minute), ACR: "2", AMR: []string{"pwd", "otp"}, Rev: 7, KeyID: "k1",
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("token differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestVerifyMachineToken(t *testing.T) {
	key := newTestKey(t, "k1", "ES256")
	issuer := newTestIssuer(t, key)
	v, c := issuer.verifier(t)
	raw := issuer.token(t, key, c.now(), map[string]any{"sid": nil, "gid": nil, "scope": nil, "rev": 0})
	got, err := v.Verify(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	if got.SessionID != "" || got.GrantID != "" || got.Scopes != nil || !got.AuthTime.IsZero() || got.HasScope("") {
		t.Errorf("claims out of nowhere: %+v", got)
	}
}

// TestVerifyHostileClaims: signed by the right key, and still no access token
// for this API now.
func TestVerifyHostileClaims(t *testing.T) {
	key := newTestKey(t, "k1", "EdDSA")
	issuer := newTestIssuer(t, key)
	v, c := issuer.verifier(t)
	at := func(d time.Duration) int64 { return epoch.Add(d).Unix() }
	tests := []struct {
		name    string
		changes map[string]any
		want    string // part of the description; empty: accepted
	}{
		{"good", nil, ""},
		{"other issuer", map[string]any{"iss": "https://evil.example.com"}, "another issuer"},
		{"issuer with a slash", map[string]any{"iss": issuer.url + "/"}, "another issuer"},
		{"no issuer", map[string]any{"iss": nil}, "another issuer"},
		{"other audience", map[string]any{"aud": "https://other.example.com"}, "another audience"},
		{"audience as prefix", map[string]any{"aud": testAudience + ".evil.tld"}, "another audience"},
		{"audience in one string", map[string]any{"aud": "x " + testAudience}, "another audience"},
		{"empty audiences", map[string]any{"aud": []string{}}, "another audience"},
		{"no audience", map[string]any{"aud": nil}, "another audience"},
		{"audience a number", map[string]any{"aud": 1}, "malformed"},
		{"no subject", map[string]any{"sub": nil}, "lacks a subject"},
		{"no client", map[string]any{"client_id": ""}, "lacks a subject"},
		{"no id", map[string]any{"jti": nil}, "lacks a subject"},
		{"no rev", map[string]any{"rev": nil}, "no revocation position"},
		{"negative rev", map[string]any{"rev": -1}, "no revocation position"},
		{"rev as text", map[string]any{"rev": "7"}, "malformed"},
		{"rev with a fraction", map[string]any{"rev": 7.5}, "malformed"},
		{"rev beyond int64", map[string]any{"rev": 1e300}, "malformed"},
		{"bound to a key", map[string]any{"cnf": map[string]any{"jkt": "x"}}, "no bearer token"},
		{"just expired within the leeway", map[string]any{"iat": at(-10 * time.Minute), "exp": at(-29 * time.Second)}, ""},
		{"expired at the leeway's end", map[string]any{"iat": at(-10 * time.Minute), "exp": at(-30 * time.Second)}, "expired"},
		{"no exp", map[string]any{"exp": nil}, "lacks its times"},
		{"exp of zero", map[string]any{"exp": 0}, "lacks its times"},
		{"no iat", map[string]any{"iat": nil}, "lacks its times"},
		{"iat ahead within the leeway", map[string]any{"iat": at(30 * time.Second)}, ""},
		{"iat in the future", map[string]any{"iat": at(31 * time.Second)}, "from the future"},
		{"nbf in the future", map[string]any{"nbf": at(31 * time.Second)}, "not valid yet"},
		{"negative nbf", map[string]any{"nbf": -1}, "malformed"},
		{"longest lifetime", map[string]any{"exp": at(time.Hour)}, ""},
		{"L1: lifetime too long", map[string]any{"exp": at(time.Hour + time.Second)}, "lifetime"},
		{"L1: old iat, late exp", map[string]any{"iat": 1, "exp": at(time.Minute)}, "lifetime"},
		{"exp at the end of int64", map[string]any{"exp": int64(1<<63 - 1)}, "lacks its times"},
		{"iat and exp overflow", map[string]any{"iat": int64(-1 << 63), "exp": int64(1<<63 - 1)}, "lacks its times"},
		{"exp as text", map[string]any{"exp": "9999999999"}, "malformed"},
		{"scope as array", map[string]any{"scope": []string{"posts:add"}}, "malformed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := v.Verify(t.Context(), issuer.token(t, key, c.now(), tt.changes))
			checkRefusal(t, err, tt.want)
		})
	}
}

func checkRefusal(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Errorf("refused: %v", err)
		}
		return
	}
	var refusal *Error
	if !errors.As(err, &refusal) || !errors.Is(err, ErrInvalidToken) {
		t.Fatalf("got %v, want an invalid token", err)
	}
	if refusal.Status != http.StatusUnauthorized || !strings.Contains(refusal.Description, want) {
		t.Errorf("got %d %q, want 401 with %q", refusal.Status, refusal.Description, want)
	}
}

func TestVerifyHostileTokens(t *testing.T) {
	ec, rs := newTestKey(t, "ec", "ES256"), newTestKey(t, "rs", "RS256")
	stranger := newTestKey(t, "ec", "ES256")
	issuer := newTestIssuer(t, ec, rs)
	v, c := issuer.verifier(t)
	claims, err := json.Marshal(issuer.claimSet(c.now(), nil))
	if err != nil {
		t.Fatal(err)
	}
	payload := string(claims)
	const head = `{"typ":"at+jwt","alg":"ES256","kid":"ec"}`
	good := ec.sign(t, "ES256", head, payload)
	parts := strings.Split(good, ".")
	strangerJWK, err := json.Marshal(stranger.jwk())
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(rs.signer.Public().(*rsa.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	tests := []struct {
		name, raw, want string
	}{
		{"good", good, ""},
		{"long form of the type", ec.sign(t, "ES256", `{"typ":"application/at+jwt","alg":"ES256","kid":"ec"}`, payload), ""},
		{"jku and x5u are not looked at", ec.sign(t, "ES256", `{"typ":"at+jwt","alg":"ES256","kid":"ec","jku":"http://127.0.0.1:1/","x5u":"http://127.0.0.1:1/"}`, payload), ""},
		{"empty", "", "no signed JWT"},
		{"one dot", "a.b", "no signed JWT"},
		{"five parts", "a.b.c.d.e", "no signed JWT"},
		{"many dots", strings.Repeat(".", 10000), "no signed JWT"},
		{"one megabyte", strings.Repeat("a", 1<<20), "too long"},
		{"one byte too long", good + strings.Repeat("A", maxTokenBytes+1-len(good)), "too long"},
		{"JSON serialization", `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`, "no signed JWT"},
		{"padding", good + "==", "no signed JWT"},
		{"line break", parts[0] + ".\n" + parts[1] + "." + parts[2], "no signed JWT"},
		{"space in front", " " + good, "no signed JWT"},
		{"other spelling of the last bits", good[:len(good)-1] + nextCharacter(good[len(good)-1]), "no signed JWT"},
		{"header no JSON", encode("{") + "." + parts[1] + "." + parts[2], "header is malformed"},
		{"header an array", encode("[]") + "." + parts[1] + "." + parts[2], "header is malformed"},
		{"header null", encode("null") + "." + parts[1] + "." + parts[2], "type"},
		{"ID token", ec.sign(t, "ES256", `{"typ":"JWT","alg":"ES256","kid":"ec"}`, payload), "type"},
		{"logout token", ec.sign(t, "ES256", `{"typ":"logout+jwt","alg":"ES256","kid":"ec"}`, payload), "type"},
		{"no type", ec.sign(t, "ES256", `{"alg":"ES256","kid":"ec"}`, payload), "type"},
		{"name in other case", ec.sign(t, "ES256", `{"Typ":"at+jwt","alg":"ES256","kid":"ec"}`, payload), "type"},
		{"type twice", ec.sign(t, "ES256", `{"typ":"JWT","typ":"at+jwt","alg":"ES256","kid":"ec"}`, payload), "header is malformed"},
		{"no key id", ec.sign(t, "ES256", `{"typ":"at+jwt","alg":"ES256"}`, payload), "names no key"},
		{"unknown key id", ec.sign(t, "ES256", `{"typ":"at+jwt","alg":"ES256","kid":"ec2"}`, payload), "key is unknown"},
		{"alg none", encode(`{"typ":"at+jwt","alg":"none","kid":"ec"}`) + "." + parts[1] + ".", "algorithm is not accepted"},
		{"alg None, signed", ec.sign(t, "ES256", `{"typ":"at+jwt","alg":"None","kid":"ec"}`, payload), "algorithm is not accepted"},
		{"no alg", ec.sign(t, "ES256", `{"typ":"at+jwt","kid":"ec"}`, payload), "algorithm is not accepted"},
		{"HS256 under the public key", hmacSign(publicPEM, `{"typ":"at+jwt","alg":"HS256","kid":"rs"}`, payload), "algorithm is not accepted"},
		{"ES384", ec.sign(t, "ES256", `{"typ":"at+jwt","alg":"ES384","kid":"ec"}`, payload), "algorithm is not accepted"},
		{"another algorithm of the same key", rs.sign(t, "PS256", `{"typ":"at+jwt","alg":"PS256","kid":"rs"}`, payload), "not its key's"},
		{"another key's algorithm", rs.sign(t, "RS256", `{"typ":"at+jwt","alg":"RS256","kid":"ec"}`, payload), "not its key's"},
		{"crit", ec.sign(t, "ES256", `{"typ":"at+jwt","alg":"ES256","kid":"ec","crit":["exp"],"exp":1}`, payload), "extensions"},
		{"crit null", ec.sign(t, "ES256", `{"typ":"at+jwt","alg":"ES256","kid":"ec","crit":null}`, payload), "extensions"},
		{"crit empty", ec.sign(t, "ES256", `{"typ":"at+jwt","alg":"ES256","kid":"ec","crit":[]}`, payload), "extensions"},
		{"b64 false", ec.sign(t, "ES256", `{"typ":"at+jwt","alg":"ES256","kid":"ec","b64":false}`, payload), "extensions"},
		{"zip", ec.sign(t, "ES256", `{"typ":"at+jwt","alg":"ES256","kid":"ec","zip":"DEF"}`, payload), "extensions"},
		{"stranger's key", stranger.sign(t, "ES256", head, payload), "signature is wrong"},
		{"stranger's key in jwk", stranger.sign(t, "ES256", `{"typ":"at+jwt","alg":"ES256","kid":"ec","jwk":`+string(strangerJWK)+`}`, payload), "signature is wrong"},
		{"no signature", parts[0] + "." + parts[1] + ".", "signature is wrong"},
		{"zero signature", parts[0] + "." + parts[1] + "." + encode(strings.Repeat("\x00", 64)), "signature is wrong"},
		{"short signature", parts[0] + "." + parts[1] + "." + encode(strings.Repeat("\x01", 63)), "signature is wrong"},
		{"other payload", parts[0] + "." + encode(strings.Replace(payload, "person", "master", 1)) + "." + parts[2], "signature is wrong"},
		{"no payload", ec.sign(t, "ES256", head, ""), "empty"},
		{"payload null", ec.sign(t, "ES256", head, "null"), "another issuer"},
		{"payload a list", ec.sign(t, "ES256", head, "[]"), "claims are malformed"},
		{"deep payload", ec.sign(t, "ES256", head, strings.Repeat("[", 8000)), "claims are malformed"},
		{"data behind the payload", ec.sign(t, "ES256", head, payload+"{}"), "claims are malformed"},
		{"claim twice", ec.sign(t, "ES256", head, payload[:len(payload)-1]+`,"aud":"x"}`), "claims are malformed"},
		{"claims in other case", ec.sign(t, "ES256", head, strings.Replace(payload, `"aud"`, `"AUD"`, 1)), "another audience"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := v.Verify(t.Context(), tt.raw)
			checkRefusal(t, err, tt.want)
		})
	}
}

// nextCharacter returns the character that differs from c in the lowest bit of
// its value in the base64url alphabet.
func nextCharacter(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, c)^1])
}

func TestErrorsHoldNothingOfTheToken(t *testing.T) {
	key := newTestKey(t, "k1", "EdDSA")
	issuer := newTestIssuer(t, key)
	v, c := issuer.verifier(t)
	_, err := v.Verify(t.Context(), issuer.token(t, key, c.now(), map[string]any{"sub": "marker", "iss": "marker"}))
	if err == nil || strings.Contains(err.Error(), "marker") {
		t.Errorf("got %v, want an error without the token's content", err)
	}
}

func TestNewRefusesConfiguration(t *testing.T) {
	good := func() Config { return Config{Issuer: "https://id.example.com", Audience: testAudience} }
	tests := []struct {
		name   string
		change func(*Config)
		want   string // empty: accepted
	}{
		{"good", func(*Config) {}, ""},
		{"loopback", func(c *Config) { c.Issuer = "http://localhost:8400" }, ""},
		{"loopback v6", func(c *Config) { c.Issuer = "http://[::1]:8400" }, ""},
		{"issuer with path", func(c *Config) { c.Issuer = "https://example.com/id" }, ""},
		{"no issuer", func(c *Config) { c.Issuer = "" }, "issuer"},
		{"http issuer", func(c *Config) { c.Issuer = "http://id.example.com" }, "https"},
		{"name that only starts like loopback", func(c *Config) { c.Issuer = "http://localhost.evil.tld" }, "https"},
		{"issuer with query", func(c *Config) { c.Issuer = "https://id.example.com?x" }, "query"},
		{"issuer with fragment", func(c *Config) { c.Issuer = "https://id.example.com#" }, "query"},
		{"issuer with user", func(c *Config) { c.Issuer = "https://a@id.example.com" }, "user"},
		{"other scheme", func(c *Config) { c.Issuer = "file:///etc" }, "absolute"},
		{"no audience", func(c *Config) { c.Audience = "" }, "audience"},
		{"audience with quote", func(c *Config) { c.Audience = `a"b` }, "audience"},
		{"audience with line break", func(c *Config) { c.Audience = "a\r\nb" }, "audience"},
		{"http keys", func(c *Config) { c.JWKSURL = "http://id.example.com/keys" }, "JWKS"},
		{"http metadata", func(c *Config) { c.MetadataURL = "http://a.example.com/" }, "metadata"},
		{"leeway too long", func(c *Config) { c.Leeway = 61 * time.Second }, "leeway"},
		{"negative leeway", func(c *Config) { c.Leeway = -1 }, "leeway"},
		{"negative lifetime", func(c *Config) { c.MaxLifetime = -1 }, "lifetime"},
		{"no scope", func(c *Config) { c.ScopesSupported = []string{"a b"} }, "scope"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := good()
			tt.change(&cfg)
			_, err := New(cfg)
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

// TestDependencies: whoever imports this package gets go-jose and nothing else.
func TestDependencies(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	const module = "github.com/gatehouse-id/gatehouse/resource"
	for _, path := range strings.Fields(string(out)) {
		ours := path == module || strings.HasPrefix(path, module+"/")
		if !ours && !strings.HasPrefix(path, "github.com/go-jose/go-jose/v4") {
			t.Errorf("depends on %s", path)
		}
	}
}

func FuzzVerify(f *testing.F) {
	key := newTestKey(f, "k1", "EdDSA")
	issuer := newTestIssuer(f, key)
	v, c := issuer.verifier(f)
	good := issuer.token(f, key, c.now(), nil)
	parts := strings.Split(good, ".")
	f.Add(good)
	f.Add("")
	f.Add("..")
	f.Add(parts[0] + "." + parts[1] + ".")
	f.Add(encode(`{"typ":"at+jwt","alg":"none","kid":"k1"}`) + "." + parts[1] + ".")
	f.Add(encode(`{"typ":"at+jwt","alg":"EdDSA","kid":"k2","crit":["b64"],"b64":false}`) + "." + parts[1] + "." + parts[2])
	f.Add(encode(`{"typ":"at+jwt","alg":"EdDSA","kid":"k1","jwk":{"kty":"oct","k":"AA"}}`) + "." + parts[1] + "." + parts[2])
	f.Add(parts[0] + "." + encode(strings.Repeat(`{"a":`, 100)) + "." + parts[2])
	f.Fuzz(func(t *testing.T, raw string) {
		token, err := v.Verify(t.Context(), raw)
		// Ed25519 signatures are unique, and so is the spelling that is
		// accepted: any other token that passes is forged.
		if err == nil && raw != good {
			t.Fatalf("forged token accepted: %q", raw)
		}
		if (token == nil) == (err == nil) {
			t.Fatalf("token %v with error %v", token, err)
		}
		var refusal *Error
		if err != nil && !errors.As(err, &refusal) {
			t.Fatalf("error of another type: %v", err)
		}
	})
}
