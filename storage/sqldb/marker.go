package sqldb

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// marker is a small file outside a SQLite database that remembers how far the
// ledger went. Who restores the database's file from a backup brings revoked
// tokens back to life; the marker, which is not in that file, gives it away (L24).
type marker struct{ path string }

func newMarker(path string) *marker { return &marker{path: path} }

// markerRecord is of fixed length, so that a shorter one does not leave the end
// of a longer one behind: timeline, position, and a checksum against a torn write.
func markerRecord(a advanced) string {
	body := fmt.Sprintf("%-64s %020d", a.timeline, a.position)
	return fmt.Sprintf("%s %08x\n", body, crc32.ChecksumIEEE([]byte(body)))
}

// read returns nothing when there is no marker or it cannot be believed.
func (m *marker) read() (advanced, error) {
	if m.path == "" {
		return advanced{}, nil
	}
	b, err := os.ReadFile(m.path)
	if errors.Is(err, fs.ErrNotExist) {
		return advanced{}, nil
	}
	if err != nil {
		return advanced{}, err
	}
	if parts := strings.Fields(string(b)); len(parts) == 3 {
		a := advanced{timeline: parts[0]}
		a.position, err = strconv.ParseInt(parts[1], 10, 64)
		if err == nil && markerRecord(a) == string(b) {
			return a, nil
		}
	}
	return advanced{}, fmt.Errorf("%s holds no marker", m.path)
}

// write remembers a, unless another process has written a later position.
func (m *marker) write(a advanced) error {
	if m.path == "" {
		return nil
	}
	if have, err := m.read(); err == nil && have.timeline == a.timeline && have.position >= a.position {
		return nil
	}
	f, err := os.OpenFile(m.path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	record := markerRecord(a)
	_, err = f.WriteAt([]byte(record), 0)
	return errors.Join(err, f.Truncate(int64(len(record))), f.Sync(), f.Close())
}

// Recover compares the ledger with the marker outside the database. If the
// database lies behind it, a backup was restored: positions go on above the
// marker and a row of kind All makes every access token refresh once. It reports
// whether it did. Call it after the migrations and before anything is minted;
// PostgreSQL has no marker.
func (d *DB) Recover(ctx context.Context) (bool, error) {
	l, ok := d.engine.(*lite)
	if !ok || l.marker.path == "" {
		return false, nil
	}
	head, err := d.Head(ctx)
	if err != nil {
		return false, err
	}
	was, err := l.marker.read()
	if err != nil {
		// Whoever can write here could have removed it as well.
		d.opts.Logger.WarnContext(ctx, "the ledger's marker cannot be read; a restored backup would not have been noticed", "error", err)
	}
	if was.timeline != head.Timeline {
		return false, l.marker.write(advanced{position: head.Position, timeline: head.Timeline})
	}
	if was.position <= head.Position {
		return false, nil
	}
	d.opts.Logger.WarnContext(
		ctx, "the database lies behind what it had promised, as after a restored backup: every access token must be refreshed",
		"position", head.Position, "promised", was.position,
	)
	if err := d.AppendAllAbove(ctx, was.position, "restored backup"); err != nil {
		return false, fmt.Errorf("recover from a restored backup: %w", err)
	}
	return true, nil
}
