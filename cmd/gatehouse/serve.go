package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/revocation"
)

type serveCommand struct {
	NoMigrate bool `name:"no-migrate" help:"Do not migrate the database; gatehouse migrate does it."`
}

// Run serves until the process is told to stop.
func (s *serveCommand) Run(c *call) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	log := c.newLogger(cfg, "json")
	if os.Getenv("GOGC") == "" {
		// Little of the memory lives long: collecting half as often costs some ten MiB
		// under load and makes the cheapest tokens a fifth cheaper (docs/measurements.md).
		debug.SetGCPercent(200)
	}
	d, err := openDomain(c.ctx, cfg, log, c.now, !s.NoMigrate)
	if err != nil {
		return err
	}
	defer d.close()
	if d.unfit != nil {
		return d.unfit
	}
	switch demo, err := d.fact(c.ctx, factDemo); {
	case err != nil:
		return err
	case demo != "":
		return errors.New(`this database holds the demo accounts of "gatehouse dev", whose password everybody knows: serve from another data folder or database`)
	}
	if err := d.prepare(c.ctx); err != nil {
		return err
	}
	a, err := newApp(d)
	if err != nil {
		return err
	}
	if err := a.setUpFirst(c.ctx); err != nil {
		return err
	}
	return a.run(c.ctx, func() {
		log.InfoContext(c.ctx, "ready", "issuer", cfg.Issuer.String(), "listen", cfg.Listen, "database", d.db.Dialect(), "version", version())
	})
}

// run serves, beside others, until ctx ends or a listener fails. ready is called
// once all listen.
func (a *app) run(ctx context.Context, ready func(), beside ...*http.Server) error {
	servers := beside
	for _, addr := range addresses(ctx, a.cfg.Listen) {
		// Each server adds HTTP/2 to its own copy.
		server := web.Server(addr, a.handler, a.tls.Clone(), a.log)
		server.RegisterOnShutdown(a.faces.feed.Drain)
		server.RegisterOnShutdown(a.faces.transmitter.Drain)
		servers = append(servers, server)
	}
	// What is in flight when ctx ends goes on being told and kept until it is over.
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	var workers sync.WaitGroup
	workers.Go(func() { a.clean(working) })
	workers.Go(func() { a.tendKeys(working) })
	workers.Go(func() { _ = a.tail.Run(working) }) // it ends with its context alone
	workers.Go(func() { a.settings.follow(working, a.tail) })
	workers.Go(func() { a.faces.run(working) })
	workers.Go(func() { _ = a.people.deletion.Run(working) }) // it ends with its context alone
	workers.Go(func() { _ = a.refusals.Run(working) })        // it ends with its context alone
	workers.Go(func() { _ = a.counter.Run(working) })         // it ends with its context alone
	ends := &accounts.MembershipEnds{Groups: a.groups, Log: a.log}
	workers.Go(func() { _ = ends.Run(working) }) // it ends with its context alone
	if a.redis != nil {
		workers.Go(func() { a.followRedis(working) })
	}
	err := web.Run(ctx, grace, ready, servers...)
	stop()
	workers.Wait()
	return listenError(err)
}

// addresses returns where to listen for a setting: "localhost" is whatever the
// machine calls loopback, since browsers try either.
func addresses(ctx context.Context, listen string) []string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil || host != "localhost" {
		return []string{listen}
	}
	v4, v6 := net.JoinHostPort("127.0.0.1", port), net.JoinHostPort("::1", port)
	var config net.ListenConfig
	probe, err := config.Listen(ctx, "tcp", "[::1]:0")
	if err != nil {
		return []string{v4} // no IPv6 here
	}
	_ = probe.Close() // nothing was accepted on it
	return []string{v4, v6}
}

// listenError says how to mend the one common failure.
func listenError(err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w: stop the program that listens there, or choose another address (--listen, for the demo --demo-app-port and --demo-api-port)", err)
	}
	return err
}

const (
	cleanEvery = time.Minute
	cleanBatch = 500
	tendEvery  = 10 * time.Minute
)

// clean removes what nothing needs any more, in small batches while serving.
func (a *app) clean(ctx context.Context) {
	every(ctx, cleanEvery, func() {
		removed, err := a.db.Clean(ctx, cleanBatch)
		if err != nil && ctx.Err() == nil {
			a.log.WarnContext(ctx, "cleaning", "error", err)
		}
		// As long as rows that they acknowledge, and longer than any follower is silent.
		forgotten, err := a.db.CleanFollowers(ctx, a.now().Add(-max(ledgerRowLife, revocation.KeyLife)-time.Hour).UnixMilli())
		if err != nil && ctx.Err() == nil {
			a.log.WarnContext(ctx, "cleaning", "error", err)
		}
		if removed != nil {
			removed["followers"] = forgotten
		}
		for table, n := range removed {
			if n > 0 {
				a.log.DebugContext(ctx, "cleaned", "table", table, "rows", n)
			}
		}
	})
}

// tendKeys rotates and retires keys when it is time.
func (a *app) tendKeys(ctx context.Context) {
	every(ctx, tendEvery, func() {
		changes, err := a.keeper.Tend(ctx, startActor())
		if err != nil && ctx.Err() == nil {
			a.log.ErrorContext(ctx, "signing keys need attention", "error", err)
		}
		for _, change := range changes {
			a.log.InfoContext(ctx, "signing key", "kid", change.KID, "algorithm", change.Algorithm, "from", change.From, "to", change.To)
		}
	})
}

// every calls f about once in each interval until ctx ends. Nodes that start
// together do not stay together.
func every(ctx context.Context, interval time.Duration, f func()) {
	for {
		wait := time.NewTimer(interval/2 + rand.N(interval))
		select {
		case <-ctx.Done():
			wait.Stop()
			return
		case <-wait.C:
			f()
		}
	}
}
