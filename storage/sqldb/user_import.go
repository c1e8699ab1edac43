package sqldb

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

var _ accounts.ImportStore = (*DB)(nil)

// The rows of a batch travel as one JSON text: one round trip, and a text of SQL
// that does not depend on their number.
const (
	importColumns = `INSERT INTO users (id, sub, username, username_key, email, email_key, email_verified, password_hash,
  name, profile, staff, superuser, banned_at, created_at, updated_at, last_sign_in_at, required_actions)
`
	importPostgres = importColumns + `SELECT decode(r.id, 'hex'), r.sub, r.username, r.username_key, r.email, r.email_key, r.email_verified, r.password_hash,
  r.name, r.profile, r.staff, r.superuser, r.banned_at, r.created_at, r.updated_at, r.last_sign_in_at, r.required_actions
FROM json_to_recordset($1::text::json) AS r (id text, sub text, username text, username_key text, email text, email_key text,
  email_verified boolean, password_hash text, name text, profile text, staff boolean, superuser boolean, banned_at bigint,
  created_at bigint, updated_at bigint, last_sign_in_at bigint, required_actions text)
WHERE NOT EXISTS (SELECT 1 FROM clients c WHERE c.client_id = r.sub)
  AND NOT EXISTS (SELECT 1 FROM audit a WHERE a.target_kind = 'user' AND a.target_id = r.sub AND a.action = 'user.delete')
ON CONFLICT DO NOTHING RETURNING id`
	importSQLite = importColumns + `SELECT unhex(value ->> 'id'), value ->> 'sub', value ->> 'username', value ->> 'username_key', value ->> 'email',
  value ->> 'email_key', value ->> 'email_verified', value ->> 'password_hash', value ->> 'name', value ->> 'profile',
  value ->> 'staff', value ->> 'superuser', value ->> 'banned_at', value ->> 'created_at', value ->> 'updated_at',
  value ->> 'last_sign_in_at', value ->> 'required_actions'
FROM json_each($1)
WHERE NOT EXISTS (SELECT 1 FROM clients c WHERE c.client_id = value ->> 'sub')
  AND NOT EXISTS (SELECT 1 FROM audit a WHERE a.target_kind = 'user' AND a.target_id = value ->> 'sub' AND a.action = 'user.delete')
ON CONFLICT DO NOTHING RETURNING id`

	// As lockName, in one order for everybody.
	lockNames = `SELECT pg_advisory_xact_lock(h)
FROM (SELECT DISTINCT hashtextextended(name, 0) AS h FROM unnest($1::text[]) AS name ORDER BY 1) AS names`

	namesakes = `SELECT sub, username_key, email_key, email_verified, false FROM users WHERE sub IN strings($1)
UNION SELECT sub, username_key, email_key, email_verified, false FROM users WHERE username_key IN strings($2)
UNION SELECT sub, username_key, email_key, email_verified, false FROM users
  WHERE email_key IN strings($3) AND email_verified AND email_key <> ''
UNION SELECT client_id, '', '', false, true FROM clients WHERE client_id IN strings($1)
UNION SELECT target_id, '', '', false, true FROM audit WHERE target_kind = 'user' AND action = 'user.delete' AND target_id IN strings($1)`

	// Two lists side by side would be joined by SQLite, row by row: each row is one
	// text, the user's id and the group's in hexadecimal digits.
	membersPostgres = `INSERT INTO group_members (user_id, group_id, ends_at, added_at)
SELECT decode(substr(m, 1, 32), 'hex'), decode(substr(m, 33), 'hex'), 0, $2 FROM unnest($1::text[]) AS m
ON CONFLICT DO NOTHING`
	membersSQLite = `INSERT INTO group_members (user_id, group_id, ends_at, added_at)
SELECT unhex(substr(value, 1, 32)), unhex(substr(value, 33)), 0, $2 FROM json_each($1) WHERE true
ON CONFLICT DO NOTHING`
)

// importRow is a user as importColumns take one.
type importRow struct {
	ID            string `json:"id"`
	Subject       string `json:"sub"`
	Username      string `json:"username"`
	UsernameKey   string `json:"username_key"`
	Email         string `json:"email"`
	EmailKey      string `json:"email_key"`
	EmailVerified bool   `json:"email_verified"`
	PasswordHash  string `json:"password_hash"`
	Name          string `json:"name"`
	Profile       string `json:"profile"`
	Staff         bool   `json:"staff"`
	Superuser     bool   `json:"superuser"`
	BannedAt      int64  `json:"banned_at"`
	CreatedAt     int64  `json:"created_at"`
	UpdatedAt     int64  `json:"updated_at"`
	LastSignInAt  int64  `json:"last_sign_in_at"`
	Actions       any    `json:"required_actions"` // JSON in a text
}

// InsertUsers implements accounts.ImportStore. The subs are locked until the
// transaction ends, so that no client gets one as its id (see reserveName).
func (d *DB) InsertUsers(ctx context.Context, users []accounts.User) ([]id.ID, error) {
	if len(users) == 0 {
		return nil, nil
	}
	rows, subs, err := importRows(users)
	if err != nil {
		return nil, fmt.Errorf("insert users: %w", err)
	}
	var inserted []id.ID
	err = d.InTx(ctx, func(ctx context.Context) error {
		inserted = nil
		text := importSQLite
		if d.dialect == Postgres {
			text = importPostgres
			if _, err := d.exec(ctx, lockNames, subs); err != nil {
				return err
			}
		}
		return d.query(ctx, text, func(row scanner) error {
			var one id.ID
			err := row.Scan(&one)
			inserted = append(inserted, one)
			return err
		}, rows)
	})
	if err != nil {
		return nil, fmt.Errorf("insert users: %w", err)
	}
	return inserted, nil
}

func importRows(users []accounts.User) (rows string, subs []string, err error) {
	list := make([]importRow, len(users))
	subs = make([]string, len(users))
	for i := range users {
		u := &users[i]
		profile, err := json.Marshal(u.Profile)
		if err != nil {
			return "", nil, fmt.Errorf("profile: %w", err)
		}
		asked, err := actions(u.RequiredActions).Value()
		if err != nil {
			return "", nil, fmt.Errorf("required actions: %w", err)
		}
		subs[i] = u.Subject
		list[i] = importRow{
			ID: hex.EncodeToString(u.ID[:]), Subject: u.Subject, Username: u.Username, UsernameKey: u.UsernameKey,
			Email: u.Email, EmailKey: u.EmailKey, EmailVerified: u.EmailVerified, PasswordHash: u.PasswordHash,
			Name: u.Name, Profile: string(profile), Staff: u.Staff, Superuser: u.Superuser,
			BannedAt: u.BannedAt, CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt,
			LastSignInAt: u.LastSignInAt, Actions: asked,
		}
	}
	text, err := json.Marshal(list)
	if err != nil {
		return "", nil, fmt.Errorf("rows: %w", err)
	}
	return string(text), subs, nil
}

// Namesakes implements accounts.ImportStore.
func (d *DB) Namesakes(ctx context.Context, subs, usernameKeys, emailKeys []string) ([]accounts.Namesake, error) {
	var found []accounts.Namesake
	err := d.query(ctx, namesakes, func(row scanner) error {
		var n accounts.Namesake
		err := row.Scan(&n.Subject, &n.UsernameKey, &n.EmailKey, &n.EmailVerified, &n.Client)
		found = append(found, n)
		return err
	}, subs, usernameKeys, emailKeys)
	if err != nil {
		return nil, fmt.Errorf("namesakes: %w", err)
	}
	return found, nil
}

// AddMembers implements accounts.ImportStore. A group that is gone meanwhile is
// ErrNotFound, and ends PostgreSQL's transaction.
func (d *DB) AddMembers(ctx context.Context, members []accounts.NewMember, now int64) error {
	rows := make([]string, len(members))
	for i, m := range members {
		rows[i] = hex.EncodeToString(m.UserID[:]) + hex.EncodeToString(m.GroupID[:])
	}
	text := membersSQLite
	if d.dialect == Postgres {
		text = membersPostgres
	}
	if _, err := d.exec(ctx, text, rows, now); err != nil {
		return fmt.Errorf("add members: %w", err)
	}
	return nil
}
