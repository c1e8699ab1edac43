package sqldb

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

var _ accounts.SecretStore = (*DB)(nil)

const (
	insertSecret  = `INSERT INTO client_secrets (id, client_id, hash, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)`
	expireSecrets = `UPDATE client_secrets SET expires_at = $2 WHERE client_id = $1 AND (expires_at = 0 OR expires_at > $2)`
)

// errSecretLine does not say what is wrong: the line holds a hash.
var errSecretLine = errors.New("a stored client secret is malformed")

// InsertSecret implements accounts.SecretStore. A client that is gone is
// ErrNotFound.
func (d *DB) InsertSecret(ctx context.Context, clientID id.ID, s accounts.ClientSecret) error {
	if strings.ContainsAny(s.Hash, "\r\n") {
		return errSecretLine
	}
	err := d.changing(ctx, func(ctx context.Context) error {
		_, err := d.exec(ctx, insertSecret, s.ID, clientID, s.Hash, s.CreatedAt, s.ExpiresAt)
		return err
	})
	if err != nil {
		return fmt.Errorf("insert client secret: %w", err)
	}
	return nil
}

// ExpireSecrets implements accounts.SecretStore.
func (d *DB) ExpireSecrets(ctx context.Context, clientID id.ID, at int64) (int, error) {
	n, err := d.changesIfAny(ctx, expireSecrets, clientID, at)
	if err != nil {
		return 0, fmt.Errorf("expire client secrets: %w", err)
	}
	return int(n), nil
}

// secretLines reads what clientByID writes, oldest first.
func secretLines(text string) ([]accounts.ClientSecret, error) {
	if text == "" {
		return nil, nil
	}
	var secrets []accounts.ClientSecret
	for line := range strings.SplitSeq(text, "\n") {
		parts := strings.SplitN(line, " ", 4)
		if len(parts) != 4 {
			return nil, errSecretLine
		}
		var s accounts.ClientSecret
		key, err := hex.DecodeString(parts[0])
		created, err2 := strconv.ParseInt(parts[1], 10, 64)
		expires, err3 := strconv.ParseInt(parts[2], 10, 64)
		if errors.Join(err, err2, err3) != nil || len(key) != len(s.ID) {
			return nil, errSecretLine
		}
		s = accounts.ClientSecret{ID: id.ID(key), Hash: parts[3], CreatedAt: created, ExpiresAt: expires}
		secrets = append(secrets, s)
	}
	slices.SortFunc(secrets, func(a, b accounts.ClientSecret) int {
		return cmp.Or(cmp.Compare(a.CreatedAt, b.CreatedAt), slices.Compare(a.ID[:], b.ID[:]))
	})
	return secrets, nil
}
