package sqldb

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/provider/granting"
	"github.com/gatehouse-id/gatehouse/storage/storagetest"
)

// inWorld runs f on each engine, in a database with one person.
func inWorld(t *testing.T, f func(t *testing.T, d *DB, w *storagetest.World)) {
	t.Helper()
	onEach(t, func(t *testing.T, fresh func(t *testing.T, change ...func(*Options)) *DB) {
		d := fresh(t)
		f(t, d, storagetest.NewWorld(t, d))
	})
}

func TestPicture(t *testing.T) {
	inWorld(t, func(t *testing.T, d *DB, w *storagetest.World) {
		ctx := t.Context()
		first := &accounts.Picture{UserID: w.User.ID, Name: "first", Type: "image/png", Data: []byte{0, 1, 0xff}, UpdatedAt: 7}
		must(t, d.PutPicture(ctx, first))
		second := &accounts.Picture{UserID: w.User.ID, Name: "second", Type: "image/jpeg", Data: bytes.Repeat([]byte{9}, 100_000), UpdatedAt: 8}
		must(t, d.PutPicture(ctx, second))
		if _, err := d.PictureByName(ctx, "first"); !errors.Is(err, accounts.ErrNotFound) {
			t.Errorf("the picture that was replaced: %v", err)
		}
		for _, read := range []func() (*accounts.Picture, error){
			func() (*accounts.Picture, error) { return d.PictureByName(ctx, "second") },
			func() (*accounts.Picture, error) { return d.PictureOf(ctx, w.User.ID) },
		} {
			got, err := read()
			must(t, err)
			if diff := cmp.Diff(second, got); diff != "" {
				t.Errorf("picture (-want +got):\n%s", diff)
			}
		}
		other := w.AddUser(t, "other")
		if err := d.PutPicture(ctx, &accounts.Picture{UserID: other.ID, Name: "second", Type: "image/png", Data: []byte{1}}); !errors.Is(err, accounts.ErrConflict) {
			t.Errorf("two pictures of one name: %v", err)
		}
		must(t, d.DeletePicture(ctx, w.User.ID))
		must(t, d.DeletePicture(ctx, w.User.ID))
		if _, err := d.PictureOf(ctx, w.User.ID); !errors.Is(err, accounts.ErrNotFound) {
			t.Errorf("the picture that was removed: %v", err)
		}
		// It goes with its person.
		must(t, d.PutPicture(ctx, second))
		must(t, d.DeleteUser(ctx, w.User.ID))
		if _, err := d.PictureByName(ctx, "second"); !errors.Is(err, accounts.ErrNotFound) {
			t.Errorf("the picture of somebody who is gone: %v", err)
		}
		if err := d.PutPicture(ctx, second); !errors.Is(err, accounts.ErrNotFound) {
			t.Errorf("a picture of nobody: %v", err)
		}
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestClaimDeletion(t *testing.T) {
	inWorld(t, func(t *testing.T, d *DB, w *storagetest.World) {
		ctx := t.Context()
		if _, err := d.ClaimDeletion(ctx, 100, accounts.DueAccount{}); !errors.Is(err, errLockOutsideTx) {
			t.Errorf("a claim outside a transaction: %v", err)
		}
		var due []*accounts.User
		for name, at := range map[string]int64{"a": 99, "b": 100, "c": 100, "later": 101} {
			u := w.AddUser(t, name)
			u.DeleteAt = at
			must(t, d.UpdateUser(ctx, u))
			if at <= 100 {
				due = append(due, u)
			}
		}
		slices.SortFunc(due, func(a, b *accounts.User) int {
			if a.DeleteAt != b.DeleteAt {
				return int(a.DeleteAt - b.DeleteAt)
			}
			return bytes.Compare(a.ID[:], b.ID[:])
		})
		var got []string
		var after accounts.DueAccount
		for {
			err := d.InTx(ctx, func(ctx context.Context) error {
				found, err := d.ClaimDeletion(ctx, 100, after)
				after = found
				if err == nil {
					got = append(got, found.Subject)
				}
				return err
			})
			if errors.Is(err, accounts.ErrNotFound) {
				break
			}
			must(t, err)
		}
		if want := []string{due[0].Subject, due[1].Subject, due[2].Subject}; !slices.Equal(got, want) {
			t.Errorf("claimed %v, want %v", got, want)
		}
	})
}

func TestEventsAbout(t *testing.T) {
	inWorld(t, func(t *testing.T, d *DB, w *storagetest.World) {
		ctx := audit.WithOrigin(t.Context(), audit.Origin{Address: "192.0.2.7"})
		write := func(kind, target, action string) {
			must(t, d.WriteAudit(ctx, audit.Event{
				Actor: audit.Actor{Kind: audit.Person, ID: w.User.Subject}, Action: action, TargetKind: kind, TargetID: target,
				Details: map[string]any{"client_id": "app"},
			}))
		}
		write("user", w.User.Subject, "1")
		write("user", "sub-other", "of another")
		write("session", "mine", "2")
		write("session", "of-another", "of another")
		write("group", w.User.Subject, "a group of that name")
		write("grant", "mine", "3")
		write("user", w.User.Subject, "4")
		q := accounts.EventQuery{Subject: w.User.Subject, Sessions: []string{"mine"}, Grants: []string{"mine", "none"}, Limit: 3}
		var got []string
		for range 3 {
			page, err := d.EventsAbout(ctx, q)
			must(t, err)
			for _, e := range page {
				got = append(got, e.Action)
				q.Before = e.ID
				if e.Address != "192.0.2.7" || e.At == 0 || e.Details["client_id"] != "app" || !e.ByThem(w.User.Subject) {
					t.Errorf("event %+v", e)
				}
			}
		}
		if want := []string{"4", "3", "2", "1"}; !slices.Equal(got, want) {
			t.Errorf("events %v, want %v", got, want)
		}
		q.Before, q.Since = id.ID{}, d.now()+1000
		if page, err := d.EventsAbout(ctx, q); err != nil || len(page) > 0 {
			t.Errorf("events of the future %v, %v", page, err)
		}
		if page, err := d.EventsAbout(ctx, accounts.EventQuery{Subject: w.User.Subject, Limit: 9}); err != nil || len(page) != 2 {
			t.Errorf("events without sessions %v, %v", page, err)
		}
		names, err := d.ClientNames(ctx, []string{w.Client.ClientID, "nobody"})
		must(t, err)
		if diff := cmp.Diff(map[string]accounts.AppName{w.Client.ClientID: {Name: w.Client.Name, Texts: w.Client.Texts}}, names); diff != "" {
			t.Errorf("names (-want +got):\n%s", diff)
		}
	})
}

func TestSessionsSince(t *testing.T) {
	inWorld(t, func(t *testing.T, d *DB, w *storagetest.World) {
		ctx := t.Context()
		ended := w.NewSession(w.User.ID)
		ended.EndedAt, ended.EndReason = w.At+1, "sign-out"
		must(t, d.InsertSession(ctx, ended))
		got, err := d.SessionsSince(ctx, w.User.ID, w.At, 10)
		must(t, err)
		if diff := cmp.Diff([]accounts.Session{*ended, *w.Session}, got); diff != "" {
			t.Errorf("sessions (-want +got):\n%s", diff)
		}
		if got, _ := d.SessionsSince(ctx, w.User.ID, w.At, 1); len(got) != 1 || got[0].ID != ended.ID {
			t.Errorf("the newest session: %+v", got)
		}
		if got, _ := d.SessionsSince(ctx, w.User.ID, w.At+1, 10); len(got) != 0 {
			t.Errorf("sessions of later: %+v", got)
		}
	})
}

// grantOf writes a grant of the world's person.
func grantOf(t *testing.T, d *DB, w *storagetest.World, c *accounts.Client, change func(*granting.Grant)) {
	t.Helper()
	g := &granting.Grant{Grant: accounts.Grant{
		ID: id.New(), UserID: w.User.ID, ClientID: c.ID, SessionID: w.Session.ID, Scopes: []string{"openid"}, CreatedAt: w.At,
	}, CodeHash: []byte{1}, PurgeAt: w.At + 1e9}
	change(g)
	ok, err := d.RedeemCode(t.Context(), g)
	must(t, err)
	if !ok {
		t.Fatal("the grant was not written")
	}
}

func TestAppsOf(t *testing.T) {
	inWorld(t, func(t *testing.T, d *DB, w *storagetest.World) {
		ctx := t.Context()
		asItIs := func(*granting.Grant) {}
		consent := func(c *accounts.Client, change func(*accounts.Consent)) {
			k := &accounts.Consent{UserID: w.User.ID, ClientID: c.ID, Scopes: []string{"openid", "email"}, GrantedAt: w.At - 5, UpdatedAt: w.At}
			change(k)
			must(t, d.PutConsent(ctx, k))
		}
		consented, own, away := w.AddClient(t, "consented"), w.AddClient(t, "own"), w.AddClient(t, "away")
		consent(consented, func(*accounts.Consent) {})
		grantOf(t, d, w, own, asItIs)
		grantOf(t, d, w, own, func(g *granting.Grant) { g.Scopes, g.CreatedAt = []string{"openid", "profile"}, w.At+3 })
		late := func(g *granting.Grant) {
			g.SessionID, g.Offline = id.New(), true
			g.Refresh.Hash, g.Refresh.Recent = []byte{1}, []int64{w.At + 9, w.At + 8}
			g.Refresh.IdleEndsAt, g.Refresh.ExpiresAt = w.At+100, w.At+200
		}
		consent(away, func(k *accounts.Consent) { k.ExpiresAt = w.At + 50 })
		grantOf(t, d, w, away, late)
		// Whatever is over, of another or was taken back is not there.
		for name, spoil := range map[string]func(*granting.Grant){
			"idle": func(g *granting.Grant) { late(g); g.Refresh.IdleEndsAt = w.At },
			"done": func(g *granting.Grant) { g.SessionID = id.New() },
			"over": func(g *granting.Grant) { late(g); g.Refresh.ExpiresAt = w.At },
		} {
			grantOf(t, d, w, w.AddClient(t, name), spoil)
		}
		consent(w.AddClient(t, "revoked"), func(k *accounts.Consent) { k.RevokedAt = w.At })
		consent(w.AddClient(t, "expired"), func(k *accounts.Consent) { k.ExpiresAt = w.At })
		got, err := d.AppsOf(ctx, w.User.ID, w.At)
		must(t, err)
		called := func(clientID string) accounts.Texts { return accounts.Texts{"de": {Name: "Die App " + clientID}} }
		want := []accounts.ConnectedApp{
			{ClientID: "away", Name: "away", Texts: called("away"), Scopes: []string{"email", "openid"}, Offline: true, Since: w.At - 5, LastUsedAt: w.At + 9},
			{ClientID: "consented", Name: "consented", Texts: called("consented"), Scopes: []string{"email", "openid"}, Since: w.At - 5},
			{ClientID: "own", Name: "own", Texts: called("own"), Scopes: []string{"openid", "profile"}, Since: w.At, LastUsedAt: w.At + 3},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("apps (-want +got):\n%s", diff)
		}
		consents, err := d.ConsentsOf(ctx, w.User.ID)
		must(t, err)
		if len(consents) != 4 || consents[0].Client == "" || consents[0].GrantedAt == 0 {
			t.Errorf("consents %+v", consents)
		}
		grants, err := d.AllGrantsOf(ctx, w.User.ID)
		must(t, err)
		if len(grants) != 6 || grants[0].Client == "" || len(grants[0].Scopes) == 0 {
			t.Errorf("grants %+v", grants)
		}
		if gids, err := d.EndedGrants(ctx, w.User.ID, 0, 10); err != nil || len(gids) != 0 {
			t.Errorf("grants that have ended %v, %v", gids, err)
		}
		_, err = d.EndGrants(ctx, accounts.GrantFilter{GrantID: grants[0].ID}, w.At+7, "refresh-reuse")
		must(t, err)
		gids, err := d.EndedGrants(ctx, w.User.ID, w.At+7, 10)
		must(t, err)
		if later, err := d.EndedGrants(ctx, w.User.ID, w.At+8, 10); !slices.Equal(gids, []string{grants[0].ID.String()}) || len(later) != 0 || err != nil {
			t.Errorf("grants that have ended %v, later %v, %v", gids, later, err)
		}
	})
}
