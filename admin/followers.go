package admin

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/revocation/feed"
)

const (
	// followerForgotten is when an instance that has not reported counts as gone.
	followerForgotten = 10 * time.Minute
	// reportSlack is how long an instance that has nothing new to tell may wait before
	// it reports, beyond what it was asked to wait.
	reportSlack = time.Minute
)

// Follower is the last report of an instance of a resource server that follows the
// ledger.
type Follower struct {
	feed.Applied
	Silent bool // it has missed two reports
}

// ConfirmedAt is when the instance last knew to have all that there was in the ledger, as
// far as it has told, in Unix milliseconds.
func (f *Follower) ConfirmedAt() int64 { return f.ReportedAt - f.Lag }

// Slowest returns of each audience the instance whose knowledge is the oldest, in the
// order of audiences: of the fresh ones, as the others let nothing in by what they know,
// or of all where none is fresh.
func Slowest(list []Follower) []Follower {
	var slowest []Follower
	for _, f := range list {
		i := slices.IndexFunc(slowest, func(s Follower) bool { return s.Audience == f.Audience })
		if i < 0 {
			slowest = append(slowest, f)
			continue
		}
		if s := slowest[i]; f.fresh() != s.fresh() && f.fresh() || f.fresh() == s.fresh() && f.ConfirmedAt() < s.ConfirmedAt() {
			slowest[i] = f
		}
	}
	slices.SortFunc(slowest, func(x, y Follower) int { return strings.Compare(x.Audience, y.Audience) })
	return slowest
}

func (f *Follower) fresh() bool { return f.State == "fresh" && !f.Silent }

// Followers returns the instances of resource servers that were heard of lately, in
// the order of their audiences, and where the ledger stands. Errors: *Forbidden.
func (a *Admin) Followers(ctx context.Context, c *Caller) (head int64, _ []Follower, err error) {
	if err := c.need(accounts.AdminRevocationsRead); err != nil {
		return 0, nil, err
	}
	at, err := a.Ledger.Head(ctx)
	if err != nil {
		return 0, nil, err
	}
	followers, err := a.followers(ctx)
	return at.Position, followers, err
}

func (a *Admin) followers(ctx context.Context) ([]Follower, error) {
	reported, err := a.Ledger.ListFollowers(ctx)
	if err != nil {
		return nil, err
	}
	now := a.now()
	var heard []Follower
	for _, f := range reported {
		if now-f.ReportedAt <= followerForgotten.Milliseconds() {
			heard = append(heard, Follower{Applied: f})
		}
	}
	pause := feed.ReportAfter(len(heard)) + reportSlack
	for i := range heard {
		heard[i].Silent = now-heard[i].ReportedAt > 2*pause.Milliseconds()
	}
	return heard, nil
}
