package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/config"
	"github.com/gatehouse-id/gatehouse/guard"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/resource"
)

type guardCommand struct {
	config.GuardFlags
}

// guardListen is where the guard listens unless told otherwise.
const guardListen = "localhost:8403"

// Run checks tokens for other servers until the process is told to stop. It opens
// no database.
func (g *guardCommand) Run(c *call) error {
	c.flags.Guard = g.GuardFlags
	cfg, err := c.config()
	if err != nil {
		return err
	}
	if err := checkGuard(cfg); err != nil {
		return err
	}
	if !cfg.ListenGiven {
		cfg.Listen = guardListen
	}
	log := c.newLogger(cfg, "text")
	verifier, err := resource.New(resource.Config{
		Issuer: cfg.Issuer.String(), Audience: cfg.Guard.Audience,
		ClientID: cfg.Guard.ClientID, ClientSecret: cfg.Guard.ClientSecret.Reveal(),
		Stale: stalePolicy(cfg.Guard.Stale), Now: c.now, Logger: log,
		Events: resource.Events{State: func(old, now resource.State) {
			log.Info("guard: what is known of revocations", slog.String("state", now.String()), slog.String("before", old.String()))
		}},
	})
	if err != nil {
		return fmt.Errorf("guard: %w", err)
	}
	defer verifier.Close()
	return c.serveGuard(cfg, &guard.Guard{
		Verifier: verifier, Ready: func() bool { return verifier.State() == resource.Fresh },
		Upstream: cfg.Guard.Upstream, KeepToken: cfg.Guard.KeepToken, Log: log,
		Need: guard.Need{Permissions: cfg.Guard.Permissions, Optional: cfg.Guard.Login == "optional"},
	})
}

// checkGuard refuses a guard that would check less than it seems to.
func checkGuard(cfg *config.Config) error {
	g := cfg.Guard
	switch {
	case g.Audience == "":
		return errors.New("the guard needs --audience: tokens for other APIs must not pass")
	case g.ClientID == "" || g.ClientSecret == "":
		return errors.New("the guard needs --client-id and --client-secret-file, which gatehouse api create has shown: without them it does not hear of revocations")
	case g.Upstream == nil && (len(g.Permissions) > 0 || g.Login != "required" || g.KeepToken):
		return errors.New("--permissions, --login and --keep-token go with --upstream; a proxy that asks the guard says in the URL what it needs (see docs/guard.md)")
	}
	return nil
}

func stalePolicy(name string) resource.Policy {
	switch name {
	case "deny":
		return resource.Deny
	case "allow":
		return resource.Allow
	}
	return resource.Introspect
}

func (c *call) serveGuard(cfg *config.Config, g *guard.Guard) error {
	if err := g.Need.Check(); err != nil {
		return fmt.Errorf("guard: %w", err)
	}
	var certificate *tls.Config
	if cfg.TLSCert != "" {
		var err error
		if certificate, err = newTLS(cfg.TLSCert, cfg.TLSKey, g.Log, c.now); err != nil {
			return err
		}
	}
	handler := g.Handler()
	var servers []*http.Server
	for _, addr := range addresses(c.ctx, cfg.Listen) {
		servers = append(servers, web.Server(addr, handler, certificate.Clone(), g.Log))
	}
	err := web.Run(c.ctx, grace, func() {
		g.Log.InfoContext(c.ctx, "guard: ready", "issuer", cfg.Issuer.String(), "audience", cfg.Guard.Audience, "listen", cfg.Listen, "version", version())
	}, servers...)
	return listenError(err)
}
