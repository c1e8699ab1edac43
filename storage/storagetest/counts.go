package storagetest

import (
	"context"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/counts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// CountKeeper is what the contract of counts is about.
type CountKeeper interface {
	counts.Store
	admin.CountReader
	accounts.ClientStore
}

// Counts is the contract of the store of counts. s holds nothing yet.
func Counts(t *testing.T, s CountKeeper) {
	t.Helper()
	ctx := t.Context()
	const hour, day = counts.Hour, 24 * counts.Hour
	issued := counts.What{Kind: counts.Token, Name: "refresh_token"}
	reused := counts.What{Kind: counts.Refusal, Place: counts.AtToken, Name: "invalid_grant", Reason: counts.ReasonReused}
	of := func(at int64, client id.ID, w counts.What, n int64) counts.Row {
		return counts.Row{Hour: at, Client: client, What: w, N: n}
	}
	nobody := id.ID{}
	must(t, s.AddCounts(ctx, nil))
	must(t, s.AddCounts(ctx, []counts.Row{of(day, nobody, issued, 2), of(day, nobody, reused, 1), of(day+hour, nobody, issued, 5)}))
	must(t, s.AddCounts(ctx, []counts.Row{of(day, nobody, issued, 3), of(3*day, nobody, issued, 1<<40)}))
	wantCounts(t, s, 0, hour, of(day, nobody, reused, 1), of(day, nobody, issued, 5), of(day+hour, nobody, issued, 5), of(3*day, nobody, issued, 1<<40))
	wantCounts(t, s, 0, day, of(day, nobody, reused, 1), of(day, nobody, issued, 10), of(3*day, nobody, issued, 1<<40))
	wantCounts(t, s, day+hour, hour, of(day+hour, nobody, issued, 5), of(3*day, nobody, issued, 1<<40))

	one, two := plainClient("one"), plainClient("two")
	must(t, s.InsertClient(ctx, one))
	must(t, s.InsertClient(ctx, two))
	gone := id.New()
	must(t, s.AddClientCounts(ctx, []counts.Row{
		of(day, one.ID, issued, 1), of(day, one.ID, reused, 2), of(2*day, one.ID, reused, 4), of(day, two.ID, reused, 7), of(2*day, gone, reused, 9),
	}))
	wantClientCounts(t, s, one.ID, 0, of(0, one.ID, reused, 6), of(0, one.ID, issued, 1))
	wantClientCounts(t, s, one.ID, day+1, of(day+1, one.ID, reused, 4))
	wantClientCounts(t, s, id.New(), 0)
	// What was issued does not count here, nor a client that is not there any more.
	wantRefusedMost(t, s, 0, 100, 5, admin.RefusedClient{ClientID: "two", Name: two.Name, Count: 7}, admin.RefusedClient{ClientID: "one", Name: one.Name, Count: 6})
	wantRefusedMost(t, s, 2*day, 100, 5, admin.RefusedClient{ClientID: "one", Name: one.Name, Count: 4})
	wantRefusedMost(t, s, 0, 100, 2, admin.RefusedClient{ClientID: "two", Name: two.Name, Count: 7})
	wantRefusedMost(t, s, 2*day, 0, 5)

	countsRace(t, s, one.ID, issued)

	must(t, s.DropCounts(ctx, day+hour, 2*day))
	wantCounts(t, s, 0, day, of(day, nobody, issued, 5), of(3*day, nobody, issued, 1<<40), of(9*day, nobody, issued, 40))
	wantClientCounts(t, s, two.ID, 0)
	wantClientCounts(t, s, one.ID, 0, of(0, one.ID, reused, 4), of(0, one.ID, issued, 40))
}

// countsRace: nodes that write the same rows at once lose none and do not lock each
// other out.
func countsRace(t *testing.T, s CountKeeper, client id.ID, w counts.What) {
	t.Helper()
	const nodes, times, at = 4, 5, 9 * 24 * counts.Hour
	var rows []counts.Row
	for i := range int64(2) {
		rows = append(rows, counts.Row{Hour: at + i*counts.Hour, Client: client, What: w, N: 1})
	}
	var running sync.WaitGroup
	for range nodes {
		running.Go(func() {
			for range times {
				for _, add := range []func(context.Context, []counts.Row) error{s.AddCounts, s.AddClientCounts} {
					if err := add(t.Context(), rows); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	running.Wait()
	wantCounts(t, s, at, 24*counts.Hour, counts.Row{Hour: at, What: w, N: nodes * times * 2})
}

func wantCounts(t *testing.T, s CountKeeper, since, width int64, want ...counts.Row) {
	t.Helper()
	got, err := s.CountsSince(t.Context(), since, width)
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("since %d (-want +got):\n%s", since, diff)
	}
}

func wantClientCounts(t *testing.T, s CountKeeper, client id.ID, since int64, want ...counts.Row) {
	t.Helper()
	got, err := s.ClientCountsSince(t.Context(), client, since)
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("of a client since %d (-want +got):\n%s", since, diff)
	}
}

func wantRefusedMost(t *testing.T, s CountKeeper, since int64, rows, limit int, want ...admin.RefusedClient) {
	t.Helper()
	got, err := s.MostRefused(t.Context(), since, rows, limit)
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("refused most since %d (-want +got):\n%s", since, diff)
	}
}
