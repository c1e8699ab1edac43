package main

import (
	"context"

	"github.com/gatehouse-id/gatehouse/internal/ascode"
	"github.com/gatehouse-id/gatehouse/internal/audit"
)

type diffCommand struct {
	fileSource `embed:""`
	Prune      bool `help:"Also show what apply --prune would remove."`
	TakeOver   bool `name:"take-over" help:"Show what apply --take-over would do."`
}

// differences is the answer of diff that a script looks for: exit code 2.
type differences struct{}

// Error implements error.
func (differences) Error() string { return "there are differences" }

// ExitCode tells differences from failures.
func (differences) ExitCode() int { return 2 }

// Run shows what apply would do: it does it, and takes it back.
func (f *diffCommand) Run(c *call) error {
	file, err := f.read(c)
	if err != nil {
		return err
	}
	return c.with(false, func(ctx context.Context, d *domain, by audit.Actor) error {
		ctx = context.WithValue(ctx, byFile{}, true)
		plan, err := d.deployment(c).Apply(ctx, by, file, ascode.Options{DryRun: true, Prune: f.Prune, TakeOver: f.TakeOver})
		if err != nil {
			return explainApply(err)
		}
		if err := c.tellPlan(plan, true); err != nil {
			return err
		}
		if !plan.Empty() {
			return differences{}
		}
		return nil
	})
}
