package sqldb

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/provider/keys"
	"github.com/gatehouse-id/gatehouse/revocation"
	"github.com/gatehouse-id/gatehouse/storage/storagetest"
)

// remembered are the tables that nodes keep in memory. Of groups they know what each
// holds, which are inside which, and whether it demands a second factor: a new one
// has none of it, and one that is deleted takes that with it. So do permission sets,
// whose descriptions nobody remembers.
const (
	remembered = `clients|client_secrets|client_permissions|client_origins|apis|permissions|group_permissions|signing_keys|` +
		`group_children|permission_set_permissions|client_permission_sets|settings`
	takesAlong = `(DELETE\s+FROM|UPDATE)\s+groups|DELETE\s+FROM\s+permission_sets`
)

// changeCase is one way to write a remembered table, and the statements that it is
// the test of.
type changeCase struct {
	name       string
	statements []string
	do         func(ctx context.Context, d *DB, w *storagetest.World) error
}

// changeCases follow one another in one database.
func changeCases() []changeCase {
	var api *accounts.API
	var permission accounts.Permission
	var client *accounts.Client
	group := &accounts.Group{ID: id.New(), Name: "changing", NameKey: "changing"}
	inside := &accounts.Group{ID: id.New(), Name: "inside", NameKey: "inside"}
	set := &accounts.PermissionSet{ID: id.New(), Name: "set", NameKey: "set"}
	edge := accounts.GroupEdge{Parent: group.ID, Child: inside.ID}
	changed := func(_ bool, err error) error { return err }
	key := keys.Record{KID: "k", Algorithm: keys.ES256, State: keys.Next}
	return []changeCase{
		{"insert an API", []string{"insertAPI"}, func(ctx context.Context, d *DB, _ *storagetest.World) error {
			api = &accounts.API{ID: id.New(), Audience: "https://other.example"}
			return d.InsertAPI(ctx, api)
		}},
		{"update an API", []string{"updateAPI"}, func(ctx context.Context, d *DB, _ *storagetest.World) error {
			api.TokenLifetime = 1
			return d.UpdateAPI(ctx, api)
		}},
		{"insert a permission", []string{"insertPermission"}, func(ctx context.Context, d *DB, _ *storagetest.World) error {
			permission = accounts.Permission{ID: id.New(), APIID: api.ID, Name: "other:read"}
			return d.InsertPermission(ctx, &permission)
		}},
		{"update a permission", []string{"updatePermission"}, func(ctx context.Context, d *DB, _ *storagetest.World) error {
			return d.UpdatePermission(ctx, &permission)
		}},
		{"give a group a permission", []string{"grantPermission"}, func(ctx context.Context, d *DB, _ *storagetest.World) error {
			if err := d.InsertGroup(ctx, group); err != nil {
				return err
			}
			_, err := d.GrantPermission(ctx, group.ID, permission.ID)
			return err
		}},
		{"take a permission from a group", []string{"takePermission"}, func(ctx context.Context, d *DB, _ *storagetest.World) error {
			_, err := d.RevokePermission(ctx, group.ID, permission.ID)
			return err
		}},
		{"let a group demand a second factor", []string{"demandFactor"}, func(ctx context.Context, d *DB, _ *storagetest.World) error {
			return d.DemandFactor(ctx, group.ID, true)
		}},
		{"rename a group", []string{"updateGroup"}, func(ctx context.Context, d *DB, _ *storagetest.World) error {
			return d.UpdateGroup(ctx, group)
		}},
		{"put a group inside another", []string{"insertEdge"}, func(ctx context.Context, d *DB, _ *storagetest.World) error {
			if err := d.InsertGroup(ctx, inside); err != nil {
				return err
			}
			return changed(d.InsertEdge(ctx, edge, 1))
		}},
		{"take a group out of another", []string{"deleteEdge"}, func(ctx context.Context, d *DB, _ *storagetest.World) error {
			return changed(d.DeleteEdge(ctx, edge))
		}},
		{"put a permission into a set", []string{"grantToSet"}, func(ctx context.Context, d *DB, _ *storagetest.World) error {
			if err := d.InsertPermissionSet(ctx, set); err != nil {
				return err
			}
			return changed(d.GrantToSet(ctx, set.ID, permission.ID))
		}},
		{"give a set to a client", []string{"assignSet"}, func(ctx context.Context, d *DB, w *storagetest.World) error {
			return changed(d.AssignSet(ctx, set.ID, w.Client.ID))
		}},
		{"take a set from a client", []string{"unassignSet"}, func(ctx context.Context, d *DB, w *storagetest.World) error {
			return changed(d.UnassignSet(ctx, set.ID, w.Client.ID))
		}},
		{"take a permission out of a set", []string{"revokeFromSet"}, func(ctx context.Context, d *DB, _ *storagetest.World) error {
			return changed(d.RevokeFromSet(ctx, set.ID, permission.ID))
		}},
		{"delete a set", []string{"deletePermissionSet"}, func(ctx context.Context, d *DB, _ *storagetest.World) error {
			return d.DeletePermissionSet(ctx, set.ID)
		}},
		{"delete a group", []string{"deleteGroup"}, func(ctx context.Context, d *DB, _ *storagetest.World) error {
			return d.DeleteGroup(ctx, group.ID)
		}},
		{"insert a client", []string{"insertClient", "addClientPermissions", "addClientOrigin"}, func(ctx context.Context, d *DB, w *storagetest.World) error {
			c := *w.Client
			client = &c
			client.ID, client.ClientID, client.Type = id.New(), "other", accounts.SPAClient
			client.Permissions, client.RedirectURIs = []string{"other:read"}, []string{"https://spa.example/cb"}
			return d.InsertClient(ctx, client)
		}},
		{"update a client", []string{"updateClient", "dropClientPermissions", "dropClientOrigins"}, func(ctx context.Context, d *DB, _ *storagetest.World) error {
			client.Permissions, client.RedirectURIs = nil, nil
			return d.UpdateClient(ctx, client)
		}},
		{"stamp a client", []string{"stampClients"}, func(ctx context.Context, d *DB, _ *storagetest.World) error {
			return d.InTx(ctx, func(ctx context.Context) error {
				return d.Stamp(ctx, revocation.Stamp{Subject: revocation.ClientValidFrom, ID: client.ClientID})
			})
		}},
		{"insert a secret", []string{"insertSecret"}, func(ctx context.Context, d *DB, _ *storagetest.World) error {
			return d.InsertSecret(ctx, client.ID, accounts.ClientSecret{ID: id.New(), Hash: "h"})
		}},
		{"end one secret", []string{"endSecret"}, func(ctx context.Context, d *DB, _ *storagetest.World) error {
			one := accounts.ClientSecret{ID: id.New(), Hash: "one"}
			if err := d.InsertSecret(ctx, client.ID, one); err != nil {
				return err
			}
			return changed(d.EndSecret(ctx, client.ID, one.ID, 1))
		}},
		{"let secrets end", []string{"expireSecrets"}, func(ctx context.Context, d *DB, _ *storagetest.World) error {
			_, err := d.ExpireSecrets(ctx, client.ID, 1)
			return err
		}},
		{"delete a client", []string{"deleteClient"}, func(ctx context.Context, d *DB, _ *storagetest.World) error {
			return d.DeleteClient(ctx, client.ID)
		}},
		{"delete a permission", []string{"deletePermission"}, func(ctx context.Context, d *DB, _ *storagetest.World) error {
			return d.DeletePermission(ctx, permission.ID)
		}},
		{"delete an API", []string{"deleteAPI"}, func(ctx context.Context, d *DB, _ *storagetest.World) error {
			return d.DeleteAPI(ctx, api.ID)
		}},
		{"insert a key", []string{"insertKey"}, func(ctx context.Context, d *DB, _ *storagetest.World) error {
			return d.InsertKey(ctx, key)
		}},
		{"update a key", []string{"updateKey"}, func(ctx context.Context, d *DB, _ *storagetest.World) error {
			key.State = keys.Active
			return d.UpdateKey(ctx, key)
		}},
		{"keep a setting", []string{"putSetting"}, func(ctx context.Context, d *DB, _ *storagetest.World) error {
			return d.PutSetting(ctx, accounts.KeptSetting{Name: "sign_up", Value: "open"})
		}},
		{"keep a setting no longer", []string{"dropSetting"}, func(ctx context.Context, d *DB, _ *storagetest.World) error {
			return d.DropSetting(ctx, "sign_up")
		}},
		{"the ledger was lost", nil, func(ctx context.Context, d *DB, _ *storagetest.World) error {
			return d.AppendAllAbove(ctx, 1_000, "test")
		}},
	}
}

// TestL10_EveryChangeIsCounted: whatever writes a remembered table moves the change
// counter in the same transaction, and what fails moves nothing.
func TestL10_EveryChangeIsCounted(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		d := open(t)
		w := storagetest.NewWorld(t, d)
		for _, c := range changeCases() {
			before, err := d.Change(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := c.do(t.Context(), d, w); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			after, err := d.Change(t.Context())
			if err != nil || after <= before {
				t.Errorf("%s: the counter went from %d to %d, %v", c.name, before, after, err)
			}
			if c.statements == nil && after-before < lostChanges {
				t.Errorf("%s: a number from before the loss can come again: %d after %d", c.name, after, before)
			}
		}
		before, err := d.Change(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := d.InsertAPI(t.Context(), w.API); err == nil {
			t.Error("an API was inserted twice")
		}
		if after, err := d.Change(t.Context()); err != nil || after != before {
			t.Errorf("a change that failed was counted: %d after %d, %v", after, before, err)
		}
	})
}

// TestL10_EveryStatementIsCounted fails when a statement is added that writes a
// remembered table and no case above is its test.
func TestL10_EveryStatementIsCounted(t *testing.T) {
	var tested []string
	for _, c := range changeCases() {
		tested = append(tested, c.statements...)
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	writes := regexp.MustCompile("(?i)((INSERT\\s+INTO|UPDATE|DELETE\\s+FROM)\\s+(" + remembered + ")|" + takesAlong + ")\\b")
	named := regexp.MustCompile("(?s)(\\w+)\\s*=\\s*`([^`]*)`")
	found := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		here := 0
		for _, m := range named.FindAllStringSubmatch(string(text), -1) {
			if !writes.MatchString(m[2]) {
				continue
			}
			here++
			if !slices.Contains(tested, m[1]) {
				t.Errorf("%s: nothing tests that %s moves the change counter", file, m[1])
			}
		}
		if all := len(writes.FindAllString(string(text), -1)); all != here {
			t.Errorf("%s: %d statements write a remembered table, %d of them have a name", file, all, here)
		}
		found += here
	}
	if found != len(tested) {
		t.Errorf("%d statements, %d tested", found, len(tested))
	}
}
