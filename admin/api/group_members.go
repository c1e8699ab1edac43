package api

import (
	"context"
	"net/http"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// groupRelations are who is inside whom, and who manages.
func (s *surface) groupRelations() {
	for _, r := range []struct {
		route Route
		do    func(ctx context.Context, c *admin.Caller, group, other string) error
	}{
		{Route{
			ID: "addGroupChild", Method: http.MethodPut, Path: "/groups/{group}/children/{other}",
			Summary: "Put a group inside another",
			Details: "The members of the one (`other`) become members of the other (`group`), whose permissions you must hold. No loops, and no chain of more than ten.",
		}, s.Admin.AddChild},
		{Route{
			ID: "removeGroupChild", Method: http.MethodDelete, Path: "/groups/{group}/children/{other}",
			Summary: "Take a group out of another",
		}, s.Admin.RemoveChild},
		{Route{
			ID: "addGroupManager", Method: http.MethodPut, Path: "/groups/{group}/managers/{other}",
			Summary: "Let a person manage the members of a group",
			Details: "`other` is their sub. They can give what the group holds, so you must hold it.",
		}, s.Admin.AddManager},
		{Route{
			ID: "removeGroupManager", Method: http.MethodDelete, Path: "/groups/{group}/managers/{other}",
			Summary: "Let a person manage a group no longer", Details: "`other` is their sub.",
		}, s.Admin.RemoveManager},
	} {
		r.route.Tag, r.route.Permission, r.route.Status = tagGroups, accounts.AdminGroupsWrite, http.StatusNoContent
		register(s, r.route, func(ctx context.Context, c *admin.Caller, in *struct {
			GroupPath
			Other string `path:"other" maxLength:"1024"`
		},
		) (*struct{}, error) {
			group, other, err := two(in.Group, in.Other)
			if err != nil {
				return nil, err
			}
			return nil, r.do(ctx, c, group, other)
		})
	}
}

// two reads two segments of a path.
func two(first, second string) (one, other string, err error) {
	if one, err = fromSegment(first); err != nil {
		return "", "", err
	}
	other, err = fromSegment(second)
	return one, other, err
}

// Member is a person in a group.
type Member struct {
	Subject  string     `json:"sub"`
	Username string     `json:"username"`
	Name     string     `json:"name"`
	EndsAt   *time.Time `json:"ends_at,omitempty"`
	AddedAt  *time.Time `json:"added_at,omitempty"`
}

// AddMembers asks for people to be put into a group.
type AddMembers struct {
	Subjects []string   `json:"subs" minItems:"1" maxItems:"1000" nullable:"false"`
	EndsAt   *time.Time `json:"ends_at,omitempty" doc:"When they leave it by themselves; missing for without end."`
}

// RemoveMembers asks for people to be taken out of a group.
type RemoveMembers struct {
	Subjects []string `json:"subs" minItems:"1" maxItems:"1000" nullable:"false"`
}

// MemberReport tells what became of a list of people.
type MemberReport struct {
	Changed []string `json:"changed" nullable:"false" doc:"For whom anything changed."`
	Unknown []string `json:"unknown" nullable:"false" doc:"Whom nobody knows."`
}

// manyMembers is room for a thousand subs of 255 characters.
const manyMembers = 1 << 19

// idKey is where a list in the order of ids goes on.
type idKey struct {
	ID id.ID `json:"i"`
}

func (s *surface) groupMembers() {
	register(s, Route{
		ID: "listMembers", Method: http.MethodGet, Path: "/groups/{group}/members", Tag: tagGroups, Permission: accounts.AdminGroupsRead,
		Summary: "List the members of a group", Details: "In the order in which their accounts were made; those of groups inside it are not among them.",
	}, func(ctx context.Context, c *admin.Caller, in *struct {
		GroupPath
		Paging
	},
	) (*List[Member], error) {
		group, err := fromSegment(in.Group)
		if err != nil {
			return nil, err
		}
		var at idKey
		if err := s.after(ctx, in.Cursor, &at); err != nil {
			return nil, err
		}
		read, err := s.Admin.Members(ctx, c, group, at.ID, in.Limit+1)
		if err != nil {
			return nil, err
		}
		found, more := cut(read, in.Limit)
		items := make([]Member, len(found))
		for i, m := range found {
			items[i] = Member{Subject: m.Subject, Username: m.Username, Name: m.Name, EndsAt: timeOf(m.EndsAt), AddedAt: timeOf(m.AddedAt)}
		}
		if !more {
			return page(s, ctx, items, nil)
		}
		return page(s, ctx, items, idKey{found[len(found)-1].UserID})
	})
	s.groupCrowds()
}

// groupCrowds change the memberships of many at once.
func (s *surface) groupCrowds() {
	register(s, Route{
		ID: "addMembers", Method: http.MethodPost, Path: "/groups/{group}/members", Tag: tagGroups, Permission: accounts.AdminGroupsWrite,
		Summary: "Put people into a group", MaxBody: manyMembers,
		Details: "You must hold what the group gives, unless you manage it. Members already have their end moved; one that has passed is refused.",
	}, func(ctx context.Context, c *admin.Caller, in *struct {
		GroupPath
		Body AddMembers
	},
	) (*struct{ Body MemberReport }, error) {
		group, err := fromSegment(in.Group)
		if err != nil {
			return nil, err
		}
		var ends int64
		if in.Body.EndsAt != nil {
			ends = max(in.Body.EndsAt.UnixMilli(), 1) // zero would mean without end
		}
		report, err := s.Admin.AddMembers(ctx, c, group, in.Body.Subjects, ends)
		return reported(report, err)
	})
	register(s, Route{
		ID: "removeMembers", Method: http.MethodPost, Path: "/groups/{group}/members/remove", Tag: tagGroups, Permission: accounts.AdminGroupsWrite,
		Summary: "Take people out of a group", MaxBody: manyMembers,
	}, func(ctx context.Context, c *admin.Caller, in *struct {
		GroupPath
		Body RemoveMembers
	},
	) (*struct{ Body MemberReport }, error) {
		group, err := fromSegment(in.Group)
		if err != nil {
			return nil, err
		}
		report, err := s.Admin.RemoveMembers(ctx, c, group, in.Body.Subjects)
		return reported(report, err)
	})
}

func reported(r accounts.MemberReport, err error) (*struct{ Body MemberReport }, error) {
	if err != nil {
		return nil, err
	}
	return &struct{ Body MemberReport }{MemberReport{Changed: filled(r.Changed), Unknown: filled(r.Unknown)}}, nil
}
