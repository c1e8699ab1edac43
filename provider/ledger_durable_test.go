package provider_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
)

// TestL15_WhatMustNotBeLost: on a pool of one connection, on which the relaxed
// writes run too, whatever redeems, rotates or revokes waits for its commit. The
// database itself notes the setting under which each table was written.
func TestL15_WhatMustNotBeLost(t *testing.T) {
	database := sqldbtest.Postgres(t)
	separator := "?"
	if strings.Contains(database, "?") {
		separator = "&"
	}
	s := newServer(t, database+separator+"pool_max_conns=1")
	w := newWorld(t, s)
	signer := newAssertionSigner(t)
	machine := w.register(accounts.Registration{
		Name: "Signing", Type: accounts.MachineClient, AuthMethod: accounts.AuthPrivateKeyJWT,
		JWKS: signer.jwks, Permissions: []string{"posts:add"},
	})
	conn, err := pgx.Connect(t.Context(), database)
	ledgerMust(t, err)
	t.Cleanup(func() { _ = conn.Close(t.Context()) }) // the database goes with the test
	_, err = conn.Exec(t.Context(), durabilityNotes)
	ledgerMust(t, err)

	b := w.signedIn(w.user)
	if resp := b.authorize(w.web.request("openid posts:add")); resp.StatusCode != http.StatusSeeOther {
		t.Fatal(body(t, resp)) // to the consent page, by a stored flow
	}
	w.allow(w.user, w.web, "openid", "posts:add")
	a := w.redeem(w.web, b.code(w.web.request("openid posts:add")))
	a = w.refresh(w.web, a.str("refresh_token"))
	if a.status != http.StatusOK {
		t.Fatal(a.raw)
	}
	if used := w.call("/oauth2/token", machine, signer.form(t, machine, id.New().String())); used.status != http.StatusOK {
		t.Fatal(used.raw)
	}
	w.call("/oauth2/revoke", w.web, url.Values{"token": {a.str("access_token")}})
	ledgerMust(t, s.users.Ban(t.Context(), tester, w.user.Subject))

	rows, err := conn.Query(t.Context(), `SELECT what, string_agg(DISTINCT mode, ' ' ORDER BY mode) FROM durability GROUP BY what`)
	ledgerMust(t, err)
	got := map[string]string{}
	var what, modes string
	_, err = pgx.ForEachRow(rows, []any{&what, &modes}, func() error {
		got[what] = modes
		return nil
	})
	ledgerMust(t, err)
	want := map[string]string{
		"flows INSERT": "off", "codes INSERT": "off", // somebody clicks again
		"grants INSERT": "on", "grants UPDATE": "on", "used_assertions INSERT": "on", "revocations INSERT": "on",
		"sessions INSERT": "on", "sessions UPDATE": "on", "users UPDATE": "on",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

const durabilityNotes = `
CREATE TABLE durability (what text, mode text);
CREATE FUNCTION note_durability() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO durability VALUES (tg_table_name || ' ' || tg_op, current_setting('synchronous_commit'));
  RETURN NULL;
END $$;
DO $$ DECLARE name text; BEGIN
  FOREACH name IN ARRAY ARRAY['flows', 'codes', 'grants', 'used_assertions', 'revocations', 'sessions', 'users'] LOOP
    EXECUTE format('CREATE TRIGGER note AFTER INSERT OR UPDATE ON %I FOR EACH ROW EXECUTE FUNCTION note_durability()', name);
  END LOOP;
END $$;
`
