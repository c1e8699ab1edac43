package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// CrowdAction is what can be done with several people at once.
type CrowdAction string

// The actions.
const (
	CrowdBan      CrowdAction = "ban"
	CrowdUnban    CrowdAction = "unban"
	CrowdSignOut  CrowdAction = "sign_out"
	CrowdJoin     CrowdAction = "join"  // into CrowdChange.Group
	CrowdLeave    CrowdAction = "leave" // out of CrowdChange.Group
	CrowdPassword CrowdAction = "change_password"
)

// CrowdActions are all of them.
func CrowdActions() []CrowdAction {
	return []CrowdAction{CrowdBan, CrowdUnban, CrowdSignOut, CrowdJoin, CrowdLeave, CrowdPassword}
}

// Needs is the permission without which nobody may do it.
func (a CrowdAction) Needs() string {
	switch a {
	case CrowdSignOut:
		return accounts.AdminSessionsWrite
	case CrowdJoin, CrowdLeave:
		return accounts.AdminGroupsWrite
	}
	return accounts.AdminUsersWrite
}

// MaxCrowd is with how many people something is done at once.
const MaxCrowd = 50

var (
	// ErrOneself refuses to do to the caller what is done to several.
	ErrOneself = errors.New("that is you")
	// ErrSame is returned when there is nothing to do.
	ErrSame = errors.New("it is so already")
)

// CrowdChange is what is to be done with each of several people.
type CrowdChange struct {
	Action CrowdAction
	Group  string
	EndsAt int64  // of the membership, Unix milliseconds; zero means without end
	Note   string // why somebody is banned, for the audit log
}

// Prospect is somebody with whom something is to be done. User is nil for a sub that
// nobody has.
type Prospect struct {
	Subject string
	User    *accounts.User
	// Refused says why it cannot be done as things are; nil if it can.
	Refused error
}

// Prospects tells with which of the people a change can be made, and why not with the
// others. It promises nothing: ChangeOne decides. Errors: *Forbidden,
// accounts.ErrInvalid for more than MaxCrowd, accounts.ErrNotFound for the group.
func (a *Admin) Prospects(ctx context.Context, c *Caller, change CrowdChange, subjects []string) ([]Prospect, error) {
	if err := c.need(accounts.AdminUsersRead); err != nil {
		return nil, err
	}
	if err := c.need(change.Action.Needs()); err != nil {
		return nil, err
	}
	if len(subjects) > MaxCrowd {
		return nil, accounts.Because(accounts.ErrInvalid, "at most %d people at once", MaxCrowd)
	}
	var group *accounts.Group
	var whole error
	if change.Action == CrowdJoin || change.Action == CrowdLeave {
		var err error
		if group, whole, err = a.crowdGroup(ctx, c, change); err != nil {
			return nil, err
		}
	}
	list := make([]Prospect, 0, len(subjects))
	for _, subject := range subjects {
		p := Prospect{Subject: subject, Refused: whole}
		u, err := a.findUser(ctx, subject)
		switch {
		case errors.Is(err, accounts.ErrNotFound):
			p.Refused = accounts.ErrNotFound
		case err != nil:
			return nil, err
		default:
			p.User = u
			if whole == nil {
				p.Refused, err = a.standsAgainst(ctx, c, change, group, u)
			}
			if err != nil {
				return nil, err
			}
		}
		list = append(list, p)
	}
	a.Log.InfoContext(ctx, "administrator lists users", "actor_kind", c.Actor.Kind, "actor", c.Actor.ID, "client_id", c.ClientID, "users", len(list))
	return list, nil
}

// crowdGroup finds the group of a change, and says why the caller may not change who
// is in it.
func (a *Admin) crowdGroup(ctx context.Context, c *Caller, change CrowdChange) (g *accounts.Group, against, err error) {
	if g, err = a.Groups.Find(ctx, change.Group); err != nil {
		return nil, nil, err
	}
	held, err := a.holdsThrough(ctx, g.Name)
	if err != nil {
		return nil, nil, err
	}
	allowed := c.mayGive
	if change.Action == CrowdLeave {
		allowed = c.touches
	}
	if against = allowed(held); against == nil || c.Subject == "" {
		return g, against, nil
	}
	manages, err := a.Groups.IsManager(ctx, c.Subject, g.Name)
	if err != nil {
		return nil, nil, err
	}
	if manages { // as AddMembers and RemoveMembers let them
		against = nil
	}
	return g, against, nil
}

// standsAgainst says why a change cannot be made with somebody; err is about finding
// that out.
func (a *Admin) standsAgainst(ctx context.Context, c *Caller, change CrowdChange, g *accounts.Group, u *accounts.User) (refused, err error) {
	if u.Subject == c.Subject {
		return ErrOneself, nil
	}
	if g != nil {
		return a.membershipAgainst(ctx, change, g, u)
	}
	if refused := a.mayTouchPerson(ctx, c, u.Subject); refused != nil {
		if errors.Is(refused, ErrSuperior) {
			return refused, nil
		}
		return nil, refused
	}
	same := false
	switch change.Action {
	case CrowdBan:
		same = !u.Active()
	case CrowdUnban:
		same = u.Active()
	case CrowdPassword:
		same = slices.Contains(u.RequiredActions, accounts.ActionChangePassword)
	}
	if same {
		return ErrSame, nil
	}
	if change.Action == CrowdBan {
		err := a.Users.SpareLast(ctx, u)
		if errors.Is(err, accounts.ErrLastSuperuser) {
			return err, nil
		}
		return nil, err
	}
	return nil, nil
}

func (a *Admin) membershipAgainst(ctx context.Context, change CrowdChange, g *accounts.Group, u *accounts.User) (refused, err error) {
	r, err := a.Groups.Reader.RightsOf(ctx, u.Subject, a.now())
	if err != nil {
		return nil, fmt.Errorf("memberships: %w", err)
	}
	i := slices.IndexFunc(r.Memberships, func(m accounts.RunningMembership) bool { return m.GroupID == g.ID })
	if change.Action == CrowdLeave && i < 0 || change.Action == CrowdJoin && i >= 0 && r.Memberships[i].EndsAt == change.EndsAt {
		return ErrSame, nil
	}
	return nil, nil
}

// ChangeOne makes a change with one person, in a transaction of its own. Errors: those
// of the operation for one person, ErrOneself, and ErrSame where it tells.
func (a *Admin) ChangeOne(ctx context.Context, c *Caller, change CrowdChange, subject string) error {
	if subject == c.Subject {
		return ErrOneself
	}
	switch change.Action {
	case CrowdBan:
		return a.changeUser(ctx, c, subject, func() error { return a.Users.BanBecause(ctx, c.Actor, subject, change.Note) })
	case CrowdUnban:
		return a.UnbanUser(ctx, c, subject)
	case CrowdSignOut:
		return a.SignOutUser(ctx, c, subject)
	case CrowdPassword:
		return a.changeUser(ctx, c, subject, func() error {
			return a.Users.RequireAlso(ctx, c.Actor, subject, accounts.ActionChangePassword)
		})
	case CrowdJoin:
		report, err := a.AddMembers(ctx, c, change.Group, []string{subject}, change.EndsAt)
		return reported(report, err)
	case CrowdLeave:
		report, err := a.RemoveMembers(ctx, c, change.Group, []string{subject})
		return reported(report, err)
	}
	return fmt.Errorf("%w: action %q", accounts.ErrInvalid, change.Action)
}

func reported(report accounts.MemberReport, err error) error {
	switch {
	case err != nil:
		return err
	case len(report.Unknown) > 0:
		return accounts.ErrNotFound
	case len(report.Changed) == 0:
		return ErrSame
	}
	return nil
}
