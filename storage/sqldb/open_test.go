package sqldb

import (
	"os"
	"strings"
	"testing"
)

func TestOpen_RefusesURLs(t *testing.T) {
	for _, url := range []string{
		"", "mysql://localhost/x", "gatehouse.db", "sqlite://relative.db", "sqlite://user:hunter2@/x.db",
		"sqlite:///x.db?mode=memory", "sqlite:///no/such/folder/x.db", "postgres://u:hunter2@[::1/x", "postgres://u:hunter2@127.0.0.1:1/x",
	} {
		d, err := Open(t.Context(), Options{URL: url, TokenLife: tokenLife})
		if err == nil {
			d.Close()
			t.Errorf("%q was opened", url)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

func TestOpen_NeedsTokenLife(t *testing.T) {
	if _, err := Open(t.Context(), Options{URL: sqliteURL(t)}); err == nil {
		t.Error("opened without TokenLife")
	}
}

func TestOpen_SQLiteIsPrivateAndDurable(t *testing.T) {
	url := sqliteURL(t)
	d := openerOf(url)(t)
	for _, suffix := range []string{"", "-wal"} {
		info, err := os.Stat(strings.TrimPrefix(url, "sqlite://") + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("file %q has mode %v", suffix, info.Mode())
		}
	}
	// Asked on the writer, by a text that is not a SELECT.
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1"} {
		var got string
		if err := d.queryRow(t.Context(), "PRAGMA "+pragma, nil, &got); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s is %s, want %s", pragma, got, want)
		}
	}
}

func TestPing(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		d := open(t)
		if err := d.Ping(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestServer(t *testing.T) {
	onEach(t, func(t *testing.T, fresh func(t *testing.T, change ...func(*Options)) *DB) {
		d := fresh(t)
		version, now, err := d.Server(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if d.Dialect() == Postgres && version < 15 {
			t.Errorf("version %d", version)
		}
		if now.IsZero() {
			t.Error("no clock")
		}
	})
}
