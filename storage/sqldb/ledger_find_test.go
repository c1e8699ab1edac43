package sqldb

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// clocked opens a database whose time is what it returns.
func clocked(t *testing.T, open opener) (*DB, *int64) {
	t.Helper()
	now := new(int64)
	return open(t, func(o *Options) { o.Now = func() time.Time { return time.UnixMilli(*now) } }), now
}

func appendRows(t *testing.T, d *DB, entries ...revocation.Entry) {
	t.Helper()
	if err := d.InTx(t.Context(), func(ctx context.Context) error { return d.Append(ctx, entries...) }); err != nil {
		t.Fatal(err)
	}
}

func TestFindRows(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		d, now := clocked(t, open)
		*now = 1000
		appendRows(t, d, revocation.Entry{Kind: revocation.User, Key: "ada", Reason: "ban"})
		*now = 2000
		appendRows(t, d, revocation.Entry{Kind: revocation.Permission, Key: "posts:add", Audience: "https://a.example", Reason: "why"})
		*now = 3000
		appendRows(t, d, revocation.Entry{Kind: revocation.User, Key: "ada", Reason: "password-reset"})

		want := revocation.Row{
			Position: 3, Kind: revocation.User, Key: "ada", Reason: "password-reset", At: 3000, ExpiresAt: 3000 + tokenLife.Milliseconds(),
		}
		got, err := d.NewestRow(t.Context(), revocation.User, "ada")
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v %s", err, diff)
		}
		got, err = d.RowAt(t.Context(), 2)
		if err != nil || got.Audience != "https://a.example" || got.Key != "posts:add" || got.At != 2000 {
			t.Errorf("%+v, %v", got, err)
		}
		for name, ask := range map[string]func() (revocation.Row, error){
			"position":        func() (revocation.Row, error) { return d.RowAt(t.Context(), 4) },
			"key":             func() (revocation.Row, error) { return d.NewestRow(t.Context(), revocation.User, "bob") },
			"kind of the key": func() (revocation.Row, error) { return d.NewestRow(t.Context(), revocation.Session, "ada") },
		} {
			if row, err := ask(); !errors.Is(err, accounts.ErrNotFound) {
				t.Errorf("%s: %+v, %v", name, row, err)
			}
		}
	})
}

// TestRowsOf: rows of any kind with one of the keys; the empty key is that of the kind
// All alone, though stamps have none either.
func TestRowsOf(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		d := open(t)
		appendRows(t, d, revocation.Entry{Kind: revocation.User, Key: "ada"})
		appendRows(t, d, revocation.Entry{Kind: revocation.User, Key: "bob"})
		stamp := revocation.Stamp{Subject: revocation.UserValidFrom, ID: "nobody"} // its row has no key
		if err := d.InTx(t.Context(), func(ctx context.Context) error { return d.Stamp(ctx, stamp) }); err != nil {
			t.Fatal(err)
		}
		appendRows(t, d, revocation.Entry{Kind: revocation.All, Reason: "emergency"})
		appendRows(t, d, revocation.Entry{Kind: revocation.Client, Key: "app"})
		appendRows(t, d, revocation.Entry{Kind: revocation.Membership, Key: "ada"})
		for _, c := range []struct {
			keys  []string
			limit int
			want  []int64
		}{{[]string{"ada", "app"}, 10, []int64{6, 5, 1}}, {[]string{"ada", ""}, 2, []int64{6, 4}}, {[]string{"x"}, 10, nil}} {
			rows, err := d.RowsOf(t.Context(), c.keys, c.limit)
			var got []int64
			for _, r := range rows {
				got = append(got, r.Position)
			}
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("%q: %v %s", c.keys, err, diff)
			}
		}
	})
}

func TestWrittenBefore(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		d, now := clocked(t, open)
		for i, at := range []int64{1000, 2000} {
			*now = at
			appendRows(t, d, revocation.Entry{Kind: revocation.Session, Key: string(rune('a' + i)), Reason: "sign-out"})
		}
		for _, c := range []struct {
			position, before int64
			want             bool
		}{{0, 1000, false}, {0, 1001, true}, {1, 1001, false}, {1, 2000, false}, {1, 2001, true}, {2, 9999, false}} {
			if got, err := d.WrittenBefore(t.Context(), c.position, c.before); got != c.want || err != nil {
				t.Errorf("above %d before %d: %t, %v", c.position, c.before, got, err)
			}
		}
	})
}

func TestRelaysAreListed(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		d := open(t)
		appendRows(t, d, revocation.Entry{Kind: revocation.All, Reason: "emergency"})
		if err := d.EnsureRelay(t.Context(), "one"); err != nil {
			t.Fatal(err)
		}
		appendRows(t, d, revocation.Entry{Kind: revocation.All, Reason: "emergency"})
		if err := d.EnsureRelay(t.Context(), "two"); err != nil {
			t.Fatal(err)
		}
		got, err := d.Relays(t.Context())
		if diff := cmp.Diff(map[string]int64{"one": 1, "two": 2}, got); diff != "" || err != nil {
			t.Errorf("%v %s", err, diff)
		}
	})
}

func TestAuditOfOneTarget(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		d, now := clocked(t, open)
		write := func(at int64, action, kind, target string) {
			*now = at
			if err := d.WriteAudit(t.Context(), audit.Event{Action: action, TargetKind: kind, TargetID: target}); err != nil {
				t.Fatal(err)
			}
		}
		write(10, "early", "user", "ada")
		write(20, "first", "user", "ada")
		write(25, "of another", "user", "bob")
		write(25, "of another kind", "client", "ada")
		write(30, "second", "user", "ada")
		write(31, "late", "user", "ada")
		events, err := d.AuditOf(t.Context(), "user", "ada", 20, 30)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range events {
			got = append(got, e.Action)
		}
		if diff := cmp.Diff([]string{"first", "second"}, got); diff != "" {
			t.Error(diff)
		}
	})
}
