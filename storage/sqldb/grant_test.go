package sqldb

import (
	"testing"

	"github.com/gatehouse-id/gatehouse/storage/storagetest"
)

// nodesOn returns what opens several handles on one new database.
func nodesOn(url func(testing.TB) string) storagetest.Nodes {
	return func(tb testing.TB, count int) []storagetest.GrantBackend {
		tb.Helper()
		open := openerOf(url(tb))
		nodes := make([]storagetest.GrantBackend, count)
		for i := range nodes {
			nodes[i] = open(tb)
		}
		return nodes
	}
}

func onBothNodes(t *testing.T, f func(t *testing.T, open storagetest.Nodes)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) { f(t, nodesOn(sqliteURL)) })
	t.Run("PostgreSQL", func(t *testing.T) { f(t, nodesOn(postgresURL)) })
}

func TestSessions(t *testing.T) { onBothNodes(t, storagetest.Sessions) }

func TestGrants(t *testing.T) { onBothNodes(t, storagetest.Grants) }

func TestStandings(t *testing.T) { onBothNodes(t, storagetest.Standings) }

func TestL9_OneSnapshot(t *testing.T) { onBothNodes(t, storagetest.OneSnapshot) }

func TestFlows(t *testing.T) {
	onBothNodes(t, func(t *testing.T, open storagetest.Nodes) {
		storagetest.Flows(t, open(t, 1)[0])
	})
}

func TestL14_Races(t *testing.T) {
	onBothNodes(t, func(t *testing.T, open storagetest.Nodes) { storagetest.Races(t, 1, open) })
	t.Run("three nodes on PostgreSQL", func(t *testing.T) { storagetest.Races(t, 3, nodesOn(postgresURL)) })
}
