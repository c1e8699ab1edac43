package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/provider/keys"
)

type keysCommand struct {
	List       keysList       `cmd:"" help:"List signing keys."`
	Rotate     keysRotate     `cmd:"" help:"Let the next keys sign."`
	Compromise keysCompromise `cmd:"" help:"Remove a key at once and revoke all that it signed."`
}

type keyAnswer struct {
	KID         string `json:"kid"`
	Algorithm   string `json:"algorithm"`
	State       string `json:"state"`
	PublishedAt string `json:"published_at,omitempty"`
	ActivatedAt string `json:"activated_at,omitempty"`
	RetiredAt   string `json:"retired_at,omitempty"`
	GoneAt      string `json:"gone_at,omitempty"`
}

type keysList struct {
	All bool `help:"Those that are gone, too."`
}

// Run lists keys by algorithm and state.
func (l *keysList) Run(c *call) error {
	return c.with(false, func(ctx context.Context, d *domain, _ audit.Actor) error {
		records, _, err := d.db.Keys(ctx)
		if err != nil {
			return err
		}
		list := []keyAnswer{}
		rows := [][]string{{"KID", "ALGORITHM", "STATE", "PUBLISHED", "SIGNS SINCE"}}
		keys.Sort(records)
		for _, r := range records {
			if r.State == keys.Gone && !l.All {
				continue
			}
			k := keyAnswer{
				KID: r.KID, Algorithm: r.Algorithm, State: string(r.State), PublishedAt: when(r.PublishedAt),
				ActivatedAt: when(r.ActivatedAt), RetiredAt: when(r.RetiredAt), GoneAt: when(r.GoneAt),
			}
			list = append(list, k)
			rows = append(rows, []string{k.KID, k.Algorithm, k.State, k.PublishedAt, k.ActivatedAt})
		}
		return c.answer(map[string]any{"keys": list}, func(w io.Writer) { table(w, rows...) })
	})
}

// tell answers with what happened to keys.
func (c *call) tell(changes []keys.Change) error {
	return c.answer(map[string]any{"changes": append([]keys.Change{}, changes...)}, func(w io.Writer) {
		for _, change := range changes {
			from := string(change.From)
			if from == "" {
				from = "new"
			}
			_, _ = fmt.Fprintf(w, "%s %s: %s -> %s\n", change.Algorithm, change.KID, from, change.To)
		}
		if len(changes) == 0 {
			_, _ = fmt.Fprintln(w, "nothing changed")
		}
	})
}

type keysRotate struct {
	Alg   string `placeholder:"ALG" help:"RS256, ES256, EdDSA or PS256; by default all."`
	Force bool   `help:"Also if apps may not have seen the next key yet."`
}

// Run rotates keys.
func (r *keysRotate) Run(c *call) error {
	return c.with(false, func(ctx context.Context, d *domain, by audit.Actor) error {
		if err := d.keeper.Ensure(ctx, by); err != nil && !r.Force {
			return err
		}
		changes, err := d.keeper.Rotate(ctx, by, r.Alg, r.Force)
		switch {
		case errors.Is(err, keys.ErrNextTooYoung):
			return fmt.Errorf("%w (apps keep the keys they know for a while; --force rotates now, and their checks may fail until then)", err)
		case errors.Is(err, keys.ErrUnknownAlgorithm):
			return fmt.Errorf("%w: one of RS256, ES256, EdDSA, PS256", err)
		case err != nil:
			return err
		}
		return c.tell(changes)
	})
}

type keysCompromise struct {
	KID    string `name:"kid" required:"" help:"Id of the key, as keys list shows it."`
	Reason string `default:"compromised" help:"For the log."`
}

// Run removes a key.
func (k *keysCompromise) Run(c *call) error {
	return c.with(false, func(ctx context.Context, d *domain, by audit.Actor) error {
		changes, err := d.keeper.Compromise(ctx, by, k.KID, k.Reason)
		if err != nil {
			return err
		}
		return c.tell(changes)
	})
}
