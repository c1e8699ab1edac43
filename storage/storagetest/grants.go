package storagetest

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/provider/granting"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// GrantBackend is what the contracts of sessions, grants and flows need: the
// stores that they are about, and those of the things that these refer to.
type GrantBackend interface {
	accounts.Tx
	accounts.UserStore
	accounts.GroupStore
	accounts.MembershipStore
	accounts.APIStore
	accounts.PermissionStore
	accounts.ClientStore
	accounts.SessionStore
	accounts.SessionLister
	accounts.GrantStore
	granting.StandingStore
	granting.GrantStore
	flow.Store
	revocation.Appender
	revocation.Reader
}

// Nodes returns so many handles on one new, empty database: one for each node of
// a deployment.
type Nodes func(tb testing.TB, count int) []GrantBackend

// Grants checks codes, grants and refresh tokens.
func Grants(t *testing.T, open Nodes) {
	inWorlds(t, open(t, 1)[0], map[string]func(*testing.T, *World){
		"a code is kept as it was":            codeIsKept,
		"a code has one row":                  codeHasOneRow,
		"a code of a deleted user":            codeOfDeletedUser,
		"a redeemed code is a grant":          redeemedCode,
		"a redemption of a deleted user":      redemptionOfDeletedUser,
		"a refresh token rotates once":        refreshRotates,
		"an ended grant does not rotate":      endedGrantDoesNotRotate,
		"an assertion is used once":           assertionUsedOnce,
		"grants end by each filter":           grantsEndByFilter,
		"codes end with their grants":         codesEnd,
		"an ended grant stays as it ended":    endedGrantStays,
		"a resource with a space":             resourceWithSpace,
		"an ended code cannot be redeemed":    endedCodeCannotBeRedeemed,
		"offline grants outlive the session":  offlineGrantsOutlive,
		"a filter that names nothing":         emptyGrantFilter,
		"grants of a user":                    grantsOfUser,
		"a grant that does not exist":         grantNotFound,
		"a rolled back end":                   rolledBackEnd,
		"a consent is replaced but its stamp": consentReplaced,
	})
}

func codeIsKept(t *testing.T, w *World) {
	want := w.Code("openid posts:add", "https://posts.example/?a=1&b=\"2\"")
	mustInsert(t, w, want)
	got, grant, standing, err := w.CodeStanding(t.Context(), want.GrantID, w.At)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("code (-want +got):\n%s", diff)
	}
	if grant != nil {
		t.Errorf("a grant before the redemption: %+v", grant)
	}
	if standing.User == nil || standing.User.ID != w.User.ID {
		t.Errorf("user = %+v", standing.User)
	}
}

func codeHasOneRow(t *testing.T, w *World) {
	c := w.Code("openid")
	mustInsert(t, w, c)
	second := *c
	second.SecretHash = bytes.Repeat([]byte{9}, 32)
	if ok, err := w.InsertCode(t.Context(), &second); ok || err != nil {
		t.Errorf("a second code under one id: %v, %v", ok, err)
	}
	got, _, _, err := w.CodeStanding(t.Context(), c.GrantID, w.At)
	if err != nil || !bytes.Equal(got.SecretHash, c.SecretHash) {
		t.Errorf("the first code was replaced: %v", err)
	}
	g := w.Grant("openid")
	mustRedeem(t, w, g)
	third := w.Code("openid")
	third.GrantID = g.ID
	if ok, err := w.InsertCode(t.Context(), third); ok || err != nil {
		t.Errorf("a code under the id of a grant: %v, %v", ok, err)
	}
}

func codeOfDeletedUser(t *testing.T, w *World) {
	c := w.Code("openid")
	mustInsert(t, w, c)
	if err := w.DeleteUser(t.Context(), w.User.ID); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := w.CodeStanding(t.Context(), c.GrantID, w.At); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("code of a deleted user: %v", err)
	}
	if ok, err := w.InsertCode(t.Context(), w.Code("openid")); ok || !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("a new code for a deleted user: %v, %v", ok, err)
	}
}

func resourceWithSpace(t *testing.T, w *World) {
	if ok, err := w.InsertCode(t.Context(), w.Code("openid", "https://a.example https://posts.example")); ok || err == nil {
		t.Errorf("code: %v, %v", ok, err)
	}
	if ok, err := w.RedeemCode(t.Context(), w.Grant("openid", "")); ok || err == nil {
		t.Errorf("grant: %v, %v", ok, err)
	}
}

func redeemedCode(t *testing.T, w *World) {
	c := w.Code("openid posts:add")
	mustInsert(t, w, c)
	want := w.Grant("openid posts:add", "https://posts.example")
	want.ID = c.GrantID
	mustRedeem(t, w, want)
	code, got, _, err := w.CodeStanding(t.Context(), c.GrantID, w.At)
	if err != nil {
		t.Fatal(err)
	}
	if code == nil {
		t.Error("the code's row is gone")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("grant (-want +got):\n%s", diff)
	}
	again := *want
	again.Scopes = []string{"openid"}
	if ok, err := w.RedeemCode(t.Context(), &again); ok || err != nil {
		t.Errorf("second redemption: %v, %v", ok, err)
	}
	got, _, err = w.GrantStanding(t.Context(), c.GrantID, w.At)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("grant after a replay (-want +got):\n%s", diff)
	}
}

func redemptionOfDeletedUser(t *testing.T, w *World) {
	g := w.Grant("openid")
	if err := w.DeleteUser(t.Context(), w.User.ID); err != nil {
		t.Fatal(err)
	}
	if ok, err := w.RedeemCode(t.Context(), g); ok || !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("redemption: %v, %v", ok, err)
	}
}

func refreshRotates(t *testing.T, w *World) {
	g := w.Grant("openid")
	mustRedeem(t, w, g)
	first := granting.Rotation{
		GrantID: g.ID, Old: g.Refresh.Hash, Hash: secretHash(2), Generation: 1, Recent: []int64{w.At}, IdleEndsAt: w.At + 50,
	}
	mustRotate(t, w, first, true)
	mustRotate(t, w, first, false)
	wrong := first
	wrong.Old, wrong.Generation = secretHash(77), 9
	mustRotate(t, w, wrong, false)
	wrong.GrantID, wrong.Old = id.New(), secretHash(2)
	mustRotate(t, w, wrong, false)
	second := granting.Rotation{
		GrantID: g.ID, Old: secretHash(2), Hash: secretHash(3), Generation: 2, Recent: []int64{w.At + 2, w.At}, IdleEndsAt: w.At + 60,
	}
	mustRotate(t, w, second, true)
	got, _, err := w.GrantStanding(t.Context(), g.ID, w.At)
	if err != nil {
		t.Fatal(err)
	}
	want := granting.RefreshState{
		Hash: secretHash(3), Generation: 2, Recent: []int64{w.At + 2, w.At}, IdleEndsAt: w.At + 60, ExpiresAt: g.Refresh.ExpiresAt,
	}
	if diff := cmp.Diff(want, got.Refresh); diff != "" {
		t.Errorf("refresh (-want +got):\n%s", diff)
	}

	without := w.Grant("openid")
	without.Refresh = granting.RefreshState{}
	mustRedeem(t, w, without)
	mustRotate(t, w, granting.Rotation{GrantID: without.ID, Old: nil, Hash: secretHash(4)}, false)
}

func endedGrantDoesNotRotate(t *testing.T, w *World) {
	g := w.Grant("openid")
	mustRedeem(t, w, g)
	ended, err := w.EndGrants(t.Context(), accounts.GrantFilter{GrantID: g.ID}, w.At+5, "reuse")
	if err != nil || !cmp.Equal(ended, []id.ID{g.ID}) {
		t.Fatalf("ended %v, %v", ended, err)
	}
	mustRotate(t, w, rotationOf(g), false)
	got, err := w.GrantByID(t.Context(), g.ID)
	if err != nil || got.EndedAt != w.At+5 || got.EndReason != "reuse" {
		t.Errorf("grant = %+v, %v", got, err)
	}
	ended, err = w.EndGrants(t.Context(), accounts.GrantFilter{GrantID: g.ID}, w.At+6, "again")
	if err != nil || len(ended) != 0 {
		t.Errorf("ended twice: %v, %v", ended, err)
	}
}

func assertionUsedOnce(t *testing.T, w *World) {
	use := func(client, jti string, want bool) {
		t.Helper()
		if ok, err := w.UseAssertion(t.Context(), client, jti, w.At+1); ok != want || err != nil {
			t.Errorf("UseAssertion(%q, %q) = %v, %v; want %v", client, jti, ok, err, want)
		}
	}
	use("app", "one", true)
	use("app", "one", false)
	use("app", "two", true)
	use("other", "one", true)
	use("ap", "pone", true) // the same letters, another client
	use("app", "\x00\xff", true)
	use("app", "\x00\xff", false)
}

func grantsEndByFilter(t *testing.T, w *World) {
	other := w.AddUser(t, "other")
	otherClient := w.AddClient(t, "other-app")
	mine, theirs, elsewhere := w.Grant("openid"), w.Grant("openid"), w.Grant("openid")
	theirs.UserID = other.ID
	elsewhere.ClientID, elsewhere.SessionID = otherClient.ID, id.New()
	all := []*granting.Grant{mine, theirs, elsewhere}
	for _, test := range []struct {
		name   string
		filter accounts.GrantFilter
		want   []*granting.Grant
	}{
		{"grant", accounts.GrantFilter{GrantID: mine.ID}, []*granting.Grant{mine}},
		{"user", accounts.GrantFilter{UserID: w.User.ID}, []*granting.Grant{mine, elsewhere}},
		{"client", accounts.GrantFilter{ClientID: w.Client.ID}, []*granting.Grant{mine, theirs}},
		{"user and client", accounts.GrantFilter{UserID: w.User.ID, ClientID: w.Client.ID}, []*granting.Grant{mine}},
		{"sessions", accounts.GrantFilter{SessionIDs: []id.ID{elsewhere.SessionID, id.New()}}, []*granting.Grant{elsewhere}},
		{"user and sessions", accounts.GrantFilter{UserID: other.ID, SessionIDs: []id.ID{w.Session.ID}}, []*granting.Grant{theirs}},
		{"a grant of somebody else", accounts.GrantFilter{GrantID: theirs.ID, UserID: w.User.ID}, nil},
		{"no sessions", accounts.GrantFilter{UserID: w.User.ID, SessionIDs: []id.ID{}}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			rollback := errors.New("roll back")
			var ended []id.ID
			err := w.InTx(t.Context(), func(ctx context.Context) error {
				for _, g := range all {
					if ok, err := w.RedeemCode(ctx, g); !ok || err != nil {
						t.Errorf("redeem: %v, %v", ok, err)
					}
				}
				var err error
				if ended, err = w.EndGrants(ctx, test.filter, w.At, "test"); err != nil {
					t.Error(err)
				}
				return rollback
			})
			if !errors.Is(err, rollback) {
				t.Fatal(err)
			}
			var want []id.ID
			for _, g := range test.want {
				want = append(want, g.ID)
			}
			if diff := cmp.Diff(want, ended, anyOrder(), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("ended (-want +got):\n%s", diff)
			}
		})
	}
}

func emptyGrantFilter(t *testing.T, w *World) {
	g := w.Grant("openid")
	mustRedeem(t, w, g)
	for _, f := range []accounts.GrantFilter{{}, {SessionBound: true}} {
		if ended, err := w.EndGrants(t.Context(), f, w.At, "test"); err == nil {
			t.Errorf("%+v ended %v", f, ended)
		}
	}
	if ended, err := w.EndSessions(t.Context(), accounts.SessionFilter{Except: id.New()}, w.At, "test"); err == nil {
		t.Errorf("ended the sessions %v", ended)
	}
}

func grantsOfUser(t *testing.T, w *World) {
	old, recent, ended := w.Grant("openid"), w.Grant("openid posts:add"), w.Grant("openid")
	recent.CreatedAt = w.At + 9
	other := w.Grant("openid")
	other.UserID = w.AddUser(t, "other").ID
	for _, g := range []*granting.Grant{old, recent, ended, other} {
		mustRedeem(t, w, g)
	}
	if _, err := w.EndGrants(t.Context(), accounts.GrantFilter{GrantID: ended.ID}, w.At, "test"); err != nil {
		t.Fatal(err)
	}
	got, err := w.GrantsOf(t.Context(), w.User.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]accounts.Grant{recent.Grant, old.Grant}, got); diff != "" {
		t.Errorf("grants (-want +got):\n%s", diff)
	}
}

func grantNotFound(t *testing.T, w *World) {
	if _, err := w.GrantByID(t.Context(), id.New()); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("GrantByID: %v", err)
	}
	if _, _, err := w.GrantStanding(t.Context(), id.New(), w.At); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("GrantStanding: %v", err)
	}
	if _, _, _, err := w.CodeStanding(t.Context(), id.New(), w.At); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("CodeStanding: %v", err)
	}
}
