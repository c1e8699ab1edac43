package api_test

import (
	"context"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/auditlog"
	"github.com/gatehouse-id/gatehouse/internal/counts"
	"github.com/gatehouse-id/gatehouse/provider/keys"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// others adds what the objects beside users need.
func (w *world) others(journal accounts.Journal) {
	db, a := w.db, w.admin
	a.Sets = &accounts.PermissionSets{Journal: journal, Store: db, Holdings: db, Permissions: db, Clients: db}
	a.Connections = &accounts.Connections{Journal: journal, Clients: db, Grants: db, Consents: db}
	a.Tokens = &accounts.Tokens{Journal: journal, Revocations: db}
	a.Keeper = &keys.Keeper{
		Store: db, Keyring: w.keyring, Now: w.now,
		Revoke: func(ctx context.Context, kid, reason string) error {
			return db.Append(ctx, revocation.Entry{Kind: revocation.Key, Key: kid, Reason: reason})
		},
	}
	a.Lists, a.Reach, a.KeyRecords, a.Ledger, a.Activity, a.Marks = db, db, db, db, db, db
	a.Refusals = accounts.NewRefusals(journal, db, w.admin.Log)
	a.Audit = &auditlog.Log{Store: db}
	a.Settings = &accounts.SettingsKeeper{Journal: journal, Store: db, Rules: settingRules{}}
	w.counter = counts.New(db, w.now, a.Log)
	a.Counts, a.Node = db, revocation.NewTail(revocation.Options{Source: db, Ledger: db, Now: w.now, Log: a.Log})
	a.Chain = func(ctx context.Context) (*auditlog.Health, error) { return auditlog.Look(ctx, db, w.keyring, w.now()) }
	a.Probes = []admin.Probe{{Name: "database", Check: db.Ping}}
}
