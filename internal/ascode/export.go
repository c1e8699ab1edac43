package ascode

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// Sections are the parts of a file that Export can be limited to, in their order.
func Sections() []string { return []string{"settings", "apis", "permission_sets", "groups", "clients"} }

// ExportOptions say what is written.
type ExportOptions struct {
	Only []string // of Sections; empty means all
	// People are written with the groups: members, until when, and managers.
	People bool
}

// Export reads the deployment. The same state is the same file. Gatehouse's own API
// and the clients of resource servers are left out: they are made with the
// deployment and with their APIs.
func (d *Deployment) Export(ctx context.Context, opts ExportOptions) (*File, error) {
	for _, s := range opts.Only {
		if !slices.Contains(Sections(), s) {
			return nil, fmt.Errorf("there is no section %q, but %s", s, strings.Join(Sections(), ", "))
		}
	}
	f := &File{}
	parts := map[string]func(context.Context, *File, ExportOptions) error{
		"settings": d.exportSettings, "apis": d.exportAPIs, "permission_sets": d.exportSets,
		"groups": d.exportGroups, "clients": d.exportClients,
	}
	// One transaction: on SQLite nothing changes between the parts. On PostgreSQL each
	// part is of one moment, and what changes between two shows in the next export.
	err := d.Marks.Tx.InTx(ctx, func(ctx context.Context) error {
		*f = File{}
		for _, s := range Sections() {
			if len(opts.Only) > 0 && !slices.Contains(opts.Only, s) {
				continue
			}
			if err := parts[s](ctx, f, opts); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (d *Deployment) exportSettings(_ context.Context, f *File, _ ExportOptions) error {
	f.Settings = map[string]any{}
	for _, s := range d.Settings {
		f.Settings[s.Name] = s.Value
	}
	return nil
}

func (d *Deployment) exportAPIs(ctx context.Context, f *File, _ ExportOptions) error {
	list, err := d.APIs.Store.ListAPIs(ctx)
	if err != nil {
		return fmt.Errorf("list APIs: %w", err)
	}
	for i := range list {
		if !builtin(&list[i]) {
			f.APIs = append(f.APIs, fileAPI(&list[i]).tidy())
		}
	}
	inOrder(f.APIs)
	return nil
}

func (d *Deployment) exportSets(ctx context.Context, f *File, _ ExportOptions) error {
	list, err := d.allSets(ctx)
	if err != nil {
		return err
	}
	for i := range list {
		s := fileSet(&list[i])
		s.Description = unlessZero(s.Description)
		f.PermissionSets = append(f.PermissionSets, s)
	}
	inOrder(f.PermissionSets)
	return nil
}

func (d *Deployment) exportGroups(ctx context.Context, f *File, opts ExportOptions) error {
	list, err := d.Groups.Store.ListGroups(ctx)
	if err != nil {
		return fmt.Errorf("list groups: %w", err)
	}
	for i := range list {
		g := fileGroup(&list[i]).tidy()
		if opts.People {
			if err := d.exportPeople(ctx, &list[i], &g); err != nil {
				return fmt.Errorf("group %q: %w", g.Name, err)
			}
		}
		f.Groups = append(f.Groups, g)
	}
	inOrder(f.Groups)
	return nil
}

func (d *Deployment) exportPeople(ctx context.Context, from *accounts.Group, to *Group) error {
	members, err := d.members(ctx, from.Name)
	if err != nil {
		return err
	}
	to.Members, to.Managers = []Member{}, []string{}
	for _, m := range members {
		to.Members = append(to.Members, member(m.Username, m.EndsAt))
	}
	slices.SortFunc(to.Members, func(a, b Member) int { return strings.Compare(a.User, b.User) })
	for _, sub := range from.Managers {
		u, err := d.Users.Store.UserBySubject(ctx, sub)
		if err != nil {
			return fmt.Errorf("manager: %w", err)
		}
		to.Managers = append(to.Managers, u.Username)
	}
	slices.Sort(to.Managers)
	return nil
}

func (d *Deployment) exportClients(ctx context.Context, f *File, _ ExportOptions) error {
	err := d.eachClient(ctx, func(c *accounts.Client) error {
		if c.Type != accounts.ResourceClient {
			f.Clients = append(f.Clients, fileClient(c).tidy())
		}
		return nil
	})
	inOrder(f.Clients)
	return err
}

// inOrder sorts by what an object is found by, byte by byte: databases sort texts in
// ways of their own.
func inOrder[T object](list []T) {
	slices.SortFunc(list, func(a, b T) int { return strings.Compare(a.key(), b.key()) })
}

// header says what the file is.
const header = "# Made by gatehouse export; gatehouse apply -f makes what it says.\n"

// Write writes a file in YAML.
func (f *File) Write(w io.Writer) error {
	var out bytes.Buffer
	out.WriteString(header)
	e := yaml.NewEncoder(&out, yaml.Indent(2), yaml.IndentSequence(true), yaml.UseSingleQuote(true))
	if err := e.Encode(f); err != nil {
		return fmt.Errorf("write the file: %w", err)
	}
	if _, err := w.Write(out.Bytes()); err != nil {
		return fmt.Errorf("write the file: %w", err)
	}
	return nil
}
