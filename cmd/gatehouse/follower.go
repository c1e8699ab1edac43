package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/revocation/feed"
)

// keepsReporting is how long a follower that has nothing new to tell may wait
// before it reports, beyond what it was asked to wait.
const keepsReporting = time.Minute

type followerCommand struct {
	List followerList `cmd:"" help:"List the resource servers that follow the ledger, as they last reported."`
}

type followerList struct{}

// followerAnswer is one instance of a resource server.
type followerAnswer struct {
	Audience string `json:"audience"`
	ClientID string `json:"client_id"`
	Instance string `json:"instance"`
	State    string `json:"state"` // as last reported, or "silent"
	Position int64  `json:"position"`
	// LagMS is how old what it knew was when it reported.
	LagMS      int64  `json:"lag_ms"`
	Since      string `json:"first_reported_at"`
	ReportedAt string `json:"reported_at"`
}

// Run lists the followers that were heard of lately.
func (followerList) Run(c *call) error {
	return c.with(false, func(ctx context.Context, d *domain, _ audit.Actor) error {
		head, err := d.db.Head(ctx)
		if err != nil {
			return err
		}
		reported, err := d.db.ListFollowers(ctx)
		if err != nil {
			return err
		}
		now := c.now()
		reported = heardOf(reported, now)
		list := make([]followerAnswer, len(reported))
		rows := [][]string{{"AUDIENCE", "CLIENT", "INSTANCE", "STATE", "POSITION", "LAG", "LAST REPORT"}}
		for i, f := range reported {
			list[i] = followerAnswer{
				Audience: f.Audience, ClientID: f.ClientID, Instance: f.Instance, State: f.State, Position: f.Position,
				LagMS: f.Lag, Since: when(f.FirstAt), ReportedAt: when(f.ReportedAt),
			}
			if fellSilent(f, len(reported), now) {
				list[i].State = stateSilent
			}
			rows = append(rows, []string{
				f.Audience, f.ClientID, f.Instance, list[i].State, fmt.Sprint(f.Position),
				(time.Duration(f.Lag) * time.Millisecond).String(), list[i].ReportedAt,
			})
		}
		return c.answer(map[string]any{"head": head.Position, "followers": list}, func(w io.Writer) {
			if len(list) == 0 {
				_, _ = fmt.Fprintln(w, "No resource server has reported lately that it follows.")
				return
			}
			table(w, rows...)
			_, _ = fmt.Fprintf(w, "\nThe ledger is at position %d.\n", head.Position)
		})
	})
}

// stateSilent is shown of an instance that should have reported again.
const stateSilent = "silent"

// heardOf returns the instances that have reported lately.
func heardOf(reported []feed.Applied, now time.Time) []feed.Applied {
	var out []feed.Applied
	for _, f := range reported {
		if now.UnixMilli()-f.ReportedAt <= forgottenAfter.Milliseconds() {
			out = append(out, f)
		}
	}
	return out
}

// fellSilent reports whether one of so many instances has missed two reports.
func fellSilent(f feed.Applied, followers int, now time.Time) bool {
	pause := feed.ReportAfter(followers) + keepsReporting
	return now.UnixMilli()-f.ReportedAt > 2*pause.Milliseconds()
}
