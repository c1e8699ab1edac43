package storagetest

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// FactorBackend is what the contract of factors and pending sign-ins is about.
type FactorBackend interface {
	GrantBackend
	accounts.FactorStore
	accounts.TOTPStore
	accounts.PasskeyStore
	accounts.RecoveryStore
	accounts.DeviceStore
	accounts.WaitingStore
}

// factorWorld is a world whose store keeps factors.
type factorWorld struct {
	*World
	FactorBackend
	nodes []FactorBackend
}

// Factors checks what people sign in with beside their password. open returns so
// many nodes on one empty database.
func Factors(t *testing.T, open func(t *testing.T, nodes int) []FactorBackend) {
	nodes := open(t, 3)
	for name, check := range map[string]func(*testing.T, *factorWorld){
		"authenticator apps":                  totpsKept,
		"a code's step is used once":          totpStepOnce,
		"passkeys":                            passkeysKept,
		"a passkey of everybody is one":       passkeyUnique,
		"a passkey's owner":                   passkeyOwner,
		"recovery codes":                      recoveryCodesKept,
		"remembered devices":                  devicesKept,
		"pending sign-ins":                    waitingKept,
		"a pending sign-in is spent once":     waitingOnce,
		"attempts are counted":                attemptsCounted,
		"factors are renamed and removed":     factorsRemoved,
		"who has and who needs a factor":      factorPolicy,
		"what is answered once":               takenOnce,
		"factors leave with their user":       factorsLeave,
		"factors of nobody":                   factorsOfNobody,
		"race: one code, one step":            raceTOTP,
		"race: one recovery code, one use":    raceRecovery,
		"race: one pending sign-in, one end":  raceWaiting,
		"race: ten attempts, however many do": raceAttempts,
		"race: one answer to one question":    raceTakeOnce,
	} {
		t.Run(name, func(t *testing.T) {
			w := NewWorld(t, nodes[0])
			defer w.end(t)
			check(t, &factorWorld{World: w, FactorBackend: nodes[0], nodes: nodes})
		})
	}
}

func (w *factorWorld) totp(t *testing.T) *accounts.TOTP {
	t.Helper()
	a := &accounts.TOTP{ID: id.New(), UserID: w.User.ID, Name: "Phone", Sealed: []byte{1, 0, 2}, LastStep: 10, CreatedAt: w.At}
	must(t, w.InsertTOTP(t.Context(), a))
	return a
}

func (w *factorWorld) passkey(t *testing.T, credentialID string) *accounts.Passkey {
	t.Helper()
	p := &accounts.Passkey{
		ID: id.New(), UserID: w.User.ID, CredentialID: []byte(credentialID), Credential: `{"id":"eA"}`, Name: "Key",
		SignCount: 3, CreatedAt: w.At,
	}
	must(t, w.InsertPasskey(t.Context(), p))
	return p
}

func (w *factorWorld) waiting(t *testing.T, n byte) *accounts.WaitingSignIn {
	t.Helper()
	s := &accounts.WaitingSignIn{
		ID: id.New(), TokenHash: secretHash(n), UserID: w.User.ID, Rev: 4, Binding: secretHash(9),
		AMR: []string{"pwd"}, Known: "known.mac", CreatedAt: w.At, ExpiresAt: w.At + 600,
	}
	must(t, w.InsertWaiting(t.Context(), s))
	return s
}

func totpsKept(t *testing.T, w *factorWorld) {
	one := w.totp(t)
	two := w.totp(t)
	got, err := w.TOTPsOf(t.Context(), w.User.ID)
	must(t, err)
	if diff := cmp.Diff([]accounts.TOTP{*one, *two}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func totpStepOnce(t *testing.T, w *factorWorld) {
	a := w.totp(t)
	for _, step := range []struct {
		step int64
		want bool
	}{{10, false}, {9, false}, {11, true}, {11, false}, {10, false}, {13, true}, {12, false}} {
		if ok, err := w.UseTOTP(t.Context(), a.ID, step.step, w.At+step.step); err != nil || ok != step.want {
			t.Errorf("step %d: %t, %v", step.step, ok, err)
		}
	}
	got, err := w.TOTPsOf(t.Context(), w.User.ID)
	must(t, err)
	if got[0].LastStep != 13 || got[0].LastUsedAt != w.At+13 {
		t.Errorf("step %d, used %d", got[0].LastStep, got[0].LastUsedAt-w.At)
	}
	if ok, err := w.UseTOTP(t.Context(), id.New(), 99, w.At); err != nil || ok {
		t.Errorf("an app that is none: %t, %v", ok, err)
	}
}

func passkeysKept(t *testing.T, w *factorWorld) {
	one, two := w.passkey(t, "one"), w.passkey(t, string(bytes.Repeat([]byte{0xff, 0}, 511)))
	one.Credential, one.SignCount, one.LastUsedAt = `{"id":"eQ"}`, 1<<32-1, w.At+5
	must(t, w.UsePasskey(t.Context(), one))
	got, err := w.PasskeysOf(t.Context(), w.User.ID)
	must(t, err)
	if diff := cmp.Diff([]accounts.Passkey{*one, *two}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	wantError(t, w.UsePasskey(t.Context(), &accounts.Passkey{ID: id.New()}), accounts.ErrNotFound)
}

// Attack 220.
func passkeyUnique(t *testing.T, w *factorWorld) {
	w.passkey(t, "one")
	for _, owner := range []*accounts.User{w.User, w.AddUser(t, "other")} {
		p := &accounts.Passkey{ID: id.New(), UserID: owner.ID, CredentialID: []byte("one"), Credential: "{}", Name: "x", CreatedAt: w.At}
		wantError(t, w.InsertPasskey(t.Context(), p), accounts.ErrConflict)
	}
}

func passkeyOwner(t *testing.T, w *factorWorld) {
	p := w.passkey(t, "one")
	got, u, position, err := w.PasskeyOwner(t.Context(), []byte("one"))
	must(t, err)
	if diff := cmp.Diff(p, got); diff != "" {
		t.Errorf("passkey (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(w.User, u); diff != "" {
		t.Errorf("owner (-want +got):\n%s", diff)
	}
	head, err := w.Head(t.Context())
	must(t, err)
	if position != head.Position {
		t.Errorf("position %d, the ledger's is %d", position, head.Position)
	}
	_, _, _, err = w.PasskeyOwner(t.Context(), []byte("two"))
	wantError(t, err, accounts.ErrNotFound)
}

func recoveryCodesKept(t *testing.T, w *factorWorld) {
	other := w.AddUser(t, "other")
	must(t, w.ReplaceRecoveryCodes(t.Context(), other.ID, [][]byte{secretHash(1)}, w.At))
	must(t, w.ReplaceRecoveryCodes(t.Context(), w.User.ID, [][]byte{secretHash(1), secretHash(2)}, w.At))
	must(t, w.ReplaceRecoveryCodes(t.Context(), w.User.ID, [][]byte{secretHash(3), secretHash(4)}, w.At))
	for _, step := range []struct {
		hash byte
		want bool
	}{{1, false}, {3, true}, {3, false}} {
		if ok, err := w.SpendRecoveryCode(t.Context(), w.User.ID, secretHash(step.hash), w.At); err != nil || ok != step.want {
			t.Errorf("code %d: %t, %v", step.hash, ok, err)
		}
	}
	for _, u := range []struct {
		id   id.ID
		want [][]byte
	}{{w.User.ID, [][]byte{secretHash(4)}}, {other.ID, [][]byte{secretHash(1)}}} {
		got, err := w.RecoveryCodesOf(t.Context(), u.id)
		must(t, err)
		if diff := cmp.Diff(u.want, got); diff != "" {
			t.Errorf("left (-want +got):\n%s", diff)
		}
	}
}

func devicesKept(t *testing.T, w *factorWorld) {
	device := func(n byte, ends int64) *accounts.RememberedDevice {
		d := &accounts.RememberedDevice{
			ID: id.New(), UserID: w.User.ID, TokenHash: secretHash(n), Rev: 7, Binding: secretHash(8), UserAgent: "a browser",
			Address: "192.0.2.1", CreatedAt: w.At, LastUsedAt: w.At, ExpiresAt: w.At + ends,
		}
		must(t, w.InsertDevice(t.Context(), d))
		return d
	}
	one, over := device(1, 100), device(2, 5)
	one.LastUsedAt = w.At + 9
	must(t, w.UseDevice(t.Context(), one.ID, one.LastUsedAt))
	got, err := w.DevicesOf(t.Context(), w.User.ID, w.At+5)
	must(t, err)
	if diff := cmp.Diff([]accounts.RememberedDevice{*one}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	found, err := w.DeviceByID(t.Context(), w.User.ID, over.ID)
	must(t, err)
	if diff := cmp.Diff(over, found); diff != "" {
		t.Errorf("by id (-want +got):\n%s", diff)
	}
	_, err = w.DeviceByID(t.Context(), w.AddUser(t, "other").ID, one.ID)
	wantError(t, err, accounts.ErrNotFound)
	n, err := w.ForgetDevices(t.Context(), w.User.ID)
	if err != nil || n != 2 {
		t.Errorf("forgot %d, %v", n, err)
	}
	wantError(t, w.UseDevice(t.Context(), one.ID, w.At), accounts.ErrNotFound)
}
