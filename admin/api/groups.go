package api

import (
	"context"
	"net/http"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

const tagGroups = "groups"

// Group is a named set of people that holds permissions.
type Group struct {
	Name         string     `json:"name"`
	Description  string     `json:"description"`
	SecondFactor bool       `json:"second_factor" doc:"Members need two factors."`
	Permissions  []string   `json:"permissions" nullable:"false" doc:"What the group itself holds."`
	Parents      []string   `json:"parents" nullable:"false" doc:"Groups that this one is inside: its members are theirs too."`
	Children     []string   `json:"children" nullable:"false" doc:"Groups inside this one."`
	Managers     []string   `json:"managers" nullable:"false" doc:"Subs of those who may add and remove members."`
	CreatedAt    *time.Time `json:"created_at,omitempty"`
	Marked
}

func groupOf(g *accounts.Group) Group {
	return Group{
		Name: g.Name, Description: g.Description, SecondFactor: g.SecondFactor, Permissions: filled(g.Permissions),
		Parents: filled(g.Parents), Children: filled(g.Children), Managers: filled(g.Managers), CreatedAt: timeOf(g.CreatedAt),
	}
}

// ListedGroup is a group as lists show it.
type ListedGroup struct {
	Name         string     `json:"name"`
	Description  string     `json:"description"`
	SecondFactor bool       `json:"second_factor"`
	Permissions  []string   `json:"permissions" nullable:"false" doc:"What the group itself holds."`
	CreatedAt    *time.Time `json:"created_at,omitempty"`
	Marked
}

// NewGroup is what a group is made of.
type NewGroup struct {
	Name        string `json:"name" minLength:"1" maxLength:"100"`
	Description string `json:"description,omitempty" maxLength:"500"`
}

// GroupPatch is a change of a group.
type GroupPatch struct {
	Description  Change[string] `json:"description,omitempty" maxLength:"500"`
	SecondFactor Change[bool]   `json:"second_factor,omitempty"`
}

// GroupPath names a group in a path.
type GroupPath struct {
	Group string `path:"group" maxLength:"1024" doc:"Its name in any case; one with other characters than letters, digits and -._~ is written as ~ and its base64url."`
}

// ByName asks for things by the beginning of their names.
type ByName struct {
	Paging
	Name string `query:"name" maxLength:"100" doc:"Those whose name begins so, in any case."`
}

// nameKey is where a list in the order of names goes on.
type nameKey struct {
	Key string `json:"k"`
}

func (s *surface) groups() {
	register(s, Route{
		ID: "listGroups", Method: http.MethodGet, Path: "/groups", Tag: tagGroups, Permission: accounts.AdminGroupsRead,
		Summary: "List groups", Details: "In the order of their names. Members are not counted.",
	}, func(ctx context.Context, c *admin.Caller, in *ByName) (*List[ListedGroup], error) {
		var at nameKey
		if err := s.after(ctx, in.Cursor, &at); err != nil {
			return nil, err
		}
		read, err := s.Admin.ListGroups(ctx, c, in.Name, at.Key, in.Limit+1)
		if err != nil {
			return nil, err
		}
		found, more := cut(read, in.Limit)
		items := make([]ListedGroup, len(found))
		for i, g := range found {
			items[i] = ListedGroup{
				Name: g.Name, Description: g.Description, SecondFactor: g.SecondFactor, Permissions: filled(g.Permissions), CreatedAt: timeOf(g.CreatedAt),
			}
		}
		if err := markAll(ctx, s, accounts.ManagedGroup, items, func(i int) id.ID { return found[i].ID }); err != nil {
			return nil, err
		}
		if !more {
			return page(s, ctx, items, nil)
		}
		return page(s, ctx, items, nameKey{found[len(found)-1].NameKey})
	})
	register(s, Route{
		ID: "createGroup", Method: http.MethodPost, Path: "/groups", Tag: tagGroups, Permission: accounts.AdminGroupsWrite,
		Summary: "Create a group", Status: http.StatusCreated,
	}, func(ctx context.Context, c *admin.Caller, in *struct{ Body NewGroup }) (*Created[Group], error) {
		made, err := s.Admin.CreateGroup(ctx, c, in.Body.Name, in.Body.Description)
		if err != nil {
			return nil, err
		}
		group := groupOf(made)
		return created(s, "/groups", made.Name, group, group), nil
	})
	s.group()
	s.groupPermissions()
	s.groupRelations()
	s.groupMembers()
}

func (s *surface) group() {
	register(s, Route{
		ID: "getGroup", Method: http.MethodGet, Path: "/groups/{group}", Tag: tagGroups, Permission: accounts.AdminGroupsRead,
		Summary: "Show a group",
	}, func(ctx context.Context, c *admin.Caller, in *struct {
		GroupPath
		Seen
	},
	) (*One[Group], error) {
		name, err := fromSegment(in.Group)
		if err != nil {
			return nil, err
		}
		found, err := s.Admin.Group(ctx, c, name)
		if err != nil {
			return nil, err
		}
		return oneMarked(ctx, s, in.Seen, accounts.ManagedGroup, found.ID, groupOf(found))
	})
	register(s, Route{
		ID: "updateGroup", Method: http.MethodPatch, Path: "/groups/{group}", Tag: tagGroups, Permission: accounts.AdminGroupsWrite,
		Summary: "Change a group", Details: "A merge patch (RFC 7396).",
	}, func(ctx context.Context, c *admin.Caller, in *struct {
		GroupPath
		Match
		Body GroupPatch
	},
	) (*One[Group], error) {
		if err := in.given(); err != nil {
			return nil, err
		}
		name, err := fromSegment(in.Group)
		if err != nil {
			return nil, err
		}
		change := admin.GroupChange{Description: in.Body.Description.pointer(), SecondFactor: in.Body.SecondFactor.pointer()}
		changed, err := s.Admin.UpdateGroup(ctx, c, name, change, func(g *accounts.Group) error {
			return in.unless(tagOf(groupOf(g)))
		})
		if err != nil {
			return nil, err
		}
		return oneMarked(ctx, s, Seen{}, accounts.ManagedGroup, changed.ID, groupOf(changed))
	})
	register(s, Route{
		ID: "deleteGroup", Method: http.MethodDelete, Path: "/groups/{group}", Tag: tagGroups, Permission: accounts.AdminGroupsWrite,
		Summary: "Delete a group", Details: "Its members lose what it gave them, and their tokens with that are refreshed.", Status: http.StatusNoContent,
	}, func(ctx context.Context, c *admin.Caller, in *GroupPath) (*struct{}, error) {
		name, err := fromSegment(in.Group)
		if err != nil {
			return nil, err
		}
		return nil, s.Admin.DeleteGroup(ctx, c, name)
	})
}

// GroupAndPermission names a group and a permission in a path.
type GroupAndPermission struct {
	GroupPath
	Permission string `path:"permission" maxLength:"1024"`
}

func (s *surface) groupPermissions() {
	for _, r := range []struct {
		route Route
		do    func(ctx context.Context, c *admin.Caller, group, permission string) error
	}{
		{Route{
			ID: "giveGroupPermission", Method: http.MethodPut, Path: "/groups/{group}/permissions/{permission}",
			Summary: "Give a group a permission", Details: "You must hold it yourself. Members get it when their tokens are refreshed.",
		}, s.Admin.GivePermission},
		{Route{
			ID: "takeGroupPermission", Method: http.MethodDelete, Path: "/groups/{group}/permissions/{permission}",
			Summary: "Take a permission from a group", Details: "Tokens that carry it are refreshed.",
		}, s.Admin.TakePermission},
	} {
		r.route.Tag, r.route.Permission, r.route.Status = tagGroups, accounts.AdminGroupsWrite, http.StatusNoContent
		register(s, r.route, func(ctx context.Context, c *admin.Caller, in *GroupAndPermission) (*struct{}, error) {
			group, permission, err := two(in.Group, in.Permission)
			if err != nil {
				return nil, err
			}
			return nil, r.do(ctx, c, group, permission)
		})
	}
	register(s, Route{
		ID: "getGroupEffective", Method: http.MethodGet, Path: "/groups/{group}/effective", Tag: tagGroups, Permission: accounts.AdminGroupsRead,
		Summary: "Show what members of a group hold through it", Details: "Its own permissions, and those of the groups that it is inside.",
	}, func(ctx context.Context, c *admin.Caller, in *GroupPath) (*List[string], error) {
		name, err := fromSegment(in.Group)
		if err != nil {
			return nil, err
		}
		held, err := s.Admin.GroupHolds(ctx, c, name)
		if err != nil {
			return nil, err
		}
		return page(s, ctx, held, nil)
	})
	s.holders()
}

// Holder is a group that holds a permission.
type Holder struct {
	Group   string   `json:"group"`
	Direct  bool     `json:"direct" doc:"It was given to the group itself."`
	Through []string `json:"through" nullable:"false" doc:"The groups that it is inside and that hold it."`
}

func (s *surface) holders() {
	register(s, Route{
		ID: "listHolders", Method: http.MethodGet, Path: "/permissions/{permission}/groups", Tag: tagGroups, Permission: accounts.AdminGroupsRead,
		Summary: "List the groups that hold a permission",
	}, func(ctx context.Context, c *admin.Caller, in *struct {
		Paging
		Permission string `path:"permission" maxLength:"1024"`
	},
	) (*List[Holder], error) {
		permission, err := fromSegment(in.Permission)
		if err != nil {
			return nil, err
		}
		var at nameKey
		if err := s.after(ctx, in.Cursor, &at); err != nil {
			return nil, err
		}
		read, err := s.Admin.Holders(ctx, c, permission, at.Key, in.Limit+1)
		if err != nil {
			return nil, err
		}
		found, more := cut(read, in.Limit)
		items := make([]Holder, len(found))
		for i, h := range found {
			items[i] = Holder{Group: h.Group, Direct: h.Direct, Through: filled(h.Through)}
		}
		if !more {
			return page(s, ctx, items, nil)
		}
		return page(s, ctx, items, nameKey{found[len(found)-1].NameKey})
	})
}
