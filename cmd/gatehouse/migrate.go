package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/gatehouse-id/gatehouse/migrations"
	"github.com/gatehouse-id/gatehouse/storage/sqldb"
)

type migrateCommand struct {
	Up     migrateUp     `cmd:"" default:"1" help:"Apply what is pending."`
	Status migrateStatus `cmd:"" help:"List the migrations."`
}

type migrateUp struct{}

// Run applies what is pending. Several nodes may do so at once.
func (migrateUp) Run(c *call) error {
	return c.withMigrator(func(m *migrations.Migrator) error {
		applied, err := m.Up(c.ctx)
		if err != nil {
			return err
		}
		return c.answer(map[string][]string{"applied": append([]string{}, applied...)}, func(w io.Writer) {
			for _, name := range applied {
				_, _ = fmt.Fprintln(w, "applied", name)
			}
			if len(applied) == 0 {
				_, _ = fmt.Fprintln(w, "nothing is pending")
			}
		})
	})
}

type migrateStatus struct{}

// Run lists what is applied and what is pending.
func (migrateStatus) Run(c *call) error {
	return c.withMigrator(func(m *migrations.Migrator) error {
		list, err := m.Status(c.ctx)
		if err != nil {
			return err
		}
		return c.answer(map[string]any{"migrations": list}, func(w io.Writer) {
			for _, one := range list {
				when := "pending"
				if one.Applied {
					when = "applied " + one.AppliedAt.UTC().Format(time.RFC3339)
				}
				_, _ = fmt.Fprintln(w, one.Name, when)
			}
		})
	})
}

// withMigrator opens the database as it is.
func (c *call) withMigrator(f func(m *migrations.Migrator) error) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	if err := ensureData(cfg); err != nil {
		return err
	}
	db, err := sqldb.Open(c.ctx, sqldb.Options{
		URL: cfg.Database().Reveal(), Now: c.now, Logger: slog.New(slog.DiscardHandler), TokenLife: ledgerRowLife,
	})
	if err != nil {
		return err
	}
	defer db.Close()
	m, err := db.Migrator()
	if err != nil {
		return err
	}
	return errors.Join(f(m), m.Close())
}
