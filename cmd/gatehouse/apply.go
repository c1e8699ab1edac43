package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/config"
	"github.com/gatehouse-id/gatehouse/internal/ascode"
	"github.com/gatehouse-id/gatehouse/internal/audit"
)

type applyCommand struct {
	fileSource `embed:""`
	Prune      bool `help:"Also remove what this file managed and does not name any more."`
	Yes        bool `short:"y" help:"Remove it without asking."`
	DryRun     bool `name:"dry-run" help:"Only show what would happen."`
	ForceDrift bool `name:"force-drift" help:"Undo also what was changed by hand since the file was last applied."`
	TakeOver   bool `name:"take-over" help:"Manage also what another file managed."`
}

// fileSource names the file on the command line.
type fileSource struct {
	File string `short:"f" required:"" placeholder:"FILE" help:"YAML or JSON; - for standard input."`
}

func (s fileSource) read(c *call) (*ascode.File, error) {
	in := c.stdin
	if s.File != "-" {
		f, err := os.Open(s.File)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }() // only read
		in = f
	}
	return ascode.Read(s.File, in)
}

// Run makes what the file says, all or nothing.
func (a *applyCommand) Run(c *call) error {
	file, err := a.read(c)
	if err != nil {
		return err
	}
	return c.with(true, func(ctx context.Context, d *domain, by audit.Actor) error {
		if err := d.checkSecret(ctx); err != nil {
			return err
		}
		opts := ascode.Options{Prune: a.Prune, Force: a.ForceDrift, TakeOver: a.TakeOver}
		deployment, ctx := d.deployment(c), context.WithValue(ctx, byFile{}, true)
		if a.DryRun || a.Prune && !a.Yes {
			opts.DryRun = true
			seen, err := deployment.Apply(ctx, by, file, opts)
			if err != nil {
				return explainApply(err)
			}
			if a.DryRun {
				return c.tellPlan(seen, true)
			}
			if seen.Removes() {
				if err := a.ask(c, seen); err != nil {
					return err
				}
			}
			opts.DryRun, opts.Agreed = false, seen
		}
		plan, err := deployment.Apply(ctx, by, file, opts)
		if err != nil {
			return explainApply(err)
		}
		kept := keepSecrets(plan)
		return errors.Join(c.tellPlan(plan, false), kept)
	})
}

// explainApply says which option goes against a refusal.
func explainApply(err error) error {
	switch {
	case errors.Is(err, ascode.ErrByHand):
		return fmt.Errorf("%w (write it into the file, or undo it with --force-drift)", err)
	case errors.Is(err, accounts.ErrManaged):
		return fmt.Errorf("%w (take it out of one of the two, or apply with --take-over)", err)
	}
	return err
}

// errNotAgreed stops what nobody said yes to.
var errNotAgreed = errors.New("nothing was changed: removing needs --yes, or a yes at a terminal")

// ask shows what would happen to whoever sits at the terminal.
func (a *applyCommand) ask(c *call, plan *ascode.Plan) error {
	in, terminal := c.stdin.(*os.File)
	if terminal {
		info, err := in.Stat()
		terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	if !terminal || a.File == "-" {
		return fmt.Errorf("%w (it would remove %s)", errNotAgreed, strings.Join(removed(plan), ", "))
	}
	var shown strings.Builder
	writePlan(&shown, plan, true)
	_, _ = fmt.Fprintf(c.stderr, "%s\nDo this? Only yes is taken for a yes: ", shown.String()) // who cannot read it does not say yes
	answer, err := bufio.NewReader(in).ReadString('\n')
	if err != nil || strings.TrimSpace(answer) != "yes" {
		return errNotAgreed
	}
	return nil
}

func removed(plan *ascode.Plan) []string {
	var names []string
	for _, change := range plan.Changes {
		if change.Action == ascode.Removed {
			names = append(names, fmt.Sprintf("%s %q with %s", change.Kind, change.Name, change.Touches))
		}
	}
	return names
}

// keepSecrets writes new secrets into the files that were named for them.
func keepSecrets(plan *ascode.Plan) error {
	var failed error
	for _, change := range plan.Changes {
		if change.SecretFile == "" {
			continue
		}
		if err := config.WriteOnce(change.SecretFile, []byte(change.Secret.Reveal()+"\n")); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s %s was made, but its secret could not be kept: %w (gatehouse client rotate-secret --client %s)", change.Kind, change.Name, err, change.ClientID))
			continue
		}
		change.Secret = "" // it is where it should be
	}
	return failed
}

// toldPlan is a plan as commands tell it.
type toldPlan struct {
	Manager   string         `json:"manager"`
	Changes   []toldChange   `json:"changes"`
	Settings  []ascode.Field `json:"settings,omitempty"`
	Unchanged bool           `json:"unchanged"`
	DryRun    bool           `json:"dry_run,omitempty"`
}

// toldChange is a change with the secret that is shown this once.
type toldChange struct {
	*ascode.Change
	ClientSecret string `json:"client_secret,omitempty"`
}

func (c *call) tellPlan(plan *ascode.Plan, dry bool) error {
	told := toldPlan{Manager: plan.Manager, Changes: []toldChange{}, Settings: plan.Settings, Unchanged: plan.Empty(), DryRun: dry}
	for _, change := range plan.Changes {
		told.Changes = append(told.Changes, toldChange{Change: change, ClientSecret: change.Secret.Reveal()})
	}
	return c.answer(told, func(w io.Writer) { writePlan(w, plan, dry) })
}

func writePlan(w io.Writer, plan *ascode.Plan, dry bool) {
	if plan.Empty() {
		_, _ = fmt.Fprintln(w, "unchanged")
	}
	for _, change := range plan.Changes {
		writeChange(w, change, dry)
	}
	for _, f := range plan.Settings {
		_, _ = fmt.Fprintf(w, "setting %s (the configuration of the servers decides)\n", plain(f.String()))
	}
}

func writeChange(w io.Writer, change *ascode.Change, dry bool) {
	would := ""
	if dry {
		would = "would be "
	}
	_, _ = fmt.Fprintf(w, "%s %s %s%s\n", change.Kind, plain(change.Name), would, change.Action)
	line := func(format string, args ...any) {
		_, _ = fmt.Fprintf(w, "  %s\n", plain(fmt.Sprintf(format, args...)))
	}
	if change.ByHand {
		line("it was removed by hand since the file was last applied")
	}
	if change.TakenFrom != "" {
		line("taken from the file %s", change.TakenFrom)
	}
	if change.Touches != "" {
		line("with %s", change.Touches)
	}
	for _, f := range change.Fields {
		if f.ByHand {
			line("%s (changed by hand since the file was last applied)", f)
			continue
		}
		line("%s", f)
	}
	if change.ClientID != "" {
		line("client_id %s", change.ClientID)
	}
	switch {
	case change.Secret != "":
		line("client_secret %s (shown this once)", change.Secret.Reveal())
	case change.SecretFile != "":
		line("secret kept in %s", change.SecretFile)
	}
}
