package sqldb

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/auditlog"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

const causeOf = `SELECT ` + auditColumns + ` FROM audit WHERE id = (SELECT event FROM revocations WHERE position = $1)`

// CauseOf returns the event of the audit log with which the ledger's row at a position
// was written. There is none for rows that an older release wrote, or that were written
// without an event, and for events that retention has taken away.
func (d *DB) CauseOf(ctx context.Context, position int64) ([]AuditEntry, error) {
	entries, err := d.auditEntries(ctx, causeOf, position)
	if err != nil {
		return nil, fmt.Errorf("read the event of a row of the ledger: %w", err)
	}
	return entries, nil
}

// causes are the events that a transaction has written to the audit log.
type causes struct {
	last  id.ID
	about map[string]id.ID // the latest that names something
}

func (c *causes) note(r *auditlog.Record) {
	if c.about == nil {
		c.about = make(map[string]id.ID, 1+len(r.Concerns))
	}
	c.last, c.about[r.TargetID] = r.ID, r.ID
	for _, one := range r.Concerns {
		c.about[one] = r.ID
	}
}

// of is the event to which a row with a key belongs: of several, as for a change of
// very many people, the one that names it, and else the latest, since rows follow their
// event. It is zero for a row without any.
func (c *causes) of(key string) id.ID {
	if event, named := c.about[key]; named && key != "" {
		return event
	}
	return c.last
}
