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

// storm takes a permission from everybody who holds a token with it: one row, and
// each of them refreshes.
func storm(ctx context.Context, b *bench) (err error) {
	d, err := b.deploy(ctx, kind{name: "1 node, SQLite", nodes: 1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	n := d.nodes[0]
	b.note("storm: %s grants", count(b.refreshes))
	held, err := b.grants(ctx, d, b.refreshes)
	if err != nil {
		return err
	}
	t := &table{
		title: "The refresh storm after a permission was taken away",
		note: fmt.Sprintf("One row of kind permission makes %s tokens refresh, 1 node on SQLite. At once: %d connections that never wait. "+
			"Spread: each app notices at a moment of its own within %s. An app that is answered 503 tries again, and its waiting counts. "+
			"CPU is the node's, which holds the database too.", count(b.refreshes), stormBranches, b.window),
		head: []string{"how", "lasted", "refreshes/s", "p50", "p99", "max", "tries answered 503", "CPU-seconds for 100,000"},
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
		b.note("storm: %s", way.name)
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
		t.add(append(append([]string{way.name, span(lasted), fmt.Sprintf("%.0f", float64(len(held))/lasted.Seconds())}, took.three()...), count(refused), known)...)
	}
	b.print(t)
	return nil
}

// grants lets one person come again and again, each time as another device.
func (b *bench) grants(ctx context.Context, d *deployment, n int) ([]string, error) {
	p, err := d.person(d.nodes[0])
	if err != nil {
		return nil, err
	}
	held := make([]string, n)
	for i := range held {
		t, err := p.tokens(ctx)
		if err != nil {
			return nil, err
		}
		if t.Refresh == "" {
			return nil, errors.New("no refresh token was given")
		}
		held[i] = t.Refresh
	}
	return held, nil
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
