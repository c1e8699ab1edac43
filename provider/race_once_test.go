package provider_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/provider/granting"
)

// TestRace_OneCode: a code presented 64 times is redeemed once, and the other 63
// are replays that end what the winner got (L14, RFC 6749 §4.1.2).
func TestRace_OneCode(t *testing.T) {
	onNodes(t, func(t *testing.T, w *world, nodes []*server) {
		w.allow(w.user, w.web, "openid", "offline_access", "posts:add")
		for range rounds() {
			code := w.signedIn(w.user).code(w.web.request("openid offline_access posts:add"))
			answers := race(racers, func(i int) answer { return nodes[i%len(nodes)].redeem(w.web, code) })
			won := raceWinner(t, answers, http.StatusBadRequest, "invalid_grant")
			raceDead(t, w, nodes, w.web, won)
			if g := raceGrant(t, w, won); g.EndedAt == 0 || g.EndReason != accounts.ReasonCodeReuse {
				t.Errorf("the grant ended at %d because of %q", g.EndedAt, g.EndReason)
			}
		}
	})
}

// TestRace_OneRefreshToken: 64 tabs with one refresh token get the same successor,
// from one rotation (L14, L25).
func TestRace_OneRefreshToken(t *testing.T) {
	onNodes(t, func(t *testing.T, w *world, nodes []*server) {
		for range rounds() {
			raceRefresh(t, w, nodes)
		}
	})
}

func raceRefresh(t *testing.T, w *world, nodes []*server) {
	t.Helper()
	first := w.tokens(w.web, w.user, "openid posts:add")
	answers := race(racers, func(i int) answer {
		return nodes[i%len(nodes)].refresh(w.web, first.str("refresh_token"))
	})
	successors, accesses := map[string]int{}, map[string]int{}
	for _, a := range answers {
		if a.status != http.StatusOK {
			t.Errorf("%d %s", a.status, a.raw)
		}
		successors[a.str("refresh_token")]++
		accesses[a.str("access_token")]++
	}
	if len(successors) != 1 || successors[""] != 0 || successors[first.str("refresh_token")] != 0 {
		t.Errorf("%d different successors", len(successors))
	}
	if len(accesses) != racers {
		t.Errorf("%d different access tokens, want one each", len(accesses))
	}
	g := raceGrant(t, w, first)
	if g.EndedAt != 0 || g.Refresh.Generation != 2 || len(g.Refresh.Recent) != 1 {
		t.Errorf("ended %d, generation %d after %d rotations", g.EndedAt, g.Refresh.Generation, len(g.Refresh.Recent))
	}
	if a := nodes[0].refresh(w.web, answers[0].str("refresh_token")); a.status != http.StatusOK {
		t.Errorf("the successor does not work: %s", a.raw)
	}
}

// raceGrant reads the grant of an answer's access token.
func raceGrant(t *testing.T, w *world, a answer) *granting.Grant {
	t.Helper()
	gid, err := id.Parse(claims(t, a.str("access_token"))["gid"].(string))
	if err != nil {
		t.Fatal(err)
	}
	g, _, err := w.db.GrantStanding(t.Context(), gid, w.clock.now().UnixMilli())
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestRace_OneAssertion: a client assertion proves its client once (RFC 7523 §3).
func TestRace_OneAssertion(t *testing.T) {
	onNodes(t, func(t *testing.T, w *world, nodes []*server) {
		signer := newAssertionSigner(t)
		c := w.register(accounts.Registration{
			Name: "Signing", Type: accounts.MachineClient, AuthMethod: accounts.AuthPrivateKeyJWT,
			JWKS: signer.jwks, Permissions: []string{"posts:add"},
		})
		form := signer.form(t, c, id.New().String())
		answers := race(racers, func(i int) answer {
			return nodes[i%len(nodes)].call("/oauth2/token", c, form)
		})
		won := 0
		for _, a := range answers {
			switch {
			case a.status == http.StatusOK:
				won++
			default:
				wantError(t, a, http.StatusUnauthorized, "invalid_client")
			}
		}
		if won != 1 {
			t.Errorf("%d answers with 200, want one", won)
		}
	})
}

// assertionSigner is a client's own key.
type assertionSigner struct {
	signer jose.Signer
	jwks   string
}

func newAssertionSigner(t *testing.T) assertionSigner {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	options := (&jose.SignerOptions{}).WithHeader("kid", "one")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: key.Public(), KeyID: "one", Algorithm: "ES256", Use: "sig"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return assertionSigner{signer, string(set)}
}

// form is a request for client credentials, proven by an assertion with a jti.
func (s assertionSigner) form(t *testing.T, c app, jti string) url.Values {
	t.Helper()
	now := time.Now()
	payload, err := json.Marshal(map[string]any{
		"iss": c.ClientID, "sub": c.ClientID, "aud": issuer, "jti": jti,
		"iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
	})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := s.signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	assertion, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return url.Values{
		"grant_type":            {"client_credentials"},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {assertion},
	}
}

// TestRace_OnePushedRequest: 64 tabs of one person open the same pushed request;
// one gets its code, the others a page (RFC 9126 §4).
func TestRace_OnePushedRequest(t *testing.T) {
	onNodes(t, func(t *testing.T, w *world, nodes []*server) {
		w.allow(w.user, w.web, "openid", "posts:add")
		requestURI := racePush(t, w)
		signedIn := w.signedIn(w.user)
		type page struct {
			status   int
			location string
		}
		pages := race(racers, func(i int) page {
			resp := raceTab(signedIn, nodes[i%len(nodes)]).authorize(url.Values{
				"client_id": {w.web.ClientID}, "request_uri": {requestURI},
			})
			return page{resp.StatusCode, resp.Header.Get("Location")}
		})
		var codes []string
		for _, p := range pages {
			if p.status == http.StatusBadRequest && p.location == "" {
				continue
			}
			at, err := url.Parse(p.location)
			if err != nil || p.status != http.StatusSeeOther || at.Query().Get("code") == "" {
				t.Errorf("%d to %q: neither the code nor an error page", p.status, p.location)
				continue
			}
			codes = append(codes, at.Query().Get("code"))
		}
		if len(codes) != 1 {
			t.Fatalf("%d codes, want one", len(codes))
		}
		if a := w.redeem(w.web, codes[0]); a.status != http.StatusOK {
			t.Errorf("the code does not work: %s", a.raw)
		}
	})
}

// racePush pushes an ordinary request and returns its request_uri.
func racePush(t *testing.T, w *world) string {
	t.Helper()
	a := w.call("/oauth2/par", w.web, w.web.request("openid posts:add"))
	if a.status != http.StatusCreated || a.str("request_uri") == "" {
		t.Fatalf("%d %s", a.status, a.raw)
	}
	return a.str("request_uri")
}
