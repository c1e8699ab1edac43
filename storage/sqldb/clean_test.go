package sqldb

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/provider/statuslist"
	"github.com/gatehouse-id/gatehouse/revocation"
	"github.com/gatehouse-id/gatehouse/storage/cache"
	"github.com/gatehouse-id/gatehouse/storage/storagetest"
)

const day = int64(24 * time.Hour / time.Millisecond)

// dirty fills a database with rows of each growing table, of which every table
// has as many that are due at now as that are not.
func dirty(t *testing.T, d *DB, clock *time.Time, each int) (w *storagetest.World, kept []id.ID) {
	t.Helper()
	w = storagetest.NewWorld(t, d)
	now := clock.UnixMilli()
	check := func(ok bool, err error) {
		t.Helper()
		if !ok || err != nil {
			t.Fatalf("%v, %v", ok, err)
		}
	}
	list, err := d.TakeStatusIndexes(t.Context(), "https://a", "ES256", statusBlock)
	check(true, err)
	for i := range 2 * each {
		due := int64(1)
		if i%2 == 0 {
			due = -1
		}
		s := w.NewSession(w.User.ID)
		s.ExpiresAt = now - 30*day + due
		check(true, d.InsertSession(t.Context(), s))
		f := storagetest.NewFlow(now)
		f.ExpiresAt = now - day + due
		check(true, d.InsertFlow(t.Context(), f))
		c := w.Code("openid")
		c.ExpiresAt = now - day + due
		check(d.InsertCode(t.Context(), c))
		g := w.Grant("openid")
		g.PurgeAt = now + due
		check(d.RedeemCode(t.Context(), g))
		if due > 0 {
			kept = append(kept, s.ID, f.ID, c.GrantID, g.ID)
		}
		check(d.UseAssertion(t.Context(), "app", g.ID.String(), now-int64(time.Hour/time.Millisecond)+due))
		at := statuslist.Place{List: list.List, Index: int64(i)}
		check(true, insertPassing(t.Context(), d, w.User.ID, now, due))
		check(true, d.InsertStatusEntry(t.Context(), statusEntry(at, "jti", now-int64(10*time.Minute/time.Millisecond)+due)))
		// The rows of the other tables get their times from the clock.
		back := time.Duration(0)
		if due < 0 {
			back = 2 * time.Hour
		}
		*clock = clock.Add(-back)
		check(true, d.ShortLived().Put(t.Context(), g.ID.String(), []byte("x"), time.Hour))
		_, err := d.ShortLived().Spend(t.Context(), g.ID.String(), cache.Limit{Burst: 1, Every: time.Second}, 1)
		check(true, err)
		check(true, d.InTx(t.Context(), func(ctx context.Context) error {
			return d.Append(ctx, revocation.Entry{Kind: revocation.Grant, Key: g.ID.String(), Reason: "test"})
		}))
		*clock = clock.Add(back)
	}
	return w, kept
}

// insertPassing inserts a proof, a sign-in that waits for a second factor, a browser
// that needs none for a while, and an idempotency key.
func insertPassing(ctx context.Context, d *DB, userID id.ID, now, due int64) error {
	for table, until := range map[string]int64{"proofs": now + due, "sign_ins": now + due, "remembered_devices": now + due} {
		some, columns := id.New(), map[string]string{
			"proofs":             "purpose, email_key, secret_hash, code_hash, browser_hash, binding, data, created_at) VALUES ($1, $2, $3, 'x', 'x', $4, $4, $4, $4, $4, 1)",
			"sign_ins":           "token_hash, rev, binding, amr, created_at) VALUES ($1, $2, $3, $4, 1, $4, 'pwd', 1)",
			"remembered_devices": "token_hash, rev, binding, user_agent, address, created_at) VALUES ($1, $2, $3, $4, 1, $4, '', '', 1)",
		}[table]
		if _, err := d.exec(ctx, "INSERT INTO "+table+" (id, user_id, expires_at, "+columns, some, userID, until, some[:]); err != nil {
			return err
		}
	}
	some := id.New()
	kept, err := d.ClaimKey(ctx, admin.Claim{ID: some[:], Request: []byte("x"), At: 1, ExpiresAt: now + due})
	if kept != nil {
		return errors.New("the key of an id was used before")
	}
	return err
}

func TestAttack_246_CleanRemovesWhatIsDueInSmallBatches(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		clock := time.UnixMilli(1_900_000_000_000)
		d := open(t, func(o *Options) { o.Now = func() time.Time { return clock } })
		const each, batch = 7, 3
		_, kept := dirty(t, d, &clock, each)

		statements := map[string]int{}
		d.trace = func(sql string) {
			if words := strings.Fields(sql); words[0] == "DELETE" {
				statements[words[2]]++
			}
		}
		removed, err := d.Clean(t.Context(), batch)
		if err != nil {
			t.Fatal(err)
		}
		want, batches := map[string]int{}, map[string]int{}
		for _, table := range []string{"sessions", "flows", "codes", "grants", "used_assertions", "short_lived", "rate_limits", "revocations", "status_entries", "proofs", "sign_ins", "remembered_devices", "idempotency_keys"} {
			want[table], batches[table] = each, 3 // 3 + 3 + 1
		}
		want["sessions"]++ // the world's own is old
		want["status_lists"], batches["status_lists"] = 0, 1
		if diff := cmp.Diff(want, removed); diff != "" {
			t.Errorf("removed (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(batches, statements); diff != "" {
			t.Errorf("statements (-want +got):\n%s", diff)
		}
		var left []id.ID
		for _, text := range []string{
			`SELECT id FROM sessions`, `SELECT id FROM flows`, `SELECT grant_id FROM codes`, `SELECT id FROM grants`,
		} {
			found, err := d.returned(t.Context(), text)
			if err != nil {
				t.Fatal(err)
			}
			left = append(left, found...)
		}
		for _, one := range kept {
			if !containsID(left, one) {
				t.Errorf("%s was removed before its time", one)
			}
		}
		again, err := d.Clean(t.Context(), batch)
		for table, n := range again {
			if n != 0 {
				t.Errorf("%s lost %d more rows", table, n)
			}
		}
		if err != nil {
			t.Error(err)
		}
	})
}

func containsID(list []id.ID, one id.ID) bool {
	for _, i := range list {
		if bytes.Equal(i[:], one[:]) {
			return true
		}
	}
	return false
}

// A code that is replayed long after its row is gone, and after its grant has
// ended, is still known.
func TestAttack_246_ReuseIsKnownAfterCleaning(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		clock := time.UnixMilli(1_900_000_000_000)
		d := open(t, func(o *Options) { o.Now = func() time.Time { return clock } })
		w := storagetest.NewWorld(t, d)
		c, g := w.Code("openid"), w.Grant("openid")
		c.ExpiresAt, g.PurgeAt, g.ID = clock.UnixMilli()+1, clock.UnixMilli()+100*day, c.GrantID
		unredeemed := w.Code("openid")
		unredeemed.ExpiresAt = c.ExpiresAt
		for _, do := range []func() (bool, error){
			func() (bool, error) { return d.InsertCode(t.Context(), c) },
			func() (bool, error) { return d.RedeemCode(t.Context(), g) },
			func() (bool, error) { return d.InsertCode(t.Context(), unredeemed) },
		} {
			if ok, err := do(); !ok || err != nil {
				t.Fatalf("%v, %v", ok, err)
			}
		}
		if _, err := d.EndGrants(t.Context(), accounts.GrantFilter{UserID: w.User.ID}, clock.UnixMilli(), "sign-out"); err != nil {
			t.Fatal(err)
		}
		clock = clock.Add(99 * 24 * time.Hour)
		if _, err := d.Clean(t.Context(), 10); err != nil {
			t.Fatal(err)
		}
		code, grant, _, err := d.CodeStanding(t.Context(), c.GrantID, clock.UnixMilli())
		if err != nil || code != nil || !bytes.Equal(grant.CodeHash, c.SecretHash) {
			t.Errorf("a replay finds code %v, grant %v, %v", code, grant, err)
		}
		if ok, err := d.RedeemCode(t.Context(), g); ok || err != nil {
			t.Errorf("the code was redeemed again: %v, %v", ok, err)
		}
		if _, err := d.GrantByID(t.Context(), unredeemed.GrantID); err == nil {
			t.Error("what stood in for an unredeemed code is still there")
		}
	})
}

func TestCleanStopsWithItsContext(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		d := open(t)
		if _, err := d.Clean(ctx, 10); err == nil {
			t.Error("cleaned with a context that was over")
		}
		if _, err := d.Clean(t.Context(), 0); err == nil {
			t.Error("cleaned in batches of nothing")
		}
	})
}
