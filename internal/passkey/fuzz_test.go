package passkey_test

import (
	"errors"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// FuzzCreated checks that no answer to a question for a new passkey does anything
// but be refused, or make a passkey that can be kept (attack 224).
func FuzzCreated(f *testing.F) {
	rp := relyingParty(f)
	u := &accounts.User{ID: id.New(), Username: "alice"}
	options, state, err := rp.Create(u, nil)
	must(f, err)
	f.Add(newDevice(u).create(f, options))
	f.Add([]byte(`{"id":"AA","rawId":"AA","type":"public-key","response":{"attestationObject":"o2NmbXRkbm9uZWdhdHRTdG10oGhhdXRoRGF0YUA","clientDataJSON":"e30"}}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, response []byte) {
		p, err := rp.Created(u, state, response)
		if err != nil {
			if !errors.Is(err, accounts.ErrPasskey) {
				t.Errorf("%v", err)
			}
			return
		}
		if n := len(p.CredentialID); n == 0 || n > 1023 || p.Credential == "" || p.Name == "" {
			t.Errorf("%+v", p)
		}
	})
}

// FuzzAnswered does the same for the answer of a passkey that exists: without its
// key nobody makes one that is right.
func FuzzAnswered(f *testing.F) {
	rp := relyingParty(f)
	u := &accounts.User{ID: id.New(), Username: "alice"}
	d := newDevice(u)
	options, state, err := rp.Create(u, nil)
	must(f, err)
	p, err := rp.Created(u, state, d.create(f, options))
	must(f, err)
	p.ID, p.UserID = id.New(), u.ID
	options, _, err = rp.Ask(nil, nil)
	must(f, err)
	f.Add(d.answer(f, options)) // to another challenge
	_, state, err = rp.Ask(nil, nil)
	must(f, err)
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, response []byte) {
		use, err := rp.Answered(state, response, func([]byte) (*accounts.Passkey, error) { return p, nil })
		if err == nil {
			t.Fatalf("%+v", use)
		}
		if !errors.Is(err, accounts.ErrPasskey) {
			t.Errorf("%v", err)
		}
	})
}
