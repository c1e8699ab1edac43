package auditlog

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

const (
	exportPage  = 500
	followEvery = 500 * time.Millisecond
)

// ExportStore reads the chain from a time on.
type ExportStore interface {
	AuditLinks(ctx context.Context, after int64, limit int) ([]Link, error)
	// AuditSeqAt returns a number of the chain below which nothing is as young as
	// since; false if nothing sealed is.
	AuditSeqAt(ctx context.Context, since int64) (seq int64, found bool, err error)
}

// lateCommits is how far, in rows, an event may stand behind younger ones because
// its transaction took long.
const lateCommits = 10_000

// Exporter writes the log as JSON Lines, in the order of the chain: one Line each.
type Exporter struct {
	Store ExportStore
}

// Export says which events are written.
type Export struct {
	Since, Until int64 // Unix milliseconds, as in Query
	After        int64 // only those with a higher number
	Follow       bool  // and those to come, until the context ends
}

// Write writes events, and returns the number of the last one. When it follows, the
// end of ctx is no error.
func (x *Exporter) Write(ctx context.Context, w io.Writer, o Export) (last int64, err error) {
	after, err := x.begin(ctx, o)
	if err != nil {
		return 0, err
	}
	for {
		links, err := x.Store.AuditLinks(ctx, after, exportPage)
		if err == nil {
			err = writeLines(w, links, o)
		}
		switch {
		case err != nil && ctx.Err() != nil && o.Follow:
			return after, nil
		case err != nil:
			return after, fmt.Errorf("export the audit log: %w", err)
		}
		if len(links) > 0 {
			after = links[len(links)-1].Seq
		}
		if len(links) == exportPage {
			continue
		}
		if !o.Follow {
			return after, nil
		}
		select {
		case <-ctx.Done():
			return after, nil
		case <-time.After(followEvery):
		}
	}
}

// begin is the number behind which the first event of an export is.
func (x *Exporter) begin(ctx context.Context, o Export) (int64, error) {
	if o.Since == 0 {
		return o.After, nil
	}
	seq, found, err := x.Store.AuditSeqAt(ctx, o.Since)
	if err != nil || !found {
		return o.After, err
	}
	return max(o.After, seq-lateCommits), nil
}

func writeLines(w io.Writer, links []Link, o Export) error {
	for _, l := range links {
		if l.Row == nil || l.Row.At < o.Since || o.Until != 0 && l.Row.At >= o.Until {
			continue
		}
		line, err := l.line()
		if err != nil {
			return err
		}
		b, err := json.Marshal(line)
		if err != nil {
			return err
		}
		if _, err := w.Write(append(b, '\n')); err != nil {
			return err
		}
	}
	return nil
}
