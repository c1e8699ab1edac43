package sqldb

import (
	"errors"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// TestUnstorableTexts: whoever asks for a text that cannot be in the database is told
// that it is not there, on either engine, and what PostgreSQL said of it stays inside.
func TestUnstorableTexts(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		d := open(t)
		for _, text := range []string{"a\x00b", "\xff", "\x00"} {
			if _, _, err := d.ClientByID(t.Context(), text, 0); !errors.Is(err, accounts.ErrNotFound) {
				t.Errorf("client %q: %v", text, err)
			}
			_, err := d.NewestRow(t.Context(), revocation.User, text)
			if !errors.Is(err, accounts.ErrNotFound) || strings.Contains(err.Error(), "22021") {
				t.Errorf("row of %q: %v", text, err)
			}
			err = d.WriteAudit(t.Context(), audit.Event{Action: text})
			if d.dialect == Postgres && !errors.Is(err, accounts.ErrInvalid) {
				t.Errorf("written %q: %v", text, err)
			}
		}
	})
}
