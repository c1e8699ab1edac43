package sqldb

import (
	"context"
	"errors"
	"testing"

	"github.com/gatehouse-id/gatehouse/storage/storagetest"
)

// TestL15_CodeIsRelaxedAlone: a code is written with synchronous_commit off, which
// ends with its statement; in a transaction of somebody else's it changes nothing.
func TestL15_CodeIsRelaxedAlone(t *testing.T) {
	d := openerOf(postgresURL(t) + "&pool_max_conns=1")(t)
	w := storagetest.NewWorld(t, d)
	ctx := t.Context()
	for _, text := range []string{
		`CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.acr := current_setting('synchronous_commit'); RETURN NEW; END $$`,
		`CREATE TRIGGER tell BEFORE INSERT ON codes FOR EACH ROW EXECUTE FUNCTION tell()`,
	} {
		if _, err := d.exec(ctx, text); err != nil {
			t.Fatal(err)
		}
	}
	insert := func(ctx context.Context) string {
		c := w.Code("openid")
		won, err := d.InsertCode(ctx, c)
		twice, again := d.InsertCode(ctx, c)
		stored, _, _, read := d.CodeStanding(ctx, c.GrantID, w.At)
		if err := errors.Join(err, again, read); err != nil || !won || twice {
			t.Fatalf("inserted %v and again %v: %v", won, twice, err)
		}
		return stored.ACR
	}
	setting := func(ctx context.Context) (s string) {
		if err := d.queryRow(ctx, `SELECT current_setting('synchronous_commit')`, nil, &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	if got := insert(ctx); got != "off" {
		t.Errorf("a code was written with synchronous_commit %s", got)
	}
	if got := setting(ctx); got != "on" {
		t.Errorf("afterwards it is %s", got)
	}
	err := d.InTx(ctx, func(ctx context.Context) error {
		if got := insert(ctx); got != "on" {
			t.Errorf("in a transaction it was %s", got)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
