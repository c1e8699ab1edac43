package storagetest

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/provider/granting"
)

// Standings checks what the gate is told.
func Standings(t *testing.T, open Nodes) {
	inWorlds(t, open(t, 1)[0], map[string]func(*testing.T, *World){
		"what a person holds":          heldByPerson,
		"the groups of a person":       memberships,
		"APIs of what is asked":        audiences,
		"without a session":            standingWithoutSession,
		"the session in it":            standingSession,
		"the consent in it":            standingConsent,
		"what is asked of the person":  standingDemands,
		"a session that was purged":    standingOfPurgedSession,
		"the position in it":           standingPosition,
		"a person and their groups":    userStanding,
		"the person of a grant":        grantPerson,
		"all kinds of standings agree": standingsAgree,
		"scopes with odd characters":   oddScopes,
	})
}

func (w *World) standing(t *testing.T, scopes []string) *granting.Standing {
	t.Helper()
	s, err := w.SessionStanding(t.Context(), w.Session.TokenHash, w.Client.ID, scopes, w.At)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// gateUser, gateSession and gateConsent are what a standing tells of a row: all but
// what neither the gate nor a claim reads.
func gateUser(u *accounts.User) *accounts.User {
	seen := *u
	seen.UsernameKey, seen.EmailKey, seen.PasswordHash = "", "", ""
	seen.Staff, seen.Demo, seen.CreatedAt, seen.LastSignInAt = false, false, 0, 0
	return &seen
}

func gateSession(s *accounts.Session) *accounts.Session {
	seen := *s
	seen.TokenHash, seen.CreatedAt, seen.EndReason, seen.UserAgent, seen.Address = nil, 0, "", "", ""
	return &seen
}

func gateConsent(k *accounts.Consent) *accounts.Consent {
	seen := *k
	seen.ClientID, seen.GrantedAt, seen.UpdatedAt = id.ID{}, 0, 0
	return &seen
}

func heldByPerson(t *testing.T, w *World) {
	asked := []string{"openid", "posts:add", "posts:read", "postsXadd"}
	want := func(name string, held ...granting.Held) {
		t.Helper()
		if diff := cmp.Diff(held, w.standing(t, asked).Held); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	add := func(endsAt int64) granting.Held { return granting.Held{Permission: "posts:add", EndsAt: endsAt} }
	want("nothing")
	soon := w.AddGroup(t, "soon", "posts:add", "posts:delete")
	w.Join(t, soon, w.At) // ends now
	want("a membership that has ended")
	w.Join(t, soon, w.At+5)
	want("a membership with an end", add(w.At+5))
	w.Join(t, w.AddGroup(t, "later", "posts:add"), w.At+50)
	want("the later of two ends", add(w.At+50))
	w.Join(t, w.AddGroup(t, "for ever", "posts:add", "posts:read"), 0)
	want("no end is the latest", add(0), granting.Held{Permission: "posts:read"})
	w.Join(t, w.AddGroup(t, "again", "posts:add"), w.At+70)
	want("an end after none", add(0), granting.Held{Permission: "posts:read"})
}

func memberships(t *testing.T, w *World) {
	want := func(name string, want ...granting.Membership) {
		t.Helper()
		got := w.standing(t, nil)
		if diff := cmp.Diff(want, got.Groups, cmpopts.SortSlices(func(a, b granting.Membership) bool { return a.EndsAt < b.EndsAt })); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if got.Held != nil {
			t.Errorf("%s: no name was given, held %+v", name, got.Held)
		}
	}
	want("none")
	soon := w.AddGroup(t, "soon", "posts:add")
	w.Join(t, soon, w.At) // ends now
	want("a membership that has ended")
	w.Join(t, soon, w.At+5)
	want("a membership with an end", granting.Membership{Group: soon.ID, EndsAt: w.At + 5})
	idle := w.AddGroup(t, "holds nothing")
	w.Join(t, idle, 0)
	want("one without end", granting.Membership{Group: idle.ID}, granting.Membership{Group: soon.ID, EndsAt: w.At + 5})
}

func audiences(t *testing.T, w *World) {
	posters, readers := w.AddGroup(t, "posters", "posts:add", "posts:read"), w.AddGroup(t, "readers", "posts:read")
	odd := w.AddAPI(t, `https://odd.example/?a=1&b=%25_`)
	off := w.AddAPI(t, "https://off.example")
	off.DisabledAt = 1
	api := *w.API
	api.TokenLifetime, api.TokenAlgorithm, api.AuthenticationClaims, api.StatusList = 5000, "EdDSA", true, true
	for _, err := range []error{
		w.UpdateAPI(t.Context(), off), w.UpdateAPI(t.Context(), &api),
		w.InsertPermission(t.Context(), &accounts.Permission{ID: id.New(), APIID: off.ID, Name: "off:read"}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	posts := granting.Audience{
		URI: api.Audience, TokenLifetime: 5000, TokenAlgorithm: "EdDSA", AuthenticationClaims: true, StatusList: true,
	}
	get := func(permissions, resources []string) *granting.Catalogue {
		t.Helper()
		c, err := w.Audiences(t.Context(), permissions, resources)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	got := get([]string{"posts:read", "openid", "off:read", "posts:add", "posts:_dd", `"`, ""},
		[]string{api.Audience, odd.Audience, off.Audience, "https://unknown.example", "", `"`, "https://odd.example/%"})
	want := &granting.Catalogue{
		Mark: w.standing(t, nil).Mark,
		Permissions: []granting.Permission{
			{Permission: "posts:add", API: posts, Groups: []id.ID{posters.ID}},
			{Permission: "posts:read", API: posts, Groups: []id.ID{posters.ID, readers.ID}}, // ids rise
		},
		APIs: []granting.Audience{{URI: odd.Audience}, posts},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("catalogue (-want +got):\n%s", diff)
	}
	if got = get(nil, nil); got.Permissions != nil || got.APIs != nil {
		t.Errorf("nothing was asked: %+v", got)
	}
}

func standingWithoutSession(t *testing.T, w *World) {
	w.Join(t, w.AddGroup(t, "g", "posts:add"), 0)
	s, err := w.SessionStanding(t.Context(), secretHash(99), w.Client.ID, []string{"posts:add"}, w.At)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&granting.Standing{Mark: s.Mark}, s); diff != "" {
		t.Errorf("standing (-want +got):\n%s", diff)
	}
}

func standingSession(t *testing.T, w *World) {
	got := w.standing(t, nil)
	if diff := cmp.Diff(&granting.Standing{Mark: got.Mark, User: gateUser(w.User), Session: gateSession(w.Session)}, got); diff != "" {
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
	got = w.standing(t, nil)
	if got.Session == nil || got.Session.EndedAt != w.At || got.User.BannedAt != w.At {
		t.Errorf("session %+v of %+v", got.Session, got.User)
	}
}

func standingConsent(t *testing.T, w *World) {
	k := w.Consent("openid posts:add")
	if err := w.PutConsent(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(gateConsent(k), w.standing(t, nil).Consent); diff != "" {
		t.Errorf("consent (-want +got):\n%s", diff)
	}
	other := w.AddClient(t, "other")
	s, err := w.SessionStanding(t.Context(), w.Session.TokenHash, other.ID, nil, w.At)
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
	if diff := cmp.Diff(gateUser(w.User), u); diff != "" {
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
	if diff := cmp.Diff(&granting.Person{Mark: w.standing(t, nil).Mark, User: gateUser(w.User), Claims: g.Claims}, got); diff != "" {
		t.Errorf("person (-want +got):\n%s", diff)
	}
	k := w.Consent("openid")
	if err := w.PutConsent(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	got = person(true)
	if diff := cmp.Diff(gateConsent(k), got.Consent); diff != "" {
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
	want := w.standing(t, nil)
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
	got := w.standing(t, odd).Held
	if diff := cmp.Diff([]granting.Held{{Permission: "posts:add"}}, got); diff != "" {
		t.Errorf("held (-want +got):\n%s", diff)
	}
}
