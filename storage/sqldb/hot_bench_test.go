package sqldb

import (
	"context"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/provider/granting"
	"github.com/gatehouse-id/gatehouse/storage/cache"
	"github.com/gatehouse-id/gatehouse/storage/storagetest"
)

// hotPath is a database in which a person can do all that is done often.
type hotPath struct {
	*DB
	w     *storagetest.World
	code  *granting.Code
	grant *granting.Grant
	flow  *flow.Flow
}

func newHotPath(tb testing.TB, d *DB) *hotPath {
	tb.Helper()
	w := storagetest.NewWorld(tb, d)
	w.Join(tb, w.AddGroup(tb, "hot", "posts:add", "posts:read"), 0)
	w.Join(tb, w.AddGroup(tb, "warm", "posts:add"), 0)
	machine := *w.Client
	machine.Permissions = []string{"posts:add", "posts:read"}
	h := &hotPath{
		DB: d, w: w, code: w.Code("openid profile email posts:add"), grant: w.Grant("openid profile email posts:add"),
		flow: storagetest.NewFlow(w.At),
	}
	_, codeErr := d.InsertCode(tb.Context(), h.code)
	_, grantErr := d.RedeemCode(tb.Context(), h.grant)
	for _, err := range []error{
		d.UpdateClient(tb.Context(), &machine), d.PutConsent(tb.Context(), w.Consent("openid profile email posts:add")),
		d.InsertFlow(tb.Context(), h.flow), codeErr, grantErr,
		d.ShortLived().Put(tb.Context(), "par", []byte("request"), time.Hour),
	} {
		if err != nil {
			tb.Fatal(err)
		}
	}
	return h
}

// hotOperations are what a token or a page costs; each is one round trip.
func (h *hotPath) operations() map[string]func(ctx context.Context) error {
	w, hash := h.w, h.grant.Refresh.Hash
	return map[string]func(context.Context) error{
		"SessionStanding": func(ctx context.Context) error {
			_, err := h.SessionStanding(ctx, w.Session.TokenHash, w.Client.ID, nil, w.At)
			return err
		},
		"CodeStanding": func(ctx context.Context) error {
			_, _, _, err := h.CodeStanding(ctx, h.code.GrantID, w.At)
			return err
		},
		"GrantStanding": func(ctx context.Context) error {
			_, _, err := h.GrantStanding(ctx, h.grant.ID, w.At)
			return err
		},
		"Audiences": func(ctx context.Context) error {
			_, err := h.Audiences(ctx, []string{"posts:add"}, nil)
			return err
		},
		"GrantPerson": func(ctx context.Context) error {
			_, err := h.GrantPerson(ctx, h.grant.ID, false, w.At)
			return err
		},
		"UserStanding": func(ctx context.Context) error {
			_, _, err := h.UserStanding(ctx, w.User.Subject, w.At)
			return err
		},
		"SessionByToken": func(ctx context.Context) error {
			_, _, err := h.SessionByToken(ctx, w.Session.TokenHash)
			return err
		},
		"TouchSession": func(ctx context.Context) error { return h.TouchSession(ctx, w.Session.ID, w.At+1, w.At+1000) },
		"ConsentOf": func(ctx context.Context) error {
			_, err := h.ConsentOf(ctx, w.User.ID, w.Client.ID)
			return err
		},
		"InsertFlow": func(ctx context.Context) error { return h.InsertFlow(ctx, storagetest.NewFlow(w.At)) },
		"FlowByID": func(ctx context.Context) error {
			_, err := h.FlowByID(ctx, h.flow.ID)
			return err
		},
		"UpdateFlow": func(ctx context.Context) error { return h.UpdateFlow(ctx, h.flow) },
		"InsertCode": func(ctx context.Context) error {
			_, err := h.InsertCode(ctx, w.Code("openid profile email posts:add"))
			return err
		},
		"RedeemCode": func(ctx context.Context) error {
			_, err := h.RedeemCode(ctx, w.Grant("openid profile email posts:add"))
			return err
		},
		"RotateRefresh": func(ctx context.Context) error {
			next := id.New()
			r := granting.Rotation{GrantID: h.grant.ID, Old: hash, Hash: next[:], Generation: 1, Recent: []int64{w.At}}
			hash = next[:]
			_, err := h.RotateRefresh(ctx, r)
			return err
		},
		"UseAssertion": func(ctx context.Context) error {
			_, err := h.UseAssertion(ctx, "app", id.New().String(), w.At)
			return err
		},
		"ShortLived.Put": func(ctx context.Context) error {
			return h.ShortLived().Put(ctx, id.New().String(), []byte("request"), time.Minute)
		},
		"ShortLived.Get": func(ctx context.Context) error {
			_, err := h.ShortLived().Get(ctx, "par")
			return err
		},
		"ShortLived.Spend": func(ctx context.Context) error {
			_, err := h.ShortLived().Spend(ctx, "limit", cache.Limit{Burst: 1 << 20, Every: time.Microsecond}, 1)
			return err
		},
	}
}

func TestHotOperationsAreOneRoundTrip(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		d := open(t)
		h := newHotPath(t, d)
		var trips []string
		d.trace = func(sql string) { trips = append(trips, sql) }
		for name, do := range h.operations() {
			trips = nil
			if err := do(t.Context()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if len(trips) != 1 {
				t.Errorf("%s: %d round trips: %q", name, len(trips), trips)
			}
		}
		trips = nil
		if _, err := d.EndGrants(t.Context(), accounts.GrantFilter{UserID: h.w.User.ID}, h.w.At, "test"); err != nil {
			t.Error(err)
		}
		if len(trips) > 5 { // begin, codes, grants, codes, commit
			t.Errorf("EndGrants: %d round trips: %q", len(trips), trips)
		}
	})
}

func benchmarkHot(b *testing.B, d *DB) {
	h := newHotPath(b, d)
	for name, do := range h.operations() {
		b.Run(name, func(b *testing.B) {
			trips := 0
			d.trace = func(string) { trips++ }
			b.ReportAllocs()
			for b.Loop() {
				if err := do(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(trips)/float64(b.N), "trips/op")
		})
	}
}

// The PostgreSQL of tests does not fsync: what it measures is CPU.
func BenchmarkHotPostgreSQL(b *testing.B) { benchmarkHot(b, openerOf(postgresURL(b))(b)) }

func BenchmarkHotSQLite(b *testing.B) { benchmarkHot(b, openerOf(sqliteURL(b))(b)) }
