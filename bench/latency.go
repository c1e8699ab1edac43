package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gatehouse-id/gatehouse/resource"
)

// Lifetimes whose exposure is computed.
var shortLives = []time.Duration{5 * time.Minute, 10 * time.Minute}

// outcome is one distribution: sign-out answered to last server refuses.
type outcome struct {
	way, where string
	computed   bool
	took       durations
}

// latency measures how long a token outlives the sign-out, for every way in which
// resource servers can learn of it.
func latency(ctx context.Context, b *bench) error {
	everything := kind{name: "3 nodes, PostgreSQL and Redis", nodes: 3, postgres: true, redis: true, statusList: b.lists}
	all, err := b.outlived(ctx, everything, true)
	if errors.Is(err, errNoPrograms) {
		b.note("%v", err)
		everything = kind{name: "1 node, SQLite", nodes: 1, statusList: b.lists}
		all, err = b.outlived(ctx, everything, true)
	}
	if err != nil {
		return err
	}
	for _, k := range []kind{
		{name: "1 node, SQLite", nodes: 1},
		{name: "1 node, PostgreSQL and Redis", nodes: 1, postgres: true, redis: true},
		{name: "3 nodes, PostgreSQL, no Redis", nodes: 3, postgres: true},
	} {
		if k.name == everything.name {
			continue
		}
		more, err := b.outlived(ctx, k, false)
		if errors.Is(err, errNoPrograms) {
			continue
		}
		if err != nil {
			return err
		}
		all = append(all, more...)
	}
	for _, life := range shortLives {
		all = append(all, outcome{way: fmt.Sprintf("lifetime of %d minutes alone", int(life.Minutes())), where: "any", computed: true, took: uniform(life)})
	}
	t := b.latencyTable(all)
	b.print(t)
	if b.chart == "" {
		return nil
	}
	return drawLatency(b.chart, all, b.verifiers)
}

// latencyTable puts one way after the other, in the order of their first appearance.
func (b *bench) latencyTable(all []outcome) *table {
	var order []string
	for _, o := range all {
		order = append(order, o.way)
	}
	slices.SortStableFunc(all, func(x, y outcome) int {
		return slices.Index(order, x.way) - slices.Index(order, y.way)
	})
	t := &table{
		title: "How long a token outlives the sign-out",
		note: fmt.Sprintf("From the answer to the sign-out until the last of %d resource servers refuses; %d sign-outs for each measured line. "+
			"Introspection and status lists are measured on the same sign-outs as the feed of that deployment. A lifetime alone is computed: uniform between zero and the lifetime. "+
			"The status list has the ttl of %s that Gatehouse gives it; with another ttl its figures scale with it, at most one and a half ttl.", b.verifiers, b.signOuts, listTTL),
		head: []string{"way", "deployment", "", "p50", "p99", "max"},
	}
	for _, o := range all {
		how := "measured"
		if o.computed {
			how = "computed"
		}
		t.add(append([]string{o.way, o.where, how}, o.took.three()...)...)
	}
	return t
}

// uniform is what a sign-out at any moment of a token's life leaves of it.
func uniform(life time.Duration) durations {
	out := make(durations, 1000)
	for i := range out {
		out[i] = life * time.Duration(i+1) / time.Duration(len(out))
	}
	return out
}

// doomed is a token whose session is going to end.
type doomed struct {
	raw    string
	person *person
	id     string    // ID token
	due    time.Time // when the sign-out is sent
	probed time.Time // from when on servers are asked

	mu       sync.Mutex
	answered time.Time
	died     [][]time.Time // by way and server; zero while it is accepted
}

// way is one kind of resource server, and some of them.
type way struct {
	name    string
	servers []checker
	every   time.Duration // pause between two requests
}

// checker is a resource server: does it refuse the token?
type checker interface {
	refuses(ctx context.Context, raw string) (bool, error)
}

// outlived measures on one deployment: the feed and, when asked to compare, the
// other ways.
func (b *bench) outlived(ctx context.Context, k kind, compare bool) (out []outcome, err error) {
	d, err := b.deploy(ctx, k)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	b.note("latency: %s", k.name)
	ways, closeWays, err := b.ways(ctx, d, compare, k.statusList)
	if err != nil {
		return nil, err
	}
	defer closeWays()
	list, err := b.signIns(ctx, d, len(ways), compare)
	if err != nil {
		return nil, err
	}
	if err := probe(ctx, ways, list); err != nil {
		return nil, err
	}
	for i, w := range ways {
		o := outcome{way: w.name, where: k.name}
		for _, t := range list {
			last := slices.MaxFunc(t.died[i], time.Time.Compare)
			o.took = append(o.took, max(0, last.Sub(t.answered)))
		}
		out = append(out, o)
	}
	return out, nil
}

// ways makes the resource servers, spread over the nodes.
func (b *bench) ways(ctx context.Context, d *deployment, compare, lists bool) ([]way, func(), error) {
	feed := way{name: "feed (package resource)", every: 2 * time.Millisecond}
	asking := way{name: "introspection, cached 5 s", every: 20 * time.Millisecond}
	listing := way{name: fmt.Sprintf("token status list, ttl %s", listTTL), every: 20 * time.Millisecond}
	var verifiers []*resource.Verifier
	done := func() {
		for _, v := range verifiers {
			v.Close()
		}
	}
	for i := range b.verifiers {
		at := d.nodes[i%len(d.nodes)]
		v, err := resource.New(resource.Config{
			Issuer: d.issuer, Audience: audience, ClientID: d.api.ID, ClientSecret: d.api.Secret, Client: at.httpClient(),
			Instance: fmt.Sprintf("server-%d", i), Stale: resource.Deny,
		})
		if err != nil {
			done()
			return nil, nil, err
		}
		verifiers = append(verifiers, v)
		feed.servers = append(feed.servers, follower{v})
		asking.servers = append(asking.servers, &introspector{d: d, client: at.httpClient(), known: map[string]answerAt{}})
		listing.servers = append(listing.servers, &lister{client: at.httpClient(), lists: map[string]*heldList{}})
	}
	for _, v := range verifiers {
		if err := v.Ready(ctx); err != nil {
			done()
			return nil, nil, err
		}
	}
	ways := []way{feed}
	if compare {
		ways = append(ways, asking)
		if lists {
			ways = append(ways, listing)
		}
	}
	return ways, done, nil
}

// signIns makes the sessions, then fixes when each is going to end: one after the
// other, or spread where caches and lists are compared, so that every phase of
// them is met.
func (b *bench) signIns(ctx context.Context, d *deployment, ways int, compare bool) ([]*doomed, error) {
	list := make([]*doomed, b.signOuts)
	for i := range list {
		p, err := d.person(d.nodes[i%len(d.nodes)])
		if err != nil {
			return nil, err
		}
		t, err := p.tokens(ctx)
		if err != nil {
			return nil, fmt.Errorf("sign-in: %w", err)
		}
		list[i] = &doomed{raw: t.Access, id: t.ID, person: p, died: make([][]time.Time, ways)}
		for w := range ways {
			list[i].died[w] = make([]time.Time, b.verifiers)
		}
	}
	// The servers see each token before, as they would.
	lead, pause := 200*time.Millisecond, 120*time.Millisecond
	if compare {
		lead, pause = cachedFor*6/5, b.spread/time.Duration(b.signOuts)
	}
	begin := time.Now().Add(lead)
	for i, t := range list {
		t.due = begin.Add(time.Duration(i)*pause + rand.N(pause/2))
		t.probed = t.due.Add(-lead)
	}
	return list, nil
}

// outlivePatience bounds how long a server may go on accepting: more than any way
// needs.
const outlivePatience = 2 * time.Minute

// probe ends the sessions when they are due, while every server is asked about
// every token all the time, until all refuse all.
func probe(ctx context.Context, ways []way, list []*doomed) error {
	ctx, stop := context.WithTimeout(ctx, time.Until(list[len(list)-1].due)+outlivePatience)
	defer stop()
	all, ctx := errgroup.WithContext(ctx) // the first failure ends the rest
	for i, w := range ways {
		for j, s := range w.servers {
			all.Go(func() error { return watch(ctx, s, w, list, i, j) })
		}
	}
	for _, t := range list {
		all.Go(func() error { return t.end(ctx) })
	}
	return all.Wait()
}

// end signs the person out when it is time.
func (t *doomed) end(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Until(t.due)):
	}
	if err := t.person.signOut(ctx, t.id); err != nil {
		return err
	}
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.answered = now
	return nil
}

// watch is one server that everybody asks about everything. About each token it is
// first asked at a moment of its own, so that no two caches are alike.
func watch(ctx context.Context, s checker, w way, list []*doomed, i, j int) error {
	type meeting struct {
		*doomed
		first time.Time
	}
	left := make([]meeting, len(list))
	for k, t := range list {
		lead := t.due.Sub(t.probed) * 5 / 6
		left[k] = meeting{t, t.probed.Add(rand.N(lead))}
	}
	for len(left) > 0 {
		for k := 0; k < len(left); k++ {
			t := left[k]
			if time.Now().Before(t.first) {
				continue
			}
			no, err := s.refuses(ctx, t.raw)
			if err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
			if !no {
				continue
			}
			now := time.Now()
			if now.Before(t.due) {
				return fmt.Errorf("%s: refused before the sign-out", w.name)
			}
			t.mu.Lock()
			t.died[i][j] = now
			t.mu.Unlock()
			left = slices.Delete(left, k, k+1)
			k--
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %d tokens are still accepted: %w", w.name, len(left), ctx.Err())
		case <-time.After(w.every):
		}
	}
	return nil
}
