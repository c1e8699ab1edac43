package sqldb

import (
	"context"
	"fmt"
	"strings"

	"github.com/gatehouse-id/gatehouse/provider/granting"
)

var _ granting.GrantStore = (*DB)(nil)

// codeKept is for how many milliseconds a code's row outlives the code, so that
// one that comes late gets its answer from the row. Replays after that are told
// by the grant, which keeps the code's hash.
const codeKept = `86400000`

const (
	insertCodeHead = `INSERT INTO codes (grant_id, secret_hash, client_id, user_id, session_id, redirect_uri, challenge,
  nonce, scopes, resources, claims, rev, auth_time, amr, acr, created_at, expires_at)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17`
	insertCodeTail = `NOT EXISTS (SELECT 1 FROM grants g WHERE g.id = $1) ON CONFLICT (grant_id) DO NOTHING`
	insertCode     = insertCodeHead + ` WHERE ` + insertCodeTail
	// What execRelaxed does in four statements, in one: the setting is local to the
	// transaction, which is this statement (L15). A function that is volatile and
	// asked about runs before the row is written.
	insertCodeAlone = insertCodeHead + `
FROM (SELECT set_config('synchronous_commit', 'off', true) AS commit) relaxed WHERE relaxed.commit = 'off' AND ` + insertCodeTail
)

// InsertCode implements granting.GrantStore. A user or a client that is gone is
// ErrNotFound.
func (d *DB) InsertCode(ctx context.Context, c *granting.Code) (bool, error) {
	resources, err := resourceWords(c.Resources)
	if err != nil {
		return false, fmt.Errorf("insert code: %w", err)
	}
	// In a transaction of somebody else's the setting would weaken that one.
	run, text := d.execRelaxed, insertCode
	if d.dialect == Postgres && d.txOf(ctx) == nil {
		run, text = d.exec, insertCodeAlone
	}
	n, err := run(ctx, text,
		c.GrantID, c.SecretHash, c.ClientID, c.UserID, c.SessionID, c.RedirectURI, c.Challenge,
		c.Nonce, strings.Join(c.Scopes, " "), resources, c.Claims, c.Rev, c.AuthTime,
		strings.Join(c.AMR, " "), c.ACR, c.CreatedAt, c.ExpiresAt)
	if err != nil {
		return false, fmt.Errorf("insert code: %w", err)
	}
	return n == 1, nil
}

const redeemCode = `INSERT INTO grants (id, client_id, user_id, session_id, code_hash, challenge, offline, scopes, resources,
  claims, rev, auth_time, amr, acr, refresh_hash, refresh_generation, refresh_recent,
  refresh_idle_ends_at, refresh_expires_at, created_at, ended_at, end_reason, purge_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)
ON CONFLICT (id) DO NOTHING`

// RedeemCode implements granting.GrantStore. It is durable: a power cut must not
// bring back a used code. A user or a client that is gone is ErrNotFound.
func (d *DB) RedeemCode(ctx context.Context, g *granting.Grant) (bool, error) {
	resources, err := resourceWords(g.Resources)
	if err != nil {
		return false, fmt.Errorf("redeem code: %w", err)
	}
	r := &g.Refresh
	n, err := d.exec(ctx, redeemCode,
		g.ID, g.ClientID, g.UserID, g.SessionID, g.CodeHash, g.Challenge, g.Offline,
		strings.Join(g.Scopes, " "), resources, g.Claims, g.Rev, g.AuthTime,
		strings.Join(g.AMR, " "), g.ACR, r.Hash, r.Generation, timesText(r.Recent),
		r.IdleEndsAt, r.ExpiresAt, g.CreatedAt, g.EndedAt, g.EndReason, g.PurgeAt)
	if err != nil {
		return false, fmt.Errorf("redeem code: %w", err)
	}
	return n == 1, nil
}

// resourceWords keeps resources as words, which the standings' statements take
// apart: a URI holds no space (RFC 3986 appendix A).
func resourceWords(resources []string) (string, error) {
	for _, r := range resources {
		if r == "" || strings.Contains(r, " ") {
			return "", fmt.Errorf("sqldb: %q is no resource", r)
		}
	}
	return strings.Join(resources, " "), nil
}
