package storagetest

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// RefusedKeeper is what the contract of refused redirect URIs is about.
type RefusedKeeper interface {
	accounts.RefusedStore
	accounts.ClientStore
	accounts.Tx
}

// Refused is the contract of the store of refused redirect URIs. s holds nothing yet.
func Refused(t *testing.T, s RefusedKeeper) {
	t.Helper()
	ctx := t.Context()
	one, two := plainClient("one"), plainClient("two")
	must(t, s.InsertClient(ctx, one))
	must(t, s.InsertClient(ctx, two))
	cb := accounts.RefusedRedirect{URI: `https://a.example/\xE4'"<b>…`, Count: 2, FirstAt: 100, LastAt: 110}
	must(t, s.AddRefused(ctx, one.ID, []accounts.RefusedRedirect{cb}, 20, 0))
	must(t, s.AddRefused(ctx, two.ID, []accounts.RefusedRedirect{{URI: cb.URI, Count: 7, FirstAt: 1, LastAt: 2}}, 20, 0))
	// Counts are summed; the times are the first and the last, whoever comes later.
	must(t, s.AddRefused(ctx, one.ID, []accounts.RefusedRedirect{{URI: cb.URI, Count: 3, FirstAt: 105, LastAt: 107}}, 20, 0))
	cb.Count = 5
	wantRefused(t, s, one.ID, 0, cb)
	wantRefused(t, s, one.ID, 111)
	if err := s.AddRefused(ctx, id.New(), []accounts.RefusedRedirect{cb}, 20, 0); err == nil {
		t.Error("kept for a client that is not there")
	}

	newer := accounts.RefusedRedirect{URI: "b:/", Count: 1, FirstAt: 200, LastAt: 200}
	must(t, s.AddRefused(ctx, one.ID, []accounts.RefusedRedirect{{URI: "a:/", Count: 1, FirstAt: 50, LastAt: 50}, newer}, 2, 0))
	wantRefused(t, s, one.ID, 0, newer, cb)                 // the last two
	must(t, s.AddRefused(ctx, one.ID, nil, 2, cb.LastAt+1)) // old ones go
	wantRefused(t, s, one.ID, 0, newer)

	must(t, s.ForgetRefused(ctx, one.ID, newer.URI))
	wantError(t, s.ForgetRefused(ctx, one.ID, newer.URI), accounts.ErrNotFound)
	wantRefused(t, s, two.ID, 0, accounts.RefusedRedirect{URI: cb.URI, Count: 7, FirstAt: 1, LastAt: 2})
	refusedRace(t, s, one.ID)
	must(t, s.InTx(ctx, func(ctx context.Context) error { return s.DeleteClient(ctx, two.ID) }))
	wantRefused(t, s, two.ID, 0)
}

// refusedRace: two nodes note the same and neither loses a count.
func refusedRace(t *testing.T, s RefusedKeeper, clientID id.ID) {
	t.Helper()
	const nodes, uris = 4, 3
	var list []accounts.RefusedRedirect
	for i := range uris {
		list = append(list, accounts.RefusedRedirect{URI: fmt.Sprintf("https://a.example/%d", i), Count: 1, FirstAt: 300, LastAt: 300})
	}
	var running sync.WaitGroup
	for range nodes {
		running.Go(func() {
			if err := s.AddRefused(t.Context(), clientID, list, 20, 0); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	for i := range list {
		list[i].Count = nodes
	}
	wantRefused(t, s, clientID, 0, list...)
}

func wantRefused(t *testing.T, s RefusedKeeper, clientID id.ID, since int64, want ...accounts.RefusedRedirect) {
	t.Helper()
	got, err := s.RefusedRedirects(t.Context(), clientID, since)
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
}
