package storagetest

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/provider/granting"
)

// Standings checks what the gate is told.
func Standings(t *testing.T, open Nodes) {
	inWorlds(t, open(t, 1)[0], map[string]func(*testing.T, *World){
		"what a person holds":          heldByPerson,
		"what a machine holds":         heldByMachine,
		"APIs among the resources":     standingAPIs,
		"without a session":            standingWithoutSession,
		"the session in it":            standingSession,
		"the consent in it":            standingConsent,
		"a session that was purged":    standingOfPurgedSession,
		"the position in it":           standingPosition,
		"a person and their groups":    userStanding,
		"the person of a grant":        grantPerson,
		"all kinds of standings agree": standingsAgree,
		"scopes with odd characters":   oddScopes,
	})
}

func (w *World) posts() granting.Audience { return granting.Audience{URI: w.API.Audience} }

func (w *World) standing(t *testing.T, scopes, resources []string) *granting.Standing {
	t.Helper()
	s, err := w.SessionStanding(t.Context(), w.Session.TokenHash, w.Client.ID, scopes, resources, w.At)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func heldByPerson(t *testing.T, w *World) {
	asked := []string{"openid", "posts:add", "posts:read", "postsXadd"}
	want := func(name string, held ...granting.Held) {
		t.Helper()
		if diff := cmp.Diff(held, w.standing(t, asked, nil).Held); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	add := func(endsAt int64) granting.Held {
		return granting.Held{Permission: "posts:add", EndsAt: endsAt, API: w.posts()}
	}
	want("nothing")
	soon := w.AddGroup(t, "soon", "posts:add", "posts:delete")
	w.Join(t, soon, w.At) // ends now
	want("a membership that has ended")
	w.Join(t, soon, w.At+5)
	want("a membership with an end", add(w.At+5))
	w.Join(t, w.AddGroup(t, "later", "posts:add"), w.At+50)
	want("the later of two ends", add(w.At+50))
	w.Join(t, w.AddGroup(t, "for ever", "posts:add"), 0)
	want("no end is the latest", add(0))

	api := *w.API
	api.TokenLifetime, api.TokenAlgorithm, api.AuthenticationClaims = 5000, "EdDSA", true
	if err := w.UpdateAPI(t.Context(), &api); err != nil {
		t.Fatal(err)
	}
	changed := granting.Audience{URI: api.Audience, TokenLifetime: 5000, TokenAlgorithm: "EdDSA", AuthenticationClaims: true}
	want("the API's properties", granting.Held{Permission: "posts:add", API: changed})
	api.DisabledAt = w.At
	if err := w.UpdateAPI(t.Context(), &api); err != nil {
		t.Fatal(err)
	}
	want("a disabled API")
	api.DisabledAt = 0
	if err := w.UpdateAPI(t.Context(), &api); err != nil {
		t.Fatal(err)
	}

	super := *w.User
	super.Superuser = true
	if err := w.UpdateUser(t.Context(), &super); err != nil {
		t.Fatal(err)
	}
	want("a superuser holds what is asked",
		granting.Held{Permission: "posts:add", API: changed}, granting.Held{Permission: "posts:read", API: changed})
}

func heldByMachine(t *testing.T, w *World) {
	machine := *w.Client
	machine.Permissions = []string{"posts:add", "posts:read"}
	if err := w.UpdateClient(t.Context(), &machine); err != nil {
		t.Fatal(err)
	}
	// A person's groups are nothing to a machine.
	w.Join(t, w.AddGroup(t, "all", "posts:delete"), 0)
	for _, test := range []struct {
		name   string
		client id.ID
		scopes []string
		want   []string
	}{
		{"all", machine.ID, nil, []string{"posts:add", "posts:read"}},
		{"one", machine.ID, []string{"posts:read"}, []string{"posts:read"}},
		{"not held", machine.ID, []string{"posts:delete", "posts:_ead"}, nil},
		{"another client", w.AddClient(t, "other").ID, nil, nil},
	} {
		s, err := w.MachineStanding(t.Context(), test.client, test.scopes, []string{w.API.Audience})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, h := range s.Held {
			got = append(got, h.Permission)
			if h.EndsAt != 0 || h.API != w.posts() {
				t.Errorf("%s: %+v", test.name, h)
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
		if diff := cmp.Diff([]granting.Audience{w.posts()}, s.APIs); diff != "" {
			t.Errorf("%s: APIs (-want +got):\n%s", test.name, diff)
		}
		if s.User != nil || s.Session != nil || s.Consent != nil {
			t.Errorf("%s: a machine is a person: %+v", test.name, s)
		}
	}
}

func standingAPIs(t *testing.T, w *World) {
	odd := w.AddAPI(t, `https://odd.example/?a=1&b=%25_`)
	off := w.AddAPI(t, "https://off.example")
	off.DisabledAt = 1
	if err := w.UpdateAPI(t.Context(), off); err != nil {
		t.Fatal(err)
	}
	asked := []string{w.API.Audience, odd.Audience, off.Audience, "https://unknown.example", "", `"`, "https://odd.example/%"}
	got := w.standing(t, nil, asked).APIs
	if diff := cmp.Diff([]granting.Audience{{URI: odd.Audience}, w.posts()}, got); diff != "" {
		t.Errorf("APIs (-want +got):\n%s", diff)
	}
	if got := w.standing(t, nil, nil).APIs; got != nil {
		t.Errorf("APIs without resources: %v", got)
	}
}

func standingWithoutSession(t *testing.T, w *World) {
	w.Join(t, w.AddGroup(t, "g", "posts:add"), 0)
	s, err := w.SessionStanding(t.Context(), secretHash(99), w.Client.ID, []string{"posts:add"}, []string{w.API.Audience}, w.At)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&granting.Standing{Mark: s.Mark, APIs: []granting.Audience{w.posts()}}, s); diff != "" {
		t.Errorf("standing (-want +got):\n%s", diff)
	}
}

func standingSession(t *testing.T, w *World) {
	got := w.standing(t, nil, nil)
	if diff := cmp.Diff(&granting.Standing{Mark: got.Mark, User: w.User, Session: w.Session}, got); diff != "" {
		t.Errorf("standing (-want +got):\n%s", diff)
	}
	// Ended, banned: the gate decides, so it must see them.
	if _, err := w.EndSessions(t.Context(), accounts.SessionFilter{SessionID: w.Session.ID}, w.At, "sign-out"); err != nil {
		t.Fatal(err)
	}
	banned := *w.User
	banned.BannedAt = w.At
	if err := w.UpdateUser(t.Context(), &banned); err != nil {
		t.Fatal(err)
	}
	got = w.standing(t, nil, nil)
	if got.Session == nil || got.Session.EndedAt != w.At || got.User.BannedAt != w.At {
		t.Errorf("session %+v of %+v", got.Session, got.User)
	}
}

func standingConsent(t *testing.T, w *World) {
	k := w.Consent("openid posts:add")
	if err := w.PutConsent(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(k, w.standing(t, nil, nil).Consent); diff != "" {
		t.Errorf("consent (-want +got):\n%s", diff)
	}
	other := w.AddClient(t, "other")
	s, err := w.SessionStanding(t.Context(), w.Session.TokenHash, other.ID, nil, nil, w.At)
	if err != nil || s.Consent != nil {
		t.Errorf("consent for another client: %+v, %v", s.Consent, err)
	}
}

func standingOfPurgedSession(t *testing.T, w *World) {
	g := w.Grant("openid offline_access")
	g.SessionID = id.New()
	mustRedeem(t, w, g)
	_, s, err := w.GrantStanding(t.Context(), g.ID, w.At)
	if err != nil || s.Session != nil || s.User == nil {
		t.Errorf("standing = %+v, %v", s, err)
	}
}

func userStanding(t *testing.T, w *World) {
	for name, endsAt := range map[string]int64{"b \"quoted\", with\ttab\nand line": 0, "a": w.At + 1, "ended": w.At} {
		w.Join(t, w.AddGroup(t, name), endsAt)
	}
	u, groups, err := w.UserStanding(t.Context(), w.User.Subject, w.At)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(w.User, u); diff != "" {
		t.Errorf("user (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a", "b \"quoted\", with\ttab\nand line"}, groups); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
	w.AddUser(t, "lonely")
	if _, groups, err = w.UserStanding(t.Context(), "sub-lonely", w.At); err != nil || len(groups) != 0 {
		t.Errorf("groups = %q, %v", groups, err)
	}
	if _, _, err := w.UserStanding(t.Context(), "nobody", w.At); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
}

func grantPerson(t *testing.T, w *World) {
	w.Join(t, w.AddGroup(t, "b \"quoted\", with\ttab\nand line"), 0)
	w.Join(t, w.AddGroup(t, "a"), w.At+1)
	w.Join(t, w.AddGroup(t, "ended"), w.At)
	g := w.Grant("openid")
	g.Claims = `{"userinfo":{}}`
	mustRedeem(t, w, g)
	person := func(groups bool) *granting.Person {
		t.Helper()
		p, err := w.GrantPerson(t.Context(), g.ID, groups, w.At)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	got := person(false)
	if diff := cmp.Diff(&granting.Person{Mark: w.standing(t, nil, nil).Mark, User: w.User, Claims: g.Claims}, got); diff != "" {
		t.Errorf("person (-want +got):\n%s", diff)
	}
	k := w.Consent("openid")
	if err := w.PutConsent(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	got = person(true)
	if diff := cmp.Diff(k, got.Consent); diff != "" {
		t.Errorf("consent (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a", "b \"quoted\", with\ttab\nand line"}, got.Groups); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
	if _, err := w.GrantPerson(t.Context(), id.New(), true, w.At); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("no grant: %v", err)
	}
}

func standingsAgree(t *testing.T, w *World) {
	w.Join(t, w.AddGroup(t, "g", "posts:add", "posts:read"), w.At+4)
	if err := w.PutConsent(t.Context(), w.Consent("openid posts:add")); err != nil {
		t.Fatal(err)
	}
	scopes, resources := "openid posts:add", w.API.Audience
	want := w.standing(t, []string{"openid", "posts:add"}, []string{resources})
	c := w.Code(scopes, resources)
	mustInsert(t, w, c)
	_, _, got, err := w.CodeStanding(t.Context(), c.GrantID, w.At)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("of a code (-want +got):\n%s", diff)
	}
	g := w.Grant(scopes, resources)
	mustRedeem(t, w, g)
	_, got, err = w.GrantStanding(t.Context(), g.ID, w.At)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("of a grant (-want +got):\n%s", diff)
	}
	// A grant whose code has been cleaned away.
	code, grant, got, err := w.CodeStanding(t.Context(), g.ID, w.At)
	if err != nil || code != nil {
		t.Fatalf("code = %v, %v", code, err)
	}
	if diff := cmp.Diff(g, grant); diff != "" {
		t.Errorf("the grant (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("of a grant without its code (-want +got):\n%s", diff)
	}
}

func oddScopes(t *testing.T, w *World) {
	w.Join(t, w.AddGroup(t, "g", "posts:add"), 0)
	odd := []string{`"`, `\`, `","posts:delete`, "%", "posts:ad_", "POSTS:ADD", "posts:add"}
	got := w.standing(t, odd, nil).Held
	if diff := cmp.Diff([]granting.Held{{Permission: "posts:add", API: w.posts()}}, got); diff != "" {
		t.Errorf("held (-want +got):\n%s", diff)
	}
	g := w.Grant("openid")
	g.Scopes = odd
	mustRedeem(t, w, g)
	if _, s, err := w.GrantStanding(t.Context(), g.ID, w.At); err != nil || len(s.Held) != 1 {
		t.Errorf("held = %+v, %v", s, err)
	}
}
