package provider_test

import (
	"context"
	"net/http"
	"testing"
)

// TestTokensEndWithTheirAPI: a token for an API may carry none of its permissions. It
// is dead all the same once the API gives nothing any more, and stays so when the API
// is enabled again; tokens for other APIs live.
func TestTokensEndWithTheirAPI(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		w := newWorld(t, s)
		ctx := t.Context()
		bare := func(audience string) string {
			access := w.tokens(w.web, w.reader, "openid", "resource", audience).str("access_token")
			if got := claims(t, access); got["aud"] != audience || got["scope"] != "openid" {
				t.Fatalf("not the token that this is about: %v", got)
			}
			return access
		}
		state := func(access string) (active bool, userinfo int) {
			return w.introspect(w.web, access).json["active"] == true, ledgerUserinfo(s, access)
		}
		other := bare(photos)
		for _, c := range []struct {
			name string
			do   func() error
			undo func(ctx context.Context) error
		}{
			{"disabled", func() error { return s.apis.Disable(ctx, tester, posts) }, func(ctx context.Context) error { return s.apis.Enable(ctx, tester, posts) }},
			{"deleted", func() error { return s.apis.Delete(ctx, tester, posts) }, nil},
		} {
			access := bare(posts)
			if active, userinfo := state(access); !active || userinfo != http.StatusOK {
				t.Fatalf("%s: before: active %t, userinfo %d", c.name, active, userinfo)
			}
			ledgerMust(t, c.do())
			if active, userinfo := state(access); active || userinfo != http.StatusUnauthorized {
				t.Errorf("%s: active %t, userinfo %d", c.name, active, userinfo)
			}
			if c.undo != nil {
				ledgerMust(t, c.undo(ctx))
				if active, userinfo := state(access); active || userinfo != http.StatusUnauthorized {
					t.Errorf("%s and enabled again: active %t, userinfo %d", c.name, active, userinfo)
				}
			}
			if active, userinfo := state(other); !active || userinfo != http.StatusOK {
				t.Errorf("%s: a token for another API: active %t, userinfo %d", c.name, active, userinfo)
			}
		}
	})
}
