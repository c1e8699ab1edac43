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

// TestCauseOf: a row keeps the event of its transaction that is about it, and else the
// one that was written last before it; nothing else of the time counts.
func TestCauseOf(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		d := open(t)
		in := func(steps ...func(ctx context.Context) error) {
			t.Helper()
			if err := d.InTx(t.Context(), func(ctx context.Context) error {
				for _, step := range steps {
					if err := step(ctx); err != nil {
						return err
					}
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		event := func(action, target string, subs ...string) func(ctx context.Context) error {
			return func(ctx context.Context) error {
				return d.WriteAudit(ctx, audit.Event{
					Actor: audit.Actor{Kind: audit.System, ID: "test"}, Action: action, TargetKind: "user", TargetID: target,
					Details: map[string]any{"subs": subs},
				})
			}
		}
		row := func(kind revocation.Kind, keys ...string) func(ctx context.Context) error {
			return func(ctx context.Context) error {
				for _, key := range keys {
					if err := d.Append(ctx, revocation.Entry{Kind: kind, Key: key, Reason: "test"}); err != nil {
						return err
					}
				}
				return nil
			}
		}
		in(event("another deed", "ada"))
		in(row(revocation.User, "ada")) // 1
		in(event("ban", "ada"), row(revocation.User, "ada"))
		in(event("password", "ada"), row(revocation.Session, "one", "two")) // 3, 4
		in(event("some", "group", "ada"), event("others", "group", "bob"), row(revocation.Membership, "ada", "bob"))
		in(event("first deed", "x"), row(revocation.Permission, "posts:add"), event("second deed", "y"), row(revocation.Client, "c"))
		in(event("emergency", "z"), row(revocation.All, ""))
		in(event("stamped", "bob"), func(ctx context.Context) error {
			return d.Stamp(ctx, revocation.Stamp{Subject: revocation.UserValidFrom, ID: "bob"})
		})
		want := []string{"", "ban", "password", "password", "some", "others", "first deed", "second deed", "emergency", "stamped"}
		var got []string
		for position := range len(want) {
			events, err := d.CauseOf(t.Context(), int64(position+1))
			if err != nil || len(events) > 1 {
				t.Fatalf("%v, %v", events, err)
			}
			action := ""
			if len(events) == 1 {
				action = events[0].Action
			}
			got = append(got, action)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}
