package main

import (
	"context"
	"net/http"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/admin/api"
	"github.com/gatehouse-id/gatehouse/admin/console"
	"github.com/gatehouse-id/gatehouse/auditlog"
	"github.com/gatehouse-id/gatehouse/internal/hosted"
	"github.com/gatehouse-id/gatehouse/provider"
)

// administration is what operators do over HTTP: with a token, or in a browser.
type administration struct {
	api     *api.Handler
	console *console.Handler
}

func (d *domain) newAdministration(desk *hosted.Desk, protocol *provider.Provider, people *people) *administration {
	callers := d.callers()
	entrance := people.entrance
	operations := &admin.Admin{
		Users: d.users, Sessions: d.sessions, Consents: d.consents, Groups: d.groups, APIs: d.apis, Clients: d.clients,
		Factors: d.factors, Deletion: people.deletion, Invites: entrance.Invites, SignInLinks: entrance.Codes,
		Sets: d.sets, Connections: &accounts.Connections{Journal: d.users.Journal, Clients: d.db, Grants: d.db, Consents: d.db},
		Tokens: d.tokens, Keeper: d.keeper,
		Lists: d.db, Reach: d.db, KeyRecords: d.db, Ledger: d.db, Audit: &auditlog.Log{Store: d.db}, Activity: d.db, Marks: d.db,
		Settings: settingsEditor{d.kept, d.settings}, Refusals: d.refusals, Protocol: &provider.Console{Provider: protocol}, Counts: d.db, Node: d.tail, Chain: d.chainHealth,
		Probes: d.probes(), Callers: d.db, UserPages: d.db, Log: d.log, Now: d.now,
	}
	return &administration{
		api: &api.Handler{
			Issuer: d.cfg.Issuer, Admin: operations, Answers: d.db, Keyring: d.keyring, Log: d.log, Now: d.now,
			Authorizer: &provider.Administrators{
				Provider: protocol, Callers: callers, Problems: d.cfg.Issuer.String() + api.Base + "/docs#problem-",
			},
		},
		console: &console.Handler{Desk: desk, Admin: operations, Callers: callers},
	}
}

func (d *domain) callers() *admin.Callers { return &admin.Callers{Store: d.db, Now: d.now} }

// probes are the parts that a deployment stands on.
func (d *domain) probes() []admin.Probe {
	list := []admin.Probe{{Name: "database", Check: d.db.Ping}}
	if d.redis != nil {
		list = append(list, admin.Probe{Name: "redis", Check: func(ctx context.Context) error { return d.redis.Ping(ctx) }})
	}
	return list
}

func (a *administration) mount(r *mux.Router, pages func(http.Handler) http.Handler) error {
	a.api.Mount(r)
	return a.console.Mount(r, pages)
}
