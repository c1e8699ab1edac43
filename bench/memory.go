package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"golang.org/x/sync/errgroup"
)

// memoryBranches is how many requests are under way at a node whose memory is
// watched, as in the table of what a token costs.
const memoryBranches = 8

// watchEvery is how often a process's memory is read while it works.
const watchEvery = 100 * time.Millisecond

// memory shows how much a node occupies when nothing happens and when it works.
func memory(ctx context.Context, b *bench) error {
	t := &table{
		title: "Memory of a node",
		note: fmt.Sprintf("Resident memory of `gatehouse serve`: %s after its start, then the largest of what is read every %s while %d connections "+
			"do the same for %s without a pause; refreshing begins %s after a sign-in. A password is hashed with 19 MiB, as many at once as there are processors.",
			b.quiet, watchEvery, memoryBranches, b.loaded, b.quiet),
		head: []string{"deployment", "idle", "client credentials", "refreshing", "signing in with a password"},
	}
	kinds := []kind{
		{name: "1 node, SQLite", nodes: 1},
		{name: "1 node, PostgreSQL and Redis", nodes: 1, postgres: true, redis: true},
	}
	for _, k := range kinds[:b.occupants] {
		b.note("memory: %s", k.name)
		row, err := b.occupied(ctx, k)
		if errors.Is(err, errNoPrograms) {
			b.note("%s: left out: %s", k.name, err)
			continue
		}
		if err != nil {
			return err
		}
		t.add(append([]string{k.name}, row...)...)
	}
	b.print(t)
	return nil
}

// occupied is the row of one deployment.
func (b *bench) occupied(ctx context.Context, k kind) (row []string, err error) {
	d, err := b.deploy(ctx, k)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	n := d.nodes[0]
	if err := pause(ctx, b.quiet); err != nil {
		return nil, err
	}
	row = []string{mebibytes(resident(n.pid()))}
	var machine client
	if err := d.ask(ctx, &machine, "", "client", "create", "--name", "Robot", "--type", "machine", "--scope", scope); err != nil {
		return nil, err
	}
	via := n.httpClient()
	most, err := b.peak(ctx, n, func(ctx context.Context, _ int) error {
		return d.post(ctx, via, "/oauth2/token", machine, url.Values{"grant_type": {"client_credentials"}, "scope": {scope}}, nil)
	})
	if err != nil {
		return nil, err
	}
	row = append(row, most)
	held, err := b.grants(ctx, d, memoryBranches)
	if err != nil {
		return nil, err
	}
	if err := pause(ctx, b.quiet); err != nil { // for what the hash of the sign-in took
		return nil, err
	}
	if most, err = b.peak(ctx, n, func(ctx context.Context, branch int) (err error) {
		held[branch], _, err = refresh(ctx, d, via, held[branch])
		return err
	}); err != nil {
		return nil, err
	}
	row = append(row, most)
	if most, err = b.peak(ctx, n, func(ctx context.Context, _ int) error {
		p, err := d.person(n)
		if err != nil {
			return err
		}
		defer p.client.CloseIdleConnections()
		_, err = p.tokens(ctx)
		return err
	}); err != nil {
		return nil, err
	}
	return append(row, most), nil
}

// peak does the work again and again, on all branches, and returns the most memory
// that the node had meanwhile.
func (b *bench) peak(ctx context.Context, n *node, work func(ctx context.Context, branch int) error) (string, error) {
	end := time.Now().Add(b.loaded)
	all, ctx := errgroup.WithContext(ctx)
	for branch := range memoryBranches {
		all.Go(func() error {
			for time.Now().Before(end) {
				if err := work(ctx, branch); err != nil {
					return err
				}
			}
			return nil
		})
	}
	most, known := resident(n.pid())
	for known && time.Now().Before(end) && ctx.Err() == nil {
		if now, ok := resident(n.pid()); ok {
			most = max(most, now)
		}
		if err := pause(ctx, watchEvery); err != nil {
			break // the branches say why
		}
	}
	if err := all.Wait(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, n.said())
	}
	return mebibytes(most, known), nil
}
