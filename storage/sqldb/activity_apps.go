package sqldb

import (
	"context"
	"fmt"
	"slices"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// A grant lives while its app can get tokens with it: while its session lives, or,
// if it outlives that, while its refresh token does. Refresh tokens keep the times of
// their last rotations, the newest first and all of one length: the greatest text
// begins with the newest of all.
const appsOf = `WITH mine AS (
  SELECT g.client_id, g.created_at, g.refresh_recent, g.scopes, g.offline,
    CASE WHEN COALESCE(s.ended_at = 0 AND s.idle_ends_at > $2 AND s.expires_at > $2, false) THEN 1
      WHEN g.offline AND g.refresh_hash IS NOT NULL AND (g.refresh_idle_ends_at = 0 OR g.refresh_idle_ends_at > $2)
        AND (g.refresh_expires_at = 0 OR g.refresh_expires_at > $2) THEN 1
      ELSE 0 END AS alive
  FROM grants g LEFT JOIN sessions s ON s.id = g.session_id
  WHERE g.user_id = $1 AND g.ended_at = 0
), used AS (
  SELECT client_id, MIN(created_at) AS first_at, MAX(created_at) AS last_at, MAX(refresh_recent) AS recent,
    MAX(alive) AS alive, MAX(CASE WHEN offline AND alive = 1 THEN 1 ELSE 0 END) AS offline,
    string_agg(CASE WHEN alive = 1 THEN scopes END, ' ') AS scopes
  FROM mine GROUP BY client_id
), allowed AS (
  SELECT client_id, scopes, granted_at FROM consents
  WHERE user_id = $1 AND revoked_at = 0 AND (expires_at = 0 OR expires_at > $2)
)
SELECT c.client_id, c.name, c.texts, c.home_uri, c.first_party, c.disabled_at <> 0, COALESCE(a.scopes, ''), COALESCE(a.granted_at, 0),
  COALESCE(u.first_at, 0), COALESCE(u.last_at, 0), COALESCE(u.recent, ''), COALESCE(u.offline, 0), COALESCE(u.scopes, '')
FROM clients c LEFT JOIN allowed a ON a.client_id = c.id LEFT JOIN used u ON u.client_id = c.id
WHERE c.id IN (SELECT client_id FROM allowed UNION ALL SELECT client_id FROM used WHERE alive = 1)
ORDER BY c.name, c.client_id`

// AppsOf implements accounts.ActivityStore.
func (d *DB) AppsOf(ctx context.Context, userID id.ID, now int64) ([]accounts.ConnectedApp, error) {
	var apps []accounts.ConnectedApp
	err := d.query(ctx, appsOf, func(row scanner) error {
		var (
			a                          accounts.ConnectedApp
			allowed, held              words
			grantedAt, firstAt, lastAt int64
			recent                     times
			offline                    int64
		)
		err := row.Scan(&a.ClientID, &a.Name, (*texts)(&a.Texts), &a.HomeURI, &a.FirstParty, &a.Disabled, &allowed, &grantedAt,
			&firstAt, &lastAt, &recent, &offline, &held)
		if err != nil {
			return err
		}
		a.Scopes, a.Since, a.Offline, a.LastUsedAt = allowed, grantedAt, offline == 1, lastAt
		if grantedAt == 0 {
			a.Scopes, a.Since = held, firstAt
		}
		slices.Sort(a.Scopes)
		a.Scopes = slices.Compact(a.Scopes)
		if len(recent) > 0 {
			a.LastUsedAt = max(a.LastUsedAt, recent[0])
		}
		apps = append(apps, a)
		return nil
	}, userID, now)
	if err != nil {
		return nil, fmt.Errorf("apps of a user: %w", err)
	}
	return apps, nil
}

const consentsOf = `SELECT c.client_id, c.name, ` + consentColumns + `
FROM consents k JOIN clients c ON c.id = k.client_id WHERE k.user_id = $1 ORDER BY k.granted_at DESC, c.client_id`

// ConsentsOf implements accounts.ExportStore.
func (d *DB) ConsentsOf(ctx context.Context, userID id.ID) ([]accounts.ClientConsent, error) {
	var found []accounts.ClientConsent
	err := d.query(ctx, consentsOf, func(row scanner) error {
		var k accounts.ClientConsent
		err := row.Scan(consentDest([]any{&k.Client, &k.Name}, &k.Consent)...)
		found = append(found, k)
		return err
	}, userID)
	if err != nil {
		return nil, fmt.Errorf("consents of a user: %w", err)
	}
	return found, nil
}

const allGrantsOf = `SELECT c.client_id, c.name, ` + grantColumns + `
FROM grants g JOIN clients c ON c.id = g.client_id WHERE g.user_id = $1 ORDER BY g.id DESC LIMIT 10000`

// AllGrantsOf implements accounts.ExportStore. Of a person with more than 10000 it
// returns the newest.
func (d *DB) AllGrantsOf(ctx context.Context, userID id.ID) ([]accounts.ClientGrant, error) {
	var found []accounts.ClientGrant
	err := d.query(ctx, allGrantsOf, func(row scanner) error {
		var g accounts.ClientGrant
		err := row.Scan(grantDest([]any{&g.Client, &g.Name}, &g.Grant)...)
		found = append(found, g)
		return err
	}, userID)
	if err != nil {
		return nil, fmt.Errorf("grants of a user: %w", err)
	}
	return found, nil
}
