package admin

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/counts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

const (
	day = 24 * counts.Hour
	// trafficDays is how far back the figures by day go.
	trafficDays = 30
	// refusedRows and refusedClients bound the list of apps that are refused most.
	refusedRows    = 5_000
	refusedClients = 5
)

// CountReader reads what was counted. Times are Unix milliseconds.
type CountReader interface {
	// CountsSince returns what was counted of all clients together in the hours that
	// began at since or later, summed over times of a width that is whole hours; the
	// Hour of a row is the beginning of its time.
	CountsSince(ctx context.Context, since, width int64) ([]counts.Row, error)
	// ClientCountsSince returns the sums of one client.
	ClientCountsSince(ctx context.Context, clientID id.ID, since int64) ([]counts.Row, error)
	// MostRefused returns the clients of the most refusals, the most first, and looks
	// at no more than so many rows.
	MostRefused(ctx context.Context, since int64, rows, limit int) ([]RefusedClient, error)
}

// RefusedClient is a client and how many of its requests were refused. Anybody who
// knows its id can have made them.
type RefusedClient struct {
	ClientID string
	Name     string
	Count    int64
}

// Traffic is what was counted in the last 24 hours, the present one included: tokens,
// refusals, introspections and sign-ins.
type Traffic struct {
	Hours []counts.Row
	// Refused are the clients that were refused most, as far back as the list may look
	// in a deployment with very many; nil for those who may not see clients.
	Refused []RefusedClient
}

// hoursSince is the beginning of the first of so many hours, of which the last is the
// present one.
func hoursSince(now, hours int64) int64 { return now - now%counts.Hour - (hours-1)*counts.Hour }

func (a *Admin) traffic(ctx context.Context, c *Caller, now int64) (t *Traffic, err error) {
	t = &Traffic{}
	since := hoursSince(now, statusHours)
	if t.Hours, err = a.Counts.CountsSince(ctx, since, counts.Hour); err != nil {
		return nil, err
	}
	if c.May(accounts.AdminClientsRead) {
		t.Refused, err = a.Counts.MostRefused(ctx, since, refusedRows, refusedClients)
	}
	return t, err
}

// Month returns what was counted in the last 30 days of UTC, the present one included,
// by days. Errors: *Forbidden.
func (a *Admin) Month(ctx context.Context, c *Caller) ([]counts.Row, error) {
	if err := c.need(accounts.AdminAuditRead); err != nil {
		return nil, err
	}
	now := a.now()
	return a.Counts.CountsSince(ctx, now-now%day-(trafficDays-1)*day, day)
}

// ClientTraffic is what was counted of one client.
type ClientTraffic struct {
	Day, Week []counts.Row // sums of the last 24 hours, and of the last 7 days
}

// ClientTraffic returns what was counted of a client. Errors: *Forbidden,
// accounts.ErrNotFound.
func (a *Admin) ClientTraffic(ctx context.Context, c *Caller, clientID string) (*ClientTraffic, error) {
	app, err := a.Client(ctx, c, clientID)
	if err != nil {
		return nil, err
	}
	t, now := &ClientTraffic{}, a.now()
	if t.Day, err = a.Counts.ClientCountsSince(ctx, app.ID, hoursSince(now, statusHours)); err != nil {
		return nil, err
	}
	t.Week, err = a.Counts.ClientCountsSince(ctx, app.ID, hoursSince(now, 7*statusHours))
	return t, err
}

// activity is what people did in the hours of the traffic.
func (a *Admin) activity(ctx context.Context, t *Traffic, now int64) (*Outcomes, error) {
	since := hoursSince(now, statusHours)
	connects, err := a.Activity.NewGrants(ctx, since, statusRows)
	if err != nil {
		return nil, fmt.Errorf("new grants: %w", err)
	}
	out := &Outcomes{Since: since, Connects: connects}
	for _, r := range t.Hours {
		if r.Kind == counts.SignIn {
			out.SignIns = append(out.SignIns, Outcome{Hour: r.Hour, Result: r.Name, Count: r.N})
		}
	}
	return out, nil
}

// nodeLag is how far this node is behind a head of the ledger, and when the database
// last confirmed what it knows.
func (a *Admin) nodeLag(s *Status) {
	if a.Node == nil {
		return
	}
	at := a.Node.Last()
	s.Applied = at.Position
	if !at.Confirmed.IsZero() {
		s.ConfirmedAt = at.Confirmed.UnixMilli()
	}
	// It may have gone on since the head was read.
	s.Behind = max(0, s.Head.Position-at.Position)
}
