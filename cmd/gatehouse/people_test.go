package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// TestMissing: who must have two factors adds one, or gives the one that they have in
// each session that was begun without, before anything else that is required.
func TestMissing(t *testing.T) {
	var out bytes.Buffer
	c := &call{ctx: t.Context(), environ: []string{"GATEHOUSE_DATA_DIR=" + t.TempDir()}, stdin: strings.NewReader(""), stdout: &out, stderr: &out, now: time.Now}
	d, err := c.open(true)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	by := commandActor()
	u, err := d.users.Create(t.Context(), by, accounts.NewUser{Username: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.groups.Create(t.Context(), by, "Staff", ""); err != nil {
		t.Fatal(err)
	}
	if err := d.groups.AddMember(t.Context(), by, "Staff", u.Subject, 0); err != nil {
		t.Fatal(err)
	}
	password, both := &accounts.Session{ACR: accounts.ACRPassword}, &accounts.Session{ACR: accounts.ACRTwoFactors}
	wants := func(when string, s *accounts.Session, want string) {
		t.Helper()
		if got, err := d.missing(t.Context(), s, u); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", when, got, err, want)
		}
	}
	wants("nothing is demanded", password, "")
	if err := d.groups.SetSecondFactor(t.Context(), by, "Staff", true); err != nil {
		t.Fatal(err)
	}
	wants("no factor", password, flow.PathEnrolFactor)
	one := id.New()
	if err := d.db.InsertPasskey(t.Context(), &accounts.Passkey{ID: one, UserID: u.ID, CredentialID: one[:], Credential: "{}", Name: "Key", CreatedAt: 1}); err != nil {
		t.Fatal(err)
	}
	wants("an old session", password, flow.PathSecondFactor)
	wants("one that was raised", both, "")
	u.RequiredActions = []accounts.Action{accounts.ActionChangePassword}
	wants("an old session, and another password", password, flow.PathSecondFactor)
	wants("raised, and another password", both, flow.PathNewPassword)
	if err := d.groups.SetSecondFactor(t.Context(), by, "Staff", false); err != nil {
		t.Fatal(err)
	}
	u.RequiredActions = nil
	wants("demanded no longer", password, "")
}
