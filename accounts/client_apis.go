package accounts

import (
	"slices"
	"strings"
)

// APIsOf picks the enabled APIs that define some of what a client may ask for or holds,
// each with those of its permissions alone, in the order of their audiences. An access
// token is for one of them (RFC 8707).
func APIsOf(c *Client, all []API) []API {
	scopes := slices.Concat(c.Scopes, c.Held())
	var found []API
	for _, one := range all {
		one.Permissions = slices.DeleteFunc(slices.Clone(one.Permissions), func(p Permission) bool { return !slices.Contains(scopes, p.Name) })
		if len(one.Permissions) > 0 && one.DisabledAt == 0 {
			found = append(found, one)
		}
	}
	slices.SortFunc(found, func(x, y API) int { return strings.Compare(x.Audience, y.Audience) })
	return found
}
