package sqldb

import (
	"context"
	"fmt"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

var (
	_ accounts.UserStore  = (*DB)(nil)
	_ accounts.UserLister = (*DB)(nil)
)

const (
	insertUser = `INSERT INTO users (id, sub, username, username_key, email, email_key, email_verified, password_hash,
  name, profile, staff, superuser, demo, banned_at, created_at, updated_at, last_sign_in_at, required_actions,
  terms_version, terms_accepted_at, password_changed_at, delete_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
ON CONFLICT DO NOTHING`

	// The counter's row is in the same statement: its position is the rev of a
	// session whose proof is this row's password (L2, L9).
	userByName = `SELECT h.position, ` + standingUserColumns + ` FROM ledger_head h, users u
WHERE h.id = 1 AND u.username_key = $1`
	userByEmail = `SELECT h.position, ` + standingUserColumns + ` FROM ledger_head h, users u
WHERE h.id = 1 AND u.email_key = $1 AND u.email_verified AND u.email_key <> ''`

	userBySubject = `SELECT ` + standingUserColumns + ` FROM users u WHERE u.sub = $1`
	lockUser      = userBySubject + ` FOR NO KEY UPDATE`

	// The sub is what tokens and ledger rows name: it never changes.
	updateUser = `UPDATE users SET username = $2, username_key = $3, email = $4, email_key = $5, email_verified = $6,
  password_hash = $7, name = $8, profile = $9, staff = $10, superuser = $11, demo = $12, banned_at = $13,
  updated_at = $14, last_sign_in_at = $15, required_actions = $16, terms_version = $17, terms_accepted_at = $18,
  password_changed_at = $19, delete_at = $20
WHERE id = $1`
	deleteUser = `DELETE FROM users WHERE id = $1`

	listUsers = `SELECT ` + standingUserColumns + ` FROM users u
WHERE u.username_key > $1 ORDER BY u.username_key LIMIT $2`
	// They are locked: of two who ban each other's last companion, one has to see
	// what the other did.
	readySuperusers = `SELECT u.id FROM users u WHERE u.superuser AND u.banned_at = 0 AND u.delete_at = 0
  AND (u.password_hash <> '' OR u.email_verified OR EXISTS (SELECT 1 FROM passkeys k WHERE k.user_id = u.id))
ORDER BY u.id FOR NO KEY UPDATE OF u`
)

// InsertUser implements accounts.UserStore.
func (d *DB) InsertUser(ctx context.Context, u *accounts.User) error {
	err := d.InTx(ctx, func(ctx context.Context) error {
		if err := d.reserveName(ctx, u.Subject); err != nil {
			return err
		}
		return d.inserted(ctx, insertUser, u.ID, u.Subject, u.Username, u.UsernameKey, u.Email, u.EmailKey,
			u.EmailVerified, u.PasswordHash, u.Name, object{u.Profile}, u.Staff, u.Superuser, u.Demo, u.BannedAt,
			u.CreatedAt, u.UpdatedAt, u.LastSignInAt, actions(u.RequiredActions),
			u.TermsVersion, u.TermsAcceptedAt, u.PasswordChangedAt, u.DeleteAt)
	})
	if err != nil {
		return fmt.Errorf("insert user: %w", err)
	}
	return nil
}

// UserByLogin implements accounts.UserStore.
func (d *DB) UserByLogin(ctx context.Context, key string) (*accounts.User, int64, error) {
	text := userByName
	if strings.Contains(key, "@") {
		text = userByEmail
	}
	var u accounts.User
	var position int64
	if err := d.queryRow(ctx, text, []any{key}, standingUserDest([]any{&position}, &u)...); err != nil {
		return nil, 0, fmt.Errorf("user by login: %w", err)
	}
	return &u, position, nil
}

// UserBySubject implements accounts.UserStore.
func (d *DB) UserBySubject(ctx context.Context, sub string) (*accounts.User, error) {
	return d.oneUser(ctx, userBySubject, sub)
}

// LockUser implements accounts.UserStore.
func (d *DB) LockUser(ctx context.Context, sub string) (*accounts.User, error) {
	if d.txOf(ctx) == nil {
		return nil, errLockOutsideTx
	}
	return d.oneUser(ctx, lockUser, sub)
}

func (d *DB) oneUser(ctx context.Context, text, sub string) (*accounts.User, error) {
	var u accounts.User
	if err := d.queryRow(ctx, text, []any{sub}, standingUserDest(nil, &u)...); err != nil {
		return nil, fmt.Errorf("user by subject: %w", err)
	}
	return &u, nil
}

// UpdateUser implements accounts.UserStore. ID and Subject name the user and are
// not written, nor is CreatedAt.
func (d *DB) UpdateUser(ctx context.Context, u *accounts.User) error {
	err := d.touched(ctx, updateUser, u.ID, u.Username, u.UsernameKey, u.Email, u.EmailKey, u.EmailVerified,
		u.PasswordHash, u.Name, object{u.Profile}, u.Staff, u.Superuser, u.Demo, u.BannedAt,
		u.UpdatedAt, u.LastSignInAt, actions(u.RequiredActions),
		u.TermsVersion, u.TermsAcceptedAt, u.PasswordChangedAt, u.DeleteAt)
	if err != nil {
		return fmt.Errorf("update user: %w", err)
	}
	return nil
}

// DeleteUser implements accounts.UserStore.
func (d *DB) DeleteUser(ctx context.Context, userID id.ID) error {
	if err := d.touched(ctx, deleteUser, userID); err != nil {
		return fmt.Errorf("delete user: %w", err)
	}
	return nil
}

// ListUsers implements accounts.UserLister.
func (d *DB) ListUsers(ctx context.Context, after string, limit int) ([]accounts.User, error) {
	var users []accounts.User
	err := d.query(ctx, listUsers, func(row scanner) error {
		var u accounts.User
		err := row.Scan(standingUserDest(nil, &u)...)
		users = append(users, u)
		return err
	}, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	return users, nil
}

// ReadySuperusers implements accounts.UserLister.
func (d *DB) ReadySuperusers(ctx context.Context) ([]id.ID, error) {
	var list []id.ID
	err := d.query(ctx, readySuperusers, func(row scanner) error {
		var one id.ID
		err := row.Scan(&one)
		list = append(list, one)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("superusers who can sign in: %w", err)
	}
	return list, nil
}
