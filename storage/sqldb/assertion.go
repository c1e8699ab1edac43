package sqldb

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// A row that has expired and is not cleaned yet still refuses: its jti was used.
const useAssertion = `INSERT INTO used_assertions (key, expires_at) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING`

// UseAssertion implements granting.GrantStore. It is durable, and its key is a
// hash: both parts come from outside, of any length.
func (d *DB) UseAssertion(ctx context.Context, clientID, jti string, expiresAt int64) (bool, error) {
	n, err := d.exec(ctx, useAssertion, assertionKey(clientID, jti), expiresAt)
	if err != nil {
		return false, fmt.Errorf("use assertion: %w", err)
	}
	return n == 1, nil
}

// assertionKey is unambiguous: the length says where the client's id ends.
func assertionKey(clientID, jti string) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(len(clientID)))
	b = append(append(b, clientID...), jti...)
	sum := sha256.Sum256(b)
	return sum[:]
}
