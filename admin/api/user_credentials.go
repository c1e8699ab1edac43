package api

import (
	"context"
	"net/http"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// userCredentials adds the routes about what people sign in with.
func (s *surface) userCredentials() {
	const above = "The caller must hold all that the user holds."
	register(s, Route{
		ID: "setPassword", Method: http.MethodPost, Path: "/users/{user}/password", Tag: tagUsers, Permission: accounts.AdminUsersCredentials, Status: http.StatusNoContent,
		Summary: "Set a user's password", Details: above + " Every session, grant and token of the user ends.",
	}, s.setPassword)
	register(s, Route{
		ID: "makeSignInLink", Method: http.MethodPost, Path: "/users/{user}/sign-in-link", Tag: tagUsers, Permission: accounts.AdminUsersCredentials, Status: http.StatusCreated,
		Summary: "Make a link by which a user signs in once",
		Details: above + " The link is shown here alone. A second factor is still asked for.",
	}, s.makeSignInLink)
	register(s, Route{
		ID: "listFactors", Method: http.MethodGet, Path: "/users/{user}/factors", Tag: tagUsers, Permission: accounts.AdminUsersRead,
		Summary: "List a user's second factors",
	}, s.listFactors)
	register(s, Route{
		ID: "removeFactor", Method: http.MethodDelete, Path: "/users/{user}/factors/{factor}", Tag: tagUsers, Permission: accounts.AdminUsersCredentials, Status: http.StatusNoContent,
		Summary: "Take a second factor from a user", Details: above + " The user's sessions end, and with the last factor the recovery codes go.",
	}, s.removeFactor)
	register(s, Route{
		ID: "resetFactors", Method: http.MethodDelete, Path: "/users/{user}/factors", Tag: tagUsers, Permission: accounts.AdminUsersCredentials, Status: http.StatusNoContent,
		Summary: "Take all second factors from a user", Details: above + " The user's sessions end.",
	}, s.resetFactors)
	register(s, Route{
		ID: "invite", Method: http.MethodPost, Path: "/invitations", Tag: tagUsers, Permission: accounts.AdminUsersWrite, Status: http.StatusCreated,
		Summary: "Invite somebody by mail",
		Details: "They make an account whose address counts as proven, as a member of the groups; that needs `admin:groups:write`, and a " +
			"caller who holds what the groups hold. It is good for a week, as long as its sender may send it. `show_link` needs " +
			"`admin:users:credentials`.",
	}, s.invite)
}

type setPasswordInput struct {
	UserRef
	Body struct {
		Password string `json:"password" minLength:"1" maxLength:"1024" writeOnly:"true"`
	}
}

func (s *surface) setPassword(ctx context.Context, c *admin.Caller, in *setPasswordInput) (*nothing, error) {
	return s.forUser(&in.UserRef, func(subject string) error {
		return s.Admin.SetPassword(ctx, c, subject, secret.Text(in.Body.Password))
	})
}

type linkOutput struct {
	Body struct {
		Link      string     `json:"link,omitempty" format:"uri" doc:"A secret; it is not shown again."`
		ExpiresAt *timestamp `json:"expires_at,omitempty"`
	}
}

func (s *surface) makeSignInLink(ctx context.Context, c *admin.Caller, in *UserRef) (*linkOutput, error) {
	subject, err := in.subject()
	if err != nil {
		return nil, err
	}
	link, expires, err := s.Admin.SignInLink(ctx, c, subject)
	if err != nil {
		return nil, err
	}
	var out linkOutput
	out.Body.Link, out.Body.ExpiresAt = link.Reveal(), timeOf(expires.UnixMilli())
	return &out, nil
}

// factorView is a second factor, without what proves it.
type factorView struct {
	ID         string     `json:"id"`
	Kind       string     `json:"kind" enum:"passkey,totp"`
	Name       string     `json:"name"`
	CreatedAt  *timestamp `json:"created_at,omitempty"`
	LastUsedAt *timestamp `json:"last_used_at,omitempty"`
}

type factorsOutput struct {
	Body struct {
		Items         []factorView `json:"items" nullable:"false"`
		Needed        bool         `json:"needed" doc:"The user must have one."`
		RecoveryCodes int          `json:"recovery_codes" doc:"How many are left."`
		Browsers      int          `json:"remembered_browsers" doc:"How many need no second factor for a while."`
	}
}

func (s *surface) listFactors(ctx context.Context, c *admin.Caller, in *UserRef) (*factorsOutput, error) {
	subject, err := in.subject()
	if err != nil {
		return nil, err
	}
	l, err := s.Admin.UserFactors(ctx, c, subject)
	if err != nil {
		return nil, err
	}
	var out factorsOutput
	out.Body.Items = []factorView{}
	for _, p := range l.Passkeys {
		out.Body.Items = append(out.Body.Items, factorView{p.ID.String(), "passkey", p.Name, timeOf(p.CreatedAt), timeOf(p.LastUsedAt)})
	}
	for _, t := range l.TOTPs {
		out.Body.Items = append(out.Body.Items, factorView{t.ID.String(), "totp", t.Name, timeOf(t.CreatedAt), timeOf(t.LastUsedAt)})
	}
	out.Body.Needed, out.Body.RecoveryCodes, out.Body.Browsers = l.Needed, l.RecoveryCodes, len(l.Devices)
	return &out, nil
}

type factorInput struct {
	UserRef
	Factor string `path:"factor" maxLength:"64"`
}

func (s *surface) removeFactor(ctx context.Context, c *admin.Caller, in *factorInput) (*nothing, error) {
	factor, err := id.Parse(in.Factor)
	if err != nil {
		return nil, errRef
	}
	return s.forUser(&in.UserRef, func(subject string) error { return s.Admin.RemoveFactor(ctx, c, subject, factor) })
}

func (s *surface) resetFactors(ctx context.Context, c *admin.Caller, in *UserRef) (*nothing, error) {
	return s.forUser(in, func(subject string) error { return s.Admin.ResetFactors(ctx, c, subject) })
}

type inviteInput struct {
	Body struct {
		Email    string   `json:"email" minLength:"3" maxLength:"254"`
		Groups   []string `json:"groups,omitempty" maxItems:"50" nullable:"false" doc:"Names of groups."`
		Language string   `json:"language,omitempty" maxLength:"35" doc:"Of the mail, such as de."`
		ShowLink bool     `json:"show_link,omitempty" doc:"Answer with the link as well; otherwise it is in the mail alone."`
	}
}

func (s *surface) invite(ctx context.Context, c *admin.Caller, in *inviteInput) (*linkOutput, error) {
	b := in.Body
	link, err := s.Admin.Invite(ctx, c, admin.Invitation{Email: b.Email, Groups: b.Groups, Language: b.Language, ShowLink: b.ShowLink})
	if err != nil {
		return nil, err
	}
	var out linkOutput
	out.Body.Link = link.Reveal()
	return &out, nil
}
