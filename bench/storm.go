package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// stormBranches is how many apps refresh at the same moment when nothing spreads
// them.
const stormBranches = 64

// grantsEach is how many grants a person has in the storm.
const grantsEach = 500

// storm takes a permission from everybody who holds a token with it: one row, and
// each of them refreshes.
func storm(ctx context.Context, b *bench) error {
	t := &table{
		title: "The refresh storm after a permission was taken away",
		note: fmt.Sprintf("One row of kind permission makes %s tokens refresh, which hang on grants of %s, one node. At once: %d connections that never wait. "+
			"Spread: each app notices at a moment of its own within %s. An app that is answered 503 tries again, and its waiting counts. "+
			"CPU is the node's: on SQLite with the database, on PostgreSQL without.", count(b.refreshes), people(b.refreshes), stormBranches, b.window),
		head: []string{"how", "lasted", "refreshes/s", "p50", "p99", "max", "tries answered 503", "CPU-seconds for 100,000"},
	}
	kinds := []kind{
		{name: "SQLite", nodes: 1},
		{name: "PostgreSQL and Redis", nodes: 1, postgres: true, redis: true},
	}
	for _, k := range kinds[:b.occupants] {
		err := b.stormOn(ctx, k, t)
		if errors.Is(err, errNoPrograms) {
			b.note("storm: %s: left out: %s", k.name, err)
			continue
		}
		if err != nil {
			return err
		}
	}
	b.print(t)
	return nil
}

// stormOn adds the lines of one deployment.
func (b *bench) stormOn(ctx context.Context, k kind, t *table) (err error) {
	d, err := b.deploy(ctx, k)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	n := d.nodes[0]
	b.note("storm: %s, %s grants", k.name, count(b.refreshes))
	held, err := b.grants(ctx, d, b.refreshes)
	if err != nil {
		return err
	}
	for _, way := range []struct {
		name   string
		window time.Duration
		change []string
	}{
		{"at once", 0, []string{"group", "revoke"}},
		{"spread", b.window, []string{"group", "grant"}}, // changes nothing that ends tokens; the row was written before
	} {
		if err := d.ask(ctx, nil, "", append(way.change, "--group", group, "--permission", scope)...); err != nil {
			return err
		}
		b.note("storm: %s, %s", k.name, way.name)
		var took durations
		var refused int
		began := time.Now()
		busy, known, err := used(n.pid(), func() error {
			took, refused, err = refreshAll(ctx, d, n.httpClient(), held, way.window)
			return err
		})
		if err != nil {
			return fmt.Errorf("%w\n%s", err, n.said())
		}
		lasted := time.Since(began)
		if known != unknown {
			known = fmt.Sprintf("%.0f", busy.Seconds()*1e5/float64(len(held)))
		}
		t.add(append(append([]string{k.name + ", " + way.name, span(lasted), fmt.Sprintf("%.0f", float64(len(held))/lasted.Seconds())}, took.three()...), count(refused), known)...)
	}
	return nil
}

// people says how many persons n grants belong to.
func people(n int) string {
	if crowd := persons(n); crowd > 1 {
		return count(crowd) + " people"
	}
	return "one person"
}

func persons(n int) int { return (n + grantsEach - 1) / grantsEach }

// grants lets people come again and again, each time as another device.
func (b *bench) grants(ctx context.Context, d *deployment, n int) ([]string, error) {
	held := make([]string, n)
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(memoryBranches)
	for i := range persons(n) {
		all.Go(func() error {
			p, err := d.person(d.nodes[0])
			if err != nil {
				return err
			}
			defer p.client.CloseIdleConnections()
			if i > 0 {
				p.name = fmt.Sprintf("%s%d", username, i)
				if err := d.enlist(ctx, p.name); err != nil {
					return err
				}
			}
			for at := i * grantsEach; at < min(n, (i+1)*grantsEach); at++ {
				t, err := p.tokens(ctx)
				if err != nil {
					return err
				}
				if t.Refresh == "" {
					return errors.New("no refresh token was given")
				}
				held[at] = t.Refresh
			}
			return nil
		})
	}
	return held, all.Wait()
}

// refreshAll redeems every refresh token once and puts its successor in its place.
// It returns how long each took, from when the app wanted it, and how many tries
// were answered 503.
func refreshAll(ctx context.Context, d *deployment, via *http.Client, held []string, window time.Duration) (durations, int, error) {
	took := make(durations, len(held))
	var refused atomic.Int64
	all, ctx := errgroup.WithContext(ctx)
	if window == 0 {
		all.SetLimit(stormBranches)
	}
	for i := range held {
		all.Go(func() error {
			if window > 0 {
				if err := pause(ctx, rand.N(window)); err != nil {
					return err
				}
			}
			began := time.Now()
			next, again, err := refresh(ctx, d, via, held[i])
			held[i], took[i] = next, time.Since(began)
			refused.Add(int64(again))
			return err
		})
	}
	err := all.Wait()
	return took, int(refused.Load()), err
}

// refresh tries until the server answers with more than 503, as apps do.
func refresh(ctx context.Context, d *deployment, via *http.Client, held string) (next string, refused int, err error) {
	const tries = 20
	for ; refused < tries; refused++ {
		var t tokens
		err = d.post(ctx, via, "/oauth2/token", d.app, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {held}}, &t)
		var status *statusError
		if !errors.As(err, &status) || status.code != http.StatusServiceUnavailable {
			return t.Refresh, refused, err
		}
		if err := pause(ctx, 200*time.Millisecond+rand.N(400*time.Millisecond)); err != nil {
			return "", refused, err
		}
	}
	return "", refused, err
}
