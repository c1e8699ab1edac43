package resource

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRequireACR(t *testing.T) {
	g := newGuarded(t)
	reached := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	mux := http.NewServeMux()
	mux.Handle("/two", g.v.RequireACR("aal2", 0)(reached))
	mux.Handle("/one", g.v.RequireACR("aal1", 0)(reached))
	mux.Handle("/gold", g.v.RequireACR("urn:example:gold", 0)(reached))
	mux.Handle("/lately", g.v.RequireACR("", 5*time.Minute)(reached))
	mux.Handle("/pay", g.v.RequireACR("aal2", 5*time.Minute)(g.v.RequirePermission("posts:add")(reached)))
	mux.Handle("/delete", g.v.RequirePermission("posts:delete")(g.v.RequireACR("aal2", 0)(reached)))

	ago := func(d time.Duration) int64 { return epoch.Add(-d).Unix() }
	const (
		realm  = `Bearer realm="https://posts.example.com"`
		meta   = `, resource_metadata="` + testMetadataURL + `"`
		silent = "the access token does not say how its person signed in"
		more   = "the person has to sign in with another factor"
		again  = "the person has to sign in again"
	)
	challenge := func(description, how string) string {
		return realm + `, error="insufficient_user_authentication", error_description="` + description + `"` + how + meta
	}
	const two, lately, both = `, acr_values="aal2"`, `, max_age="300"`, `, acr_values="aal2", max_age="300"`
	tests := []struct {
		name, path string
		claims     map[string]any
		status     int
		challenge  string
	}{
		{"two factors", "/two", map[string]any{"acr": "aal2"}, 200, ""},
		{"a password", "/two", map[string]any{"acr": "aal1"}, 401, challenge(more, two)},
		{"nothing is said", "/two", map[string]any{}, 401, challenge(silent, two)},
		{"an unknown acr", "/two", map[string]any{"acr": "aal9"}, 401, challenge(more, two)},
		{"an acr that only sounds so", "/two", map[string]any{"acr": "AAL2"}, 401, challenge(more, two)},
		{"more than enough", "/one", map[string]any{"acr": "aal2"}, 200, ""},
		{"an acr of somebody else's", "/gold", map[string]any{"acr": "urn:example:gold"}, 200, ""},
		{"not that one", "/gold", map[string]any{"acr": "aal2"}, 401, challenge(more, `, acr_values="urn:example:gold"`)},
		{"just now", "/lately", map[string]any{"auth_time": ago(0)}, 200, ""},
		{"at the end", "/lately", map[string]any{"auth_time": ago(5*time.Minute + g.v.leeway)}, 200, ""},
		{"too long ago", "/lately", map[string]any{"auth_time": ago(5*time.Minute + g.v.leeway + time.Second)}, 401, challenge(again, lately)},
		{"when is not said", "/lately", map[string]any{"acr": "aal2"}, 401, challenge(silent, lately)},
		{"both", "/pay", map[string]any{"acr": "aal2", "auth_time": ago(time.Minute)}, 200, ""},
		{"one of both", "/pay", map[string]any{"acr": "aal1", "auth_time": ago(time.Minute)}, 401, challenge(more, both)},
		{"the other of both", "/pay", map[string]any{"acr": "aal2", "auth_time": ago(time.Hour)}, 401, challenge(again, both)},
		{"the permission is missing first", "/delete", map[string]any{"acr": "aal1"}, 403,
			realm + `, error="insufficient_scope", error_description="the access token lacks a permission", scope="posts:delete"` + meta},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			claims := map[string]any{"acr": nil, "amr": nil, "auth_time": nil}
			for name, value := range tt.claims {
				claims[name] = value
			}
			r := httptest.NewRequest(http.MethodGet, tt.path, nil)
			r.Header.Set("Authorization", "Bearer "+g.issuer.token(t, g.key, g.clock.now(), claims))
			rec := httptest.NewRecorder()
			mux.ServeHTTP(rec, r)
			if rec.Code != tt.status {
				t.Errorf("status %d, want %d", rec.Code, tt.status)
			}
			if diff := cmp.Diff(tt.challenge, rec.Header().Get("WWW-Authenticate")); diff != "" {
				t.Errorf("challenge differs (-want +got):\n%s", diff)
			}
			if tt.status == 401 && !strings.Contains(rec.Body.String(), `"error":"insufficient_user_authentication"`) {
				t.Error(rec.Body)
			}
		})
	}
}

// Who brings no token is asked for one, and for nothing else yet.
func TestRequireACR_NoToken(t *testing.T) {
	g := newGuarded(t)
	rec := httptest.NewRecorder()
	g.v.RequireACR("aal2", 0)(http.NotFoundHandler()).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
	if got := rec.Header().Get("WWW-Authenticate"); rec.Code != 401 || strings.Contains(got, "error") {
		t.Errorf("%d %s", rec.Code, got)
	}
}

func TestRequireACR_Panics(t *testing.T) {
	g := newGuarded(t)
	for name, f := range map[string]func(){
		"nothing":       func() { g.v.RequireACR("", 0) },
		"two words":     func() { g.v.RequireACR("aal1 aal2", 0) },
		"a quote":       func() { g.v.RequireACR(`aal"2`, 0) },
		"negative":      func() { g.v.RequireACR("aal2", -time.Second) },
		"half a second": func() { g.v.RequireACR("aal2", 500*time.Millisecond) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}
