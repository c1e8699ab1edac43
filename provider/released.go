package provider

import (
	"slices"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// Released returns what userinfo answers about a person who is in these groups, to a
// client with a token of the scopes; with a nil client, to one that may see every
// group. It is for showing people what they let apps know.
func Released(u *accounts.User, c *accounts.Client, groups, scopes []string) map[string]any {
	var visible []string
	if slices.Contains(scopes, scopeGroups) {
		visible = groups
		if c != nil {
			visible = visibleGroups(c, groups)
		}
	}
	out := release(u, visible, scopes, nil, nil)
	out["sub"] = u.Subject
	return out
}
