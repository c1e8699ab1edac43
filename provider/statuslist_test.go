package provider_test

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/provider/keys"
	"github.com/gatehouse-id/gatehouse/provider/statuslist"
	"github.com/gatehouse-id/gatehouse/revocation"
)

var _ statuslist.Ledger = (*revocation.Tail)(nil)

// listed is a world whose API of posts asks for status lists.
type listed struct {
	*world
	lists   *statuslist.Lists
	handler http.Handler
}

func newListed(t *testing.T, s *server) *listed {
	t.Helper()
	w := newWorld(t, s)
	yes := true
	if _, err := s.apis.Update(t.Context(), tester, posts, accounts.APISettings{StatusList: &yes}); err != nil {
		t.Fatal(err)
	}
	if s.provider.Tail == nil {
		s.follow()
	}
	base, _ := url.Parse(issuer)
	l := &statuslist.Lists{
		Issuer: base, Store: s.db, Ledger: s.tail, Keys: keys.NewRing(s.db, s.keyring),
		Now: time.Now, Log: slog.New(slog.DiscardHandler), TTL: time.Nanosecond, // made for each who asks
	}
	s.provider.Statuses = l
	router := web.NewRouter()
	l.Mount(router)
	return &listed{w, l, router}
}

// reference is what a token says about its place.
func reference(t *testing.T, access string) (uri string, index int64) {
	t.Helper()
	status, ok := claims(t, access)["status"].(map[string]any)
	list, ok2 := status["status_list"].(map[string]any)
	if !ok || !ok2 || len(status) != 1 || len(list) != 2 {
		t.Fatalf("status %v", claims(t, access)["status"])
	}
	return list["uri"].(string), int64(list["idx"].(float64))
}

// dead reads the bit of a token.
func (l *listed) dead(t *testing.T, access string) bool {
	t.Helper()
	uri, index := reference(t, access)
	rec := httptest.NewRecorder()
	l.handler.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, uri, nil))
	if rec.Code != http.StatusOK {
		t.Fatalf("%s: %d %s", uri, rec.Code, rec.Body)
	}
	list := claims(t, rec.Body.String())
	if list["sub"] != uri || list["iss"] != issuer {
		t.Errorf("a list of %v by %v", list["sub"], list["iss"])
	}
	compressed, err := base64.RawURLEncoding.DecodeString(list["status_list"].(map[string]any)["lst"].(string))
	if err != nil {
		t.Fatal(err)
	}
	r, err := zlib.NewReader(bytes.NewReader(compressed))
	if err != nil {
		t.Fatal(err)
	}
	bits, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return bits[index/8]>>(index%8)&1 == 1
}

// ending is something that ends a token of the world's user, and not the grant.
type ending struct {
	what string
	do   func(access string) error
}

func (l *listed) endings(t *testing.T) []ending {
	ctx := t.Context()
	s := l.server
	return []ending{
		{"the session ended", func(access string) error {
			return s.sessions.SignOut(ctx, tester, l.user.Subject, ledgerSession(t, access))
		}},
		{"the token was revoked", func(access string) error {
			if got := s.call("/oauth2/revoke", l.web, url.Values{"token": {access}}); got.status != http.StatusOK {
				return errors.New(got.raw)
			}
			return nil
		}},
		{"a membership ended", func(string) error {
			if err := s.groups.RemoveMember(ctx, tester, "Editors", l.user.Subject); err != nil {
				return err
			}
			return s.groups.AddMember(ctx, tester, "Editors", l.user.Subject, 0)
		}},
		{"a permission was taken", func(string) error {
			if err := s.groups.RevokePermission(ctx, tester, "Editors", "posts:add"); err != nil {
				return err
			}
			return s.groups.GrantPermission(ctx, tester, "Editors", "posts:add")
		}},
		{"everything was", func(string) error {
			return s.db.InTx(ctx, func(ctx context.Context) error {
				return s.db.Append(ctx, revocation.Entry{Kind: revocation.All, Reason: "test"})
			})
		}},
	}
}

// TestStatusListShowsWhatWasRevoked: each cause sets the bit of the tokens that it
// ends, and the next token of a refresh has a place of its own that is not set.
func TestStatusListShowsWhatWasRevoked(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		l := newListed(t, s)
		ctx := t.Context()
		first := l.tokens(l.web, l.user, "openid offline_access posts:add")
		access := first.str("access_token")
		bystander := l.call("/oauth2/token", l.machine, url.Values{"grant_type": {"client_credentials"}, "scope": {"posts:delete"}})
		if l.dead(t, access) || l.dead(t, bystander.str("access_token")) {
			t.Fatal("a fresh token's bit is set")
		}
		refresh := first.str("refresh_token")
		for _, cause := range l.endings(t) {
			before, at := reference(t, access)
			if err := cause.do(access); err != nil {
				t.Fatalf("%s: %v", cause.what, err)
			}
			if !l.dead(t, access) {
				t.Errorf("%s: the bit is not set", cause.what)
			}
			next := s.refresh(l.web, refresh)
			if next.status != http.StatusOK {
				t.Fatalf("%s: %s", cause.what, next.raw)
			}
			old := access
			access, refresh = next.str("access_token"), next.str("refresh_token")
			if uri, index := reference(t, access); uri == before && index == at {
				t.Errorf("%s: the next token stands where the last one did", cause.what)
			}
			if l.dead(t, access) || !l.dead(t, old) {
				t.Errorf("%s: the next token's bit %t, the old one's %t", cause.what, l.dead(t, access), l.dead(t, old))
			}
		}
		if err := s.clients.Disable(ctx, tester, l.machine.ClientID); err != nil {
			t.Fatal(err)
		}
		if !l.dead(t, bystander.str("access_token")) {
			t.Error("the client was disabled: the bit is not set")
		}
	})
}

// TestStatusListIsOptIn: tokens of other APIs have no claim and no row.
func TestStatusListIsOptIn(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		l := newListed(t, s)
		a := l.tokens(l.web, l.user, "openid photos:add")
		if status, ok := claims(t, a.str("access_token"))["status"]; ok {
			t.Errorf("a token for another API has the status %v", status)
		}
		if lists, err := s.db.StatusLists(t.Context(), 10); len(lists) != 0 || err != nil {
			t.Errorf("lists %v, %v", lists, err)
		}
		with := l.tokens(l.web, l.user, "openid profile email offline_access posts:add").str("access_token")
		reference(t, with)
		if len(with) > 800 {
			t.Errorf("a token with a place takes %d bytes", len(with))
		}
	})
}

// TestStatusListOrNoToken: a token that could never be shown revoked is not given.
func TestStatusListOrNoToken(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		l := newListed(t, s)
		ask := func() answer {
			return s.call("/oauth2/token", l.machine, url.Values{"grant_type": {"client_credentials"}, "scope": {"posts:add"}})
		}
		for what, statuses := range map[string]*statuslist.Lists{
			"no lists":            nil,
			"a store that is out": {Issuer: s.provider.Issuer, Store: brokenStatuses{}, Now: time.Now},
		} {
			if s.provider.Statuses = nil; statuses != nil {
				s.provider.Statuses = statuses
			}
			if a := ask(); a.status != http.StatusServiceUnavailable || a.str("access_token") != "" {
				t.Errorf("%s: %d %s", what, a.status, a.raw)
			}
		}
		s.provider.Statuses = l.lists
		if a := ask(); a.status != http.StatusOK {
			t.Errorf("with lists: %d %s", a.status, a.raw)
		}
	})
}

type brokenStatuses struct{ statuslist.Store }

func (brokenStatuses) TakeStatusIndexes(context.Context, string, string, int) (statuslist.Place, error) {
	return statuslist.Place{}, errors.New("out")
}

func TestStatusListInTheMetadata(t *testing.T) {
	s := newServer(t, sqliteURL(t))
	read := func() any {
		r := httptest.NewRequest(http.MethodGet, issuer+"/.well-known/oauth-authorization-server", nil)
		return s.ask(r).json["status_list_aggregation_endpoint"]
	}
	base, _ := url.Parse(issuer)
	s.provider.Statuses = &statuslist.Lists{Issuer: base}
	if got := read(); got != issuer+"/status" {
		t.Errorf("aggregation %v", got)
	}
}
