package passkey_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/passkey"
)

func TestNew(t *testing.T) {
	for text, want := range map[string]error{
		"https://login.example.com": nil, "http://localhost:8400": nil, "https://LOGIN.example.com": nil, "https://[::1]:8400": passkey.ErrNoDomain,
		"http://127.0.0.1:8400": passkey.ErrNoDomain, "https:///path": passkey.ErrNoDomain,
	} {
		u, err := url.Parse(text)
		must(t, err)
		rp, err := passkey.New(u, "", "Acme")
		if !errors.Is(err, want) {
			t.Errorf("%s: %v", text, err)
		}
		if err == nil && rp.RelyingParty() != strings.ToLower(u.Hostname()) {
			t.Errorf("%s: RP ID %s", text, rp.RelyingParty())
		}
	}
}

// TestRelyingPartyIsOurs: a passkey belongs to a domain that is the issuer's
// alone, whatever an operator writes.
func TestRelyingPartyIsOurs(t *testing.T) {
	for _, tt := range []struct {
		issuer, id string
		want       error
	}{
		{"https://login.id.example.co.uk", "", nil},
		{"https://login.id.example.co.uk", "login.id.example.co.uk", nil},
		{"https://login.id.example.co.uk", "id.example.co.uk", nil},
		{"https://LOGIN.id.example.co.uk:8443", "example.co.uk", nil},
		{"https://login.id.example.co.uk", "co.uk", passkey.ErrRelyingParty},
		{"https://login.id.example.co.uk", "uk", passkey.ErrRelyingParty},
		{"https://ada.github.io", "github.io", passkey.ErrRelyingParty},
		{"https://id.corp", "corp", passkey.ErrRelyingParty},
		{"https://id.example.com", "d.example.com", passkey.ErrRelyingParty},
		{"https://id.example.com", ".example.com", passkey.ErrRelyingParty},
		{"https://id.example.com", "other.example.com", passkey.ErrRelyingParty},
		{"https://id.example.com", "login.id.example.com", passkey.ErrRelyingParty},
		{"https://id.example.com", "example.com.", passkey.ErrRelyingParty},
		{"http://localhost:8400", "localhost", nil},
		{"http://127.0.0.1:8400", "0.1", passkey.ErrNoDomain},
	} {
		u, err := url.Parse(tt.issuer)
		must(t, err)
		rp, err := passkey.New(u, tt.id, "Acme")
		if !errors.Is(err, tt.want) {
			t.Errorf("%s at %s: %v, want %v", tt.id, tt.issuer, err, tt.want)
		}
		if err == nil && tt.id != "" && rp.RelyingParty() != tt.id {
			t.Errorf("%s: RP ID %s", tt.id, rp.RelyingParty())
		}
	}
}

// What the browser is asked.
func TestOptions(t *testing.T) {
	w := newWorld(t)
	u, d, _ := w.enrolled("alice")
	parse := func(options []byte) map[string]any {
		var m map[string]any
		must(t, json.Unmarshal(options, &m))
		if challenge, _ := m["challenge"].(string); len(challenge) < 43 {
			t.Errorf("challenge %q", challenge)
		}
		return m
	}
	credential := base64.RawURLEncoding.EncodeToString(d.key.ID)
	created, ceremony, err := w.factors.BeginPasskey(t.Context(), u)
	must(t, err)
	m := parse(created)
	wantSelection := map[string]any{"requireResidentKey": true, "residentKey": "required", "userVerification": "required"}
	if diff := cmp.Diff(wantSelection, m["authenticatorSelection"]); diff != "" {
		t.Errorf("selection (-want +got):\n%s", diff)
	}
	wantUser := map[string]any{"id": u.ID.String(), "name": "alice", "displayName": "A alice"}
	if diff := cmp.Diff(wantUser, m["user"]); diff != "" {
		t.Errorf("user (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"id": "login.example.com", "name": "Acme"}, m["rp"]); diff != "" {
		t.Errorf("rp (-want +got):\n%s", diff)
	}
	if !strings.Contains(string(created), `"excludeCredentials":[{"type":"public-key","id":"`+credential) {
		t.Errorf("what exists is not excluded: %s", created)
	}
	if m["attestation"] != "none" || strings.Contains(ceremony, "{") {
		t.Errorf("attestation %v", m["attestation"])
	}
	alone, _, err := w.signIns.PasskeyOptions(t.Context(), "")
	must(t, err)
	if m = parse(alone); m["userVerification"] != "required" || m["allowCredentials"] != nil || m["rpId"] != "login.example.com" {
		t.Errorf("alone: %s", alone)
	}
	second, _, err := w.signIns.PasskeyOptions(t.Context(), w.password(u).Pending)
	must(t, err)
	if m = parse(second); m["userVerification"] != "preferred" || !strings.Contains(string(second), credential) {
		t.Errorf("second factor: %s", second)
	}
}

func TestPasswordless(t *testing.T) {
	w := newWorld(t)
	u, d, own := w.enrolled("alice")
	if own.ACR != accounts.ACRTwoFactors {
		t.Errorf("the session in which it was made: %+v", own)
	}
	w.pass(time.Hour)
	d.key.Counter = 1
	p, err := w.signIn("", func(options []byte) []byte { return d.answer(t, options) })
	must(t, err)
	s := p.Session
	if p.User.Subject != u.Subject || s.UserID != u.ID || !slices.Equal(s.AMR, []string{"pop", "user", "mfa"}) || s.ACR != accounts.ACRTwoFactors || p.Known == "" {
		t.Errorf("%+v %+v", p, s)
	}
	list, err := w.factors.List(t.Context(), u)
	must(t, err)
	if k := list.Passkeys[0]; k.LastUsedAt != w.now().UnixMilli() || k.SignCount != 1 || k.Name != "Passkey" {
		t.Errorf("%+v", k)
	}
	if strings.Contains(list.Passkeys[0].Credential, "attStmt") || len(list.Passkeys[0].Credential) > 1000 {
		t.Errorf("what is kept: %s", list.Passkeys[0].Credential)
	}
	must(t, w.users.Ban(t.Context(), actorOf(w.person("root")), u.Subject))
	if _, err := w.signIn("", func(options []byte) []byte { return d.answer(t, options) }); !errors.Is(err, accounts.ErrBanned) {
		t.Errorf("banned: %v", err)
	}
}

func TestSecondFactor(t *testing.T) {
	w := newWorld(t)
	u, d, _ := w.enrolled("alice")
	for _, tt := range []struct {
		verified bool
		amr      []string
	}{{true, []string{"pwd", "pop", "user", "mfa"}}, {false, []string{"pwd", "pop", "mfa"}}} {
		d.Options.UserNotVerified = !tt.verified
		pending := w.password(u).Pending
		found, err := w.signIns.Pending(t.Context(), pending)
		must(t, err)
		if !found.Passkeys || found.TOTP || found.RecoveryCodes != 10 {
			t.Errorf("%+v", found)
		}
		p, err := w.signIn(pending, func(options []byte) []byte { return d.answer(t, options) })
		must(t, err)
		if !slices.Equal(p.Session.AMR, tt.amr) || p.Session.ACR != accounts.ACRTwoFactors {
			t.Errorf("verified %t: %+v", tt.verified, p.Session)
		}
		if _, err := w.signIns.Pending(t.Context(), pending); !errors.Is(err, accounts.ErrNotFound) {
			t.Errorf("spent: %v", err)
		}
	}
	// The passkey of somebody else, who was not asked.
	_, other, _ := w.enrolled("mallory")
	if _, err := w.signIn(w.password(u).Pending, func(options []byte) []byte { return other.answer(t, options) }); !errors.Is(err, accounts.ErrPasskey) {
		t.Errorf("of another: %v", err)
	}
	if _, _, err := w.signIns.PasskeyOptions(t.Context(), "nothing"); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("no pending sign-in: %v", err)
	}
}

// Attack 223: a password is no passkey. To raise a session to two factors takes one
// that is given now; how the session began or when it was raised before is no proof.
func TestAttack_223_StepUp(t *testing.T) {
	w := newWorld(t)
	u, d, strong := w.enrolled("alice")
	weak := *strong // as a remembered browser would have left it
	weak.AMR, weak.ACR = []string{"pwd"}, accounts.ACRPassword
	must(t, w.db.RenewSession(t.Context(), &weak))
	w.pass(time.Hour)
	up, err := w.signIns.Raise(t.Context(), &weak, u, accounts.Meta{})
	must(t, err)
	if s := w.session(weak.ID); s.ACR != accounts.ACRPassword {
		t.Fatalf("raised by asking: %+v", s)
	}
	// An answer that was given for another sign-in does not count.
	options, ceremony, err := w.signIns.PasskeyOptions(t.Context(), "")
	must(t, err)
	if _, err := w.signIns.Passkey(t.Context(), up.Pending, ceremony, d.answer(t, options), accounts.Meta{}, false); !errors.Is(err, accounts.ErrPasskey) {
		t.Errorf("the answer to another question: %v", err)
	}
	p, err := w.signIn(up.Pending, func(options []byte) []byte { return d.answer(t, options) })
	must(t, err)
	if p.Session.ID != weak.ID || p.Session.AuthTime != w.now().UnixMilli() || p.Session.ACR != accounts.ACRTwoFactors {
		t.Errorf("raised %+v", p.Session)
	}
	// The password again does not keep it.
	again := w.password(u)
	if again.Session != nil {
		t.Errorf("a password alone: %+v", again.Session)
	}
}

func TestRemovedPasskey(t *testing.T) {
	w := newWorld(t)
	u, d, session := w.enrolled("alice")
	options, ceremony, err := w.signIns.PasskeyOptions(t.Context(), "")
	must(t, err)
	list, err := w.factors.List(t.Context(), u)
	must(t, err)
	must(t, w.factors.Remove(t.Context(), actorOf(u), session, list.Passkeys[0].ID))
	_, err = w.signIns.Passkey(t.Context(), "", ceremony, d.answer(t, options), accounts.Meta{}, false)
	var unknown *accounts.UnknownPasskey
	if !errors.As(err, &unknown) || !errors.Is(err, accounts.ErrPasskey) {
		t.Fatalf("%v", err)
	}
	if unknown.CredentialID != base64.RawURLEncoding.EncodeToString(d.key.ID) || unknown.RelyingParty != "login.example.com" {
		t.Errorf("%+v", unknown)
	}
	if got := w.events(1); got[0] != "user.sign_in.refuse" {
		t.Errorf("events %v", got)
	}
}

func TestNoPasskeysWithoutDomain(t *testing.T) {
	w := newWorld(t)
	u, _, session := w.enrolled("alice")
	w.factors.WebAuthn = nil
	_, _, begin := w.factors.BeginPasskey(t.Context(), u)
	_, finish := w.factors.FinishPasskey(t.Context(), actorOf(u), session, "", "", nil)
	_, _, ask := w.signIns.PasskeyOptions(t.Context(), "")
	_, answer := w.signIns.Passkey(t.Context(), "", "", nil, accounts.Meta{}, false)
	for i, err := range []error{begin, finish, ask, answer} {
		if !errors.Is(err, accounts.ErrNoPasskeys) {
			t.Errorf("%d: %v", i, err)
		}
	}
}
