package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/config"
	"github.com/gatehouse-id/gatehouse/consent"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/hosted"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/provider"
	"github.com/gatehouse-id/gatehouse/storage/cache"
	"github.com/gatehouse-id/gatehouse/storage/sqldb"
	"github.com/gatehouse-id/gatehouse/templates"
)

// memoryBudget is what short-lived state may take in the memory of one process.
const memoryBudget = 8 << 20

// startActor makes what a start makes.
func startActor() audit.Actor { return audit.Actor{Kind: audit.System, ID: "start"} }

// app is the whole server: handlers, listeners' settings and workers.
type app struct {
	*domain
	handler http.Handler
	tls     *tls.Config // nil without
	ready   *readiness
	faces   *faces
	people  *people
}

// newApp builds everything. What it opened is closed by close, which is not needed
// after an error.
func newApp(d *domain) (*app, error) {
	cfg := d.cfg
	store := d.shortLived()
	limits := limiter{store}
	cookies := web.Cookies{Issuer: cfg.Issuer}
	pages, err := newRenderer(cfg, d.settings.brandName)
	if err != nil {
		return nil, err
	}
	lists := d.newStatusLists()
	desk := &hosted.Desk{
		Issuer: cfg.Issuer, Cookies: cookies, Keyring: d.keyring, Pages: pages, Sessions: d.sessions, Now: d.now, Missing: d.missing,
	}
	people := d.newPeople(desk, limits, released{d.db}, d.sendsMail())
	protocol := &provider.Provider{
		Issuer: cfg.Issuer, Lifetimes: provider.DefaultLifetimes(), Factors: d.db,
		Settings: d.settings,
		Clients:  d.db, Origins: d.db, Secrets: d.clients, Sessions: d.sessions, Standings: d.db, Grants: d.db, Flows: d.db,
		Pushed: pushed{store}, Ledger: d.db, Consents: d.consents, Tokens: d.tokens, Keys: d.ring, Keyring: d.keyring,
		Limiter: limits, Cookies: cookies, Pages: pages, Log: d.log, Now: d.now,
		Tail: d.tail, Statuses: lists, Refusals: d.refusals, Counter: d.counter,
	}
	steps := &consent.Handler{
		Desk: desk, Flows: d.db, Clients: d.db, APIs: d.db, Holdings: holdings{d.db},
		Authenticator: &accounts.Authenticator{
			Journal: d.users.Journal, Users: d.db, Hasher: d.users.Hasher, Limiter: limits, Keys: d.keyring, Logger: d.log,
		},
		Consents: d.consents, Remembered: d.db,
	}
	people.steps(steps)
	a := &app{domain: d, ready: &readiness{domain: d}, people: people}
	if a.faces, err = d.newFaces(protocol, lists, pages); err != nil {
		return nil, err
	}
	router := web.NewRouter()
	// The protocol first: its endpoints are asked most, and routes are tried in order.
	if err := protocol.Mount(router, web.Pages); err != nil {
		return nil, err
	}
	if err := steps.Mount(router, web.Pages); err != nil {
		return nil, err
	}
	if err := people.mount(router, web.Pages); err != nil {
		return nil, err
	}
	if err := d.newAdministration(desk, protocol, people).mount(router, web.Pages); err != nil {
		return nil, err
	}
	a.faces.mount(router)
	a.mountRest(router, desk)
	front := &web.Front{Issuer: cfg.Issuer, Trusted: cfg.TrustedProxies, Log: d.log, Now: d.now}
	a.handler = front.Wrap(web.RequireHost(cfg.Issuer, withOrigin(d.settings, router), pathHealth, pathReady))
	if cfg.TLSCert != "" {
		if a.tls, err = newTLS(cfg.TLSCert, cfg.TLSKey, d.log, d.now); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// withOrigin lets the audit events of what a request changes tell where it came
// from, and everything that serves the request see the same settings.
func withOrigin(settings *liveSettings, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin := audit.Origin{RequestID: web.RequestID(r.Context()), Address: web.ClientIP(r.Context()).String()}
		next.ServeHTTP(w, r.WithContext(settings.pin(audit.WithOrigin(r.Context(), origin))))
	})
}

// mountRest adds what belongs to no other package: static files, probes and the
// page for what is not found.
func (a *app) mountRest(router *mux.Router, desk *hosted.Desk) {
	router.HandleFunc(pathHealth, healthy)
	router.Handle(pathReady, a.ready)
	router.PathPrefix(a.cfg.Issuer.Path + "/static/").Handler(desk.Pages.Static())
	lost := func(status int, kind templates.ErrorKind) http.Handler {
		return web.Pages(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			desk.Fail(w, r, status, templates.Error{Kind: kind})
		}))
	}
	router.NotFoundHandler = lost(http.StatusNotFound, templates.NotFound)
	router.MethodNotAllowedHandler = lost(http.StatusMethodNotAllowed, templates.MethodNotAllowed)
}

// shortLived chooses where state lives that may be lost: Redis if there is one,
// with something to fall back to; else memory where one process owns the database,
// else the database.
func (d *domain) shortLived() cache.Store {
	var local cache.Store = d.db.ShortLived()
	if d.db.Dialect() == sqldb.SQLite {
		local = cache.NewMemory(d.now, memoryBudget)
	}
	if d.redis == nil {
		return local
	}
	return &cache.Fallback{Primary: d.redis, Secondary: local, Log: d.log, Now: d.now}
}

// prepare makes what must be there before the first request: the keys, the
// built-in API, and the issuer for commands that are not told it.
func (d *domain) prepare(ctx context.Context) error {
	if err := d.keeper.Ensure(ctx, startActor()); err != nil {
		return err
	}
	issuer := d.cfg.Issuer.String()
	if err := d.apis.EnsureBuiltin(ctx, issuer); err != nil {
		return fmt.Errorf("built-in API: %w", err)
	}
	if err := d.leavePins(ctx); err != nil {
		return err
	}
	before, err := d.fact(ctx, factIssuer)
	if err != nil || before == issuer {
		return err
	}
	if before != "" {
		d.log.WarnContext(ctx, "the issuer has changed: apps and APIs that know the old one must be told", "before", before, "now", issuer)
	}
	return d.db.SetInstance(ctx, factIssuer, issuer)
}

// newLogger returns the log that the settings ask for; otherwise is the format
// when they do not say.
func (c *call) newLogger(cfg *config.Config, otherwise string) *slog.Logger {
	var level slog.Level
	// The words of the settings are slog's.
	if err := level.UnmarshalText([]byte(cfg.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	format := cfg.LogFormat
	if format == "" {
		format = otherwise
	}
	opts := &slog.HandlerOptions{Level: level}
	if format == "text" {
		return slog.New(slog.NewTextHandler(c.stderr, opts))
	}
	return slog.New(slog.NewJSONHandler(c.stderr, opts))
}

// grace is how long requests in flight may take when the server stops.
const grace = 20 * time.Second
