package storagetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/provider/granting"
)

// World is a database with one person who is signed in, one client and one API,
// for tests and benchmarks of what they do with each other.
type World struct {
	GrantBackend
	At          int64 // the time of everything in it, Unix milliseconds
	User        *accounts.User
	Client      *accounts.Client
	Session     *accounts.Session
	API         *accounts.API
	Permissions map[string]id.ID // by name: posts:add, posts:delete, posts:read
	Group       *accounts.Group  // empty: nobody is in it and it holds nothing

	remove []func(context.Context) error // deletes what was added
}

// end deletes what was added, and all that hangs on it, so that another world can
// begin in the same database.
func (w *World) end(tb testing.TB) {
	tb.Helper()
	for _, remove := range w.remove {
		if err := remove(context.Background()); err != nil && !errors.Is(err, accounts.ErrNotFound) {
			tb.Errorf("end the world: %v", err)
		}
	}
}

// inWorlds runs each check as a test in a world of its own. The worlds come one
// after the other in one database, which takes longer to make than they do.
func inWorlds(t *testing.T, b GrantBackend, checks map[string]func(*testing.T, *World)) {
	t.Helper()
	for name, check := range checks {
		t.Run(name, func(t *testing.T) {
			w := NewWorld(t, b)
			defer w.end(t)
			check(t, w)
		})
	}
}

// NewWorld fills an empty database.
func NewWorld(tb testing.TB, b GrantBackend) *World {
	tb.Helper()
	w := &World{GrantBackend: b, At: 1_800_000_000_000, Permissions: map[string]id.ID{}}
	w.User = w.AddUser(tb, "person")
	w.Client = w.AddClient(tb, "app")
	w.API = w.AddAPI(tb, "https://posts.example", "posts:add", "posts:delete", "posts:read")
	w.Group = w.AddGroup(tb, "editors")
	w.Session = w.NewSession(w.User.ID)
	if err := b.InsertSession(tb.Context(), w.Session); err != nil {
		tb.Fatal(err)
	}
	return w
}

// AddUser inserts a person.
func (w *World) AddUser(tb testing.TB, name string) *accounts.User {
	tb.Helper()
	u := &accounts.User{
		ID: id.New(), Subject: "sub-" + name, Username: name, UsernameKey: name,
		Email: name + "@example.org", EmailKey: name + "@example.org", EmailVerified: true,
		PasswordHash: "$argon2id$", Name: "A Person", Profile: accounts.Profile{Locale: "en", GivenName: "A"},
		CreatedAt: w.At, UpdatedAt: w.At,
	}
	if err := w.InsertUser(tb.Context(), u); err != nil {
		tb.Fatal(err)
	}
	w.remove = append(w.remove, func(ctx context.Context) error { return w.DeleteUser(ctx, u.ID) })
	return u
}

// AddClient inserts a client.
func (w *World) AddClient(tb testing.TB, clientID string) *accounts.Client {
	tb.Helper()
	c := &accounts.Client{
		ID: id.New(), ClientID: clientID, Name: clientID, Texts: accounts.Texts{"de": {Name: "Die App " + clientID}}, Type: accounts.WebClient, AuthMethod: accounts.AuthSecret,
		GrantTypes: []string{"authorization_code", "refresh_token"}, RedirectURIs: []string{"https://app.example/cb"},
		Scopes: []string{"openid"}, IDTokenAlgorithm: "RS256", CreatedAt: w.At, UpdatedAt: w.At,
	}
	if err := w.InsertClient(tb.Context(), c); err != nil {
		tb.Fatal(err)
	}
	w.remove = append(w.remove, func(ctx context.Context) error { return w.DeleteClient(ctx, c.ID) })
	return c
}

// AddAPI inserts an API and its permissions.
func (w *World) AddAPI(tb testing.TB, audience string, permissions ...string) *accounts.API {
	tb.Helper()
	a := &accounts.API{ID: id.New(), Audience: audience, Name: audience, CreatedAt: w.At, UpdatedAt: w.At}
	if err := w.InsertAPI(tb.Context(), a); err != nil {
		tb.Fatal(err)
	}
	w.remove = append(w.remove, func(ctx context.Context) error { return w.DeleteAPI(ctx, a.ID) })
	for _, name := range permissions {
		p := &accounts.Permission{ID: id.New(), APIID: a.ID, Name: name, Description: name, CreatedAt: w.At}
		if err := w.InsertPermission(tb.Context(), p); err != nil {
			tb.Fatal(err)
		}
		w.Permissions[name] = p.ID
	}
	return a
}

// AddGroup inserts a group that holds permissions.
func (w *World) AddGroup(tb testing.TB, name string, permissions ...string) *accounts.Group {
	tb.Helper()
	g := &accounts.Group{ID: id.New(), Name: name, NameKey: name, CreatedAt: w.At}
	if err := w.InsertGroup(tb.Context(), g); err != nil {
		tb.Fatal(err)
	}
	w.remove = append(w.remove, func(ctx context.Context) error { return w.DeleteGroup(ctx, g.ID) })
	for _, p := range permissions {
		if _, err := w.GrantPermission(tb.Context(), g.ID, w.Permissions[p]); err != nil {
			tb.Fatal(err)
		}
	}
	return g
}

// Join makes the person a member.
func (w *World) Join(tb testing.TB, g *accounts.Group, endsAt int64) {
	tb.Helper()
	if _, err := w.AddMember(tb.Context(), g.ID, w.User.ID, endsAt, w.At); err != nil {
		tb.Fatal(err)
	}
}

// NewSession returns a session that is not inserted yet.
func (w *World) NewSession(userID id.ID) *accounts.Session {
	s := &accounts.Session{
		ID: id.New(), UserID: userID, Rev: 0, AuthTime: w.At, AMR: []string{"pwd"}, ACR: "1",
		CreatedAt: w.At, LastSeenAt: w.At, IdleEndsAt: w.At + 1000, ExpiresAt: w.At + 9000,
		UserAgent: "a browser", Address: "192.0.2.1",
	}
	hash := sha256.Sum256(s.ID[:])
	s.TokenHash = hash[:]
	return s
}

// Consent returns a consent of the person that is not put yet.
func (w *World) Consent(scopes string) *accounts.Consent {
	list := strings.Fields(scopes)
	return &accounts.Consent{
		UserID: w.User.ID, ClientID: w.Client.ID, Scopes: list, Asked: slices.Clone(list), GrantedAt: w.At, UpdatedAt: w.At,
	}
}

// Code returns a code of the person that is not inserted yet.
func (w *World) Code(scopes string, resources ...string) *granting.Code {
	return &granting.Code{
		GrantID: id.New(), SecretHash: secretHash(1), ClientID: w.Client.ID, UserID: w.User.ID, SessionID: w.Session.ID,
		RedirectURI: "https://app.example/cb", Challenge: "challenge", Nonce: "nonce",
		Scopes: strings.Fields(scopes), Resources: resources, Claims: `{"userinfo":{}}`,
		Rev: 3, AuthTime: w.At, AMR: []string{"pwd", "otp"}, ACR: "2", CreatedAt: w.At, ExpiresAt: w.At + 60,
	}
}

// Grant returns a grant of the person that is not inserted yet.
func (w *World) Grant(scopes string, resources ...string) *granting.Grant {
	return &granting.Grant{
		Grant: accounts.Grant{
			ID: id.New(), UserID: w.User.ID, ClientID: w.Client.ID, SessionID: w.Session.ID,
			Scopes: strings.Fields(scopes), Resources: resources, CreatedAt: w.At,
		},
		CodeHash: secretHash(1), Challenge: "challenge", Claims: `{"userinfo":{}}`, Rev: 3,
		AuthTime: w.At, AMR: []string{"pwd", "otp"}, ACR: "2",
		Refresh: granting.RefreshState{Hash: secretHash(7), IdleEndsAt: w.At + 500, ExpiresAt: w.At + 5000},
		PurgeAt: w.At + 6000,
	}
}

// secretHash stands for the hash of a secret.
func secretHash(n byte) []byte { return bytes.Repeat([]byte{n}, 32) }

// rotationOf replaces a new grant's first refresh token.
func rotationOf(g *granting.Grant) granting.Rotation {
	return granting.Rotation{
		GrantID: g.ID, Old: g.Refresh.Hash, Hash: secretHash(8), Generation: g.Refresh.Generation + 1,
		Recent: []int64{g.CreatedAt}, IdleEndsAt: g.Refresh.IdleEndsAt,
	}
}

// anyOrder compares lists of ids as sets.
func anyOrder() cmp.Option {
	return cmpopts.SortSlices(func(a, b id.ID) bool { return bytes.Compare(a[:], b[:]) < 0 })
}

func mustInsert(tb testing.TB, w *World, c *granting.Code) {
	tb.Helper()
	if ok, err := w.InsertCode(tb.Context(), c); !ok || err != nil {
		tb.Fatalf("insert code: %v, %v", ok, err)
	}
}

func mustRedeem(tb testing.TB, w *World, g *granting.Grant) {
	tb.Helper()
	if ok, err := w.RedeemCode(tb.Context(), g); !ok || err != nil {
		tb.Fatalf("redeem code: %v, %v", ok, err)
	}
}

func mustRotate(tb testing.TB, w *World, r granting.Rotation, want bool) {
	tb.Helper()
	if ok, err := w.RotateRefresh(tb.Context(), r); ok != want || err != nil {
		tb.Errorf("rotate refresh token: %v, %v; want %v", ok, err, want)
	}
}
