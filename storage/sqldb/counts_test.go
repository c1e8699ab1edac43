package sqldb

import (
	"testing"

	"github.com/gatehouse-id/gatehouse/storage/storagetest"
)

func TestCounts(t *testing.T) {
	onEach(t, func(t *testing.T, fresh func(t *testing.T, change ...func(*Options)) *DB) {
		storagetest.Counts(t, fresh(t))
	})
}
