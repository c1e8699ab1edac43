package sqldb

import (
	"testing"

	"github.com/gatehouse-id/gatehouse/storage/storagetest"
)

func TestRefused(t *testing.T) {
	onEach(t, func(t *testing.T, fresh func(t *testing.T, change ...func(*Options)) *DB) {
		storagetest.Refused(t, fresh(t))
	})
}
