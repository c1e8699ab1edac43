package api

import (
	"context"
	"net/http"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

const tagSets = "permission sets"

// PermissionSet is a number of permissions under one name, which apps that act for
// themselves hold besides their own.
type PermissionSet struct {
	Name        string     `json:"name"`
	Description string     `json:"description"`
	Permissions []string   `json:"permissions" nullable:"false"`
	Clients     []string   `json:"clients,omitempty" nullable:"false" doc:"client_ids of those that hold it; not in lists."`
	CreatedAt   *time.Time `json:"created_at,omitempty"`
	Marked
}

func setOf(p *accounts.PermissionSet) PermissionSet {
	return PermissionSet{
		Name: p.Name, Description: p.Description, Permissions: filled(p.Permissions), Clients: p.Clients, CreatedAt: timeOf(p.CreatedAt),
	}
}

// NewPermissionSet is what a set is made of.
type NewPermissionSet struct {
	Name        string `json:"name" minLength:"1" maxLength:"100"`
	Description string `json:"description,omitempty" maxLength:"500"`
}

// PermissionSetPatch is a change of a set.
type PermissionSetPatch struct {
	Description Change[string] `json:"description,omitempty" maxLength:"500"`
}

// SetPath names a permission set in a path.
type SetPath struct {
	Set string `path:"set" maxLength:"1024" doc:"Its name in any case; one with other characters than letters, digits and -._~ is written as ~ and its base64url."`
}

func (s *surface) permissionSets() {
	register(s, Route{
		ID: "listPermissionSets", Method: http.MethodGet, Path: "/permission-sets", Tag: tagSets, Permission: accounts.AdminClientsRead,
		Summary: "List permission sets", Details: "In the order of their names.",
	}, func(ctx context.Context, c *admin.Caller, in *ByName) (*List[PermissionSet], error) {
		var at nameKey
		if err := s.after(ctx, in.Cursor, &at); err != nil {
			return nil, err
		}
		read, err := s.Admin.ListPermissionSets(ctx, c, in.Name, at.Key, in.Limit+1)
		if err != nil {
			return nil, err
		}
		found, more := cut(read, in.Limit)
		items := make([]PermissionSet, len(found))
		for i := range found {
			items[i] = setOf(&found[i])
		}
		if err := markAll(ctx, s, accounts.ManagedPermissionSet, items, func(i int) id.ID { return found[i].ID }); err != nil {
			return nil, err
		}
		if !more {
			return page(s, ctx, items, nil)
		}
		return page(s, ctx, items, nameKey{found[len(found)-1].NameKey})
	})
	register(s, Route{
		ID: "createPermissionSet", Method: http.MethodPost, Path: "/permission-sets", Tag: tagSets, Permission: accounts.AdminClientsWrite,
		Summary: "Create a permission set", Status: http.StatusCreated,
	}, func(ctx context.Context, c *admin.Caller, in *struct{ Body NewPermissionSet }) (*Created[PermissionSet], error) {
		made, err := s.Admin.CreatePermissionSet(ctx, c, in.Body.Name, in.Body.Description)
		if err != nil {
			return nil, err
		}
		set := setOf(made)
		return created(s, "/permission-sets", made.Name, set, set), nil
	})
	s.permissionSet()
	s.permissionSetParts()
}

func (s *surface) permissionSet() {
	register(s, Route{
		ID: "getPermissionSet", Method: http.MethodGet, Path: "/permission-sets/{set}", Tag: tagSets, Permission: accounts.AdminClientsRead,
		Summary: "Show a permission set",
	}, func(ctx context.Context, c *admin.Caller, in *struct {
		SetPath
		Seen
	},
	) (*One[PermissionSet], error) {
		name, err := fromSegment(in.Set)
		if err != nil {
			return nil, err
		}
		found, err := s.Admin.PermissionSet(ctx, c, name)
		if err != nil {
			return nil, err
		}
		return oneMarked(ctx, s, in.Seen, accounts.ManagedPermissionSet, found.ID, setOf(found))
	})
	register(s, Route{
		ID: "updatePermissionSet", Method: http.MethodPatch, Path: "/permission-sets/{set}", Tag: tagSets, Permission: accounts.AdminClientsWrite,
		Summary: "Change a permission set", Details: "A merge patch (RFC 7396).",
	}, func(ctx context.Context, c *admin.Caller, in *struct {
		SetPath
		Match
		Body PermissionSetPatch
	},
	) (*One[PermissionSet], error) {
		if err := in.given(); err != nil {
			return nil, err
		}
		name, err := fromSegment(in.Set)
		if err != nil {
			return nil, err
		}
		changed, err := s.Admin.DescribePermissionSet(ctx, c, name, in.Body.Description.pointer(), func(p *accounts.PermissionSet) error {
			return in.unless(tagOf(setOf(p)))
		})
		if err != nil {
			return nil, err
		}
		return oneMarked(ctx, s, Seen{}, accounts.ManagedPermissionSet, changed.ID, setOf(changed))
	})
	register(s, Route{
		ID: "deletePermissionSet", Method: http.MethodDelete, Path: "/permission-sets/{set}", Tag: tagSets, Permission: accounts.AdminClientsWrite,
		Summary: "Delete a permission set", Details: "The apps that hold it lose what nothing else gives them.", Status: http.StatusNoContent,
	}, func(ctx context.Context, c *admin.Caller, in *SetPath) (*struct{}, error) {
		name, err := fromSegment(in.Set)
		if err != nil {
			return nil, err
		}
		return nil, s.Admin.DeletePermissionSet(ctx, c, name)
	})
}

// permissionSetParts are what a set holds, and who holds it.
func (s *surface) permissionSetParts() {
	for _, r := range []struct {
		route Route
		do    func(ctx context.Context, c *admin.Caller, set, other string) error
	}{
		{Route{
			ID: "giveSetPermission", Method: http.MethodPut, Path: "/permission-sets/{set}/permissions/{other}",
			Summary: "Put a permission into a set", Details: "You must hold it yourself.",
		}, s.Admin.GiveToSet},
		{Route{
			ID: "takeSetPermission", Method: http.MethodDelete, Path: "/permission-sets/{set}/permissions/{other}",
			Summary: "Take a permission out of a set",
		}, s.Admin.TakeFromSet},
		{Route{
			ID: "assignSet", Method: http.MethodPut, Path: "/permission-sets/{set}/clients/{other}",
			Summary: "Let an app hold a permission set", Details: "`other` is its client_id. You must hold what the set holds.",
		}, s.Admin.AssignSet},
		{Route{
			ID: "unassignSet", Method: http.MethodDelete, Path: "/permission-sets/{set}/clients/{other}",
			Summary: "Take a permission set from an app", Details: "`other` is its client_id.",
		}, s.Admin.UnassignSet},
	} {
		r.route.Tag, r.route.Permission, r.route.Status = tagSets, accounts.AdminClientsWrite, http.StatusNoContent
		register(s, r.route, func(ctx context.Context, c *admin.Caller, in *struct {
			SetPath
			Other string `path:"other" maxLength:"4096"`
		},
		) (*struct{}, error) {
			set, other, err := two(in.Set, in.Other)
			if err != nil {
				return nil, err
			}
			return nil, r.do(ctx, c, set, other)
		})
	}
}
