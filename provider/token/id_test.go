package token_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/provider/keys"
	"github.com/gatehouse-id/gatehouse/provider/token"
)

func exampleID() token.ID {
	return token.ID{
		Issuer: issuer, Subject: "s", Audience: "c", IssuedAt: now.Unix(), ExpiresAt: now.Add(10 * time.Minute).Unix(),
		AuthTime: now.Unix() - 1, Nonce: "n", ACR: "1", AMR: []string{"pwd"}, SessionID: "d",
	}
}

func TestIDTokenClaims(t *testing.T) {
	h := newHouse(t)
	full := exampleID()
	full.AuthorizedParty = "c"
	full.Extra = map[string]any{"name": "Ann & <Bob>", "email_verified": true, "address": map[string]any{"country": "NO"}}
	full.AccessToken, full.Code = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y", "Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk"
	// The hashes are those of OpenID Connect Core, appendices A.4 and A.6 (RS256).
	want := `{"iss":"http://localhost:8400","sub":"s","aud":"c","azp":"c","exp":1795000600,"iat":1795000000,` +
		`"auth_time":1794999999,"nonce":"n","acr":"1","amr":["pwd"],"at_hash":"77QmUPtjPfzWtF2AnpK9RQ","c_hash":"LDktKdoQak3Pk0cnXxCltA","sid":"d",` +
		`"address":{"country":"NO"},"email_verified":true,"name":"Ann \u0026 \u003cBob\u003e"}`
	raw, err := token.SignID(h.set, keys.RS256, full)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, string(payloadOf(t, raw))); d != "" {
		t.Error(d)
	}
	bare := token.ID{Issuer: "i", Subject: "s", Audience: "c", IssuedAt: 1, ExpiresAt: 2}
	raw, err = token.SignID(h.set, keys.ES256, bare)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(`{"iss":"i","sub":"s","aud":"c","exp":2,"iat":1}`, string(payloadOf(t, raw))); d != "" {
		t.Error(d)
	}
}

// The hash is that of the ID token's own algorithm, and Ed25519's is SHA-512.
func TestHashesByAlgorithm(t *testing.T) {
	h := newHouse(t)
	want := map[string]string{
		keys.RS256: "77QmUPtjPfzWtF2AnpK9RQ",
		keys.PS256: "77QmUPtjPfzWtF2AnpK9RQ",
		keys.ES256: "77QmUPtjPfzWtF2AnpK9RQ",
		keys.EdDSA: "q7nS86GgvvFaZkzALLWqJYaJIKw2wCDAVfCAsm5CrBM",
	}
	for _, algorithm := range keys.Algorithms() {
		claims := exampleID()
		claims.AccessToken = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"
		raw, err := token.SignID(h.set, algorithm, claims)
		if err != nil {
			t.Fatal(err)
		}
		got, err := token.ParseHint(h.set, issuer, raw)
		if err != nil || got.AccessTokenHash != want[algorithm] {
			t.Errorf("%s: at_hash %q, %v", algorithm, got.AccessTokenHash, err)
		}
	}
}

func TestSignIDRefuses(t *testing.T) {
	h := newHouse(t)
	tests := map[string]func(*token.ID){
		"no issuer":       func(i *token.ID) { i.Issuer = "" },
		"no subject":      func(i *token.ID) { i.Subject = "" },
		"no audience":     func(i *token.ID) { i.Audience = "" },
		"no iat":          func(i *token.ID) { i.IssuedAt = 0 },
		"backwards":       func(i *token.ID) { i.ExpiresAt = i.IssuedAt },
		"extra sub":       func(i *token.ID) { i.Extra = map[string]any{"sub": "admin"} },
		"extra azp":       func(i *token.ID) { i.Extra = map[string]any{"azp": "x"} },
		"extra nonce":     func(i *token.ID) { i.Extra = map[string]any{"nonce": "x"} },
		"extra events":    func(i *token.ID) { i.Extra = map[string]any{"events": object{}} },
		"extra not JSON":  func(i *token.ID) { i.Extra = map[string]any{"x": make(chan int)} },
		"extra client_id": func(i *token.ID) { i.Extra = map[string]any{"client_id": "x"} },
	}
	for name, edit := range tests {
		t.Run(name, func(t *testing.T) {
			claims := exampleID()
			edit(&claims)
			if raw, err := token.SignID(h.set, keys.ES256, claims); err == nil {
				t.Fatal("minted", raw)
			}
		})
	}
	// Every member of ID is guarded.
	full := exampleID()
	full.AuthorizedParty, full.AccessTokenHash, full.CodeHash = "c", "h", "h"
	var members object
	if err := json.Unmarshal([]byte(text(t, full)), &members); err != nil {
		t.Fatal(err)
	}
	if len(members) != 13 {
		t.Fatalf("%d members: is one left empty here?", len(members))
	}
	for name := range members {
		claims := exampleID()
		claims.Extra = map[string]any{name: "x"}
		if _, err := token.SignID(h.set, keys.ES256, claims); err == nil {
			t.Errorf("extra claim %q replaced ours", name)
		}
	}
}

func TestParseHint(t *testing.T) {
	h := newHouse(t)
	claims := exampleID()
	claims.IssuedAt, claims.ExpiresAt = 1, 2 // expired for decades
	claims.Extra = map[string]any{"name": "x"}
	raw, err := token.SignID(h.set, keys.RS256, claims)
	if err != nil {
		t.Fatal(err)
	}
	got, err := token.ParseHint(h.set, issuer, raw)
	if err != nil {
		t.Fatal(err)
	}
	claims.Extra = nil
	if d := cmp.Diff(claims, got); d != "" {
		t.Error(d)
	}
	body := text(t, exampleID())
	noType := jws(t, h.private[keys.ES256], `{"alg":"ES256","kid":"`+h.kid[keys.ES256]+`"}`, body)
	if _, err := token.ParseHint(h.set, issuer, noType); err != nil {
		t.Error("an ID token without typ:", err)
	}

	forms := hostileForms(t, h, "JWT", body)
	forms["access token"] = mint(t, h, keys.ES256, example())
	header := `{"alg":"ES256","kid":"` + h.kid[keys.ES256] + `","typ":"JWT"}`
	for name, edited := range map[string]string{
		"other issuer": strings.Replace(body, issuer, "https://evil.example", 1),
		"no sub":       strings.Replace(body, `"sub"`, `"sbu"`, 1),
		"aud a list":   strings.Replace(body, `"aud":"c"`, `"aud":["c"]`, 1),
		"no aud":       strings.Replace(body, `"aud"`, `"aux"`, 1),
	} {
		forms[name] = jws(t, h.private[keys.ES256], header, edited)
	}
	forms["key gone"] = jws(t, h.private[keys.ES256], `{"alg":"ES256","kid":"`+h.gone+`","typ":"JWT"}`, body)
	for name, raw := range forms {
		t.Run(name, func(t *testing.T) {
			if got, err := token.ParseHint(h.set, issuer, raw); !errors.Is(err, token.ErrInvalid) {
				t.Fatalf("%+v, %v", got, err)
			}
		})
	}
}
