package storagetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

func waitingKept(t *testing.T, w *factorWorld) {
	want := w.waiting(t, 1)
	stepUp := &accounts.WaitingSignIn{
		ID: id.New(), TokenHash: secretHash(2), UserID: w.User.ID, SessionID: w.Session.ID, Rev: 4, Binding: secretHash(9),
		AMR: []string{"pwd", "pop"}, CreatedAt: w.At, ExpiresAt: w.At + 600,
	}
	must(t, w.InsertWaiting(t.Context(), stepUp))
	for _, s := range []*accounts.WaitingSignIn{want, stepUp} {
		got, u, err := w.WaitingByToken(t.Context(), s.TokenHash)
		must(t, err)
		if diff := cmp.Diff(s, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(w.User, u); diff != "" {
			t.Errorf("user (-want +got):\n%s", diff)
		}
	}
	_, _, err := w.WaitingByToken(t.Context(), secretHash(3))
	wantError(t, err, accounts.ErrNotFound)
}

func waitingOnce(t *testing.T, w *factorWorld) {
	one, two, over := w.waiting(t, 1), w.waiting(t, 2), w.waiting(t, 3)
	spend := func(s *accounts.WaitingSignIn, at int64, want bool) {
		t.Helper()
		if ok, err := w.SpendWaiting(t.Context(), s.ID, at); err != nil || ok != want {
			t.Errorf("spent %t, %v", ok, err)
		}
	}
	spend(one, w.At+1, true)
	spend(one, w.At+1, false)
	spend(over, over.ExpiresAt, false)
	must(t, w.EndWaiting(t.Context(), w.User.ID, w.At+2))
	spend(two, w.At+3, false)
	got, _, err := w.WaitingByToken(t.Context(), two.TokenHash)
	must(t, err)
	if got.SpentAt != w.At+2 {
		t.Errorf("spent at %d", got.SpentAt-w.At)
	}
	if ok, err := w.CountAttempt(t.Context(), one.ID, 10, w.At+3); err != nil || ok {
		t.Errorf("an attempt at what is spent: %t, %v", ok, err)
	}
}

func attemptsCounted(t *testing.T, w *factorWorld) {
	s := w.waiting(t, 1)
	for i := range 4 {
		if ok, err := w.CountAttempt(t.Context(), s.ID, 3, w.At); err != nil || ok != (i < 3) {
			t.Errorf("attempt %d: %t, %v", i+1, ok, err)
		}
	}
	if ok, err := w.CountAttempt(t.Context(), s.ID, 9, s.ExpiresAt); err != nil || ok {
		t.Errorf("an attempt at what has expired: %t, %v", ok, err)
	}
}

func factorsRemoved(t *testing.T, w *factorWorld) {
	app, key := w.totp(t), w.passkey(t, "one")
	other := w.AddUser(t, "other")
	for _, f := range []id.ID{app.ID, key.ID} {
		must(t, w.RenameFactor(t.Context(), w.User.ID, f, "renamed"))
		wantError(t, w.RenameFactor(t.Context(), other.ID, f, "stolen"), accounts.ErrNotFound)
		wantError(t, w.RemoveFactor(t.Context(), other.ID, f), accounts.ErrNotFound)
	}
	apps, err := w.TOTPsOf(t.Context(), w.User.ID)
	must(t, err)
	keys, err := w.PasskeysOf(t.Context(), w.User.ID)
	must(t, err)
	if len(apps) != 1 || len(keys) != 1 || apps[0].Name != "renamed" || keys[0].Name != "renamed" {
		t.Errorf("%+v %+v", apps, keys)
	}
	for _, f := range []id.ID{app.ID, key.ID} {
		must(t, w.RemoveFactor(t.Context(), w.User.ID, f))
		wantError(t, w.RemoveFactor(t.Context(), w.User.ID, f), accounts.ErrNotFound)
	}
	w.totp(t)
	w.passkey(t, "two")
	must(t, w.ReplaceRecoveryCodes(t.Context(), w.User.ID, [][]byte{secretHash(1)}, w.At))
	n, err := w.RemoveFactors(t.Context(), w.User.ID)
	if err != nil || n != 2 {
		t.Errorf("removed %d, %v", n, err)
	}
	if codes, err := w.RecoveryCodesOf(t.Context(), w.User.ID); err != nil || len(codes) != 0 {
		t.Errorf("%d codes left, %v", len(codes), err)
	}
}

func factorPolicy(t *testing.T, w *factorWorld) {
	check := func(what string, has, needed bool, at int64) {
		t.Helper()
		gotHas, gotNeeded, err := w.FactorPolicy(t.Context(), w.User.ID, at)
		must(t, err)
		if gotHas != has || gotNeeded != needed {
			t.Errorf("%s: has %t, needs %t", what, gotHas, gotNeeded)
		}
	}
	w.Join(t, w.Group, w.At+50)
	check("a member", false, false, w.At)
	must(t, w.DemandFactor(t.Context(), w.Group.ID, true))
	check("a member who needs one", false, true, w.At)
	check("a member no more", false, false, w.At+50)
	app := w.totp(t)
	check("with an app", true, true, w.At)
	must(t, w.RemoveFactor(t.Context(), w.User.ID, app.ID))
	w.passkey(t, "one")
	check("with a passkey", true, true, w.At)
	if has, needed, err := w.FactorPolicy(t.Context(), w.AddUser(t, "other").ID, w.At); err != nil || has || needed {
		t.Errorf("somebody else: %t %t %v", has, needed, err)
	}
}

func takenOnce(t *testing.T, w *factorWorld) {
	for i, step := range []struct {
		key  string
		want bool
	}{{"a", true}, {"a", false}, {"b", true}, {"", true}, {"b", false}} {
		key := []byte(step.key + w.User.ID.String())
		if ok, err := w.TakeOnce(t.Context(), key, w.At+1); err != nil || ok != step.want {
			t.Errorf("step %d: %t, %v", i, ok, err)
		}
	}
}

func factorsLeave(t *testing.T, w *factorWorld) {
	w.totp(t)
	w.passkey(t, "one")
	s := w.waiting(t, 1)
	must(t, w.ReplaceRecoveryCodes(t.Context(), w.User.ID, [][]byte{secretHash(1)}, w.At))
	must(t, w.DeleteUser(t.Context(), w.User.ID))
	if has, _, err := w.FactorPolicy(t.Context(), w.User.ID, w.At); err != nil || has {
		t.Errorf("factors of a deleted user: %t, %v", has, err)
	}
	_, _, err := w.WaitingByToken(t.Context(), s.TokenHash)
	wantError(t, err, accounts.ErrNotFound)
	if ok, err := w.SpendWaiting(t.Context(), s.ID, w.At); err != nil || ok {
		t.Errorf("pending sign-in of a deleted user: %t, %v", ok, err)
	}
}

func factorsOfNobody(t *testing.T, w *factorWorld) {
	nobody := id.New()
	wantError(t, w.InsertTOTP(t.Context(), &accounts.TOTP{ID: id.New(), UserID: nobody, Sealed: []byte{1}}), accounts.ErrNotFound)
	wantError(t, w.InsertPasskey(t.Context(), &accounts.Passkey{ID: id.New(), UserID: nobody, CredentialID: []byte("x")}), accounts.ErrNotFound)
	wantError(t, w.ReplaceRecoveryCodes(t.Context(), nobody, [][]byte{secretHash(1)}, w.At), accounts.ErrNotFound)
	wantError(t, w.InsertWaiting(t.Context(), &accounts.WaitingSignIn{
		ID: id.New(), UserID: nobody, TokenHash: secretHash(1), Binding: secretHash(1),
	}), accounts.ErrNotFound)
	wantError(t, w.InsertDevice(t.Context(), &accounts.RememberedDevice{
		ID: id.New(), UserID: nobody, TokenHash: secretHash(1), Binding: secretHash(1),
	}), accounts.ErrNotFound)
}

// factorRace calls f from all racers at once.
func factorRace(t *testing.T, w *factorWorld, f func(node FactorBackend, i int) (bool, error)) int64 {
	t.Helper()
	nodes := make([]GrantBackend, len(w.nodes))
	for i, n := range w.nodes {
		nodes[i] = n
	}
	return race(t, nodes, func(node GrantBackend, i int) (bool, error) { return f(node.(FactorBackend), i) })
}

// Attack 210.
func raceTOTP(t *testing.T, w *factorWorld) {
	a := w.totp(t)
	for round := range int64(rounds()) {
		wantOne(t, factorRace(t, w, func(node FactorBackend, _ int) (bool, error) {
			return node.UseTOTP(t.Context(), a.ID, 11+round, w.At)
		}))
	}
}

// Attack 210.
func raceRecovery(t *testing.T, w *factorWorld) {
	for range rounds() {
		must(t, w.ReplaceRecoveryCodes(t.Context(), w.User.ID, [][]byte{secretHash(1), secretHash(2)}, w.At))
		wantOne(t, factorRace(t, w, func(node FactorBackend, _ int) (bool, error) {
			return node.SpendRecoveryCode(t.Context(), w.User.ID, secretHash(1), w.At)
		}))
	}
}

func raceWaiting(t *testing.T, w *factorWorld) {
	for round := range min(rounds(), 250) {
		s := w.waiting(t, byte(round+1))
		wantOne(t, factorRace(t, w, func(node FactorBackend, _ int) (bool, error) {
			return node.SpendWaiting(t.Context(), s.ID, w.At)
		}))
	}
}

func raceAttempts(t *testing.T, w *factorWorld) {
	s := w.waiting(t, 1)
	wins := factorRace(t, w, func(node FactorBackend, _ int) (bool, error) {
		return node.CountAttempt(t.Context(), s.ID, 10, w.At)
	})
	if wins != 10 {
		t.Errorf("%d attempts were allowed", wins)
	}
}

// Attack 216.
func raceTakeOnce(t *testing.T, w *factorWorld) {
	for range rounds() {
		key := []byte(id.New().String())
		wantOne(t, factorRace(t, w, func(node FactorBackend, _ int) (bool, error) {
			return node.TakeOnce(t.Context(), key, w.At)
		}))
	}
}
