package ascode

import (
	"context"
	"fmt"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// Deployment is what files are applied to and written from.
type Deployment struct {
	APIs    *accounts.APIs
	Sets    *accounts.PermissionSets
	Groups  *accounts.Groups
	Users   *accounts.Users
	Clients *accounts.Clients
	Marks   *accounts.Marks
	Grants  GrantCounter
	Keys    *secret.Keyring
	// Settings are those that a file can hold, in their order, as they are. Kept changes
	// those of them that the database can keep and the configuration does not give; the
	// others are only expected.
	Settings []Setting
	Kept     *accounts.SettingsKeeper
	// Secret reads a secret that a file refers to: kind is env or file.
	Secret func(kind, name string) (secret.Text, error)
	// Vacant refuses a path where the secret of a new client could not be kept.
	Vacant func(path string) error
}

// Setting is one of the deployment's settings: a text, a truth value, a number or a
// list of texts.
type Setting struct {
	Name  string
	Value any
}

// GrantCounter tells how many grants of a client have not ended, up to most.
type GrantCounter interface {
	LiveGrants(ctx context.Context, clientID id.ID, most int) (int, error)
}

// page is how many rows are read at once.
const page = 200

// builtin reports whether an API is Gatehouse's own.
func builtin(a *accounts.API) bool {
	for _, p := range a.Permissions {
		if p.Name == accounts.PermissionRevocationsRead {
			return true
		}
	}
	return false
}

// listed calls see for every client.
func (d *Deployment) eachClient(ctx context.Context, see func(c *accounts.Client) error) error {
	for after := ""; ; {
		list, err := d.Clients.Store.ListClients(ctx, after, page)
		if err != nil {
			return fmt.Errorf("list clients: %w", err)
		}
		for i := range list {
			after = list[i].ClientID
			if err := see(&list[i]); err != nil {
				return err
			}
		}
		if len(list) < page {
			return nil
		}
	}
}

func (d *Deployment) allSets(ctx context.Context) ([]accounts.PermissionSet, error) {
	var all []accounts.PermissionSet
	for after := ""; ; {
		list, err := d.Sets.Page(ctx, "", after, page)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
		if len(list) < page {
			return all, nil
		}
		after = list[len(list)-1].NameKey
	}
}

// members are who is in the group itself now, in the order of their usernames.
func (d *Deployment) members(ctx context.Context, group string) ([]accounts.Member, error) {
	var all []accounts.Member
	now := d.Groups.Now().UnixMilli()
	for after := (id.ID{}); ; {
		list, err := d.Groups.MemberPage(ctx, group, after, page)
		if err != nil {
			return nil, fmt.Errorf("members: %w", err)
		}
		for _, m := range list {
			after = m.UserID
			if m.EndsAt == 0 || m.EndsAt > now {
				all = append(all, m)
			}
		}
		if len(list) < page {
			return all, nil
		}
	}
}

// readSecret follows a reference such as env:NAME or file:PATH.
func (d *Deployment) readSecret(from string) (secret.Text, error) {
	kind, name, ok := strings.Cut(from, ":")
	if !ok || name == "" || kind != "env" && kind != "file" {
		return "", fmt.Errorf("secret_from %q: write env:NAME or file:PATH", from)
	}
	text, err := d.Secret(kind, name)
	if err != nil {
		return "", fmt.Errorf("secret_from %s: %w", from, err)
	}
	return text, nil
}
