package counts

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

const (
	// flushEvery is how often what was counted is written.
	flushEvery = 5 * time.Second
	// flushTimeout bounds one such write.
	flushTimeout = 10 * time.Second
	// flushRows is how many rows one statement adds to.
	flushRows = 1000
	// mostCells and mostClientCells bound what waits in memory. The lists of names
	// hold about a thousand cells an hour, of which a few dozen occur; more wait only
	// while the database does not take any.
	mostCells       = 20_000
	mostClientCells = 10_000

	// Kept is for how long the figures of all clients together are kept.
	Kept = 35 * 24 * time.Hour
	// ClientKept is for how long those of each client are.
	ClientKept = 8 * 24 * time.Hour
	dropEvery  = time.Hour
)

// Hour is the width of what is counted together, in milliseconds.
const Hour = int64(time.Hour / time.Millisecond)

// Row says how often something happened in an hour.
type Row struct {
	Hour   int64 // its beginning, Unix milliseconds
	Client id.ID // zero: all of them together, and unknown ones
	What
	N int64
}

// Store keeps what was counted.
type Store interface {
	// AddCounts adds to what is kept of all clients together, all of it or nothing.
	AddCounts(ctx context.Context, rows []Row) error
	// AddClientCounts does so for what is kept of each client.
	AddClientCounts(ctx context.Context, rows []Row) error
	// DropCounts removes the hours that began before a time, of all clients together
	// and of each. Unix milliseconds.
	DropCounts(ctx context.Context, before, clientsBefore int64) error
}

// cell is where something is counted.
type cell struct {
	hour   int64
	client id.ID
	What
}

// Counter counts, on one node. Use New.
type Counter struct {
	Store Store
	Now   func() time.Time
	Log   *slog.Logger

	lists *lists

	mu      sync.Mutex
	totals  map[cell]int64 // of all clients together
	clients map[cell]int64
}

// New returns a Counter whose Run, or Flush, adds to store.
func New(store Store, now func() time.Time, log *slog.Logger) *Counter {
	return &Counter{Store: store, Now: now, Log: log, lists: newLists(), totals: map[cell]int64{}, clients: map[cell]int64{}}
}

// Count counts one, for a client that there is or for nobody in particular. It
// neither waits for anybody nor fails.
func (c *Counter) Count(w What, client id.ID) {
	now := c.Now().UnixMilli()
	at := cell{hour: now - now%Hour, What: c.lists.known(w)}
	c.mu.Lock()
	defer c.mu.Unlock()
	add(c.totals, at, 1, mostCells)
	if !client.IsZero() {
		at.client = client
		add(c.clients, at, 1, mostClientCells)
	}
}

// add leaves out what there is no room for.
func add(m map[cell]int64, at cell, n int64, most int) {
	if _, is := m[at]; is || len(m) < most {
		m[at] += n
	}
}

// Run writes what was counted until ctx ends, and then what is left. It returns the
// error of ctx.
func (c *Counter) Run(ctx context.Context) error {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	var dropped time.Time
	for {
		select {
		case <-ctx.Done():
			c.report(ctx, "write what was counted", c.Flush(context.WithoutCancel(ctx)))
			return ctx.Err()
		case <-tick.C:
		}
		c.report(ctx, "write what was counted", c.Flush(context.WithoutCancel(ctx)))
		if now := c.Now(); now.Sub(dropped) >= dropEvery {
			dropped = now
			c.report(ctx, "remove old counts", c.drop(ctx))
		}
	}
}

func (c *Counter) report(ctx context.Context, what string, err error) {
	if err != nil {
		c.Log.WarnContext(ctx, what, "error", err)
	}
}

func (c *Counter) drop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	now := c.Now()
	return c.Store.DropCounts(ctx, now.Add(-Kept).UnixMilli(), now.Add(-ClientKept).UnixMilli())
}

// Flush writes what was counted. What cannot be written is kept for the next time.
func (c *Counter) Flush(ctx context.Context) error {
	c.mu.Lock()
	totals, clients := c.totals, c.clients
	c.totals, c.clients = map[cell]int64{}, map[cell]int64{}
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	leftTotals, errTotals := write(ctx, inOrder(totals), c.Store.AddCounts)
	leftClients, errClients := write(ctx, inOrder(clients), c.Store.AddClientCounts)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range leftTotals {
		add(c.totals, r.cell(), r.N, mostCells)
	}
	for _, r := range leftClients {
		add(c.clients, r.cell(), r.N, mostClientCells)
	}
	return errors.Join(errTotals, errClients)
}

// write writes rows in parts, and returns those that are left when one fails.
func write(ctx context.Context, rows []Row, to func(context.Context, []Row) error) ([]Row, error) {
	for len(rows) > 0 {
		part := rows[:min(len(rows), flushRows)]
		if err := to(ctx, part); err != nil {
			return rows, err
		}
		rows = rows[len(part):]
	}
	return nil, nil
}

func (r Row) cell() cell { return cell{hour: r.Hour, client: r.Client, What: r.What} }

// inOrder sorts, in one order everywhere: two nodes that write the same rows must
// not wait for each other.
func inOrder(cells map[cell]int64) []Row {
	rows := make([]Row, 0, len(cells))
	for at, n := range cells {
		rows = append(rows, Row{Hour: at.hour, Client: at.client, What: at.What, N: n})
	}
	slices.SortFunc(rows, func(x, y Row) int {
		return cmp.Or(
			bytes.Compare(x.Client[:], y.Client[:]), cmp.Compare(x.Hour, y.Hour), cmp.Compare(x.Kind, y.Kind),
			cmp.Compare(x.Place, y.Place), cmp.Compare(x.Name, y.Name), cmp.Compare(x.Reason, y.Reason),
		)
	})
	return rows
}
