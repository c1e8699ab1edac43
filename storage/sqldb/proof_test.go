package sqldb

import (
	"testing"

	"github.com/gatehouse-id/gatehouse/storage/storagetest"
)

func TestProofs(t *testing.T) {
	onEach(t, func(t *testing.T, fresh func(t *testing.T, change ...func(*Options)) *DB) {
		storagetest.Proofs(t, func(t *testing.T) storagetest.Entrance {
			d := fresh(t)
			// The one database of PostgreSQL was emptied of people only.
			for _, table := range []string{"proofs", "instance WHERE key = 'setup'"} {
				if _, err := d.exec(t.Context(), "DELETE FROM "+table); err != nil {
					t.Fatal(err)
				}
			}
			return d
		})
	})
}
