package main

import (
	"context"
	"log/slog"

	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/config"
	"github.com/gatehouse-id/gatehouse/storage/sqldb"
)

// checkSettings looks whether what the database keeps goes with the configuration.
func (d *diagnosis) checkSettings(ctx context.Context, cfg *config.Config, db *sqldb.DB) {
	const check = "settings"
	live, err := newLiveSettings(cfg, db, slog.New(slog.DiscardHandler))
	if err != nil {
		d.fail(check, "see gatehouse --help for the settings", "%v", err)
		return
	}
	rows, err := db.KeptSettings(ctx)
	if err != nil {
		return // a database that cannot be read, or is not migrated, has its own line
	}
	if err := live.load(ctx); err != nil {
		d.fail(check, "gatehouse settings lists them, gatehouse settings unset takes one back", "%v", err)
		return
	}
	d.ok(check, "the database keeps %d %s, which go with the configuration", len(rows), plural(len(rows), "setting"))
}
