package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/resource/wire"
)

// A client may revoke a hundred tokens at once and ten a second, so a stream of
// revocations takes several.
const revocationsOfOne = 90

// fanOut measures how long a row takes from who revoked to the frames of all
// followers of one node.
func fanOut(ctx context.Context, b *bench) (err error) {
	// What revokes is not starved by what delivers, as it would be in one process.
	k := kind{name: "2 nodes, PostgreSQL and Redis: one revokes, the other has all streams", nodes: 2, postgres: true, redis: true}
	d, err := b.deploy(ctx, k)
	if errors.Is(err, errNoPrograms) {
		k = kind{name: "1 node, SQLite", nodes: 1}
		d, err = b.deploy(ctx, k)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	n := d.nodes[len(d.nodes)-1]
	f := &fan{d: d, n: n, via: d.nodes[0].httpClient()}
	many := int(float64(b.rate) * b.lasting.Seconds())
	b.note("fan-out: registering machines")
	if err := f.register(ctx, b.events+many); err != nil {
		return err
	}
	before := mebibytes(resident(n.pid()))
	b.note("fan-out: opening %s streams", count(b.followers))
	if err := f.follow(ctx, b.followers); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.crowd.close()) }()
	t := &table{
		title: fmt.Sprintf("Fan-out to %s followers of one node", count(b.followers)),
		note: fmt.Sprintf("%s. Revocations over HTTP (RFC 7009), to the frame at each follower, reckoned from the answer to the revocation and, as that comes late on a machine "+
			"which is full, also from its sending. The followers are raw HTTP/1.1 streams of one audience in a process of their own, on the same processors. "+
			"The node held %s before the streams were open.", k.name, before),
		head: []string{"what", "samples", "p50", "p99", "max", "CPU of the node", "memory of the node"},
	}
	const quiet = 5 * time.Second
	_, idle, err := used(n.pid(), func() error { return pause(ctx, min(quiet, b.lasting)) })
	if err != nil {
		return err
	}
	t.add(fmt.Sprintf("heartbeats alone, %s", min(quiet, b.lasting)), "", "", "", "", idle, mebibytes(resident(n.pid())))
	if err := f.measure(ctx, t, "one row at a time", b.events, 300*time.Millisecond); err != nil {
		return err
	}
	if err := f.measure(ctx, t, fmt.Sprintf("%s rows, %d/s asked", count(many), b.rate), many, time.Second/time.Duration(b.rate)); err != nil {
		return err
	}
	b.print(t)
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// fan is one node, those who revoke, and those who follow.
type fan struct {
	d       *deployment
	n       *node
	via     *http.Client
	crowd   *crowdProcess
	watcher *watcher
	ready   []revocable
}

// revocable is a token and whose it is.
type revocable struct {
	raw, jti string
	of       client
}

// register makes machines and gives them tokens.
func (f *fan) register(ctx context.Context, tokens int) error {
	for len(f.ready) < tokens {
		var machine client
		if err := f.d.ask(ctx, &machine, "", "client", "create", "--name", "Robot", "--type", "machine", "--scope", scope); err != nil {
			return err
		}
		for range min(revocationsOfOne, tokens-len(f.ready)) {
			raw, err := f.token(ctx, machine, url.Values{"scope": {scope}})
			if err != nil {
				return err
			}
			var claims struct {
				ID string `json:"jti"`
			}
			if err := claimsOf(raw, &claims); err != nil {
				return err
			}
			f.ready = append(f.ready, revocable{raw, claims.ID, machine})
		}
	}
	return nil
}

// token is a machine's.
func (f *fan) token(ctx context.Context, of client, form url.Values) (string, error) {
	form.Set("grant_type", "client_credentials")
	var t tokens
	err := f.d.post(ctx, f.via, "/oauth2/token", of, form, &t)
	return t.Access, err
}

// follow opens the streams, and one more of our own that reads every row.
func (f *fan) follow(ctx context.Context, streams int) error {
	raw, err := f.token(ctx, f.d.api, url.Values{"scope": {wire.Scope}, "resource": {f.d.issuer}})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, f.d.issuer+wire.PathSnapshot, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+raw)
	answer, err := f.n.httpClient().Do(r)
	if err != nil {
		return err
	}
	var s wire.Snapshot
	err = json.NewDecoder(answer.Body).Decode(&s)
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		return fmt.Errorf("snapshot: %s: %w", answer.Status, err)
	}
	order := crowdOrder{Address: f.n.address, Host: strings.TrimPrefix(f.d.issuer, "http://"), Token: raw, Cursor: s.Cursor, Streams: streams}
	if f.watcher, err = watchRows(&order, s.HashKey); err != nil {
		return err
	}
	f.crowd, err = startCrowd(order)
	return err
}

// measure revokes some of the tokens, one in each pause, and asks the followers.
func (f *fan) measure(ctx context.Context, t *table, what string, n int, every time.Duration) error {
	batch := f.ready[:n]
	f.ready = f.ready[n:]
	var answer crowdAnswer
	var lasted time.Duration
	_, busy, err := used(f.n.pid(), func() error {
		done, err := f.revoke(ctx, batch, every)
		if err != nil {
			return err
		}
		lasted = done.lasted
		answered, err := f.watcher.moments(ctx, done.answered)
		if err != nil {
			return err
		}
		sent, err := f.watcher.moments(ctx, done.sent)
		if err != nil {
			return err
		}
		answer, err = f.crowd.ask(crowdQuestion{Reach: slices.Max(slices.Collect(maps.Keys(answered))), Clocks: []map[int64]int64{answered, sent}})
		return err
	})
	if err != nil {
		return err
	}
	if answer.Lost > 0 {
		return fmt.Errorf("%d streams ended", answer.Lost)
	}
	if every < 100*time.Millisecond {
		what += fmt.Sprintf(", %.0f/s done", float64(n)/lasted.Seconds())
	}
	for i, since := range []string{"from the answer", "from the sending"} {
		s := answer.Spreads[i]
		row := []string{what + ", " + since, count(s.Samples), span(s.P50), span(s.P99), span(s.Max), "", ""}
		if i == 0 {
			row[5], row[6] = busy, mebibytes(resident(f.n.pid()))
		}
		t.add(row...)
	}
	return nil
}

// revoked is what was done when, by jti.
type revoked struct {
	mu             sync.Mutex
	sent, answered map[string]time.Time
	lasted         time.Duration
	failed         error
}

// revoke sends a revocation in each pause, whether or not earlier ones were
// answered.
func (f *fan) revoke(ctx context.Context, batch []revocable, every time.Duration) (*revoked, error) {
	done := &revoked{sent: make(map[string]time.Time, len(batch)), answered: make(map[string]time.Time, len(batch))}
	// One client after the other would spend its budget at once.
	order := make([]revocable, 0, len(batch))
	for i := range revocationsOfOne {
		for j := i; j < len(batch); j += revocationsOfOne {
			order = append(order, batch[j])
		}
	}
	turns := make(chan struct{}, connections)
	var all sync.WaitGroup
	began := time.Now()
	for i, r := range order {
		if err := pause(ctx, time.Until(began.Add(time.Duration(i)*every))); err != nil {
			return nil, err
		}
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			sent := time.Now()
			err := f.d.post(ctx, f.via, "/oauth2/revoke", r.of, url.Values{"token": {r.raw}}, nil)
			answered := time.Now()
			done.mu.Lock()
			defer done.mu.Unlock()
			done.sent[r.jti], done.answered[r.jti] = sent, answered
			done.failed = errors.Join(done.failed, err)
		})
	}
	all.Wait()
	done.lasted = time.Since(began)
	return done, done.failed
}

// watcher reads every row of one stream: it tells which position a token's row got.
type watcher struct {
	key       []byte
	mu        sync.Mutex
	positions map[string]int64 // by key on the wire
}

func watchRows(o *crowdOrder, hashKey string) (*watcher, error) {
	key, err := base64.RawURLEncoding.DecodeString(hashKey)
	if err != nil {
		return nil, fmt.Errorf("hash key: %w", err)
	}
	body, err := o.open()
	if err != nil {
		return nil, fmt.Errorf("open a stream: %w", err)
	}
	w := &watcher{key: key, positions: map[string]int64{}}
	go w.read(body)
	return w, nil
}

// read ends with the node.
func (w *watcher) read(body io.Reader) {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: "))
		var fr wire.Frame
		if !ok || json.Unmarshal(data, &fr) != nil {
			continue
		}
		w.mu.Lock()
		for _, row := range fr.Rows {
			w.positions[row.Key] = row.Position
		}
		w.mu.Unlock()
	}
}

// moments returns when the tokens' revocations were answered, by position.
func (w *watcher) moments(ctx context.Context, answered map[string]time.Time) (map[int64]int64, error) {
	out := make(map[int64]int64, len(answered))
	end := time.Now().Add(time.Minute)
	for jti, at := range answered {
		key := wire.Sum(w.key, "jti", jti).Text()
		for {
			w.mu.Lock()
			position, ok := w.positions[key]
			w.mu.Unlock()
			if ok {
				out[position] = at.UnixNano()
				break
			}
			if time.Now().After(end) {
				return nil, errors.New("a row did not arrive within a minute")
			}
			if err := pause(ctx, time.Millisecond); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}
