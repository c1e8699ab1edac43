package api

import (
	"context"
	"net/http"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

const tagUsers = "users"

// users adds the routes of people.
func (s *surface) users() {
	register(s, Route{
		ID: "listUsers", Method: http.MethodGet, Path: "/users", Tag: tagUsers, Permission: accounts.AdminUsersRead,
		Summary: "List or search users",
		Details: "In the order of usernames, unless something else is asked for. `search` finds a sub, and beginnings of usernames, mail " +
			"addresses, names and last words of names, those that fit closest first; `group` lists direct members in the order in which " +
			"their accounts were made. A search among those of whom something is true, such as `banned`, keeps the order of usernames, and one " +
			"in a small group that of the group. A page may be short, even empty, and have a `next`: no more people are looked at for one than " +
			"somebody wants to wait for. There is no count.",
	}, s.listUsers)
	register(s, Route{
		ID: "createUser", Method: http.MethodPost, Path: "/users", Tag: tagUsers, Permission: accounts.AdminUsersWrite, Status: http.StatusCreated,
		Summary: "Create a user",
		Details: "A password, or an address or phone number that counts as proven, needs `admin:users:credentials` as well; `staff` and `superuser` need a superuser.",
	}, s.createUser)
	register(s, Route{
		ID: "getUser", Method: http.MethodGet, Path: "/users/{user}", Tag: tagUsers, Permission: accounts.AdminUsersRead,
		Summary: "Show a user",
	}, s.getUser)
	register(s, Route{
		ID: "updateUser", Method: http.MethodPatch, Path: "/users/{user}", Tag: tagUsers, Permission: accounts.AdminUsersWrite,
		Summary: "Change a user",
		Details: "A merge patch (RFC 7396) with `If-Match`. Another username or mail address, a word on whether it is proven, or a phone number that " +
			"counts as proven, needs `admin:users:credentials` as well. An address or number given without that word is not proven. Nothing that the account has ends.",
	}, s.updateUser)
	register(s, Route{
		ID: "deleteUser", Method: http.MethodDelete, Path: "/users/{user}", Tag: tagUsers, Permission: accounts.AdminUsersWrite, Status: http.StatusNoContent,
		Summary: "Delete a user at once", Details: "All that the account has ends. It cannot be brought back.",
	}, s.deleteUser)
	register(s, Route{
		ID: "getUserPermissions", Method: http.MethodGet, Path: "/users/{user}/permissions", Tag: tagUsers, Permission: accounts.AdminUsersRead,
		Summary: "Show what a user holds, and why",
		Details: "Each permission stands there once for each way in which the user holds it.",
	}, s.userPermissions)
	s.userStates()
	s.userCredentials()
	s.invitations()
}

// UserRef names a user in a path.
type UserRef struct {
	User string `path:"user" maxLength:"512" doc:"The sub; one with characters other than letters, digits and -._~ is written as ~ and its base64url."`
}

// subject returns the sub. Errors: errRef.
func (r UserRef) subject() (string, error) { return fromSegment(r.User) }

type listUsersInput struct {
	Paging
	Search    string `query:"search" maxLength:"256" doc:"A sub, or the beginning of a username, a mail address, a name or its last word, in any case."`
	Group     string `query:"group" maxLength:"512" doc:"The name of a group: its direct members."`
	Sort      string `query:"sort" enum:"username,-created_at" doc:"-created_at lists the newest accounts first; not together with search or group."`
	Staff     string `query:"staff" enum:"true,false"`
	Superuser string `query:"superuser" enum:"true,false"`
	Banned    string `query:"banned" enum:"true,false"`
	Leaving   string `query:"leaving" enum:"true,false" doc:"Whether a deletion is planned."`
	Required  string `query:"required_action" enum:"verify_email,change_password,enrol_factor,accept_terms" doc:"Asked of the user by an operator."`
}

// choice reads a filter that may be missing.
func choice(s string) *bool {
	if s == "" {
		return nil
	}
	yes := s == "true"
	return &yes
}

func (s *surface) listUsers(ctx context.Context, c *admin.Caller, in *listUsersInput) (*List[userView], error) {
	q := admin.UserQuery{
		Search: in.Search, Group: in.Group, Newest: in.Sort == "-created_at", Required: accounts.Action(in.Required),
		Staff: choice(in.Staff), Superuser: choice(in.Superuser), Banned: choice(in.Banned), Leaving: choice(in.Leaving),
	}
	if q.Newest && (q.Search != "" || q.Group != "") {
		return nil, &parameterError{"sort", "it has an order of its own with search or group"}
	}
	var after admin.UserPosition
	if err := s.after(ctx, in.Cursor, (*userPosition)(&after)); err != nil {
		return nil, err
	}
	found, next, err := s.Admin.ListUsers(ctx, c, q, after, in.Limit)
	if err != nil {
		return nil, err
	}
	views := make([]userView, len(found))
	for i := range found {
		views[i] = s.userView(&found[i])
	}
	if next == nil {
		return page(s, ctx, views, nil)
	}
	return page(s, ctx, views, (*userPosition)(next))
}

// userOutput is one user.
type userOutput struct {
	ETag     string `header:"ETag"`
	Location string `header:"Location" doc:"Where a user is who was just made."`
	Body     userView
}

func (s *surface) showUser(u *accounts.User) *userOutput {
	v := s.userView(u)
	return &userOutput{ETag: tagOf(v), Body: v}
}

type createUserInput struct {
	Body struct {
		Username      string      `json:"username" minLength:"1" maxLength:"64"`
		Email         string      `json:"email,omitempty" maxLength:"254"`
		EmailVerified bool        `json:"email_verified,omitempty"`
		Name          string      `json:"name,omitempty" maxLength:"200"`
		Profile       profileView `json:"profile,omitempty"`
		Password      string      `json:"password,omitempty" maxLength:"1024" writeOnly:"true"`
		Staff         bool        `json:"staff,omitempty"`
		Superuser     bool        `json:"superuser,omitempty"`
	}
}

func (s *surface) createUser(ctx context.Context, c *admin.Caller, in *createUserInput) (*userOutput, error) {
	b := in.Body
	u, err := s.Admin.CreateUser(ctx, c, accounts.NewUser{
		Username: b.Username, Email: b.Email, EmailVerified: b.EmailVerified, Name: b.Name, Profile: b.Profile.claims(),
		Password: secret.Text(b.Password), Staff: b.Staff, Superuser: b.Superuser,
	})
	if err != nil {
		return nil, err
	}
	out := s.showUser(u)
	out.Location = out.Body.Self
	return out, nil
}

type getUserInput struct {
	UserRef
	Seen
}

func (s *surface) getUser(ctx context.Context, c *admin.Caller, in *getUserInput) (*userOutput, error) {
	subject, err := in.subject()
	if err != nil {
		return nil, err
	}
	u, err := s.Admin.User(ctx, c, subject)
	if err != nil {
		return nil, err
	}
	out := s.showUser(u)
	return out, in.unchanged(out.ETag)
}

type updateUserInput struct {
	UserRef
	Match
	Body userPatch
}

func (s *surface) updateUser(ctx context.Context, c *admin.Caller, in *updateUserInput) (*userOutput, error) {
	subject, err := in.subject()
	if err != nil {
		return nil, err
	}
	if err := in.given(); err != nil {
		return nil, err
	}
	change, err := in.Body.change()
	if err != nil {
		return nil, err
	}
	u, err := s.Admin.UpdateUser(ctx, c, subject, change, func(u *accounts.User) error {
		if !in.holds(tagOf(s.userView(u))) {
			return admin.ErrChanged
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s.showUser(u), nil
}

// nothing is the answer 204.
type nothing struct{}

func (s *surface) deleteUser(ctx context.Context, c *admin.Caller, in *UserRef) (*nothing, error) {
	return s.forUser(in, func(subject string) error { return s.Admin.DeleteUser(ctx, c, subject) })
}

// forUser answers 204 once f has done its work.
func (s *surface) forUser(in *UserRef, f func(subject string) error) (*nothing, error) {
	subject, err := in.subject()
	if err != nil {
		return nil, err
	}
	return &nothing{}, f(subject)
}

// heldView is a permission and one reason why somebody holds it.
type heldView struct {
	Permission string     `json:"permission"`
	Through    []string   `json:"through" nullable:"false" doc:"The groups by which it is held: first the one of which the user is a member, last the one that holds it. \"superuser\" alone for a superuser."`
	Superuser  bool       `json:"superuser"`
	EndsAt     *timestamp `json:"ends_at,omitempty" doc:"When the membership ends."`
}

type userPermissionsOutput struct {
	Body struct {
		Items []heldView `json:"items" nullable:"false"`
	}
}

func (s *surface) userPermissions(ctx context.Context, c *admin.Caller, in *UserRef) (*userPermissionsOutput, error) {
	subject, err := in.subject()
	if err != nil {
		return nil, err
	}
	held, err := s.Admin.UserRights(ctx, c, subject)
	if err != nil {
		return nil, err
	}
	var out userPermissionsOutput
	out.Body.Items = make([]heldView, len(held))
	for i, h := range held {
		out.Body.Items[i] = heldView{Permission: h.Permission, Through: h.Through, Superuser: h.Superuser, EndsAt: timeOf(h.EndsAt)}
	}
	return &out, nil
}
