package endtoend_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/resource/wire"
)

// followsTheWire shows an example what can go wrong on the way.
func followsTheWire(t *testing.T, e example) {
	f := feign(t)
	api := e.start(t, f.url, f.audience, f.api)
	good := f.sign(nil, nil)
	api.isFresh(t, good)

	asked := f.counted("/introspect")
	if r := api.list(t, good); r.status != http.StatusOK || f.counted("/introspect") != asked {
		t.Errorf("while fresh: %+v, introspections %d before, %d after", r, asked, f.counted("/introspect"))
	}
	t.Run("tokens", func(t *testing.T) { checkTokens(t, f, api) })
	known := checkNewKey(t, f, api)
	t.Run("rows", func(t *testing.T) { checkRows(t, f, api) })
	t.Run("resync", func(t *testing.T) { checkResync(t, f, api, good) })
	t.Run("stale", func(t *testing.T) { checkStale(t, f, api, good) })
	known()
	t.Run("report", func(t *testing.T) {
		api.await(t, "a report of the last position", func() bool {
			for _, r := range f.reported() {
				f.mu.Lock()
				last := r.State == "fresh" && strings.HasPrefix(r.Cursor, f.place())
				f.mu.Unlock()
				if last && len(r.Instance) > 0 && len(r.Instance) <= 64 && r.Lag >= 0 && r.Lag <= wire.FreshFor {
					return true
				}
			}
			return false
		})
		if n := len(f.reported()); n != 1 {
			t.Errorf("one process reports as %d instances", n)
		}
	})
}

// checkTokens refuses what is no access token of this issuer for this API now.
func checkTokens(t *testing.T, f *feigned, api *exampleAPI) {
	now := time.Now().Unix()
	type m = map[string]any
	tests := []struct {
		name           string
		claims, header m
		status         int
	}{
		{"good", nil, nil, 200},
		{"the long name of the type", nil, m{"typ": "application/at+jwt"}, 200},
		{"audiences", m{"aud": []string{"https://other.example.com", f.audience}}, nil, 200},
		{"a machine's", m{"sid": nil, "gid": nil}, nil, 200},
		{"rev above the head", m{"rev": 1 << 40}, nil, 200},
		{"within the leeway", m{"iat": now - 60, "exp": now - 10}, nil, 200},
		{"an ID token", nil, m{"typ": "JWT"}, 401},
		{"no type", nil, m{"typ": nil}, 401},
		{"no key", nil, m{"kid": nil}, 401},
		{"an unknown key", nil, m{"kid": "k2"}, 401},
		{"an unknown extension", nil, m{"crit": []string{"x"}, "x": 1}, 401},
		{"another issuer", m{"iss": "https://other.example.com"}, nil, 401},
		{"no issuer", m{"iss": nil}, nil, 401},
		{"another audience", m{"aud": "https://other.example.com"}, nil, 401},
		{"an audience that is longer", m{"aud": f.audience + "/"}, nil, 401},
		{"no audience", m{"aud": nil}, nil, 401},
		{"expired", m{"iat": now - 600, "exp": now - 60}, nil, 401},
		{"no expiry", m{"exp": nil}, nil, 401},
		{"from the future", m{"iat": now + 120, "exp": now + 600}, nil, 401},
		{"not yet valid", m{"nbf": now + 120}, nil, 401},
		{"no time of issue", m{"iat": nil}, nil, 401},
		{"a lifetime that is too long", m{"exp": now + 7200}, nil, 401},
		{"bound to its sender", m{"cnf": m{"jkt": "x"}}, nil, 401},
		{"no subject", m{"sub": nil}, nil, 401},
		{"no app", m{"client_id": nil}, nil, 401},
		{"no id", m{"jti": nil}, nil, 401},
		{"no rev", m{"rev": nil}, nil, 401},
		{"a negative rev", m{"rev": -1}, nil, 401},
		{"a session that is no text", m{"sid": 7}, nil, 401},
		{"a scope that is no text", m{"scope": []string{"posts:add"}}, nil, 401},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if r := api.list(t, f.sign(test.claims, test.header)); r.status != test.status {
				t.Errorf("answered %+v, want %d", r, test.status)
			}
		})
	}
	t.Run("no signature", func(t *testing.T) {
		parts := strings.Split(f.sign(nil, nil), ".")
		none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt","kid":"k1"}`))
		symmetric := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"at+jwt","kid":"k1"}`))
		for _, raw := range []string{none + "." + parts[1] + ".", none + "." + parts[1] + "." + parts[2], symmetric + "." + parts[1] + "." + parts[2]} {
			if r := api.list(t, raw); r.status != http.StatusUnauthorized {
				t.Errorf("answered %+v", r)
			}
		}
	})
	t.Run("a header that is nested deeply", func(t *testing.T) {
		head := base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("[", 5000)))
		if r := api.list(t, head+".e30.AAAA"); r.status < 400 || r.status >= 500 {
			t.Errorf("answered %+v", r)
		}
	})
	if r := api.add(t, f.sign(map[string]any{"scope": "posts:ad posts:addx"}, nil)); r.status != http.StatusForbidden {
		t.Errorf("a scope that only looks like the permission: %+v", r)
	}
}

// checkNewKey has another key sign at once, while strangers name made-up ones: what
// the example cannot know yet it does not call invalid, and it knows within ten
// seconds. What it returns looks whether it does.
func checkNewKey(t *testing.T, f *feigned, api *exampleAPI) (known func()) {
	t.Helper()
	under := func(kid string) reply { return api.list(t, f.sign(nil, map[string]any{"kid": kid})) }
	if r := under("made-up"); r.status != http.StatusUnauthorized && r.status != http.StatusServiceUnavailable {
		t.Errorf("a made-up key: %+v", r)
	}
	f.change(func() { f.kids = []string{"k1", "new"} })
	time.Sleep(1100 * time.Millisecond) // what was fetched for the made-up key is no news any more
	if r := under("new"); r.status == http.StatusUnauthorized || r.status == http.StatusServiceUnavailable && r.retry == "" {
		t.Errorf("a new key after a made-up one: %+v", r)
	}
	began := time.Now()
	return func() {
		t.Helper()
		awaitWithin(t, 10*time.Second-time.Since(began), "tokens of the new key pass", func() bool { return under("new").status == http.StatusOK })
	}
}

// checkRows takes tokens back in each way and lets others live.
func checkRows(t *testing.T, f *feigned, api *exampleAPI) {
	for _, kind := range []string{
		wire.KindToken, wire.KindSession, wire.KindGrant, wire.KindUser, wire.KindMembership, wire.KindPermission, wire.KindClient,
	} {
		claim, _ := wire.Claim(kind)
		mine := map[string]any{"rev": f.position, claim: "of-" + kind}
		token, bystander := f.sign(mine, nil), f.sign(map[string]any{"rev": f.position}, nil)
		if r := api.list(t, token); r.status != http.StatusOK {
			t.Errorf("%s: before: %+v", kind, r)
		}
		f.revoke(kind, "of-"+kind)
		api.refuses(t, token)
		if r := api.list(t, bystander); r.status != http.StatusOK {
			t.Errorf("%s: a bystander: %+v", kind, r)
		}
		mine["rev"] = f.position
		claimed := wire.KindToken == kind || wire.KindSession == kind || wire.KindGrant == kind
		if r := api.list(t, f.sign(mine, nil)); (r.status == http.StatusUnauthorized) != claimed {
			t.Errorf("%s: decided afterwards: %+v", kind, r)
		}
	}
}

// checkResync breaks the feed in ways that a snapshot mends.
func checkResync(t *testing.T, f *feigned, api *exampleAPI, good string) {
	tests := []struct {
		name string
		harm func()
	}{
		{"a gap", func() { f.gap = true }},
		{"reset: too old", func() { f.reset = "too_old" }},
		{"reset: timeline", func() { f.timeline = "two" }},
		{"another secret", func() { f.hashKey, f.rows, f.reset = []byte("another secret, as long"), nil, "hash_key" }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before := f.counted(wire.PathSnapshot)
			f.change(test.harm)
			api.await(t, "a snapshot", func() bool { return f.counted(wire.PathSnapshot) > before })
			api.isFresh(t, good)
			session := test.name
			f.revoke(wire.KindSession, session)
			api.refuses(t, f.sign(map[string]any{"sid": session}, nil))
		})
	}
	t.Run("the follower's token is dead", func(t *testing.T) {
		before := f.counted("/token")
		f.change(func() { f.access = "another" })
		api.await(t, "a new access token", func() bool { return f.counted("/token") > before })
		f.revoke(wire.KindSession, "after the token")
		api.refuses(t, f.sign(map[string]any{"sid": "after the token"}, nil))
		api.isFresh(t, good)
	})
}

// checkStale breaks the feed in ways in which no answer may be given from memory.
func checkStale(t *testing.T, f *feigned, api *exampleAPI, good string) {
	tests := []struct {
		name   string
		atOnce bool // not only when what was confirmed before is too old
		spoil  func(*wire.Frame)
	}{
		{"another version", true, func(fr *wire.Frame) { fr.Version = 2 }},
		{"an unknown kind", true, func(fr *wire.Frame) {
			fr.Rows = append(fr.Rows[:len(fr.Rows):len(fr.Rows)], wire.Row{Position: fr.Position, Kind: "device", Expires: 1 << 40})
		}},
		{"a head that was confirmed long ago", false, func(fr *wire.Frame) { fr.Age = 11_000 }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dead := f.sign(map[string]any{"sid": "dead " + test.name}, nil)
			f.revoke(wire.KindSession, "dead "+test.name)
			api.refuses(t, dead)
			before := f.counted(wire.PathSnapshot)
			f.change(func() { f.spoil = test.spoil })
			if test.atOnce {
				api.await(t, "a snapshot", func() bool { return f.counted(wire.PathSnapshot) > before })
				if r := api.call(t, http.MethodDelete, "/posts/99", "Bearer "+good); r.status != http.StatusServiceUnavailable {
					t.Errorf("when it asks for a snapshot: %+v", r)
				}
			}
			api.isStale(t, good)
			asked := f.counted("/introspect")
			if r := api.list(t, f.sign(nil, nil)); r.status != http.StatusOK || f.counted("/introspect") != asked+1 {
				t.Errorf("stale: %+v after %d introspections", r, f.counted("/introspect")-asked)
			}
			if r := api.list(t, dead); r.status != http.StatusUnauthorized {
				t.Errorf("revoked before: %+v", r)
			}
			f.change(func() { f.active = false })
			if r := api.list(t, f.sign(nil, nil)); r.status != http.StatusUnauthorized {
				t.Errorf("introspection says no: %+v", r)
			}
			f.change(func() { f.active, f.spoil = true, nil })
			api.isFresh(t, good)
		})
	}
}
