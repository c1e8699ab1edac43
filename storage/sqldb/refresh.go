package sqldb

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/gatehouse-id/gatehouse/provider/granting"
)

// The old hash in the condition makes one of many rotations win: the others wait
// for its lock, read the row again and find another hash.
const rotateRefresh = `UPDATE grants SET refresh_hash = $2, refresh_generation = $4, refresh_recent = $5, refresh_idle_ends_at = $6
WHERE id = $1 AND refresh_hash = $3 AND ended_at = 0`

// RotateRefresh implements granting.GrantStore. It is durable: a power cut must
// not bring back a used refresh token.
func (d *DB) RotateRefresh(ctx context.Context, r granting.Rotation) (bool, error) {
	n, err := d.exec(ctx, rotateRefresh, r.GrantID, r.Hash, r.Old, r.Generation, timesText(r.Recent), r.IdleEndsAt)
	if err != nil {
		return false, fmt.Errorf("rotate refresh token: %w", err)
	}
	return n == 1, nil
}

// times is a column of times with spaces between them.
type times []int64

// Scan implements sql.Scanner.
func (t *times) Scan(v any) error {
	text, err := textOf(v)
	if err != nil {
		return err
	}
	*t = nil
	for word := range strings.FieldsSeq(text) {
		at, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return fmt.Errorf("a time from %q: %w", word, err)
		}
		*t = append(*t, at)
	}
	return nil
}

func timesText(list []int64) string {
	var b []byte
	for i, at := range list {
		if i > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendInt(b, at, 10)
	}
	return string(b)
}
