package sqldb

import (
	"testing"

	"github.com/gatehouse-id/gatehouse/storage/storagetest"
)

func TestFactors(t *testing.T) {
	for name, url := range map[string]func(testing.TB) string{"SQLite": sqliteURL, "PostgreSQL": postgresURL} {
		t.Run(name, func(t *testing.T) {
			storagetest.Factors(t, func(t *testing.T, n int) []storagetest.FactorBackend {
				nodes := make([]storagetest.FactorBackend, n)
				open := openerOf(url(t))
				for i := range nodes {
					nodes[i] = open(t)
				}
				return nodes
			})
		})
	}
}
