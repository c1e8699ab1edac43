package storagetest

import (
	"context"
	"errors"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// Identity is what the contract of people, groups, APIs and clients is about.
type Identity interface {
	accounts.UserStore
	accounts.UserLister
	accounts.GroupStore
	accounts.MembershipStore
	accounts.CrowdStore
	accounts.NestingStore
	accounts.ManagerStore
	accounts.PermissionSetStore
	accounts.SetHoldingStore
	accounts.APIStore
	accounts.PermissionStore
	accounts.ClientStore
	accounts.SecretStore
	accounts.AuditWriter
	accounts.Tx
	revocation.Appender
	revocation.Reader
}

// Accounts is the contract of the stores of accounts. open returns an empty
// database for the test that it is called with, and closes it when that test
// ends.
func Accounts(t *testing.T, open func(t *testing.T) Identity) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Identity){
		"User":              userKept,
		"UserConflicts":     userConflicts,
		"UserUpdate":        userUpdate,
		"UserLogin":         userLogin,
		"UserList":          userList,
		"Superusers":        superusers,
		"Group":             groupKept,
		"Membership":        membership,
		"MembershipEnds":    membershipEnds,
		"GroupPermissions":  groupPermissions,
		"Nesting":           nestingKept,
		"Holdings":          holdingsKept,
		"Managers":          managersKept,
		"Crowds":            crowds,
		"PermissionSets":    permissionSets,
		"API":               apiKept,
		"Permission":        permissionKept,
		"Client":            clientKept,
		"ClientUpdate":      clientUpdate,
		"ClientPermissions": clientPermissions,
		"ClientList":        clientList,
		"Secrets":           secrets,
		"SharedNames":       sharedNames,
		"SharedNamesRace":   sharedNamesRace,
		"ChangeCounter":     changeCounter,
		"LocksNeedTx":       locksNeedTx,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// must ends the test at an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantError ends the test unless err is what it should be.
func wantError(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
}

// change returns the ledger's change counter.
func change(t testing.TB, s revocation.Reader) int64 {
	t.Helper()
	h, err := s.Head(t.Context())
	must(t, err)
	return h.Change
}

// changeCounter: what copies in memory are made of moves the counter; what
// changes nothing does not.
func changeCounter(t *testing.T, s Identity) {
	ctx := t.Context()
	api := &accounts.API{ID: id.New(), Audience: "https://api.example", Name: "API"}
	p := &accounts.Permission{ID: id.New(), APIID: api.ID, Name: "posts:add", Description: "Can add post"}
	g := &accounts.Group{ID: id.New(), Name: "Editors", NameKey: "editors"}
	c := &accounts.Client{ID: id.New(), ClientID: "app", Type: accounts.WebClient, AuthMethod: accounts.AuthSecret}
	must(t, s.InsertGroup(ctx, g))
	sec := accounts.ClientSecret{ID: id.New(), Hash: "mac:x"}
	ignored := func(_ any, err error) error { return err }
	for _, step := range []struct {
		name  string
		do    func(ctx context.Context) error
		moves bool
	}{
		{"insert API", func(ctx context.Context) error { return s.InsertAPI(ctx, api) }, true},
		{"update API", func(ctx context.Context) error { return s.UpdateAPI(ctx, api) }, true},
		{"insert permission", func(ctx context.Context) error { return s.InsertPermission(ctx, p) }, true},
		{"update permission", func(ctx context.Context) error { return s.UpdatePermission(ctx, p) }, true},
		{"grant", func(ctx context.Context) error { return ignored(s.GrantPermission(ctx, g.ID, p.ID)) }, true},
		{"grant again", func(ctx context.Context) error { return ignored(s.GrantPermission(ctx, g.ID, p.ID)) }, false},
		{"revoke", func(ctx context.Context) error { return ignored(s.RevokePermission(ctx, g.ID, p.ID)) }, true},
		{"revoke again", func(ctx context.Context) error { return ignored(s.RevokePermission(ctx, g.ID, p.ID)) }, false},
		{"insert client", func(ctx context.Context) error { return s.InsertClient(ctx, c) }, true},
		{"update client", func(ctx context.Context) error { return s.UpdateClient(ctx, c) }, true},
		{"insert secret", func(ctx context.Context) error { return s.InsertSecret(ctx, c.ID, sec) }, true},
		{"expire secrets", func(ctx context.Context) error { return ignored(s.ExpireSecrets(ctx, c.ID, 5)) }, true},
		{"expire nothing", func(ctx context.Context) error { return ignored(s.ExpireSecrets(ctx, c.ID, 5)) }, false},
		{"delete client", func(ctx context.Context) error { return s.DeleteClient(ctx, c.ID) }, true},
		{"delete permission", func(ctx context.Context) error { return s.DeletePermission(ctx, p.ID) }, true},
		{"delete API", func(ctx context.Context) error { return s.DeleteAPI(ctx, api.ID) }, true},
		{"delete group", func(ctx context.Context) error { return s.DeleteGroup(ctx, g.ID) }, true},
		{"two in one", func(ctx context.Context) error {
			return s.InTx(ctx, func(ctx context.Context) error {
				return errors.Join(s.InsertAPI(ctx, api), s.InsertClient(ctx, c))
			})
		}, true},
		{"rolled back", func(ctx context.Context) error {
			rollback := errors.New("rollback")
			err := s.InTx(ctx, func(ctx context.Context) error {
				return errors.Join(s.UpdateAPI(ctx, api), rollback)
			})
			if !errors.Is(err, rollback) {
				return errors.New("the error of the function was lost")
			}
			return nil
		}, false},
	} {
		before := change(t, s)
		must(t, step.do(ctx))
		if moved := change(t, s) - before; (moved != 0) != step.moves || moved > 1 {
			t.Errorf("%s moved the counter by %d", step.name, moved)
		}
	}
	if h, err := s.Head(ctx); err != nil || h.Position != 0 {
		t.Errorf("what revokes nothing moved the position: %+v, %v", h, err)
	}
}

func locksNeedTx(t *testing.T, s Identity) {
	if _, err := s.LockUser(t.Context(), "x"); err == nil || errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("LockUser outside a transaction: %v", err)
	}
	for _, alone := range []bool{false, true} {
		if err := s.LockPermissions(t.Context(), alone); err == nil {
			t.Errorf("LockPermissions(%v) outside a transaction", alone)
		}
	}
	if _, err := s.LockClient(t.Context(), "x"); err == nil || errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("LockClient outside a transaction: %v", err)
	}
}
