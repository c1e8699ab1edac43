package storagetest

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/revocation"
)

func plainClient(clientID string) *accounts.Client {
	return &accounts.Client{
		ID: id.New(), ClientID: clientID, Name: clientID, Type: accounts.WebClient,
		AuthMethod: accounts.AuthNone, CreatedAt: 1, UpdatedAt: 1,
	}
}

// fullClient has something in every column but ValidFrom and APIID.
func fullClient(clientID string) *accounts.Client {
	return &accounts.Client{
		ID: id.New(), ClientID: clientID, Name: "An \"app\" \\ ünïcode", Type: accounts.SPAClient,
		AuthMethod: accounts.AuthPrivateKeyJWT, JWKS: `{"keys":[]}`,
		GrantTypes: []string{"authorization_code", "refresh_token"}, RedirectURIs: []string{"https://a.example/cb?x=\"y\"", "app:/cb"},
		PostLogoutRedirectURIs: []string{"https://a.example/out"},
		BackchannelLogoutURI:   "https://a.example/gone?x=1", BackchannelLogoutSessionRequired: true, Scopes: []string{"openid", "posts:add"},
		OptionalScopes: []string{"posts:add"}, VisibleGroups: []string{"The Editors", "*"},
		HomeURI: "https://a.example", LogoURI: "https://a.example/l", PolicyURI: "https://a.example/p",
		TermsURI: "https://a.example/t", IDTokenAlgorithm: "ES256", FirstParty: true, RequirePKCE: true,
		RequirePAR: true, RotateRefresh: true, RequiredACR: accounts.ACRTwoFactors, Texts: clientTexts(), TokenEndpointAudience: true, AccessTokenLifetime: 1,
		IDTokenLifetime: 2, RefreshIdle: 3, RefreshAbsolute: 4, Demo: true, DisabledAt: 5, CreatedAt: 6, UpdatedAt: 7,
	}
}

func clientTexts() accounts.Texts {
	return accounts.Texts{
		"de":    {Name: `Eine "App" \ <größer>`, PolicyURI: "https://a.example/p?x=1&l=de"},
		"pt-BR": {TermsURI: "https://a.example/termos"},
	}
}

func wantClient(t *testing.T, s Identity, want *accounts.Client) {
	t.Helper()
	got, _, err := s.ClientByID(t.Context(), want.ClientID, 1000)
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("client (-want +got):\n%s", diff)
	}
}

func clientKept(t *testing.T, s Identity) {
	ctx := t.Context()
	full, plain := fullClient("https://client.example/id"), plainClient("plain")
	must(t, s.InsertClient(ctx, full))
	must(t, s.InsertClient(ctx, plain))
	wantClient(t, s, full)
	wantClient(t, s, plain)
	again := plainClient("plain")
	wantError(t, s.InsertClient(ctx, again), accounts.ErrConflict)
	_, _, err := s.ClientByID(ctx, "nobody", 0)
	wantError(t, err, accounts.ErrNotFound)
	must(t, s.InTx(ctx, func(ctx context.Context) error {
		got, err := s.LockClient(ctx, full.ClientID)
		must(t, err)
		if diff := cmp.Diff(full, got); diff != "" {
			t.Error(diff)
		}
		return s.Append(ctx, revocation.Entry{Kind: revocation.Client, Key: full.ClientID, Reason: "test"})
	}))
	_, head, err := s.ClientByID(ctx, full.ClientID, 0)
	must(t, err)
	if want := (accounts.Mark{Position: 1, Change: 2}); head != want {
		t.Errorf("head %+v, want %+v", head, want)
	}
	must(t, s.DeleteClient(ctx, full.ID))
	wantError(t, s.DeleteClient(ctx, full.ID), accounts.ErrNotFound)
}

func clientUpdate(t *testing.T, s Identity) {
	ctx := t.Context()
	c := plainClient("app")
	must(t, s.InsertClient(ctx, c))
	want := fullClient("app")
	want.ID, want.CreatedAt = c.ID, c.CreatedAt
	change := *want
	change.ValidFrom, change.CreatedAt, change.ClientID = 99, 77, "another" // none of them is written
	must(t, s.UpdateClient(ctx, &change))
	wantClient(t, s, want)
	want.Texts = nil
	must(t, s.UpdateClient(ctx, want))
	wantClient(t, s, want)
	wantError(t, s.UpdateClient(ctx, plainClient("nobody")), accounts.ErrNotFound)
}

func clientPermissions(t *testing.T, s Identity) {
	ctx := t.Context()
	p := newPermissions(t, s, "https://a.example", "a:x", "a:y", "a:z")
	c := plainClient("machine")
	c.Type, c.Permissions = accounts.MachineClient, []string{"a:x", "a:y"}
	must(t, s.InsertClient(ctx, c))
	wantClient(t, s, c)
	c.Permissions = []string{"a:y", "a:z"}
	must(t, s.UpdateClient(ctx, c))
	wantClient(t, s, c)
	bad := *c
	bad.Name, bad.Permissions = "changed", []string{"a:y", "a:nothing"}
	wantError(t, s.UpdateClient(ctx, &bad), accounts.ErrNotFound)
	wantClient(t, s, c) // all or nothing
	must(t, s.DeletePermission(ctx, p["a:z"].ID))
	c.Permissions = []string{"a:y"}
	wantClient(t, s, c)
	c.Permissions = nil
	must(t, s.UpdateClient(ctx, c))
	wantClient(t, s, c)
}

func clientList(t *testing.T, s Identity) {
	ctx := t.Context()
	p := newPermissions(t, s, "https://rs.example", "a:x")
	for _, name := range []string{"c", "a", "b"} {
		must(t, s.InsertClient(ctx, plainClient(name)))
	}
	rs := plainClient("rs")
	rs.Type, rs.APIID, rs.APIAud, rs.Permissions = accounts.ResourceClient, p["a:x"].APIID, "https://rs.example", []string{"a:x"}
	must(t, s.InsertClient(ctx, rs))
	second := plainClient("rs2")
	second.Type, second.APIID = accounts.ResourceClient, rs.APIID
	wantError(t, s.InsertClient(ctx, second), accounts.ErrConflict) // one resource server's client for each API
	must(t, s.InsertSecret(ctx, rs.ID, accounts.ClientSecret{ID: id.New(), Hash: "mac:x"}))
	list, err := s.ListClients(ctx, "a", 10)
	must(t, err)
	if len(list) != 3 || list[0].ClientID != "b" || list[1].ClientID != "c" {
		t.Fatalf("clients %+v", list)
	}
	if diff := cmp.Diff(*rs, list[2]); diff != "" {
		t.Error(diff)
	}
}

func secrets(t *testing.T, s Identity) {
	ctx := t.Context()
	c := plainClient("app")
	must(t, s.InsertClient(ctx, c))
	all := []accounts.ClientSecret{
		{ID: id.New(), Hash: "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA", CreatedAt: 1},
		{ID: id.New(), Hash: "mac:with spaces and 'quotes'", CreatedAt: 2, ExpiresAt: 2000},
		{ID: id.New(), Hash: "mac:ended", CreatedAt: 3, ExpiresAt: 1000},
	}
	for i := range all {
		must(t, s.InsertSecret(ctx, c.ID, all[len(all)-1-i]))
	}
	c.Secrets = all[:2]
	wantClient(t, s, c)
	if n, err := s.ExpireSecrets(ctx, c.ID, 1500); n != 2 || err != nil {
		t.Errorf("%d expired, %v", n, err)
	}
	c.Secrets[0].ExpiresAt, c.Secrets[1].ExpiresAt = 1500, 1500
	wantClient(t, s, c)
	orphan := accounts.ClientSecret{ID: id.New(), Hash: "mac:x"}
	wantError(t, s.InsertSecret(ctx, id.New(), orphan), accounts.ErrNotFound)
	if err := s.InsertSecret(ctx, c.ID, accounts.ClientSecret{ID: id.New(), Hash: "a\nb"}); err == nil {
		t.Error("a hash with a line break was kept: it would be read as two secrets")
	}
	must(t, s.DeleteClient(ctx, c.ID))
	wantError(t, s.InsertSecret(ctx, c.ID, orphan), accounts.ErrNotFound)
}
