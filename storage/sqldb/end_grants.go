package sqldb

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// Ending grants races with redeeming codes: a redemption whose reads lie before
// the end and whose insert lies after it would leave a grant that lives. So a
// code that is thrown away leaves an ended grant under its id, and the primary
// key of grants decides between the two, as it does between two redemptions
// (L14): either the redemption finds the id taken, or the end finds the grant
// and ends it.
//
// A code knows nothing of offline access, which is decided at redemption. It dies
// with its session; a grant that came of it in the meantime is spared if it
// should be.
const (
	endCodes = `INSERT INTO grants (id, client_id, user_id, session_id, code_hash, challenge, offline, scopes, resources,
  claims, rev, auth_time, amr, acr, created_at, ended_at, end_reason, purge_at)
SELECT c.grant_id, c.client_id, c.user_id, c.session_id, c.secret_hash, c.challenge, false, c.scopes, c.resources,
  c.claims, c.rev, c.auth_time, c.amr, c.acr, $1, $1, $2, c.expires_at + ` + codeKept + ` FROM codes c WHERE `
	endRedeemed = ` ON CONFLICT (id) DO UPDATE SET ended_at = excluded.ended_at, end_reason = excluded.end_reason
WHERE grants.ended_at = 0`
	endGrants     = `UPDATE grants SET ended_at = $1, end_reason = $2 WHERE ended_at = 0 AND `
	dropCodes     = `DELETE FROM codes WHERE grant_id IN ids($1)`
	sparesOffline = ` AND NOT grants.offline`
	returnsID     = ` RETURNING id`
)

// EndGrants implements accounts.GrantStore. A filter that names nothing is
// refused; an empty list of sessions that is not nil means none of them.
func (d *DB) EndGrants(ctx context.Context, f accounts.GrantFilter, at int64, reason string) ([]id.ID, error) {
	if f.SessionIDs != nil && len(f.SessionIDs) == 0 {
		return nil, nil
	}
	where, args := grantFilter(f)
	if where == "" {
		return nil, fmt.Errorf("end grants: %w", errNoFilter)
	}
	spare := ""
	if f.SessionBound {
		spare = sparesOffline
	}
	var ended []id.ID
	err := d.InTx(ctx, func(ctx context.Context) error {
		codes, err := d.returned(ctx, endCodes+codeFilter(where)+endRedeemed+spare+returnsID, filterArgs(args, at, reason)...)
		if err != nil {
			return err
		}
		grants, err := d.returned(ctx, endGrants+where+spare+returnsID, filterArgs(args, at, reason)...)
		if err != nil {
			return err
		}
		ended = slices.Concat(codes, grants)
		if len(codes) == 0 {
			return nil
		}
		_, err = d.exec(ctx, dropCodes, codes)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("end grants: %w", err)
	}
	return ended, nil
}

// grantFilter returns the filter as a condition on grants, with parameters from
// $3 on, and their values. There are as many texts as sets of members.
func grantFilter(f accounts.GrantFilter) (where string, args []any) {
	var conditions []string
	add := func(before string, value any, after string) {
		args = append(args, value)
		conditions = append(conditions, before+"$"+strconv.Itoa(len(args)+2)+after)
	}
	if !f.GrantID.IsZero() {
		add("id = ", f.GrantID, "")
	}
	if !f.UserID.IsZero() {
		add("user_id = ", f.UserID, "")
	}
	if !f.ClientID.IsZero() {
		add("client_id = ", f.ClientID, "")
	}
	if len(f.SessionIDs) > 0 {
		add("session_id IN ids(", f.SessionIDs, ")")
	}
	return strings.Join(conditions, " AND "), args
}

// codeFilter is the same condition on codes, which are kept under the id of
// their grant.
func codeFilter(where string) string {
	if rest, ok := strings.CutPrefix(where, "id = "); ok {
		return "c.grant_id = " + rest
	}
	return where
}

// filterArgs are the arguments of one statement: a statement may change its own.
func filterArgs(filter []any, at int64, reason string) []any {
	return append([]any{at, reason}, filter...)
}
