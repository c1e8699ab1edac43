package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/goccy/go-yaml"

	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/config"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

type applyCommand struct {
	File string `short:"f" required:"" placeholder:"FILE" help:"YAML or JSON; - for standard input."`
}

// maxApplied bounds the file, and so what one transaction does.
const maxApplied = 4 << 20

// wanted is what a file says. What it does not name stays as it is; within a named
// object, members that are left out stay, and lists are exactly as written.
type wanted struct {
	APIs    []wantedAPI    `yaml:"apis"`
	Groups  []wantedGroup  `yaml:"groups"`
	Clients []wantedClient `yaml:"clients"`
}

// applied is one change.
type applied struct {
	Kind         string   `json:"kind"`
	Name         string   `json:"name"`
	Change       string   `json:"change"` // "created" or "changed"
	What         []string `json:"what,omitempty"`
	ClientID     string   `json:"client_id,omitempty"`
	ClientSecret string   `json:"client_secret,omitempty"`
	SecretFile   string   `json:"secret_file,omitempty"`

	secret secret.Text
}

// applier carries out one file in one transaction.
type applier struct {
	*domain
	by      audit.Actor
	changes []applied
}

// Run makes what the file says, all or nothing.
func (a *applyCommand) Run(c *call) error {
	want, err := a.read(c)
	if err != nil {
		return err
	}
	return c.with(true, func(ctx context.Context, d *domain, by audit.Actor) error {
		if err := d.checkSecret(ctx); err != nil {
			return err
		}
		changes, err := d.apply(ctx, by, want)
		if err != nil {
			return err
		}
		if err := keepSecrets(changes); err != nil {
			return err
		}
		return c.tellApplied(changes)
	})
}

func (a *applyCommand) read(c *call) (*wanted, error) {
	in := c.stdin
	if a.File != "-" {
		f, err := os.Open(a.File)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }() // only read
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxApplied+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.File, err)
	}
	if len(text) > maxApplied {
		return nil, fmt.Errorf("%s is larger than %d bytes", a.File, maxApplied)
	}
	var want wanted
	err = yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(&want)
	if err != nil && !errors.Is(err, io.EOF) { // an empty file wants nothing
		return nil, fmt.Errorf("%s: %s", a.File, yaml.FormatError(err, false, false))
	}
	return &want, nil
}

// apply carries out what is wanted in one transaction.
func (d *domain) apply(ctx context.Context, by audit.Actor, want *wanted) ([]applied, error) {
	a := &applier{domain: d, by: by}
	err := d.db.InTx(ctx, func(ctx context.Context) error {
		a.changes = nil // the transaction may be run again
		for _, w := range want.APIs {
			if err := a.api(ctx, w); err != nil {
				return fmt.Errorf("API %q: %w", w.Audience, err)
			}
		}
		for _, w := range want.Groups {
			if err := a.group(ctx, w); err != nil {
				return fmt.Errorf("group %q: %w", w.Name, err)
			}
		}
		for _, w := range want.Clients {
			if err := a.client(ctx, w); err != nil {
				return fmt.Errorf("client %q: %w", w.label(), err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return a.changes, nil
}

// changed notes a change, if there was one.
func (a *applier) changed(kind, name string, what []string) {
	if len(what) > 0 {
		a.changes = append(a.changes, applied{Kind: kind, Name: name, Change: "changed", What: what})
	}
}

// keepSecrets writes new secrets into the files that were named for them; the
// others are shown.
func keepSecrets(changes []applied) error {
	var failed error
	for i := range changes {
		c := &changes[i]
		if c.SecretFile == "" {
			c.ClientSecret = c.secret.Reveal()
			continue
		}
		if err := config.WriteOnce(c.SecretFile, []byte(c.secret.Reveal()+"\n")); err != nil {
			failed = errors.Join(failed, fmt.Errorf("client %s was made, but its secret could not be kept: %w (gatehouse client rotate-secret --client %s)", c.Name, err, c.ClientID))
		}
	}
	return failed
}

func (c *call) tellApplied(changes []applied) error {
	answer := map[string]any{"changes": append([]applied{}, changes...), "unchanged": len(changes) == 0}
	return c.answer(answer, func(w io.Writer) {
		if len(changes) == 0 {
			_, _ = fmt.Fprintln(w, "unchanged")
		}
		for _, change := range changes {
			_, _ = fmt.Fprintf(w, "%s %s %s\n", change.Kind, plain(change.Name), change.Change)
			for _, what := range change.What {
				_, _ = fmt.Fprintf(w, "  %s\n", plain(what))
			}
			if change.ClientID != "" {
				_, _ = fmt.Fprintf(w, "  client_id %s\n", change.ClientID)
			}
			if change.ClientSecret != "" {
				_, _ = fmt.Fprintf(w, "  client_secret %s (shown this once)\n", change.ClientSecret)
			}
			if change.SecretFile != "" {
				_, _ = fmt.Fprintf(w, "  secret kept in %s\n", change.SecretFile)
			}
		}
	})
}
