package sqldb

import (
	"context"
	"fmt"
	"slices"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/provider/granting"
)

// Whom userinfo tells of, in one snapshot. $2 says whether the groups are wanted:
// they are two more tables to look into.
const (
	grantPersonHead  = `SELECT h.position, h.change, g.claims, ` + gateUserColumns + `, ` + gateConsentColumns + `, `
	grantPersonNames = `CASE WHEN $2 THEN (SELECT COALESCE(CAST(`
	grantPersonFrom  = `(b.name) AS text), '[]')
  FROM group_members m JOIN groups b ON b.id = m.group_id
  WHERE m.user_id = u.id AND (m.ends_at = 0 OR m.ends_at > $3)) ELSE '[]' END
FROM ledger_head h
JOIN grants g ON g.id = $1
JOIN users u ON u.id = g.user_id
LEFT JOIN consents k ON k.user_id = g.user_id AND k.client_id = g.client_id
WHERE h.id = 1`
	grantPersonPostgres = grantPersonHead + grantPersonNames + `json_agg` + grantPersonFrom
	grantPersonSQLite   = grantPersonHead + grantPersonNames + `json_group_array` + grantPersonFrom
)

// GrantPerson implements granting.StandingStore.
func (d *DB) GrantPerson(ctx context.Context, grantID id.ID, groups bool, now int64) (*granting.Person, error) {
	var (
		p granting.Person
		r standingRow
	)
	dest := append(make([]any, 0, standingColumns), &p.Position, &p.Change, &p.Claims)
	dest = append(gateConsentDest(gateUserDest(dest, &r.user), &r.consent), (*list)(&p.Groups))
	err := d.queryRow(ctx, d.either(grantPersonPostgres, grantPersonSQLite), []any{grantID, groups, now}, dest...)
	if err != nil {
		return nil, fmt.Errorf("person of a grant: %w", err)
	}
	p.User, p.Consent = &r.user, present(&r.consent, r.consent.UserID)
	slices.Sort(p.Groups)
	return &p, nil
}
