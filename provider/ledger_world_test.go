package provider_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/provider"
	"github.com/gatehouse-id/gatehouse/provider/granting"
	"github.com/gatehouse-id/gatehouse/provider/keys"
	"github.com/gatehouse-id/gatehouse/provider/token"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// ledgerHead is the position of the last row.
func ledgerHead(t *testing.T, s *server) int64 {
	t.Helper()
	h, err := s.db.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return h.Position
}

// ledgerRows are the kinds and reasons of the rows after a position.
func ledgerRows(t *testing.T, s *server, after int64) []revocation.Row {
	t.Helper()
	rows, err := s.db.After(t.Context(), after, 100)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// ledgerAppend writes rows without their causes.
func ledgerAppend(t *testing.T, s *server, entries ...revocation.Entry) {
	t.Helper()
	ledgerMust(t, s.db.InTx(t.Context(), func(ctx context.Context) error { return s.db.Append(ctx, entries...) }))
}

func ledgerMust(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ledgerActive asks the introspection endpoint as the resource server.
func ledgerActive(t *testing.T, s *server, resource app, access string) bool {
	t.Helper()
	a := s.introspect(resource, access)
	active, ok := a.json["active"].(bool)
	if a.status != http.StatusOK || !ok {
		t.Fatalf("introspection: %d %s", a.status, a.raw)
	}
	return active
}

// ledgerUserinfo is the status of the userinfo endpoint for a token.
func ledgerUserinfo(s *server, access string) int {
	r := httptest.NewRequest(http.MethodGet, issuer+"/userinfo", nil)
	r.Header.Set("Authorization", "Bearer "+access)
	return s.ask(r).status
}

// ledgerRev is the rev of a token.
func ledgerRev(t *testing.T, access string) int64 {
	t.Helper()
	return int64(claims(t, access)["rev"].(float64))
}

// ledgerKid is the kid in a token's header.
func ledgerKid(t *testing.T, access string) string {
	t.Helper()
	return decodePart(t, strings.Split(access, ".")[0])["kid"].(string)
}

// ledgerSession is the session that a token names.
func ledgerSession(t *testing.T, access string) id.ID {
	t.Helper()
	sid, err := id.Parse(claims(t, access)["sid"].(string))
	ledgerMust(t, err)
	return sid
}

// ledgerForge signs claims of the test's own with the server's key, as a thief of
// the key would.
func ledgerForge(t *testing.T, s *server, a token.Access) string {
	t.Helper()
	set, err := keys.NewRing(s.db, s.keyring).Current(t.Context())
	ledgerMust(t, err)
	signed, err := token.SignAccess(set, keys.ES256, a)
	ledgerMust(t, err)
	return signed
}

// keeper makes changes to the signing keys, with their rows.
func (s *server) keeper() *keys.Keeper {
	return &keys.Keeper{
		Store: s.db, Keyring: s.keyring, Now: s.clock.now,
		Revoke: func(ctx context.Context, kid, reason string) error {
			return s.db.Append(ctx, revocation.Entry{Kind: revocation.Key, Key: kid, Reason: reason})
		},
	}
}

// between runs something once, right after the provider has read one of the inputs
// of its decision: what then happens lies between its reads, or between its reads
// and its write.
type between struct{ then func() }

func (b *between) run() {
	if then := b.then; then != nil {
		b.then = nil
		then()
	}
}

type betweenClients struct {
	provider.ClientReader
	*between
}

func (h betweenClients) ClientByID(ctx context.Context, clientID string, now int64) (*accounts.Client, accounts.Mark, error) {
	defer h.run()
	return h.ClientReader.ClientByID(ctx, clientID, now)
}

type betweenStandings struct {
	granting.StandingStore
	*between
}

func (h betweenStandings) SessionStanding(ctx context.Context, tokenHash []byte, clientID id.ID, scopes []string, now int64) (*granting.Standing, error) {
	defer h.run()
	return h.StandingStore.SessionStanding(ctx, tokenHash, clientID, scopes, now)
}

func (h betweenStandings) CodeStanding(ctx context.Context, grantID id.ID, now int64) (*granting.Code, *granting.Grant, *granting.Standing, error) {
	defer h.run()
	return h.StandingStore.CodeStanding(ctx, grantID, now)
}

func (h betweenStandings) GrantStanding(ctx context.Context, grantID id.ID, now int64) (*granting.Grant, *granting.Standing, error) {
	defer h.run()
	return h.StandingStore.GrantStanding(ctx, grantID, now)
}

func (h betweenStandings) Audiences(ctx context.Context, permissions, resources []string) (*granting.Catalogue, error) {
	defer h.run()
	return h.StandingStore.Audiences(ctx, permissions, resources)
}

// afterClient runs f after the next read of a client, which nobody remembers.
func (s *server) afterClient(f func()) {
	s.provider.ForgetClients()
	s.provider.Clients = betweenClients{s.db, &between{f}}
}

// afterStanding runs f after the next read of a standing.
func (s *server) afterStanding(f func()) {
	s.provider.Standings = betweenStandings{s.db, &between{f}}
}

// keptRequests remembers the last pushed request, as a replica would that lags.
type keptRequests struct {
	pushed
	key   string
	value []byte
}

func (k *keptRequests) Put(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	k.key, k.value = key, value
	return k.pushed.Put(ctx, key, value, ttl)
}
