package sqldb

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

var _ accounts.ProofStore = (*DB)(nil)

const (
	// What is spent keeps nothing of what it was about.
	voidProofs = `UPDATE proofs SET spent_at = $4, data = $5
WHERE email_key = $1 AND purpose = $2 AND user_id IS NOT DISTINCT FROM $3 AND spent_at = 0`
	insertProof = `INSERT INTO proofs (id, purpose, user_id, email_key, secret_hash, code_hash, browser_hash, binding,
  data, attempts, created_at, expires_at, spent_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`
)

// InsertProof implements accounts.ProofStore.
func (d *DB) InsertProof(ctx context.Context, p *accounts.Proof) error {
	err := d.InTx(ctx, func(ctx context.Context) error {
		if d.dialect == Postgres { // SQLite's transaction has locked everything
			// Two at once would not see, and so not end, each other's.
			if _, err := d.exec(ctx, lockName, "proof "+string(p.Purpose)+" "+p.EmailKey); err != nil {
				return err
			}
		}
		if _, err := d.exec(ctx, voidProofs, p.EmailKey, string(p.Purpose), nullable(p.UserID), p.CreatedAt, []byte{}); err != nil {
			return err
		}
		_, err := d.exec(ctx, insertProof, p.ID, string(p.Purpose), nullable(p.UserID), p.EmailKey, p.SecretHash, p.CodeHash,
			p.BrowserHash, p.Binding, p.Data, p.Attempts, p.CreatedAt, p.ExpiresAt, p.SpentAt)
		return err
	})
	if err != nil {
		return fmt.Errorf("insert proof: %w", err)
	}
	return nil
}

const (
	proofColumns = `SELECT id, purpose, user_id, email_key, secret_hash, code_hash, browser_hash, binding,
  data, attempts, created_at, expires_at, spent_at
FROM proofs WHERE `
	proofByID = proofColumns + `id = $1`
	openProof = proofColumns + `email_key = $1 AND purpose = $2 AND user_id IS NULL AND spent_at = 0`
	// A walk along the addresses, past the proofs of other purposes: of those there are
	// no more than mails may be sent in a day.
	openProofs = proofColumns + `email_key > $1 AND purpose = $2 AND spent_at = 0 AND expires_at > $3 ORDER BY email_key LIMIT $4`
)

// OpenProof implements accounts.ProofStore.
func (d *DB) OpenProof(ctx context.Context, purpose accounts.Purpose, emailKey string) (*accounts.Proof, error) {
	p, err := d.proof(ctx, openProof, emailKey, string(purpose))
	if err != nil {
		return nil, fmt.Errorf("open proof: %w", err)
	}
	return p, nil
}

// ProofByID implements accounts.ProofStore.
func (d *DB) ProofByID(ctx context.Context, proofID id.ID) (*accounts.Proof, error) {
	p, err := d.proof(ctx, proofByID, proofID)
	if err != nil {
		return nil, fmt.Errorf("proof by id: %w", err)
	}
	return p, nil
}

func (d *DB) proof(ctx context.Context, sql string, args ...any) (*accounts.Proof, error) {
	var p accounts.Proof
	if err := d.queryRow(ctx, sql, args, proofDest(&p)...); err != nil {
		return nil, err
	}
	return &p, nil
}

func proofDest(p *accounts.Proof) []any {
	return []any{
		&p.ID, (*string)(&p.Purpose), &p.UserID, &p.EmailKey, &p.SecretHash, &p.CodeHash, &p.BrowserHash, &p.Binding,
		&p.Data, &p.Attempts, &p.CreatedAt, &p.ExpiresAt, &p.SpentAt,
	}
}

// OpenProofs implements accounts.ProofStore.
func (d *DB) OpenProofs(ctx context.Context, purpose accounts.Purpose, after string, limit int, now int64) ([]accounts.Proof, error) {
	var list []accounts.Proof
	err := d.query(ctx, openProofs, func(row scanner) error {
		var p accounts.Proof
		err := row.Scan(proofDest(&p)...)
		list = append(list, p)
		return err
	}, after, string(purpose), now, limit)
	if err != nil {
		return nil, fmt.Errorf("open proofs: %w", err)
	}
	return list, nil
}

const tryProof = `UPDATE proofs SET attempts = attempts + 1
WHERE id = $1 AND attempts < $2 AND spent_at = 0 AND expires_at > $3 RETURNING attempts`

// TryProof implements accounts.ProofStore.
func (d *DB) TryProof(ctx context.Context, proofID id.ID, most int, now int64) (int, error) {
	var n int
	if err := d.queryRow(ctx, tryProof, []any{proofID, most, now}, &n); err != nil {
		return 0, fmt.Errorf("try proof: %w", err)
	}
	return n, nil
}

const spendProof = `UPDATE proofs SET spent_at = $3, data = $4
WHERE id = $1 AND binding = $2 AND spent_at = 0 AND expires_at > $3`

// SpendProof implements accounts.ProofStore.
func (d *DB) SpendProof(ctx context.Context, proofID id.ID, binding []byte, now int64) error {
	if err := d.touched(ctx, spendProof, proofID, binding, now, []byte{}); err != nil {
		return fmt.Errorf("spend proof: %w", err)
	}
	return nil
}
