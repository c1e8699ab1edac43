package sqldb

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/provider/statuslist"
	"github.com/gatehouse-id/gatehouse/revocation"
)

const statusBlock = 256

func takeStatus(t *testing.T, d *DB, audience, algorithm string) statuslist.Place {
	t.Helper()
	at, err := d.TakeStatusIndexes(t.Context(), audience, algorithm, statusBlock)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func statusEntry(at statuslist.Place, jti string, expiresAt int64) statuslist.Entry {
	return statuslist.Entry{Place: at, ExpiresAt: expiresAt, Keys: revocation.Keys{
		ID: jti, SessionID: "s", GrantID: "g", Subject: "u", ClientID: "c", KeyID: "k", Scopes: []string{"a:b", "openid"}, Rev: 7,
	}}
}

func TestStatusIndexesAreTakenOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		d := open(t)
		first := takeStatus(t, d, "https://a", "ES256")
		if first.List <= 0 || first.List >= 1<<42 || first.Index != 0 {
			t.Fatalf("first %+v", first)
		}
		if next := takeStatus(t, d, "https://a", "ES256"); next != (statuslist.Place{List: first.List, Index: statusBlock}) {
			t.Errorf("next %+v after %+v", next, first)
		}
		for _, other := range []statuslist.Place{takeStatus(t, d, "https://b", "ES256"), takeStatus(t, d, "https://a", "EdDSA")} {
			if other.List == first.List || other.Index != 0 {
				t.Errorf("another use shares %+v: %+v", first, other)
			}
		}
		// The last block, then a new list.
		if _, err := d.exec(t.Context(), `UPDATE status_lists SET next = $2 WHERE number = $1`, first.List, statuslist.Size-statusBlock); err != nil {
			t.Fatal(err)
		}
		if last := takeStatus(t, d, "https://a", "ES256"); last != (statuslist.Place{List: first.List, Index: statuslist.Size - statusBlock}) {
			t.Errorf("last block %+v", last)
		}
		if next := takeStatus(t, d, "https://a", "ES256"); next.List == first.List || next.Index != 0 {
			t.Errorf("after a full list %+v", next)
		}
		found, err := d.StatusList(t.Context(), first.List)
		if err != nil || found != (statuslist.List{Number: first.List, Audience: "https://a", Algorithm: "ES256"}) {
			t.Errorf("%+v, %v", found, err)
		}
		if _, err := d.StatusList(t.Context(), 1); !errors.Is(err, accounts.ErrNotFound) {
			t.Errorf("a list that is not there: %v", err)
		}
		if numbers, err := d.StatusLists(t.Context(), 10); err != nil || len(numbers) != 4 || !slices.IsSorted(numbers) {
			t.Errorf("lists %v, %v", numbers, err)
		}
	})
}

// TestStatusIndexesRace: several nodes never get the same index, also when a list
// is made or full.
func TestStatusIndexesRace(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		const nodes, each = 4, 10
		var mu sync.Mutex
		taken := map[statuslist.Place]bool{}
		var wg sync.WaitGroup
		for range nodes {
			d := open(t)
			wg.Go(func() {
				for i := range each {
					if i == each/2 { // make the lists full once in between
						if _, err := d.exec(t.Context(), `UPDATE status_lists SET next = $1 WHERE next < $1`, statuslist.Size-3*statusBlock); err != nil {
							t.Error(err)
						}
					}
					at, err := d.TakeStatusIndexes(t.Context(), "https://a", "ES256", statusBlock)
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					if taken[at] || at.Index%statusBlock != 0 || at.Index+statusBlock > statuslist.Size {
						t.Errorf("taken again, or out of the list: %+v", at)
					}
					taken[at] = true
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if len(taken) != nodes*each {
			t.Errorf("%d blocks", len(taken))
		}
	})
}

func TestStatusEntries(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		d, ctx := open(t), t.Context()
		at, other := takeStatus(t, d, "https://a", "ES256"), takeStatus(t, d, "https://b", "ES256")
		at.Index += 5
		one := statusEntry(at, "one", 1000)
		two := statusEntry(statuslist.Place{List: at.List, Index: statuslist.Size - 1}, "two", 2000)
		two.SessionID, two.GrantID, two.Scopes = "", "", nil
		dead := statusEntry(statuslist.Place{List: at.List, Index: 6}, "dead", 999)
		for _, e := range []statuslist.Entry{two, dead, one, statusEntry(other, "other", 2000)} {
			if err := d.InsertStatusEntry(ctx, e); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.InsertStatusEntry(ctx, statusEntry(at, "again", 1000)); !errors.Is(err, accounts.ErrConflict) {
			t.Errorf("a place was given twice: %v", err)
		}
		if err := d.InsertStatusEntry(ctx, statusEntry(statuslist.Place{List: 1}, "x", 1000)); !errors.Is(err, accounts.ErrNotFound) {
			t.Errorf("kept for a list that is not there: %v", err)
		}
		read := func(from, now int64, limit int) []statuslist.Entry {
			found, err := d.StatusEntries(ctx, at.List, from, now, limit)
			if err != nil {
				t.Fatal(err)
			}
			return found
		}
		for _, c := range []struct {
			from, now int64
			limit     int
			want      []statuslist.Entry
		}{
			{0, 999, 10, []statuslist.Entry{one, two}},
			{0, 999, 1, []statuslist.Entry{one}},
			{at.Index + 1, 999, 10, []statuslist.Entry{two}},
			{0, 1000, 10, []statuslist.Entry{two}},
			{0, 2000, 10, nil},
		} {
			if diff := cmp.Diff(c.want, read(c.from, c.now, c.limit)); diff != "" {
				t.Errorf("from %d at %d (-want +got):\n%s", c.from, c.now, diff)
			}
		}
		if err := d.RetireStatusLists(ctx); err != nil {
			t.Fatal(err)
		}
		if err := d.InsertStatusEntry(ctx, statusEntry(statuslist.Place{List: at.List, Index: 9}, "late", 1000)); !errors.Is(err, accounts.ErrNotFound) {
			t.Errorf("kept for a retired list: %v", err)
		}
	})
}

func TestStatusTablesAreCleaned(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		clock := time.UnixMilli(1_900_000_000_000)
		d, ctx := open(t, func(o *Options) { o.Now = func() time.Time { return clock } }), t.Context()
		at := takeStatus(t, d, "https://a", "ES256")
		for i, expiresAt := range []int64{clock.UnixMilli(), clock.UnixMilli() + 1} {
			at.Index = int64(i)
			if err := d.InsertStatusEntry(ctx, statusEntry(at, "x", expiresAt)); err != nil {
				t.Fatal(err)
			}
		}
		clean := func() (removed []int) {
			for _, g := range statusTables() {
				n, err := d.cleanTable(ctx, g, clock.UnixMilli(), 1)
				if err != nil {
					t.Fatal(err)
				}
				removed = append(removed, n)
			}
			return removed
		}
		for _, c := range []struct {
			after time.Duration
			want  []int
		}{
			{10 * time.Minute, []int{0, 0}},
			{time.Millisecond, []int{1, 0}},
			{time.Millisecond, []int{1, 0}},
			{25*time.Hour - 10*time.Minute - 2*time.Millisecond, []int{0, 0}},
			{time.Millisecond, []int{0, 1}},
		} {
			clock = clock.Add(c.after)
			if diff := cmp.Diff(c.want, clean()); diff != "" {
				t.Errorf("after %s more (-want +got):\n%s", c.after, diff)
			}
		}
	})
}

func statusCleaning(d *DB) (texts []planned) {
	for _, g := range statusTables() {
		texts = append(texts, planned{sql: d.cleanText(g), args: []any{int64(1), 5}})
	}
	return texts
}

// TestStatusStatementsUseIndexes: what runs for a token or a list reads no table
// from end to end.
func TestStatusStatementsUseIndexes(t *testing.T) {
	at := int64(1)
	texts := []planned{
		{sql: takeStatusIndexes, args: []any{"a", "b", 256, at, at}},
		{sql: insertStatusEntry, args: []any{at, "", "", "", "", "", "", "", at, at, at}},
		{sql: statusListByNumber, args: []any{at}},
		{sql: statusEntries, args: []any{at, at, at, 10}},
	}
	t.Run("SQLite", func(t *testing.T) {
		d := openerOf(sqliteURL(t))(t)
		for _, p := range append(slices.Clone(texts), statusCleaning(d)...) {
			for _, line := range sqlitePlan(t, d, p) {
				if strings.HasPrefix(line, "SCAN") || strings.Contains(line, "AUTOMATIC") {
					t.Errorf("%s\nin %s", line, p.sql)
				}
			}
		}
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		d := openerOf(postgresURL(t) + "&enable_seqscan=off")(t)
		for _, p := range append(slices.Clone(texts), statusCleaning(d)...) {
			if plan := strings.Join(postgresPlan(t, d, p), "\n"); strings.Contains(plan, "Seq Scan") {
				t.Errorf("%s\nplan:\n%s", p.sql, plan)
			}
		}
	})
}
