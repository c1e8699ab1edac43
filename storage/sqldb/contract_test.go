package sqldb

import (
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/storage/storagetest"
)

// onEach runs f on each engine with what makes empty databases.
func onEach(t *testing.T, f func(t *testing.T, fresh func(t *testing.T, change ...func(*Options)) *DB)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) {
		f(t, func(t *testing.T, change ...func(*Options)) *DB { return openerOf(sqliteURL(t))(t, change...) })
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		// Emptying a database is much faster than making another.
		url := postgresURL(t)
		f(t, func(t *testing.T, change ...func(*Options)) *DB {
			d := openerOf(url)(t, change...)
			const empty = `DELETE FROM users; DELETE FROM clients; DELETE FROM apis; DELETE FROM groups; DELETE FROM permission_sets;
DELETE FROM signing_keys; DELETE FROM revocations; DELETE FROM audit; DELETE FROM counts; DELETE FROM client_counts;
UPDATE ledger_head SET position = 0, change = 0, floor = 0, hash = ''`
			if _, err := d.exec(t.Context(), empty); err != nil {
				t.Fatal(err)
			}
			return d
		})
	})
}

func TestLedger(t *testing.T) {
	const now = 1_800_000_000_000
	clock := func(o *Options) { o.Now = func() time.Time { return time.UnixMilli(now) } }
	onEach(t, func(t *testing.T, fresh func(t *testing.T, change ...func(*Options)) *DB) {
		open := func(t *testing.T) storagetest.Ledger { return fresh(t, clock) }
		storagetest.Revocations(t, open, now, tokenLife.Milliseconds())
	})
}

func TestAccounts(t *testing.T) {
	onEach(t, func(t *testing.T, fresh func(t *testing.T, change ...func(*Options)) *DB) {
		storagetest.Accounts(t, func(t *testing.T) storagetest.Identity { return fresh(t) })
	})
}

func TestKeys(t *testing.T) {
	onEach(t, func(t *testing.T, fresh func(t *testing.T, change ...func(*Options)) *DB) {
		storagetest.Keys(t, func(t *testing.T) storagetest.SigningKeys { return fresh(t) })
	})
}
