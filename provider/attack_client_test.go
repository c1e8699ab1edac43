package provider_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

const jwtBearer = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// signer is a client that authenticates by private_key_jwt.
type signer struct {
	app
	w   *world
	key *ecdsa.PrivateKey
}

func (w *world) signer() *signer {
	w.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k1", Algorithm: "ES256", Use: "sig"}}})
	if err != nil {
		w.t.Fatal(err)
	}
	c := w.register(accounts.Registration{
		Name: "Signer", Type: accounts.MachineClient, AuthMethod: accounts.AuthPrivateKeyJWT, JWKS: string(set), Permissions: []string{"posts:add"},
	})
	return &signer{app: c, w: w, key: key}
}

// assertion is a good one with changes; nil removes a claim.
func (s *signer) assertion(changes map[string]any) string {
	now := s.w.clock.now().Unix()
	claims := map[string]any{
		"iss": s.ClientID, "sub": s.ClientID, "aud": issuer, "jti": id.New().String(), "iat": now, "exp": now + 60,
	}
	for name, value := range changes {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		s.w.t.Fatal(err)
	}
	made, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: s.key, KeyID: "k1"}}, nil)
	if err != nil {
		s.w.t.Fatal(err)
	}
	signed, err := made.Sign(payload)
	if err != nil {
		s.w.t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		s.w.t.Fatal(err)
	}
	return text
}

func (s *signer) machine(assertion string, more ...string) answer {
	return s.w.call("/oauth2/token", app{}, changed(formOf(
		"grant_type", "client_credentials", "client_assertion_type", jwtBearer, "client_assertion", assertion), more...))
}

// basic sends a token request with an Authorization header, from an address of its
// own: what fails is counted by client and address.
func (w *world) basic(n int, header string, form url.Values) answer {
	w.t.Helper()
	r := httptest.NewRequest(http.MethodPost, issuer+"/oauth2/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.RemoteAddr = fmt.Sprintf("203.0.%d.%d:4000", n/250, n%250+1)
	if header != "" {
		r.Header.Set("Authorization", header)
	}
	return w.ask(r)
}

func TestAttack_075_TwoMethodsAtOnce(t *testing.T) {
	w := besieged(t)
	s := w.signer()
	grant := url.Values{"grant_type": {"client_credentials"}}
	for name, form := range map[string]url.Values{
		"basic and body":      changed(cloneValues(grant), "client_id", w.machine.ClientID, "client_secret", w.machine.secret),
		"basic and assertion": changed(cloneValues(grant), "client_assertion", s.assertion(nil), "client_assertion_type", jwtBearer),
		"another client_id":   changed(cloneValues(grant), "client_id", w.web.ClientID),
	} {
		t.Run(name, func(t *testing.T) {
			wantError(t, w.call("/oauth2/token", w.machine, form), http.StatusBadRequest, "invalid_request")
		})
	}
	both := changed(cloneValues(grant), "client_id", w.machine.ClientID, "client_secret", w.machine.secret, "client_assertion", s.assertion(nil), "client_assertion_type", jwtBearer)
	wantError(t, w.call("/oauth2/token", app{}, both), http.StatusBadRequest, "invalid_request")
	r := httptest.NewRequest(http.MethodPost, issuer+"/oauth2/token", strings.NewReader(grant.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(w.machine.ClientID, w.machine.secret)
	r.Header.Add("Authorization", r.Header.Get("Authorization"))
	wantError(t, w.ask(r), http.StatusBadRequest, "invalid_request")
	wantError(t, s.machine(s.assertion(nil), "client_id", w.machine.ClientID), http.StatusBadRequest, "invalid_request")
}

func TestAttack_076_BasicIsStrict(t *testing.T) {
	w := besieged(t)
	odd := w.register(accounts.Registration{
		Name: "Odd", ClientID: "https://rs.example/a+b%20c:d", Type: accounts.MachineClient, Permissions: []string{"posts:add"},
	})
	form := url.Values{"grant_type": {"client_credentials"}}
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	id, key := w.machine.ClientID, w.machine.secret
	for i, header := range []string{
		"Basic", "Basic ", "Basic " + encode(id), "Basic " + encode(":"), "Basic " + encode(":"+key), "Basic " + encode(id+":"), "Basic " + encode(id+":"+key+"x"),
		"Basic " + strings.TrimRight(encode(id+":"+key+"a"), "=") + "\n", "Basic " + encode(id+":"+key) + "=", "Basic " + base64.RawURLEncoding.EncodeToString([]byte(id+"?:~"+key)),
		"Basic " + encode(id+":"+key) + " ", "Basic " + encode(id+":"+key+"\xff"), "Basic " + encode(id+":"+key+"\x00"), "Basic " + encode(id+":"+key+"%00"),
		"Basic " + encode(id+":"+key+"%"), "Basic " + encode(url.QueryEscape(url.QueryEscape(odd.ClientID))+":"+odd.secret), "Basic " + encode(odd.ClientID+":"+odd.secret),
		"Bearer " + encode(id+":"+key), "Digest x", encode(id + ":" + key), "Basic " + encode(id+":"+strings.Repeat("x", 2000)), "Basic " + encode(strings.Repeat("x", 5000)+":y"),
		"Basic " + encode(strings.ToUpper(id)+":"+key), "Basic " + encode(id+":"+strings.ToUpper(key)), "Basic " + encode(id+" :"+key),
	} {
		a := w.basic(i, header, form)
		if a.status != http.StatusUnauthorized || a.str("error") != "invalid_client" || !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Basic ") {
			t.Errorf("header %d: %d %s %q", i, a.status, a.raw, a.header.Get("WWW-Authenticate"))
		}
	}
	for _, header := range []string{
		"Basic " + encode(id+":"+key), "basic " + encode(id+":"+key), "Basic " + encode(url.QueryEscape(odd.ClientID)+":"+odd.secret),
	} {
		if a := w.basic(200, header, form); a.status != http.StatusOK {
			t.Errorf("%s: %d %s", header, a.status, a.raw)
		}
	}
}

func TestAttack_078_OtherMethodThanRegistered(t *testing.T) {
	w := besieged(t)
	s := w.signer()
	for name, form := range map[string]url.Values{
		"secret": {"client_id": {s.ClientID}, "client_secret": {"anything"}}, "nothing": {"client_id": {s.ClientID}},
		"secret client without": {"client_id": {w.machine.ClientID}}, "public client with secret": {"client_id": {w.spa.ClientID}, "client_secret": {"x"}},
		"empty secret": {"client_id": {w.machine.ClientID}, "client_secret": {""}},
	} {
		t.Run(name, func(t *testing.T) {
			form.Set("grant_type", "client_credentials")
			wantError(t, w.call("/oauth2/token", app{}, form), http.StatusUnauthorized, "invalid_client")
		})
	}
	wantError(t, w.call("/oauth2/token", w.spa, url.Values{"grant_type": {"client_credentials"}}), http.StatusBadRequest, "unauthorized_client")
	// An assertion of one client for another.
	wantError(t, s.machine(s.assertion(map[string]any{"iss": w.machine.ClientID, "sub": w.machine.ClientID})), http.StatusUnauthorized, "invalid_client")
}

func TestAttack_079_AssertionUsedTwice(t *testing.T) {
	w := besieged(t)
	s := w.signer()
	once := s.assertion(nil)
	if a := s.machine(once); a.status != http.StatusOK {
		t.Fatal(a.raw)
	}
	wantError(t, s.machine(once), http.StatusUnauthorized, "invalid_client")
	// At another endpoint, and with another signature over the same jti.
	wantError(t, w.call("/oauth2/introspect", app{}, formOf("token", "x", "client_assertion_type", jwtBearer, "client_assertion", once)), http.StatusUnauthorized, "invalid_client")
	wantError(t, s.machine(s.assertion(map[string]any{"jti": claims(t, once)["jti"]})), http.StatusUnauthorized, "invalid_client")
	// One that is refused for something else is not used up.
	again := id.New().String()
	wantError(t, s.machine(s.assertion(map[string]any{"jti": again, "aud": "https://other.example"})), http.StatusUnauthorized, "invalid_client")
	if a := s.machine(s.assertion(map[string]any{"jti": again})); a.status != http.StatusOK {
		t.Errorf("the jti was burned: %s", a.raw)
	}
	// Another client may choose the same jti.
	other := w.signer()
	if a := other.machine(other.assertion(map[string]any{"jti": again})); a.status != http.StatusOK {
		t.Errorf("the jti of another client: %s", a.raw)
	}
}

func TestAttack_080_and_081_AssertionClaims(t *testing.T) {
	w := besieged(t)
	s := w.signer()
	now := w.clock.now().Unix()
	for name, change := range map[string]map[string]any{
		"080 token endpoint": {"aud": issuer + "/oauth2/token"}, "080 array": {"aud": []string{issuer}}, "080 two": {"aud": []string{issuer, "https://evil.example"}},
		"080 other": {"aud": "https://evil.example"}, "080 none": {"aud": nil}, "080 slash": {"aud": issuer + "/"}, "080 number": {"aud": 5},
		"081 no exp": {"exp": nil}, "081 ten years": {"exp": now + 10*365*86400}, "081 expired": {"exp": now - 1}, "081 iat ahead": {"iat": now + 120},
		"081 nbf ahead": {"nbf": now + 120}, "081 sub": {"sub": w.machine.ClientID}, "081 iss": {"iss": w.machine.ClientID}, "081 no jti": {"jti": nil},
		"081 long jti": {"jti": strings.Repeat("j", 300)}, "081 text exp": {"exp": "soon"}, "081 huge exp": {"exp": 1e300}, "081 negative": {"exp": -1},
		"081 nul jti": {"jti": "a\x00b"}, "081 nul sub": {"sub": s.ClientID + "\x00", "iss": s.ClientID + "\x00"},
	} {
		t.Run(name, func(t *testing.T) {
			w.clock.advance(time.Minute) // failures are counted
			if change["iat"] == nil {
				change["iat"] = w.clock.now().Unix()
			}
			if _, ok := change["exp"]; !ok {
				change["exp"] = w.clock.now().Unix() + 60
			}
			for _, c := range []string{"iat", "nbf"} {
				if v, ok := change[c].(int64); ok && v == now+120 {
					change[c] = w.clock.now().Unix() + 120
				}
			}
			wantError(t, s.machine(s.assertion(change)), http.StatusUnauthorized, "invalid_client")
		})
	}
	w.clock.advance(time.Minute)
	for _, name := range []string{"iat", "nbf"} {
		if a := s.machine(s.assertion(map[string]any{name: w.clock.now().Unix() + 10})); a.status != http.StatusOK {
			t.Errorf("%s ten seconds ahead: %s", name, a.raw)
		}
	}
}

// PostgreSQL keeps no NUL in a text: a name with one must be a client's fault, not
// ours.
func TestAttack_081_NulInNames(t *testing.T) {
	besiegedOnEach(t, func(t *testing.T, w *world) {
		s := w.signer()
		wantError(t, s.machine(s.assertion(map[string]any{"sub": "a\x00b", "iss": "a\x00b"})), http.StatusUnauthorized, "invalid_client")
		wantError(t, s.machine(s.assertion(map[string]any{"jti": "a\x00b"})), http.StatusUnauthorized, "invalid_client")
		wantError(t, s.machine(s.assertion(map[string]any{"sub": "a\xffb"})), http.StatusUnauthorized, "invalid_client")
	})
}

func TestAttack_082_SecretGuessing(t *testing.T) {
	w := besieged(t)
	form := url.Values{"grant_type": {"client_credentials"}}
	wrong := app{w.machine.Client, "wrong-wrong-wrong-wrong"}
	refused := 0
	for range 140 {
		if a := w.call("/oauth2/token", wrong, form); a.status == http.StatusTooManyRequests {
			refused++
			if a.header.Get("Retry-After") == "" || a.str("error") != "temporarily_unavailable" {
				t.Fatalf("%v %s", a.header, a.raw)
			}
		}
	}
	if refused < 30 {
		t.Errorf("%d of 140 guesses were refused for their number", refused)
	}
	// The client itself, elsewhere, is not locked out; nor is another one here.
	header := "Basic " + base64.StdEncoding.EncodeToString([]byte(w.machine.ClientID+":"+w.machine.secret))
	if a := w.basic(1, header, form); a.status != http.StatusOK {
		t.Errorf("elsewhere: %d %s", a.status, a.raw)
	}
	if a := w.introspect(w.resource, "x"); a.status != http.StatusOK {
		t.Errorf("another client: %d %s", a.status, a.raw)
	}
	w.clock.advance(time.Minute)
	if a := w.call("/oauth2/token", w.machine, form); a.status != http.StatusOK {
		t.Errorf("a minute later: %d %s", a.status, a.raw)
	}
}

func TestAttack_084_SecretRotation(t *testing.T) {
	w := besieged(t)
	form := url.Values{"grant_type": {"client_credentials"}}
	text, err := w.clients.RotateSecret(t.Context(), tester, w.machine.ClientID, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	next := app{w.machine.Client, text.Reveal()}
	for _, c := range []app{w.machine, next} {
		if a := w.call("/oauth2/token", c, form); a.status != http.StatusOK {
			t.Errorf("in the overlap: %s", a.raw)
		}
	}
	w.clock.advance(time.Hour)
	wantError(t, w.call("/oauth2/token", w.machine, form), http.StatusUnauthorized, "invalid_client")
	if a := w.call("/oauth2/token", next, form); a.status != http.StatusOK {
		t.Errorf("the new secret: %s", a.raw)
	}
}

func TestAttack_088_DisabledClient(t *testing.T) {
	w := besieged(t)
	got := w.tokens(w.web, w.user, postsScope)
	if err := w.clients.Disable(t.Context(), tester, w.web.ClientID); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/oauth2/token", "/oauth2/introspect", "/oauth2/revoke", "/oauth2/par"} {
		form := formOf("grant_type", "refresh_token", "refresh_token", got.str("refresh_token"), "token", got.str("access_token"))
		wantError(t, w.call(path, w.web, form), http.StatusUnauthorized, "invalid_client")
	}
	if w.alive(got.str("access_token")) {
		t.Error("a token of the disabled client lives")
	}
	// Enabled again, what it had stays ended.
	if err := w.clients.Enable(t.Context(), tester, w.web.ClientID); err != nil {
		t.Fatal(err)
	}
	wantError(t, w.refresh(w.web, got.str("refresh_token")), http.StatusBadRequest, "invalid_grant")
	if w.alive(got.str("access_token")) {
		t.Error("a token from before lives")
	}
}

func TestAttack_090_GrantTypes(t *testing.T) {
	w := besieged(t)
	for _, c := range []struct {
		client    app
		grant     string
		wantError string
	}{
		{w.machine, "authorization_code", "unauthorized_client"}, {w.machine, "refresh_token", "unauthorized_client"},
		{w.web, "client_credentials", "unauthorized_client"}, {w.resource, "authorization_code", "unauthorized_client"},
		{w.web, "password", "unsupported_grant_type"}, {w.web, "urn:ietf:params:oauth:grant-type:jwt-bearer", "unsupported_grant_type"},
		{w.web, "urn:ietf:params:oauth:grant-type:device_code", "unsupported_grant_type"}, {w.web, "implicit", "unsupported_grant_type"},
		{w.web, "AUTHORIZATION_CODE", "unsupported_grant_type"}, {w.web, "authorization_code refresh_token", "unsupported_grant_type"}, {w.web, "", "invalid_request"},
	} {
		a := w.call("/oauth2/token", c.client, formOf("grant_type", c.grant, "code", "x", "refresh_token", "x", "username", "ada", "password", "x"))
		wantError(t, a, http.StatusBadRequest, c.wantError)
	}
}

func TestAttack_091_ClientNamedLikeAPerson(t *testing.T) {
	w := besieged(t)
	_, _, err := w.clients.Register(t.Context(), tester, accounts.Registration{
		Name: "Impostor", ClientID: w.user.Subject, Type: accounts.MachineClient,
	})
	if !errors.Is(err, accounts.ErrConflict) {
		t.Errorf("error %v, want a conflict", err)
	}
	// A machine's own token is no person's.
	a := w.call("/oauth2/token", w.machine, url.Values{"grant_type": {"client_credentials"}})
	wantUserinfo(t, w, a.str("access_token"), http.StatusForbidden)
}

func basicOf(clientID, key string) string {
	return base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(clientID) + ":" + url.QueryEscape(key)))
}
