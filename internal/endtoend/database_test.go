package endtoend_test

import (
	"database/sql"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"
)

// ageFlows makes every flow one whose time is over, as after a long lunch.
func (s *server) ageFlows(t *testing.T) {
	t.Helper()
	driver, source := "pgx", s.setting("GATEHOUSE_DATABASE_URL")
	statement := "UPDATE flows SET expires_at = $1"
	if source == "" {
		driver, source = "sqlite", s.databaseFile(t)+"?_pragma=busy_timeout(5000)"
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	result, err := db.ExecContext(t.Context(), statement, time.Now().Add(-time.Second).UnixMilli())
	if err != nil {
		t.Fatalf("age the flows: %v", err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		t.Fatalf("%d flows aged, %v", n, err)
	}
}
