package guard

import (
	"net/url"
	"slices"
	"testing"
)

// FuzzNeedOf: whatever a client's path and query are, behind a prefix they change
// nothing about what is needed.
func FuzzNeedOf(f *testing.F) {
	for _, seed := range []string{
		"", "posts", "../../optional/x", "%2e%2e/optional/", "?login=optional", "x?permission=a", "/optional/", ",b/", "%2F..%2Foptional", "x;login=optional",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, client string) {
		for prefix, want := range map[string]Need{
			"/auth": {}, "/require/posts:add": {Permissions: []string{"posts:add"}}, "/optional": {Optional: true},
		} {
			u, err := url.ParseRequestURI(prefix + "/" + client)
			if err != nil {
				continue // no server lets it in
			}
			need, err := needOf(u)
			if err != nil || need.Optional != want.Optional || !slices.Equal(need.Permissions, want.Permissions) {
				t.Errorf("%s needs %+v, %v", u, need, err)
			}
		}
	})
}
