package accounts_test

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// changeAddress has the change mailed and confirmed, and returns the mail to the old
// address.
func (d *doors) changeAddress(u *accounts.User, email string) accounts.Mail {
	d.t.Helper()
	proofID, err := d.addresses.Ask(d.t.Context(), u, email, here())
	d.must(err)
	m := d.box.last(d.t, accounts.MailVerifyAddress, email)
	d.must(d.addresses.Confirm(d.t.Context(), u, accounts.Evidence{ProofID: proofID, Code: m.Data[accounts.MailDataCode], Asker: here()}))
	return d.box.last(d.t, accounts.MailAddressChanged, u.Email)
}

func TestAddress(t *testing.T) {
	d := newDoors(t)
	u, bob := d.member("ada"), d.member("bob")
	_, err := d.addresses.Ask(t.Context(), u, "ADA@test.com", here())
	wantField(t, err, "new_email", accounts.ErrConflict)
	_, err = d.addresses.Ask(t.Context(), u, "nonsense", here())
	wantField(t, err, "new_email", accounts.ErrInvalid)
	// The address of somebody else: they are told, and nothing else shows.
	_, err = d.addresses.Ask(t.Context(), u, "bob@test.com", here())
	d.must(err)
	d.box.last(t, accounts.MailAccountExists, "bob@test.com")

	_, err = d.addresses.Ask(t.Context(), u, "new@test.com", here())
	d.must(err)
	link := accounts.Evidence{Token: tokenOf(t, d.box.last(t, accounts.MailVerifyAddress, "new@test.com"), accounts.PathEmailConfirm), Asker: elsewhere()}
	wantErr(t, d.addresses.Confirm(t.Context(), bob, link), accounts.ErrProofVoid)
	if after := d.stored(u); after.Email != "ada@test.com" {
		t.Fatalf("changed before it is proven: %s", after.Email)
	}
	d.must(d.addresses.Confirm(t.Context(), u, link))
	after := d.stored(u)
	if after.Email != "new@test.com" || after.EmailKey != "new@test.com" || !after.EmailVerified {
		t.Errorf("%+v", after)
	}
	told := d.box.last(t, accounts.MailAddressChanged, "ada@test.com")
	if told.Data[accounts.MailDataAddress] != "new@test.com" {
		t.Errorf("mail %+v", told)
	}
	wantErr(t, d.addresses.Confirm(t.Context(), u, link), accounts.ErrProofVoid)
}

// Whoever took an account over cannot keep its owner from taking it back, whatever
// they have changed since.
func TestAddress_Undo(t *testing.T) {
	d := newDoors(t)
	u := d.member("ada")
	told := d.changeAddress(u, "thief@test.com")
	token := tokenOf(t, told, accounts.PathEmailUndo)
	d.must(d.users.ChangePassword(t.Context(), operator(), d.proof(u), otherPassword, id.ID{}))
	d.changeAddress(d.stored(u), "thief2@test.com")
	_, thief := d.askReset(d.stored(u), elsewhere())
	sessionToken, _ := d.session(u)
	for range 3 {
		email, err := d.addresses.LookUndo(t.Context(), token)
		d.must(err)
		if email != "ada@test.com" {
			t.Errorf("%q", email)
		}
	}
	d.pass(7*24*time.Hour - time.Minute)
	d.must(d.addresses.Undo(t.Context(), token))
	after := d.stored(u)
	if after.Email != "ada@test.com" || !after.EmailVerified || after.PasswordHash != "" {
		t.Errorf("%+v", after)
	}
	if _, _, err := d.sessions.Find(t.Context(), sessionToken); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("the thief's session lives: %v", err)
	}
	_, err := d.auth.Authenticate(t.Context(), accounts.Attempt{Login: "ada", Password: otherPassword})
	wantErr(t, err, accounts.ErrCredentials)
	_, err = d.resets.Finish(t.Context(), tokenOf(t, thief, accounts.PathResetPassword), goodPassword, elsewhere(), accounts.Meta{})
	wantErr(t, err, accounts.ErrProofVoid)
	wantErr(t, d.addresses.Undo(t.Context(), token), accounts.ErrProofVoid)
	_, m := d.askReset(after, here())
	_, err = d.resets.Finish(t.Context(), tokenOf(t, m, accounts.PathResetPassword), goodPassword, here(), accounts.Meta{})
	d.must(err)
}

// Second factors that the thief added go, and those of the owner stay: the mails of
// the old address alone do not get past them.
func TestAddress_UndoFactors(t *testing.T) {
	for name, want := range map[string]struct {
		before, since []string
		left          []string
	}{
		"the owner's":  {before: []string{"mine"}, left: []string{"mine"}},
		"the thief's":  {since: []string{"theirs", "theirs too"}},
		"both":         {before: []string{"mine"}, since: []string{"theirs"}, left: []string{"mine"}},
		"none at all":  {},
		"several kept": {before: []string{"one", "two"}, since: []string{"theirs"}, left: []string{"one", "two"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoors(t)
			u := d.member("ada")
			for _, factor := range want.before {
				d.totp(u, factor)
			}
			d.pass(time.Minute)
			told := d.changeAddress(u, "thief@test.com")
			for _, factor := range want.since {
				d.totp(u, factor)
			}
			d.must(d.addresses.Undo(t.Context(), tokenOf(t, told, accounts.PathEmailUndo)))
			list, err := d.factors.List(t.Context(), d.stored(u))
			d.must(err)
			var left []string
			for _, factor := range list.TOTPs {
				left = append(left, factor.Name)
			}
			if diff := cmp.Diff(want.left, left); diff != "" || list.RecoveryCodes != 0 {
				t.Errorf("%d codes, factors:\n%s", list.RecoveryCodes, diff)
			}
		})
	}
}

func TestAddress_UndoTooLate(t *testing.T) {
	d := newDoors(t)
	token := tokenOf(t, d.changeAddress(d.member("ada"), "new@test.com"), accounts.PathEmailUndo)
	d.pass(7 * 24 * time.Hour)
	wantErr(t, d.addresses.Undo(t.Context(), token), accounts.ErrProofVoid)
}

// The old address is told only if it was the account's for sure.
func TestAddress_UnprovenIsNotTold(t *testing.T) {
	d := newDoors(t)
	u, err := d.users.Create(t.Context(), operator(), accounts.NewUser{Username: "ada", Email: "somebody@test.com"})
	d.must(err)
	_, err = d.addresses.Ask(t.Context(), u, "ada@test.com", here())
	d.must(err)
	m := d.box.last(t, accounts.MailVerifyAddress, "ada@test.com")
	d.must(d.addresses.Confirm(t.Context(), u, accounts.Evidence{Token: tokenOf(t, m, accounts.PathEmailConfirm), Asker: here()}))
	d.box.last(t, accounts.MailVerifyAddress, "ada@test.com")
}

// The address that an operator takes away is told so, if it was proven; not which one
// follows, for it may be a stranger's by now.
func TestAddress_ReplacedByAnOperator(t *testing.T) {
	d := newDoors(t)
	u := d.member("ada")
	for _, step := range []struct {
		name   string
		to     string
		proven bool
		told   string
	}{
		{"written in another way", "ADA@test.com", true, ""},
		{"another one, which nobody has proven", "new@test.com", false, "ADA@test.com"},
		{"another one after that", "newer@test.com", true, ""},
		{"none", "", false, "newer@test.com"},
		{"one instead of none", "ada@test.com", true, ""},
	} {
		before := len(d.box.mails)
		d.must(d.users.Amend(t.Context(), operator(), u.Subject, func(_ *accounts.User, a *accounts.Amendment) error {
			a.Email, a.EmailVerified = step.to, step.proven
			return nil
		}))
		got := slices.Clone(d.box.mails[before:])
		switch {
		case step.told == "" && len(got) != 0:
			t.Errorf("%s: %+v", step.name, got)
		case step.told == "":
		case len(got) != 1 || got[0].Kind != accounts.MailAddressReplaced || got[0].To != step.told:
			t.Errorf("%s: %+v", step.name, got)
		case step.to != "" && slices.Contains(slices.Collect(maps.Values(got[0].Data)), step.to):
			t.Errorf("%s: the old address is told the new one", step.name)
		}
	}
}
