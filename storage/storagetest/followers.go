package storagetest

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/revocation/feed"
)

// FollowerReports is what the contract of followers' reports is about.
type FollowerReports interface {
	feed.FollowerStore
	ListFollowers(ctx context.Context) ([]feed.Applied, error)
	Acknowledged(ctx context.Context, position int64) ([]feed.Acknowledgement, error)
	CleanFollowers(ctx context.Context, before int64) (int, error)
}

// Followers is the contract of followers' reports. open returns a database without
// any.
func Followers(t *testing.T, open func(t *testing.T) FollowerReports) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, FollowerReports){
		"Upsert":       followersUpsert,
		"Acknowledged": followersAcknowledged,
		"Clean":        followersClean,
		"Many":         followersMany,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// Reports returns n reports of one position, each of another instance.
func Reports(n int, position int64) []feed.Applied {
	out := make([]feed.Applied, n)
	for i := range out {
		out[i] = feed.Applied{
			ClientID: fmt.Sprintf("client %d \"ü\"", i%7), Instance: fmt.Sprintf("i-%05d", i), Audience: "https://api.example",
			Timeline: "t", Position: position, State: "fresh", Lag: 12, ReportedAt: 1000 + position,
		}
	}
	return out
}

func report(instance string, position, at int64) feed.Applied {
	return feed.Applied{
		ClientID: "c", Instance: instance, Audience: "https://a.example", Timeline: "t", Position: position,
		State: "fresh", Lag: 5, ReportedAt: at,
	}
}

func followersUpsert(t *testing.T, s FollowerReports) {
	must(t, s.WriteReports(t.Context(), nil))
	must(t, s.WriteReports(t.Context(), []feed.Applied{report("a", 3, 100), report("b", 4, 101)}))
	newer := report("a", 9, 200)
	newer.State, newer.Lag, newer.Timeline, newer.Audience = "stale", 7, "u", "https://b.example"
	// Twice in one call, and one that another node has kept for longer.
	must(t, s.WriteReports(t.Context(), []feed.Applied{report("a", 8, 199), newer, report("b", 2, 50)}))
	list, err := s.ListFollowers(t.Context())
	must(t, err)
	b := report("b", 4, 101)
	b.FirstAt, newer.FirstAt = 101, 100
	if diff := cmp.Diff([]feed.Applied{b, newer}, list); diff != "" {
		t.Error(diff)
	}
}

func followersAcknowledged(t *testing.T, s FollowerReports) {
	for _, r := range []feed.Applied{
		report("a", 3, 100), report("a", 5, 110), report("a", 5, 120), report("a", 8, 130), report("b", 4, 105),
	} {
		must(t, s.WriteReports(t.Context(), []feed.Applied{r}))
	}
	ack := func(a, b int64) []feed.Acknowledgement {
		return []feed.Acknowledgement{
			{ClientID: "c", Instance: "a", Audience: "https://a.example", FirstAt: a},
			{ClientID: "c", Instance: "b", Audience: "https://a.example", FirstAt: b},
		}
	}
	for position, want := range map[int64][]feed.Acknowledgement{
		1: ack(100, 105), 3: ack(100, 105), 4: ack(110, 105), 5: ack(110, 0), 6: ack(130, 0), 9: ack(0, 0),
	} {
		got, err := s.Acknowledged(t.Context(), position)
		must(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("position %d: %s", position, diff)
		}
	}
}

func followersClean(t *testing.T, s FollowerReports) {
	must(t, s.WriteReports(t.Context(), []feed.Applied{report("gone", 1, 99), report("a", 1, 99)}))
	must(t, s.WriteReports(t.Context(), []feed.Applied{report("a", 2, 100)}))
	n, err := s.CleanFollowers(t.Context(), 100)
	must(t, err)
	if n != 3 { // one follower, two acknowledgements
		t.Errorf("removed %d rows", n)
	}
	got, err := s.Acknowledged(t.Context(), 1)
	must(t, err)
	want := []feed.Acknowledgement{{ClientID: "c", Instance: "a", Audience: "https://a.example", FirstAt: 100}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func followersMany(t *testing.T, s FollowerReports) {
	const n = 3000
	must(t, s.WriteReports(t.Context(), Reports(n, 7)))
	must(t, s.WriteReports(t.Context(), Reports(n, 8)))
	list, err := s.ListFollowers(t.Context())
	must(t, err)
	acked, err := s.Acknowledged(t.Context(), 8)
	must(t, err)
	if len(list) != n || len(acked) != n || acked[0].FirstAt != 1008 || list[0].ClientID != `client 0 "ü"` {
		t.Errorf("%d followers, %d acknowledgements, %+v", len(list), len(acked), list[0])
	}
}
