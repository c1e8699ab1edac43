package sqldb

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

var _ flow.Store = (*DB)(nil)

const flowColumns = `id, browser_hash, client_id, params, grant_id, pushed, redirect_uri, scopes, login_hint, ui_locales,
  reauthenticate, account_chosen_at, consented_by, denied_at, finished_at, created_at, expires_at`

const insertFlow = `INSERT INTO flows (` + flowColumns + `)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`

// InsertFlow implements flow.Store.
func (d *DB) InsertFlow(ctx context.Context, f *flow.Flow) error {
	_, err := d.execRelaxed(ctx, insertFlow, f.ID, f.BrowserHash, f.ClientID, f.Params, f.GrantID, f.Pushed,
		f.RedirectURI, strings.Join(f.Scopes, " "), f.LoginHint, f.UILocales,
		f.Reauthenticate, f.AccountChosenAt, f.ConsentedBy, f.DeniedAt, f.FinishedAt, f.CreatedAt, f.ExpiresAt)
	if err != nil {
		return fmt.Errorf("insert flow: %w", err)
	}
	return nil
}

const flowByID = `SELECT ` + flowColumns + ` FROM flows WHERE id = $1`

// FlowByID implements flow.Store.
func (d *DB) FlowByID(ctx context.Context, flowID id.ID) (*flow.Flow, error) {
	var f flow.Flow
	err := d.queryRow(ctx, flowByID, []any{flowID},
		&f.ID, &f.BrowserHash, &f.ClientID, &f.Params, &f.GrantID, &f.Pushed,
		&f.RedirectURI, (*words)(&f.Scopes), &f.LoginHint, &f.UILocales,
		&f.Reauthenticate, &f.AccountChosenAt, &f.ConsentedBy, &f.DeniedAt, &f.FinishedAt, &f.CreatedAt, &f.ExpiresAt)
	if errors.Is(err, accounts.ErrNotFound) {
		return nil, flow.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("flow by id: %w", err)
	}
	return &f, nil
}

// A second tab that still holds an unfinished copy does not undo the end.
const updateFlow = `UPDATE flows SET reauthenticate = $2, account_chosen_at = $3, consented_by = $4, denied_at = $5,
  finished_at = CASE WHEN finished_at > 0 THEN finished_at ELSE $6 END
WHERE id = $1`

// UpdateFlow implements flow.Store; it returns flow.ErrNotFound for a flow that
// was thrown away.
func (d *DB) UpdateFlow(ctx context.Context, f *flow.Flow) error {
	n, err := d.execRelaxed(ctx, updateFlow, f.ID, f.Reauthenticate, f.AccountChosenAt, f.ConsentedBy, f.DeniedAt, f.FinishedAt)
	if err != nil {
		return fmt.Errorf("update flow: %w", err)
	}
	if n == 0 {
		return flow.ErrNotFound
	}
	return nil
}
