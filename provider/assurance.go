package provider

import (
	"context"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/provider/granting"
)

// Factors tells who needs a second factor, and who has one.
type Factors interface {
	// FactorPolicy tells in one statement whether a person has a factor beside their
	// password, and whether one of the groups in which they are now demands one.
	FactorPolicy(ctx context.Context, userID id.ID, now int64) (has, needed bool, err error)
	// StrictGroups returns the groups that demand a second factor of their members.
	// Every change of them moves the change counter.
	StrictGroups(ctx context.Context) ([]id.ID, accounts.Mark, error)
}

// acrValues are those that a person can reach, lowest first.
func acrValues() []string { return []string{accounts.ACRPassword, accounts.ACRTwoFactors} }

// demands is what must be true of a person before a code is issued, beyond their
// being signed in.
type demands struct {
	policy accounts.SignInPolicy
	signUp bool // people can make accounts themselves
	// mustHave says that the person needs two factors wherever they go; has, that they
	// have a second one. It is read only where it matters.
	mustHave, has bool
}

// demandsOn reads what is demanded of the person of a standing, whose mark becomes
// one at which all of it was true (L9).
func (p *Provider) demandsOn(ctx context.Context, a *authorization, st *granting.Standing, now time.Time) (*demands, error) {
	decided := accounts.CurrentSettings(ctx, p.Settings)
	d := &demands{policy: decided.Policy, signUp: decided.SignUp.Open()}
	if !signedIn(st, now) {
		return d, nil
	}
	strict, err := p.inStrictGroup(ctx, st)
	if err != nil {
		return nil, err
	}
	d.mustHave = d.policy.NeedsFactor(st.User, strict)
	// Who has shown two factors has a second one. An operator who asks for one means
	// one that is there now.
	d.has = accounts.ACRAtLeast(st.Session.ACR, accounts.ACRTwoFactors)
	asked := slices.Contains(st.User.RequiredActions, accounts.ActionEnrolFactor)
	if asked || !d.has && d.wantTwo(a) {
		if d.has, _, err = p.Factors.FactorPolicy(ctx, st.User.ID, now.UnixMilli()); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// wantTwo reports whether anything could make the request need two factors.
func (d *demands) wantTwo(a *authorization) bool {
	const two = accounts.ACRTwoFactors
	return d.mustHave || a.client.RequiredACR == two || slices.Contains(a.essential, two) || slices.Contains(a.wished, two)
}

// inStrictGroup reports whether one of the person's groups demands a second factor.
// Which groups do is in memory.
func (p *Provider) inStrictGroup(ctx context.Context, st *granting.Standing) (bool, error) {
	if len(st.Groups) == 0 {
		return false, nil
	}
	strict, mark, err := p.strictGroups.at(ctx, "", st.Mark, func(ctx context.Context) (ids []id.ID, mark accounts.Mark, err error) {
		err = p.statement(func() (accounts.Mark, error) {
			ids, mark, err = p.Factors.StrictGroups(ctx)
			return mark, err
		})
		return ids, mark, err
	})
	if err != nil {
		return false, err
	}
	st.Mark = mark
	return slices.ContainsFunc(st.Groups, func(m granting.Membership) bool { return slices.Contains(strict, m.Group) }), nil
}

// least is the acr below which no code is issued, whatever the request wishes.
func (d *demands) least(c *accounts.Client) string {
	if d.mustHave {
		return accounts.ACRTwoFactors
	}
	return c.RequiredACR
}

// neededACR is the lowest acr that satisfies the client, the policy and the request,
// for a person whose session has the acr have.
func (a *authorization) neededACR(d *demands, have string) string {
	need := higher(d.least(a.client.Client), lowest(a.essential))
	if len(a.wished) == 0 {
		return need
	}
	// The most wanted that the person has reached, or can by what they have. If
	// there is none they need another factor: a wish that is forgotten would send the
	// app round in circles (RFC 9470 §5).
	wish := a.wished[0]
	for _, v := range a.wished {
		if d.has || accounts.ACRAtLeast(have, v) {
			wish = v
			break
		}
	}
	return higher(need, wish)
}

// reportedACR is what tokens tell. An essential acr must be one of the values that
// were asked for (OpenID Connect Core §5.5.1.1); who has proven more has proven
// those as well.
func (a *authorization) reportedACR(d *demands, have string) string {
	if len(a.essential) == 0 || slices.Contains(a.essential, have) {
		return have
	}
	for _, v := range slices.Backward(acrValues()) {
		if slices.Contains(a.essential, v) && accounts.ACRAtLeast(have, v) && accounts.ACRAtLeast(v, d.least(a.client.Client)) {
			return v
		}
	}
	return have
}

func higher(a, b string) string {
	if accounts.ACRAtLeast(a, b) {
		return a
	}
	return b
}

// lowest of some values, empty if there are none.
func lowest(values []string) string {
	for _, v := range acrValues() {
		if slices.Contains(values, v) {
			return v
		}
	}
	return ""
}

// reachable keeps the values that exist here. If values were named and none of them
// does, the request cannot be met.
func reachable(values []string) ([]string, error) {
	known := intersect(values, acrValues())
	if len(values) > 0 && len(known) == 0 {
		return nil, unreachableACR()
	}
	return known, nil
}
