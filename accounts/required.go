package accounts

import (
	"context"
	"slices"

	"github.com/gatehouse-id/gatehouse/internal/audit"
)

// Action is something that a person has to do before they are let through to an app
// or to their own pages. ActionKeepAccount is one as well.
type Action string

// The actions that operators may ask for.
const (
	ActionVerifyEmail    Action = "verify_email"
	ActionChangePassword Action = "change_password"
	ActionEnrolFactor    Action = "enrol_factor"
	ActionAcceptTerms    Action = "accept_terms"
)

// Actions returns every action, in the order in which they are asked for.
func Actions() []Action {
	return []Action{ActionKeepAccount, ActionVerifyEmail, ActionChangePassword, ActionEnrolFactor, ActionAcceptTerms}
}

// SignInPolicy is what an operator asks of everybody. Its zero value asks for nothing.
type SignInPolicy struct {
	VerifyEmail bool // who has an address must have proven it
	// TermsVersion names the terms that everybody must have accepted; empty means that
	// there are none.
	TermsVersion string
	// StaffNeedFactor makes a second factor a must for staff and superusers, as a
	// group's SecondFactor does for its members.
	StaffNeedFactor bool
}

// NeedsFactor reports whether a person must sign in with two factors wherever they
// go; byGroup says that one of their groups demands it.
func (p SignInPolicy) NeedsFactor(u *User, byGroup bool) bool {
	return byGroup || p.StaffNeedFactor && (u.Staff || u.Superuser)
}

// Required returns what the person has to do first: what operators asked of them and
// what the policy asks of everybody, as far as it is not done, in the order of
// Actions. hasFactor says that they have a second factor, mustHaveFactor that they
// need one: by NeedsFactor, or for what they are about to do.
//
// Nobody is asked for what they cannot do: to verify an address that they do not
// have, or to accept terms where there are none.
func (p SignInPolicy) Required(u *User, hasFactor, mustHaveFactor bool) []Action {
	var required []Action
	for _, a := range Actions() {
		asked, due := slices.Contains(u.RequiredActions, a), false
		switch a {
		case ActionKeepAccount:
			due = u.DeleteAt != 0
		case ActionVerifyEmail:
			due = (asked || p.VerifyEmail) && u.Email != "" && !u.EmailVerified
		case ActionChangePassword:
			due = asked
		case ActionEnrolFactor:
			due = (asked || mustHaveFactor) && !hasFactor
		case ActionAcceptTerms:
			due = p.TermsVersion != "" && (asked || u.TermsVersion != p.TermsVersion)
		}
		if due {
			required = append(required, a)
		}
	}
	return required
}

// Did takes an action off the list of what operators ask of the person.
func (u *User) Did(a Action) {
	u.RequiredActions = slices.DeleteFunc(slices.Clone(u.RequiredActions), func(b Action) bool { return a == b })
}

// Require replaces what operators ask of a person before anything else; none takes
// everything back. It says nothing of sessions and tokens: who must not go on with
// those is signed out everywhere as well. Errors: ErrInvalid, ErrNotFound.
func (s *Users) Require(ctx context.Context, actor audit.Actor, subject string, actions ...Action) error {
	wanted, err := askable(actions)
	if err != nil {
		return err
	}
	return s.change(ctx, actor, subject, func(_ context.Context, u *User, _ int64) (*effect, error) {
		if slices.Equal(wanted, u.RequiredActions) {
			return nil, nil
		}
		u.RequiredActions = wanted
		return userEffect("user.require", u, map[string]any{"actions": wanted}), nil
	})
}

// RequireAlso asks a person for actions besides those that they are asked for already.
// Errors: ErrInvalid, ErrNotFound.
func (s *Users) RequireAlso(ctx context.Context, actor audit.Actor, subject string, actions ...Action) error {
	return s.ChangeRequired(ctx, actor, subject, actions, nil)
}

// ChangeRequired asks a person for some actions as well, and no longer for others; what
// else they are asked for stays. Errors: ErrInvalid, ErrNotFound.
func (s *Users) ChangeRequired(ctx context.Context, actor audit.Actor, subject string, also, noLonger []Action) error {
	return s.change(ctx, actor, subject, func(_ context.Context, u *User, _ int64) (*effect, error) {
		left := slices.DeleteFunc(slices.Clone(u.RequiredActions), func(a Action) bool { return slices.Contains(noLonger, a) })
		wanted, err := askable(slices.Concat(left, also))
		if err != nil || slices.Equal(wanted, u.RequiredActions) {
			return nil, err
		}
		u.RequiredActions = wanted
		return userEffect("user.require", u, map[string]any{"actions": wanted}), nil
	})
}

// askable returns what can be asked of a person, each once and in the order of Actions.
// Errors: ErrInvalid.
func askable(actions []Action) ([]Action, error) {
	for _, a := range actions {
		if a == ActionKeepAccount || !slices.Contains(Actions(), a) {
			return nil, invalid("required action %q", a)
		}
	}
	return slices.DeleteFunc(Actions(), func(a Action) bool { return !slices.Contains(actions, a) }), nil
}
