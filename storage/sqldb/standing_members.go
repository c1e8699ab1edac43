package sqldb

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/gatehouse-id/gatehouse/provider/granting"
)

// memberships is a column of memberships, each as the 16 bytes of the group's id and
// the 8 of the end: an array of bytea from PostgreSQL, their hexadecimal digits one
// after the other from SQLite.
type memberships []granting.Membership

var _ pgtype.ArraySetter = (*memberships)(nil)

const membershipSize = 16 + 8

// SetDimensions is what pgx calls first.
func (m *memberships) SetDimensions(dimensions []pgtype.ArrayDimension) error {
	*m = nil
	if len(dimensions) > 0 {
		*m = make(memberships, dimensions[0].Length)
	}
	return nil
}

// ScanIndex tells pgx where the next one goes.
func (m *memberships) ScanIndex(i int) any { return (*membership)(&(*m)[i]) }

// ScanIndexType tells pgx what it will be.
func (m *memberships) ScanIndexType() any { return new(membership) }

// Scan is what database/sql calls.
func (m *memberships) Scan(v any) error {
	digits, err := textOf(v)
	if err != nil {
		return err
	}
	b, err := hex.DecodeString(digits)
	if err != nil || len(b)%membershipSize != 0 {
		return fmt.Errorf("memberships from %q: %w", digits, err)
	}
	*m = nil
	for ; len(b) > 0; b = b[membershipSize:] {
		var one membership
		if err := one.ScanBytes(b[:membershipSize]); err != nil {
			return err
		}
		*m = append(*m, granting.Membership(one))
	}
	return nil
}

type membership granting.Membership

// ScanBytes is what pgx calls for a bytea.
func (m *membership) ScanBytes(b []byte) error {
	if len(b) != membershipSize {
		return fmt.Errorf("a membership of %d bytes", len(b))
	}
	m.EndsAt = int64(binary.BigEndian.Uint64(b[copy(m.Group[:], b):]))
	return nil
}
