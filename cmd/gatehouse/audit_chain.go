package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/gatehouse-id/gatehouse/auditlog"
	"github.com/gatehouse-id/gatehouse/internal/audit"
)

type auditExport struct {
	Since  auditAge `placeholder:"TIME" help:"From a time on: 2026-11-23T05:00:00Z, 2026-11-23, or 24h ago."`
	Until  auditAge `placeholder:"TIME" help:"Before a time."`
	After  int64    `placeholder:"NUMBER" help:"Only events with a higher number, to go on behind the last one."`
	Follow bool     `help:"Go on with what happens until it is stopped."`
}

// Run writes events, one line each. Those that are not sealed yet come when they are.
func (e *auditExport) Run(c *call) error {
	since, err := e.Since.milliseconds(c.now())
	if err != nil {
		return err
	}
	until, err := e.Until.milliseconds(c.now())
	if err != nil {
		return err
	}
	return c.with(false, func(ctx context.Context, d *domain, _ audit.Actor) error {
		if err := d.newSealer().CatchUp(ctx); err != nil {
			c.note("the newest events are missing: %v", err)
		}
		x := &auditlog.Exporter{Store: d.db}
		_, err := x.Write(ctx, c.stdout, auditlog.Export{Since: since, Until: until, After: e.After, Follow: e.Follow})
		return err
	})
}

// newSealer returns what chains events; serve runs it, and commands that need what
// they have just read to be sealed let it catch up.
func (d *domain) newSealer() *auditlog.Sealer {
	return &auditlog.Sealer{Store: d.db, Keyring: d.keyring, Now: d.now, Log: d.log}
}

type auditHead struct{}

// Run shows the end of the chain.
func (auditHead) Run(c *call) error {
	return c.with(false, func(ctx context.Context, d *domain, _ audit.Actor) error {
		if err := d.newSealer().CatchUp(ctx); err != nil {
			return err
		}
		head, err := auditlog.Head(ctx, d.db, d.keyring)
		if err != nil {
			return err
		}
		note := auditlog.Note(d.keyring, head)
		return c.answer(map[string]any{"seq": head.Seq, "head": note}, func(w io.Writer) { _, _ = fmt.Fprintln(w, note) })
	})
}

type auditVerify struct {
	SinceHead string `name:"since-head" placeholder:"FILE" help:"Only what came after a head that audit head wrote, which must still be there."`
}

// Run verifies. Whatever it finds is exit code 1.
func (v *auditVerify) Run(c *call) error {
	return c.with(false, func(ctx context.Context, d *domain, _ audit.Actor) error {
		noted, err := v.noted(d)
		if err != nil {
			return err
		}
		verifier := &auditlog.Verifier{Store: d.db, Keyring: d.keyring, Now: d.now}
		report, err := verifier.Verify(ctx, noted)
		for tries := 0; errors.Is(err, auditlog.ErrMoved) && tries < 3; tries++ {
			report, err = verifier.Verify(ctx, noted)
		}
		if err != nil {
			return err
		}
		if err := c.answer(report, func(w io.Writer) { tellReport(w, report) }); err != nil {
			return err
		}
		if report.Bad != nil {
			return fmt.Errorf("the audit log is not what Gatehouse wrote: %s", finding1(report.Bad))
		}
		return nil
	})
}

func (v *auditVerify) noted(d *domain) (*auditlog.Point, error) {
	if v.SinceHead == "" {
		return nil, nil
	}
	text, err := os.ReadFile(v.SinceHead)
	if err != nil {
		return nil, err
	}
	p, err := auditlog.ParseNote(d.keyring, string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", v.SinceHead, err)
	}
	return &p, nil
}

// finding1 is a finding in one line.
func finding1(f *auditlog.Finding) string {
	var where []string
	if f.Seq > 0 {
		where = append(where, fmt.Sprintf("row %d", f.Seq))
	}
	if f.ID != "" {
		where = append(where, "event "+f.ID)
	}
	if len(where) == 0 {
		return f.Text
	}
	return strings.Join(where, ", ") + ": " + f.Text
}

func tellReport(w io.Writer, r *auditlog.Report) {
	_, _ = fmt.Fprintf(w, "%d %s verified from row %d on", r.Verified, plural(int(r.Verified), "event"), r.First)
	if r.Erased > 0 {
		_, _ = fmt.Fprintf(w, ", of which %d had what was personal erased", r.Erased)
	}
	_, _ = fmt.Fprintln(w)
	if r.Waiting > 0 {
		late := ""
		if r.Late {
			late = ", since more than a minute: start a server if none runs, and look at its log"
		}
		_, _ = fmt.Fprintf(w, "%d not sealed yet%s\n", r.Waiting, late)
	}
	if r.Bad != nil {
		_, _ = fmt.Fprintf(w, "BAD %s\n", finding1(r.Bad))
	}
}

type auditAccept struct {
	Reason string `required:"" help:"What was found out, for the log."`
}

// Run accepts the end of the chain.
func (a *auditAccept) Run(c *call) error {
	return c.with(false, func(ctx context.Context, d *domain, by audit.Actor) error {
		from, err := d.newSealer().Accept(ctx, by, a.Reason, d.db)
		if err != nil {
			return err
		}
		return c.done("the chain goes on behind row %d; what was changed before stays unproven", from.Seq)
	})
}
