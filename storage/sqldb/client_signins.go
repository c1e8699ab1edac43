package sqldb

import (
	"context"
	"fmt"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

var _ accounts.SignInStore = (*DB)(nil)

// A client knows a session by an ID token, so only grants with the scope openid
// count; and not what stands in for a code that was thrown away (see end_grants.go),
// which has ended in the moment in which it was made: its client got nothing. What
// is left of people who were deleted stands in parted_grants, kept by a trigger.
const (
	signIns = `SELECT c.client_id, u.sub, g.session_id
FROM grants g JOIN clients c ON c.id = g.client_id JOIN users u ON u.id = g.user_id
WHERE c.backchannel_logout_uri <> '' AND g.created_at <> g.ended_at AND ' ' || g.scopes || ' ' LIKE '% openid %' AND `
	partedSignIns = ` UNION SELECT p.client_id, p.sub, p.session_id FROM parted_grants p WHERE `

	signInsOfSessions = signIns + `g.session_id IN ids($1)` + partedSignIns + `p.session_id IN ids($1)`
	signInsOfGrants   = signIns + `g.id IN ids($1)` + partedSignIns + `p.grant_id IN ids($1)`

	// A grant that the client gave back itself does not say that the person left it.
	signInsOfUser = signIns + `u.sub = $1 AND g.rev < $2 AND (g.ended_at = 0 OR g.ended_at >= $3 OR g.end_reason = $4)` +
		partedSignIns + `p.sub = $1 AND (p.ended_at = 0 OR p.ended_at >= $3 OR p.end_reason = $4)`

	forgetSignIns = `DELETE FROM parted_grants WHERE sub IN strings($1)`
)

// endingTakes bounds how long a transaction takes that ends a person's grants, from
// the time that it writes into them to the time of its row. What ended earlier had
// a row of its own.
const endingTakes = 30 * time.Second

// SignInsOfSessions implements accounts.SignInStore.
func (d *DB) SignInsOfSessions(ctx context.Context, sessions []id.ID) ([]accounts.SignIn, error) {
	return d.signIns(ctx, signInsOfSessions, sessions)
}

// SignInsOfGrants implements accounts.SignInStore.
func (d *DB) SignInsOfGrants(ctx context.Context, grants []id.ID) ([]accounts.SignIn, error) {
	return d.signIns(ctx, signInsOfGrants, grants)
}

// SignInsOfUser implements accounts.SignInStore.
func (d *DB) SignInsOfUser(ctx context.Context, subject string, position, at int64) ([]accounts.SignIn, error) {
	return d.signIns(ctx, signInsOfUser, subject, position, at-endingTakes.Milliseconds(), accounts.ReasonRevoked)
}

func (d *DB) signIns(ctx context.Context, sql string, args ...any) ([]accounts.SignIn, error) {
	var found []accounts.SignIn
	err := d.query(ctx, sql, func(row scanner) error {
		var s accounts.SignIn
		err := row.Scan(&s.ClientID, &s.Subject, &s.SessionID)
		found = append(found, s)
		return err
	}, args...)
	if err != nil {
		return nil, fmt.Errorf("sign-ins that have ended: %w", err)
	}
	return found, nil
}

// ForgetSignIns implements accounts.SignInStore.
func (d *DB) ForgetSignIns(ctx context.Context, subjects []string) error {
	if _, err := d.exec(ctx, forgetSignIns, subjects); err != nil {
		return fmt.Errorf("forget sign-ins: %w", err)
	}
	return nil
}
