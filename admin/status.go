package admin

import (
	"context"
	"fmt"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/auditlog"
	"github.com/gatehouse-id/gatehouse/provider/keys"
	"github.com/gatehouse-id/gatehouse/revocation"
)

const (
	// statusHours is how far back the dashboard looks.
	statusHours = 24
	// statusRows bounds how many rows are read for one figure of it: a busy deployment
	// is told about a shorter time rather than made slower.
	statusRows   = 20_000
	probeTimeout = 2 * time.Second
)

// Outcome is how many sign-ins of an hour ended in one way.
type Outcome struct {
	Hour   int64  // Unix milliseconds of its beginning
	Result string // "success", or the cause of the refusal
	Count  int64
}

// Outcomes are the sign-ins since a time: the last 24 hours, the present one included.
type Outcomes struct {
	Since    int64 // Unix milliseconds
	SignIns  []Outcome
	Connects int // grants that apps got from people in the same time
}

// Queue is what waits of one kind of job, as far as it was counted.
type Queue struct {
	Kind     string
	Waiting  int
	Retrying int   // of these, tried before without success
	Oldest   int64 // when the first of them is or was due, Unix milliseconds
}

// ActivityStore reads the figures of the dashboard. None reads more than limit rows.
type ActivityStore interface {
	// NewGrants returns how many grants began since a time.
	NewGrants(ctx context.Context, since int64, limit int) (int, error)
	// JobQueues returns what waits, by kind, of the jobs that are due first.
	JobQueues(ctx context.Context, limit int) ([]Queue, error)
	// Relays returns how far each relay has passed the ledger on, by name.
	Relays(ctx context.Context) (map[string]int64, error)
}

// Probe looks whether a part of the deployment answers.
type Probe struct {
	Name  string // "database", "redis"
	Check func(ctx context.Context) error
}

// Part is what a probe found. Why a part does not answer goes to the log alone: errors
// of drivers may name addresses.
type Part struct {
	Name    string
	Answers bool
	Took    time.Duration
}

// Node is the ledger as this node knows it.
type Node interface {
	// Last returns the last moment taken in.
	Last() revocation.Point
}

// Status is what the dashboard shows. What a caller may not see is nil.
type Status struct {
	At       int64 // Unix milliseconds
	Parts    []Part
	Activity *Outcomes
	Traffic  *Traffic
	Queues   []Queue
	Chain    *auditlog.Health // how the audit log is sealed
	Keys     []keys.Record

	Head *revocation.Head
	// Applied is up to which position this node has taken the ledger in, Behind how
	// many positions are missing, and ConfirmedAt when the database last said that
	// there are no more, Unix milliseconds.
	Applied, Behind, ConfirmedAt int64
	Relays                       map[string]int64
	Followers                    []Follower
}

// Slowest is the follower that lacks most of the ledger; nil if nobody follows. Of
// several at one position it is the one that has heard nothing for longest.
func (s *Status) Slowest() *Follower {
	var slowest *Follower
	for i := range s.Followers {
		f := &s.Followers[i]
		if slowest == nil || f.Position < slowest.Position || f.Position == slowest.Position && f.Lag > slowest.Lag {
			slowest = f
		}
	}
	return slowest
}

// Status looks at everything that the dashboard shows and that the caller may see.
// Errors: *Forbidden.
func (a *Admin) Status(ctx context.Context, c *Caller) (*Status, error) {
	if err := c.need(accounts.AdminAuditRead); err != nil {
		return nil, err
	}
	s := &Status{At: a.now(), Parts: a.probe(ctx)}
	var err error
	if s.Traffic, err = a.traffic(ctx, c, s.At); err != nil {
		return nil, err
	}
	if s.Activity, err = a.activity(ctx, s.Traffic, s.At); err != nil {
		return nil, err
	}
	if a.Chain != nil {
		if s.Chain, err = a.Chain(ctx); err != nil {
			return nil, fmt.Errorf("health of the audit log: %w", err)
		}
	}
	if s.Queues, err = a.Activity.JobQueues(ctx, statusRows); err != nil {
		return nil, err
	}
	if c.May(accounts.AdminRevocationsRead) {
		if err := a.ledgerStatus(ctx, s); err != nil {
			return nil, err
		}
	}
	if c.May(accounts.AdminKeysRead) {
		if s.Keys, err = a.keyRecords(ctx); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (a *Admin) ledgerStatus(ctx context.Context, s *Status) error {
	head, err := a.Ledger.Head(ctx)
	if err != nil {
		return err
	}
	s.Head = &head
	a.nodeLag(s)
	if s.Relays, err = a.Activity.Relays(ctx); err != nil {
		return err
	}
	s.Followers, err = a.followers(ctx)
	return err
}

func (a *Admin) probe(ctx context.Context) []Part {
	parts := make([]Part, 0, len(a.Probes))
	for _, p := range a.Probes {
		limited, cancel := context.WithTimeout(ctx, probeTimeout)
		begin := a.Now()
		err := p.Check(limited)
		cancel()
		if err != nil {
			a.Log.WarnContext(ctx, "a part of the deployment does not answer", "part", p.Name, "error", err)
		}
		parts = append(parts, Part{Name: p.Name, Answers: err == nil, Took: a.Now().Sub(begin)})
	}
	return parts
}
