package sqldb

import (
	"testing"

	"github.com/gatehouse-id/gatehouse/storage/storagetest"
)

func TestFollowers(t *testing.T) {
	onEach(t, func(t *testing.T, fresh func(t *testing.T, change ...func(*Options)) *DB) {
		storagetest.Followers(t, func(t *testing.T) storagetest.FollowerReports {
			d := fresh(t)
			for _, table := range []string{"followers", "acknowledgements"} {
				if _, err := d.exec(t.Context(), "DELETE FROM "+table); err != nil {
					t.Fatal(err)
				}
			}
			return d
		})
	})
}

// A second's reports are one statement for each table, however many they are.
func TestWriteReportsTakesTwoStatements(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		statements := 0
		d := open(t)
		d.trace = func(string) { statements++ }
		if err := d.WriteReports(t.Context(), storagetest.Reports(1000, 7)); err != nil {
			t.Fatal(err)
		}
		if statements != 2 {
			t.Errorf("%d statements", statements)
		}
	})
}
