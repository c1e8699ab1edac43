package sqldb

import (
	"context"
	"fmt"
	"slices"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/provider/granting"
)

// Whom userinfo tells of, in one snapshot. The groups are two more tables to look
// into, which PostgreSQL would prepare for even if it then did not: another text.
const (
	grantPersonHead = `SELECT h.position, h.change, g.claims, ` + personColumns + `, ` + gateConsentColumns
	grantPersonFrom = `
FROM ledger_head h
JOIN grants g ON g.id = $1
JOIN users u ON u.id = g.user_id
LEFT JOIN consents k ON k.user_id = g.user_id AND k.client_id = g.client_id
WHERE h.id = 1`

	grantPerson         = grantPersonHead + grantPersonFrom
	grantMemberPostgres = grantPersonHead + `, ` + namesAroundPostgres + namesAround + grantPersonFrom
	grantMemberSQLite   = grantPersonHead + `, ` + namesAroundSQLite + namesAround + grantPersonFrom
)

// GrantPerson implements granting.StandingStore.
func (d *DB) GrantPerson(ctx context.Context, grantID id.ID, groups bool, now int64) (*granting.Person, error) {
	var (
		p granting.Person
		r standingRow
	)
	dest := append(make([]any, 0, standingColumns), &p.Position, &p.Change, &p.Claims)
	dest = gateConsentDest(gateUserDest(dest, &r.user), &r.consent)
	text, args := grantPerson, []any{grantID}
	if groups {
		text, args = d.either(grantMemberPostgres, grantMemberSQLite), append(args, now)
		dest = append(dest, (*list)(&p.Groups))
	}
	err := d.queryRow(ctx, text, args, dest...)
	if err != nil {
		return nil, fmt.Errorf("person of a grant: %w", err)
	}
	p.User, p.Consent = &r.user, present(&r.consent, r.consent.UserID)
	slices.Sort(p.Groups)
	return &p, nil
}
