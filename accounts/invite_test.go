package accounts_test

import (
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
)

func TestInvite(t *testing.T) {
	d := newDoors(t)
	for _, g := range []string{"Editors", "Gone"} {
		_, err := d.groups.Create(t.Context(), operator(), g, "")
		d.must(err)
	}
	_, err := d.invites.Invite(t.Context(), operator(), accounts.Invitation{Email: "bob@test.com", Groups: []string{"Nowhere"}, Language: "de"})
	wantErr(t, err, accounts.ErrNotFound)
	old, err := d.invites.Invite(t.Context(), operator(), accounts.Invitation{Email: "bob@test.com"})
	d.must(err)
	link, err := d.invites.Invite(t.Context(), operator(), accounts.Invitation{Email: "Bob@test.com", Groups: []string{"editors", "Gone"}, Language: "de"})
	d.must(err)
	m := d.box.last(t, accounts.MailInvitation, "Bob@test.com")
	if m.Language != "de" || m.Data[accounts.MailDataLink] != link {
		t.Errorf("mail %+v", m)
	}
	d.must(d.groups.Delete(t.Context(), operator(), "Gone"))
	token := tokenIn(t, link, accounts.PathInvitation)
	for range 3 { // scanners open links
		email, err := d.invites.Look(t.Context(), token)
		d.must(err)
		if email != "Bob@test.com" {
			t.Errorf("%q", email)
		}
	}
	accept := func(token, username string) (*accounts.Entry, error) {
		return d.invites.Accept(t.Context(), token, accounts.Invited{Username: username, Name: "Bob", Password: goodPassword, Asker: elsewhere()})
	}
	_, err = accept(tokenIn(t, old, accounts.PathInvitation), "bob")
	wantErr(t, err, accounts.ErrProofVoid)
	d.member("taken")
	_, err = accept(token, "taken")
	wantField(t, err, "username", accounts.ErrConflict)
	entry, err := accept(token, "bob")
	d.must(err)
	if u := entry.User; u.Username != "bob" || u.Email != "Bob@test.com" || !u.EmailVerified {
		t.Errorf("%+v", u)
	}
	in, err := d.db.GroupsOf(t.Context(), entry.User.ID, d.now().UnixMilli())
	d.must(err)
	if len(in) != 1 || in[0] != "Editors" {
		t.Errorf("groups %v", in)
	}
	_, err = accept(token, "bob2")
	wantErr(t, err, accounts.ErrProofVoid)
	_, err = d.invites.Invite(t.Context(), operator(), accounts.Invitation{Email: "bob@test.com"})
	wantField(t, err, "email", accounts.ErrConflict)

	late, err := d.invites.Invite(t.Context(), operator(), accounts.Invitation{Email: "late@test.com"})
	d.must(err)
	d.pass(7 * 24 * time.Hour)
	_, err = accept(tokenIn(t, late, accounts.PathInvitation), "late")
	wantErr(t, err, accounts.ErrProofVoid)
}
