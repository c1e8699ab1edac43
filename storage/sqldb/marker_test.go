package sqldb

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/revocation"
)

func appendOne(t *testing.T, d *DB) {
	t.Helper()
	if err := d.InTx(t.Context(), func(ctx context.Context) error { return d.Append(ctx, oneRow) }); err != nil {
		t.Fatal(err)
	}
}

func recoverIt(t *testing.T, d *DB, want bool) {
	t.Helper()
	if got, err := d.Recover(t.Context()); got != want || err != nil {
		t.Fatalf("recovered %v, %v; want %v", got, err, want)
	}
}

func position(t *testing.T, d *DB) int64 {
	t.Helper()
	h, err := d.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return h.Position
}

// TestRecover: a restored backup is noticed, and every token that it has forgotten
// to refuse is refused (L24).
func TestRecover(t *testing.T) {
	url := sqliteURL(t)
	file := strings.TrimPrefix(url, "sqlite://")
	markerFile := filepath.Join(t.TempDir(), "marker")
	open := func() *DB {
		d, err := Open(t.Context(), Options{URL: url, TokenLife: tokenLife, Marker: markerFile})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	d := open()
	recoverIt(t, d, false)
	appendOne(t, d)
	d.Close()
	backup, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}

	d = open()
	recoverIt(t, d, false)
	appendOne(t, d)
	appendOne(t, d) // position 3, which the backup does not know
	d.Close()

	for round, wantAll := range []int64{4, 5} { // the same backup can be restored twice
		if err := os.WriteFile(file, backup, 0o600); err != nil {
			t.Fatal(err)
		}
		d = open()
		if position(t, d) != 1 {
			t.Fatal("the backup was not restored")
		}
		recoverIt(t, d, true)
		rows, err := d.After(t.Context(), 1, 10)
		if err != nil || len(rows) != 1 || rows[0].Kind != revocation.All || rows[0].Position != wantAll {
			t.Fatalf("round %d: rows %+v, %v", round, rows, err)
		}
		dead, err := d.Revoked(t.Context(), revocation.Keys{ID: "x", Subject: "y", Rev: 3})
		if !dead || err != nil {
			t.Errorf("a token of the lost time lives: %v", err)
		}
		recoverIt(t, d, false)
		d.Close()
	}
}

func TestRecover_Marker(t *testing.T) {
	url := sqliteURL(t)
	markerFile := filepath.Join(t.TempDir(), "marker")
	d := openerOf(url)(t, func(o *Options) { o.Marker = markerFile })
	m := newMarker(markerFile)
	appendOne(t, d)
	h, err := d.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if a, err := m.read(); err != nil || a.position != 1 || a.timeline != h.Timeline {
		t.Errorf("marker %+v, %v", a, err)
	}
	// An older position of another process does not move it back.
	if err := m.write(advanced{position: 0, timeline: h.Timeline}); err != nil {
		t.Fatal(err)
	}
	if a, err := m.read(); err != nil || a.position != 1 {
		t.Errorf("marker %+v, %v", a, err)
	}
	for _, spoiled := range []string{"", "x", "another 00000000000000000099 00000000\n"} {
		if err := os.WriteFile(markerFile, []byte(spoiled), 0o600); err != nil {
			t.Fatal(err)
		}
		if a, err := m.read(); err == nil {
			t.Errorf("%q was read as %+v", spoiled, a)
		}
		recoverIt(t, d, false)
		if a, err := m.read(); err != nil || a.position != 1 {
			t.Errorf("after %q: %+v, %v", spoiled, a, err)
		}
	}
	// Another database's marker says nothing about this one.
	if err := os.WriteFile(markerFile, []byte(markerRecord(advanced{position: 99, timeline: "another"})), 0o600); err != nil {
		t.Fatal(err)
	}
	recoverIt(t, d, false)
	if position(t, d) != 1 {
		t.Error("positions moved")
	}
}

func TestRecover_WithoutMarker(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) { recoverIt(t, open(t), false) })
}
