package sqldb

import (
	"context"
	"fmt"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

const strictGroups = `SELECT h.position, h.change,
  COALESCE((SELECT string_agg(hexed(g.id), ' ') FROM groups g WHERE g.second_factor), '')
FROM ledger_head h WHERE h.id = 1`

// StrictGroups returns the groups that demand a second factor of their members, with
// the head of the ledger in the same snapshot.
func (d *DB) StrictGroups(ctx context.Context) ([]id.ID, accounts.Mark, error) {
	var (
		mark accounts.Mark
		text string
	)
	err := d.queryRow(ctx, strictGroups, nil, &mark.Position, &mark.Change, &text)
	if err != nil {
		return nil, accounts.Mark{}, fmt.Errorf("strict groups: %w", err)
	}
	var groups []id.ID
	for digits := range strings.FieldsSeq(text) {
		var group id.ID
		if err := hexID(&group, digits); err != nil {
			return nil, accounts.Mark{}, fmt.Errorf("strict groups: %w", err)
		}
		groups = append(groups, group)
	}
	return groups, mark, nil
}
