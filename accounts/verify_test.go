package accounts_test

import (
	"slices"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
)

func TestVerify(t *testing.T) {
	d := newDoors(t)
	u, err := d.users.Create(t.Context(), operator(), accounts.NewUser{Username: "ada", Email: "ada@test.com", Password: goodPassword})
	d.must(err)
	bob := d.member("bob")
	u.RequiredActions = []accounts.Action{accounts.ActionVerifyEmail}
	d.must(d.db.UpdateUser(t.Context(), u))
	proofID, err := d.verifications.Ask(t.Context(), u, here())
	d.must(err)
	m := d.box.last(t, accounts.MailVerifyAddress, "ada@test.com")
	code := accounts.Evidence{ProofID: proofID, Code: m.Data[accounts.MailDataCode], Asker: here()}
	link := accounts.Evidence{Token: tokenOf(t, m, accounts.PathVerifyAddress), Asker: elsewhere()}
	// The owner of the address does not confirm it for somebody else's account.
	for _, e := range []accounts.Evidence{code, link} {
		_, err = d.verifications.Confirm(t.Context(), bob, e)
		wantErr(t, err, accounts.ErrProofVoid)
	}
	_, err = d.verifications.Look(t.Context(), bob, link.Token)
	wantErr(t, err, accounts.ErrProofVoid)
	flow, err := d.verifications.Confirm(t.Context(), u, code)
	d.must(err)
	if after := d.stored(u); !after.EmailVerified || len(after.RequiredActions) != 0 || flow != "a flow" {
		t.Errorf("%+v, flow %q", after, flow)
	}
	_, err = d.verifications.Confirm(t.Context(), u, link)
	wantErr(t, err, accounts.ErrProofVoid)

	nobody, err := d.users.Create(t.Context(), operator(), accounts.NewUser{Username: "nobody"})
	d.must(err)
	_, err = d.verifications.Ask(t.Context(), nobody, here())
	wantField(t, err, "email", accounts.ErrNotFound)
	second, err := d.users.Create(t.Context(), operator(), accounts.NewUser{Username: "second", Email: "ADA@test.com"})
	d.must(err)
	_, err = d.verifications.Ask(t.Context(), second, here())
	d.must(err)
	link.Token = tokenOf(t, d.box.last(t, accounts.MailVerifyAddress, "ADA@test.com"), accounts.PathVerifyAddress)
	_, err = d.verifications.Confirm(t.Context(), second, link)
	wantField(t, err, "email", accounts.ErrConflict)
}

func TestTerms(t *testing.T) {
	d := newDoors(t)
	u := d.member("ada")
	u.RequiredActions = []accounts.Action{accounts.ActionAcceptTerms, accounts.ActionEnrolFactor}
	d.must(d.db.UpdateUser(t.Context(), u))
	wantErr(t, d.terms.Accept(t.Context(), u, "1"), accounts.ErrConflict)
	wantErr(t, d.terms.Accept(t.Context(), u, ""), accounts.ErrConflict)
	d.must(d.terms.Accept(t.Context(), u, "2"))
	after := d.stored(u)
	if after.TermsVersion != "2" || after.TermsAcceptedAt != d.now().UnixMilli() || !slices.Equal(after.RequiredActions, []accounts.Action{accounts.ActionEnrolFactor}) {
		t.Errorf("%+v", after)
	}
}
