package provider_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/provider/keys"
	"github.com/gatehouse-id/gatehouse/provider/token"
)

// bareServer is the measuring stick of BenchmarkCost: net/http and pgx, the same
// signatures and tokens, keys and clients in memory, one durable statement for each
// step, and no policy at all. Nobody should use it.
type bareServer struct {
	pool *pgxpool.Pool
	set  *keys.Set
	f    costFixtures
}

const bareTables = `
CREATE TABLE bare_codes (hash bytea PRIMARY KEY, sub text NOT NULL, challenge text NOT NULL, used boolean NOT NULL DEFAULT false) WITH (fillfactor = 80);
CREATE TABLE bare_grants (hash bytea NOT NULL, id bytea PRIMARY KEY, sub text NOT NULL) WITH (fillfactor = 80);
CREATE TABLE bare_users (sub text PRIMARY KEY, name text NOT NULL, email text NOT NULL);
INSERT INTO bare_users VALUES ('sub-of-twenty-two-char', 'Ada', 'ada@example.com');`

func newBareServer(t *testing.T, database string) (http.Handler, costFixtures) {
	s := newServer(t, database) // for its keys
	set, err := keys.NewRing(s.db, s.keyring).Current(t.Context())
	ledgerMust(t, err)
	pool, err := pgxpool.New(t.Context(), database)
	ledgerMust(t, err)
	t.Cleanup(pool.Close)
	_, err = pool.Exec(t.Context(), bareTables)
	ledgerMust(t, err)
	client := [2]string{"client-of-twenty-two-c", "secret-of-forty-three-characters-0123456789"}
	b := &bareServer{pool: pool, set: set, f: costFixtures{
		App: client, Machine: client, Resource: client, CookieName: "session", Cookie: rand.Text(),
		Authorization: url.Values{
			"client_id": {client[0]}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {benchScope}, "state": {"state-1"},
			"nonce": {"nonce-1"}, "code_challenge": {challengeOf(verifier)}, "code_challenge_method": {"S256"},
		}.Encode(),
	}}
	mux := http.NewServeMux()
	mux.HandleFunc("/oauth2/authorize", b.authorize)
	mux.HandleFunc("/oauth2/token", b.token)
	mux.HandleFunc("/oauth2/introspect", b.introspect)
	mux.HandleFunc("/userinfo", b.userinfo)
	mux.HandleFunc("/.well-known/jwks.json", func(w http.ResponseWriter, _ *http.Request) {
		body, _ := set.JWKS()
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	})
	return mux, b.f
}

func (b *bareServer) authorize(w http.ResponseWriter, r *http.Request) {
	cookie, err := r.Cookie(b.f.CookieName)
	if err != nil || cookie.Value != b.f.Cookie {
		http.Error(w, "no", http.StatusForbidden)
		return
	}
	q := r.URL.Query()
	code := rand.Text()
	hash := sha256.Sum256([]byte(code))
	_, err = b.pool.Exec(r.Context(), "INSERT INTO bare_codes (hash, sub, challenge) VALUES ($1, $2, $3)", hash[:], "sub-of-twenty-two-char", q.Get("code_challenge"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Location", q.Get("redirect_uri")+"?"+url.Values{"code": {code}, "state": {q.Get("state")}}.Encode())
	w.WriteHeader(http.StatusSeeOther)
}

func (b *bareServer) token(w http.ResponseWriter, r *http.Request) {
	if !b.authenticated(r) || r.ParseForm() != nil {
		http.Error(w, "no", http.StatusUnauthorized)
		return
	}
	sub, refresh, gid := b.f.Machine[0], "", ""
	var err error
	switch r.PostForm.Get("grant_type") {
	case "authorization_code":
		var challenge string
		hash := sha256.Sum256([]byte(r.PostForm.Get("code")))
		refresh, gid = rand.Text(), id.New().String()
		next := sha256.Sum256([]byte(refresh))
		err = b.pool.QueryRow(r.Context(), `WITH c AS (UPDATE bare_codes SET used = true WHERE hash = $1 AND NOT used RETURNING sub, challenge),
  g AS (INSERT INTO bare_grants (hash, id, sub) SELECT $2, $3, sub FROM c)
SELECT sub, challenge FROM c`, hash[:], next[:], next[:16]).Scan(&sub, &challenge)
		if err == nil && challenge != challengeOf(r.PostForm.Get("code_verifier")) {
			err = context.Canceled
		}
	case "refresh_token":
		old := sha256.Sum256([]byte(r.PostForm.Get("refresh_token")[:26]))
		refresh, gid = rand.Text(), id.New().String()
		next := sha256.Sum256([]byte(refresh))
		first := []byte(r.PostForm.Get("refresh_token")[26:])
		key, _ := id.Parse(string(first))
		err = b.pool.QueryRow(r.Context(), "UPDATE bare_grants SET hash = $1 WHERE id = $2 AND hash = $3 RETURNING sub", next[:], key[:], old[:]).Scan(&sub)
		refresh += string(first)
	}
	if refresh != "" && len(refresh) == 26 {
		next := sha256.Sum256([]byte(refresh))
		refresh += id.ID(next[:16]).String()
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	b.answer(w, sub, gid, refresh)
}

func (b *bareServer) answer(w http.ResponseWriter, sub, gid, refresh string) {
	now := time.Now().Unix()
	access, err := token.SignAccess(b.set, keys.ES256, token.Access{
		Issuer: issuer, Subject: sub, Audience: posts, ClientID: b.f.App[0], IssuedAt: now, ExpiresAt: now + 600,
		ID: id.New().String(), Scope: benchScope, GrantID: gid, SessionID: gid,
	})
	answer := map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": 600, "scope": benchScope}
	if err == nil && refresh != "" {
		answer["refresh_token"] = refresh
		answer["id_token"], err = token.SignID(b.set, keys.ES256, token.ID{
			Issuer: issuer, Subject: sub, Audience: b.f.App[0], IssuedAt: now, ExpiresAt: now + 600, Nonce: "nonce-1", AccessToken: access,
		})
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	writeBare(w, answer)
}

func (b *bareServer) authenticated(r *http.Request) bool {
	name, key, _ := r.BasicAuth()
	got, want := sha256.Sum256([]byte(key)), sha256.Sum256([]byte(b.f.App[1]))
	return name == b.f.App[0] && subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

func (b *bareServer) introspect(w http.ResponseWriter, r *http.Request) {
	if !b.authenticated(r) || r.ParseForm() != nil {
		http.Error(w, "no", http.StatusUnauthorized)
		return
	}
	a, err := token.ParseAccess(b.set, issuer, r.PostForm.Get("token"), time.Now())
	var found bool
	if err == nil {
		err = b.pool.QueryRow(r.Context(), "SELECT EXISTS (SELECT 1 FROM bare_users WHERE sub = $1)", a.Subject).Scan(&found)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	writeBare(w, map[string]any{"active": true, "sub": a.Subject, "scope": a.Scope, "client_id": a.ClientID, "exp": a.ExpiresAt, "iat": a.IssuedAt, "aud": a.Audience, "jti": a.ID})
}

func (b *bareServer) userinfo(w http.ResponseWriter, r *http.Request) {
	raw := r.Header.Get("Authorization")
	a, err := token.ParseAccess(b.set, issuer, raw[min(len(raw), len("Bearer ")):], time.Now())
	var name, email string
	if err == nil {
		err = b.pool.QueryRow(r.Context(), "SELECT name, email FROM bare_users WHERE sub = $1", a.Subject).Scan(&name, &email)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	writeBare(w, map[string]any{"sub": a.Subject, "name": name, "email": email})
}

func writeBare(w http.ResponseWriter, v any) {
	body, _ := json.Marshal(v)
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body)
}
