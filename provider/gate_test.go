package provider

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/provider/granting"
)

const (
	postsAPI  = "https://posts.example.com"
	photosAPI = "https://photos.example.com"
	ourIssuer = "https://id.example.com"
)

// situation is everything that the gate looks at, made so that it lets pass.
type situation struct {
	client   *accounts.Client
	mark     accounts.Mark
	standing *granting.Standing
	basis    basis
	ask      ask
}

func passing() situation {
	now := time.UnixMilli(1_800_000_000_000)
	user, session := id.New(), id.New()
	scopes := []string{"openid", "offline_access", "posts:add", "posts:delete", "photos:add"}
	api := granting.Audience{URI: postsAPI}
	return situation{
		client: &accounts.Client{
			GrantTypes: []string{grantCode, grantRefresh}, Scopes: slices.Clone(scopes), ValidFrom: 5,
		},
		mark: accounts.Mark{Position: 12},
		standing: &granting.Standing{
			Mark: accounts.Mark{Position: 11},
			User: &accounts.User{ID: user, ValidFrom: 7},
			Session: &accounts.Session{
				ID: session, UserID: user, Rev: 8,
				IdleEndsAt: now.Add(time.Hour).UnixMilli(), ExpiresAt: now.Add(24 * time.Hour).UnixMilli(),
			},
			Consent: &accounts.Consent{Scopes: []string{"openid", "offline_access", "posts:add", "photos:add"}, ValidFrom: 6},
			Held:    []granting.Held{{Permission: "posts:add", API: api}, {Permission: "posts:delete", API: api}},
			APIs:    nil,
		},
		basis: basis{user: user, session: session, rev: 9, acr: accounts.ACRPassword, scopes: []string{"openid", "posts:add"}},
		ask:   ask{grantType: grantRefresh, now: now},
	}
}

func (s situation) decide() (*verdict, error) {
	g := gate{issuer: ourIssuer, accessToken: 10 * time.Minute}
	return g.decide(s.client, s.mark, s.standing, s.basis, s.ask)
}

func TestGateLetsPass(t *testing.T) {
	s := passing()
	v, err := s.decide()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(v.scopes, []string{"openid", "posts:add"}) || v.audience.URI != postsAPI {
		t.Errorf("scopes %q for %s", v.scopes, v.audience.URI)
	}
	if v.rev != 11 {
		t.Errorf("rev %d, want the smallest position of all reads", v.rev)
	}
	if want := s.ask.now.Add(10 * time.Minute); !v.expiresAt.Equal(want) {
		t.Errorf("expires at %s, want %s", v.expiresAt, want)
	}
}

// TestGateLetsPass_Assurance: what is demanded is met, or counts elsewhere.
func TestGateLetsPass_Assurance(t *testing.T) {
	tests := map[string]func(s *situation){
		"client requires less": func(s *situation) { s.client.RequiredACR = accounts.ACRPassword },
		"client requires two factors, shown": func(s *situation) {
			s.client.RequiredACR, s.basis.acr = accounts.ACRTwoFactors, accounts.ACRTwoFactors
		},
		"group requires two factors, shown": func(s *situation) {
			s.ask.demands, s.basis.acr = &demands{mustHave: true, has: true}, accounts.ACRTwoFactors
		},
		"nothing to do": func(s *situation) { s.ask.demands = &demands{} },
		"something to do since the code was issued": func(s *situation) {
			s.standing.User.RequiredActions = []accounts.Action{accounts.ActionChangePassword}
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			s := passing()
			change(&s)
			if _, err := s.decide(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestGateRefuses changes one input at a time: each column that the gate reads
// must be able to close it.
func TestGateRefuses(t *testing.T) {
	tests := []struct {
		name   string
		change func(s *situation)
		code   string
	}{
		{"client disabled", func(s *situation) { s.client.DisabledAt = 1 }, "invalid_client"},
		{"grant type not the client's", func(s *situation) { s.client.GrantTypes = []string{grantCode} }, "unauthorized_client"},
		{"client stamped after the grant", func(s *situation) { s.client.ValidFrom = 10 }, "invalid_grant"},
		{"grant ended", func(s *situation) { s.basis.ended = true }, "invalid_grant"},
		{"user deleted", func(s *situation) { s.standing.User = nil }, "invalid_grant"},
		{"user banned", func(s *situation) { s.standing.User.BannedAt = 1 }, "invalid_grant"},
		{"user stamped after the grant", func(s *situation) { s.standing.User.ValidFrom = 10 }, "invalid_grant"},
		{"session gone", func(s *situation) { s.standing.Session = nil }, "invalid_grant"},
		{"session ended", func(s *situation) { s.standing.Session.EndedAt = 1 }, "invalid_grant"},
		{"session of another sign-in", func(s *situation) { s.standing.Session.ID = id.New() }, "invalid_grant"},
		{"session idle", func(s *situation) { s.standing.Session.IdleEndsAt = s.ask.now.UnixMilli() }, "invalid_grant"},
		{"session too old", func(s *situation) { s.standing.Session.ExpiresAt = s.ask.now.UnixMilli() }, "invalid_grant"},
		{"session begun by an old proof", func(s *situation) { s.standing.Session.Rev = 6 }, "invalid_grant"},
		{"offline, but the session is what asks", func(s *situation) {
			s.basis.offline, s.basis.signedIn, s.standing.Session.EndedAt = true, true, 1
		}, "invalid_grant"},
		{"never asked", func(s *situation) { s.standing.Consent = nil }, "invalid_grant"},
		{"consent revoked", func(s *situation) { s.standing.Consent.RevokedAt = 1 }, "invalid_grant"},
		{"consent stamped after the grant", func(s *situation) { s.standing.Consent.ValidFrom = 10 }, "invalid_grant"},
		{"consent expired", func(s *situation) { s.standing.Consent.ExpiresAt = s.ask.now.UnixMilli() }, "invalid_grant"},
		{"client requires more", func(s *situation) { s.client.RequiredACR = accounts.ACRTwoFactors }, "invalid_grant"},
		{"client requires more, of an offline grant", func(s *situation) {
			s.basis.offline, s.standing.Session, s.client.RequiredACR = true, nil, accounts.ACRTwoFactors
		}, "invalid_grant"},
		{"client requires what does not exist", func(s *situation) { s.client.RequiredACR = "aal9" }, "invalid_grant"},
		{"group requires more, where a code is issued", func(s *situation) { s.ask.demands = &demands{mustHave: true, has: true} }, "invalid_grant"},
		{"something to do first, where a code is issued", func(s *situation) {
			s.ask.demands, s.standing.User.RequiredActions = &demands{}, []accounts.Action{accounts.ActionChangePassword}
		}, "invalid_grant"},
		{"terms, where a code is issued", func(s *situation) {
			s.ask.demands = &demands{policy: accounts.SignInPolicy{TermsVersion: "2"}}
		}, "invalid_grant"},
		{"to be deleted, where a code is issued", func(s *situation) {
			s.ask.demands, s.standing.User.DeleteAt = &demands{}, 1
		}, "invalid_grant"},
		{"nothing left at a refresh", func(s *situation) { s.basis.scopes = []string{"posts:delete"} }, "invalid_grant"},
		{"nothing left of what is asked now", func(s *situation) {
			s.basis.scopes, s.ask.scopes = []string{"openid", "posts:delete"}, []string{"posts:delete"}
		}, "invalid_scope"},
		{"more asked than at the beginning", func(s *situation) { s.ask.scopes = []string{"openid", "posts:delete"} }, "invalid_scope"},
		{"unknown resource", func(s *situation) { s.ask.resource = "https://other.example.com" }, "invalid_target"},
		{"resource outside of the grant", func(s *situation) {
			s.basis.resources, s.ask.resource = []string{photosAPI}, postsAPI
		}, "invalid_target"},
		{"scopes of two APIs and no resource", func(s *situation) {
			s.basis.scopes = []string{"posts:add", "photos:add"}
			s.standing.Held = append(s.standing.Held, granting.Held{Permission: "photos:add", API: granting.Audience{URI: photosAPI}})
		}, "invalid_target"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := passing()
			tt.change(&s)
			v, err := s.decide()
			var e *Error
			if !errors.As(err, &e) || e.Code != tt.code {
				t.Errorf("got %+v, %v, want %s", v, err, tt.code)
			}
		})
	}
}

func TestGateScopes(t *testing.T) {
	tests := []struct {
		name   string
		change func(s *situation)
		want   []string
	}{
		{"client may ask less now", func(s *situation) { s.client.Scopes = []string{"openid"} }, []string{"openid"}},
		{"consent narrowed", func(s *situation) { s.standing.Consent.Scopes = []string{"openid"} }, []string{"openid"}},
		{"permission lost", func(s *situation) { s.standing.Held = nil }, []string{"openid"}},
		{"narrowed by the request", func(s *situation) { s.ask.scopes = []string{"posts:add"} }, []string{"posts:add"}},
		{"held but not consented", func(s *situation) { s.basis.scopes = []string{"openid", "posts:delete"} }, []string{"openid"}},
		{"another API's scopes stay out", func(s *situation) {
			s.basis.scopes = []string{"openid", "posts:add", "photos:add"}
			s.standing.Held = append(s.standing.Held, granting.Held{Permission: "photos:add", API: granting.Audience{URI: photosAPI}})
			s.ask.resource = photosAPI
		}, []string{"openid", "photos:add"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := passing()
			tt.change(&s)
			v, err := s.decide()
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(v.scopes, tt.want) {
				t.Errorf("scopes %q, want %q", v.scopes, tt.want)
			}
		})
	}
}

func TestGateAudience(t *testing.T) {
	tests := []struct {
		name   string
		change func(s *situation)
		want   string
	}{
		{"no API scope: the issuer", func(s *situation) { s.basis.scopes = []string{"openid"} }, ourIssuer},
		{"an API without a scope of its own", func(s *situation) {
			s.basis.scopes, s.ask.resource = []string{"openid"}, photosAPI
			s.standing.APIs = []granting.Audience{{URI: photosAPI}}
		}, photosAPI},
		{"the one resource of the grant", func(s *situation) {
			s.basis.resources, s.basis.scopes = []string{photosAPI}, []string{"openid"}
			s.standing.APIs = []granting.Audience{{URI: photosAPI}}
		}, photosAPI},
		{"the issuer by name", func(s *situation) { s.ask.resource = ourIssuer }, ourIssuer},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := passing()
			tt.change(&s)
			v, err := s.decide()
			if err != nil {
				t.Fatal(err)
			}
			if v.audience.URI != tt.want {
				t.Errorf("audience %s, want %s", v.audience.URI, tt.want)
			}
		})
	}
}

// TestGateExpiry is rule L11: what ends by time writes no row, so no token may
// outlive it.
func TestGateExpiry(t *testing.T) {
	soon := func(s *situation) int64 { return s.ask.now.Add(time.Minute).UnixMilli() }
	tests := []struct {
		name   string
		change func(s *situation)
		want   time.Duration
	}{
		{"membership", func(s *situation) { s.standing.Held[0].EndsAt = soon(s) }, time.Minute},
		{"membership of a scope that is not in the token", func(s *situation) { s.standing.Held[1].EndsAt = soon(s) }, 10 * time.Minute},
		{"session", func(s *situation) { s.standing.Session.IdleEndsAt = soon(s) }, time.Minute},
		{"session of an offline grant", func(s *situation) { s.basis.offline, s.standing.Session.IdleEndsAt = true, soon(s) }, 10 * time.Minute},
		{"consent", func(s *situation) { s.standing.Consent.ExpiresAt = soon(s) }, time.Minute},
		{"client's lifetime", func(s *situation) { s.client.AccessTokenLifetime = 120_000 }, 2 * time.Minute},
		{"API's lifetime", func(s *situation) { s.standing.Held[0].API.TokenLifetime = 30_000 }, 30 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := passing()
			tt.change(&s)
			v, err := s.decide()
			if err != nil {
				t.Fatal(err)
			}
			if got := v.expiresAt.Sub(s.ask.now); got != tt.want {
				t.Errorf("lives %s, want %s", got, tt.want)
			}
		})
	}
}

func TestGateMachine(t *testing.T) {
	s := passing()
	s.client.GrantTypes = []string{grantMachine}
	s.standing = &granting.Standing{
		Mark: accounts.Mark{Position: 14},
		Held: []granting.Held{{Permission: "posts:add", API: granting.Audience{URI: postsAPI}}},
	}
	s.basis = basis{rev: 12, scopes: []string{"posts:add", "posts:delete", "openid"}}
	s.ask.grantType = grantMachine
	v, err := s.decide()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(v.scopes, []string{"posts:add"}) || v.audience.URI != postsAPI || v.rev != 12 {
		t.Errorf("%+v", v)
	}
}
