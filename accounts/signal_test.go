package accounts_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// ear collects signals, or fails.
type ear struct {
	heard []accounts.Signal
	err   error
}

func (e *ear) WriteSignal(_ context.Context, s accounts.Signal) error {
	e.heard = append(e.heard, s)
	return e.err
}

// TestSignals: what takes nothing away writes no row, and is told all the same;
// what does is told by its row alone.
func TestSignals(t *testing.T) {
	w := newWorld(t)
	ctx, e := t.Context(), &ear{}
	w.users.Signals = e
	u := w.user("alice")
	at := w.now().UnixMilli()

	w.must(w.users.Unban(ctx, operator(), u.Subject)) // not banned
	w.must(w.users.Ban(ctx, operator(), u.Subject))
	w.must(w.users.Unban(ctx, operator(), u.Subject))
	w.must(w.users.SetPassword(ctx, operator(), u.Subject, "a reset that is long"))
	w.must(w.users.ChangePassword(ctx, operator(), w.proof(u), secret.Text("a change that is long"), id.ID{}))
	want := []accounts.Signal{
		{Kind: accounts.SignalUnbanned, Subject: u.Subject, At: at},
		{Kind: accounts.SignalPasswordChanged, Subject: u.Subject, At: at, Own: true},
	}
	if diff := cmp.Diff(want, e.heard); diff != "" {
		t.Error(diff)
	}
}

// TestSignals_SameTransaction: a signal that cannot be written undoes its cause.
func TestSignals_SameTransaction(t *testing.T) {
	w := newWorld(t)
	ctx, e := t.Context(), &ear{err: errors.New("full")}
	u := w.user("alice")
	w.must(w.users.Ban(ctx, operator(), u.Subject))
	w.users.Signals = e
	if err := w.users.Unban(ctx, operator(), u.Subject); !errors.Is(err, e.err) {
		t.Errorf("unban: %v", err)
	}
	after, err := w.db.UserBySubject(ctx, u.Subject)
	w.must(err)
	if after.Active() {
		t.Error("the ban was lifted although the signal was not written")
	}
}

// TestEnsureBuiltin_Upgrade: a database that an earlier release made gets the
// permissions that it lacks, once.
func TestEnsureBuiltin_Upgrade(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	drop := func(name string) {
		found, err := w.db.PermissionsByName(ctx, []string{name})
		w.must(err)
		w.must(w.db.InTx(ctx, func(ctx context.Context) error { return w.db.DeletePermission(ctx, found[name].ID) }))
	}
	drop(accounts.PermissionSignalsManage)
	drop(accounts.PermissionSignalsAll)
	drop(accounts.AdminUsersRead)
	for range 2 {
		w.must(w.apis.EnsureBuiltin(ctx, "http://localhost:8400"))
	}
	apis, err := w.db.ListAPIs(ctx)
	w.must(err)
	var names []string
	for _, p := range apis[0].Permissions {
		names = append(names, p.Name)
	}
	var want []string
	for _, p := range accounts.BuiltinPermissions() {
		want = append(want, p.Name)
	}
	slices.Sort(names)
	slices.Sort(want)
	if diff := cmp.Diff(want, names); diff != "" || len(want) != 3+len(accounts.AdminPermissions()) {
		t.Error(diff)
	}
	n := accounts.NewPermission{Name: "signals:mine", Description: "Not theirs to name"}
	w.must(ignore(w.apis.Create(ctx, operator(), accounts.NewAPI{Audience: "https://api.example", Name: "API"})))
	if err := w.apis.AddPermission(ctx, operator(), "https://api.example", n); !errors.Is(err, accounts.ErrInvalid) {
		t.Errorf("a name of the built-in API: %v", err)
	}
}

func ignore(_ *accounts.API, _ *accounts.Client, _ secret.Text, err error) error { return err }
