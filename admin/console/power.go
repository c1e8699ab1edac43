package console

import (
	"slices"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/hosted"
)

// Whoever can give the permissions to run Gatehouse to somebody, or to an app whose
// secret they get, has the deployment: that needs as fresh a sign-in as taking over an
// account.

// freshToGive reports whether the visitor has signed in recently enough to give the
// permissions; if not, it asks them to.
func (v *visit) freshToGive(permissions ...string) bool {
	return !slices.ContainsFunc(permissions, accounts.IsBuiltinPermission) || v.fresh(hosted.FreshFor)
}

// freshToJoin is freshToGive for what the members of a group hold. It answers when it
// returns false.
func (h *Handler) freshToJoin(v *visit, group string) bool {
	if may, err := h.changesMembers(v, group); err == nil && !may {
		return true // and the operation says why not
	}
	held, err := h.Admin.GivenBy(v.r.Context(), group)
	if err != nil && !gone(err) {
		v.Broken(v.w, v.r, err)
		return false
	}
	return v.freshToGive(held...)
}

// freshToAssign is freshToGive for what a permission set holds. It answers when it
// returns false.
func (h *Handler) freshToAssign(v *visit, set string) bool {
	s, err := h.Admin.PermissionSet(v.r.Context(), v.caller, set)
	if _, fault := refusal(err); fault != nil {
		v.Broken(v.w, v.r, fault)
		return false
	}
	if err != nil {
		return true // and the assignment says why not
	}
	return v.freshToGive(s.Permissions...)
}

// added are the entries of a list that another does not have.
func added(before, after []string) []string {
	return slices.DeleteFunc(slices.Clone(after), func(s string) bool { return contains(before, s) })
}
