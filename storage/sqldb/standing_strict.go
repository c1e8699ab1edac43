package sqldb

import (
	"context"
	"fmt"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

const strictGroups = `WITH RECURSIVE strict (id) AS (SELECT g.id FROM groups g WHERE g.second_factor
  UNION SELECT e.child_id FROM strict JOIN group_children e ON e.parent_id = strict.id)
SELECT h.position, h.change, COALESCE((SELECT string_agg(hexed(strict.id), ' ') FROM strict), '')
FROM ledger_head h WHERE h.id = 1`

// StrictGroups returns the groups whose members need a second factor, because the
// group or one that it is inside demands it, with the head of the ledger in the same
// snapshot.
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
