package admin

import (
	"context"
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
