package endtoend_test

import (
	"testing"
)

const draftTitle = "Written end to end"

// publish fills in the page for a new post.
func (v *visitor) publish() {
	v.t.Helper()
	v.open(v.app + "/posts/new")
	v.sees(v.app+"/posts/new", 200, "New post")
	v.fill("#title", draftTitle)
	v.fill("#body", "By a test.")
	v.press(`main form button`)
}

// draft is what the page for a new post would send.
func draft() map[string]string {
	return map[string]string{"title": draftTitle, "body": "Past the page."}
}

// What a person leaves out, the app does not get, until they decide otherwise.
func TestConsentWithOneScopeUnticked(t *testing.T) {
	eachStorage(t, func(t *testing.T, s *server) {
		v := s.visitor(t)
		v.begin()
		v.signIn("regular_user", password)
		v.sees(s.issuer+"/consent", 200, "Add posts", "Delete posts")
		if !v.ticked("posts:add") || v.has(box("openid")) || v.has(box("offline_access")) {
			t.Fatal("only optional scopes have a box, and it is ticked at first")
		}
		v.toggle("posts:add")
		v.press(buttonAllow)
		v.sees(s.app+"/", 200, "Hello, Rita Regular", "Needs the permission posts:add")
		v.open(s.app + "/posts/new")
		v.sees(s.app+"/posts/new", 403, "You may not do that", "Missing: posts:add")
		v.submit("/posts/new", draft()) // now it is the API that says no
		v.sees(s.app+"/posts/new", 403, "You may not do that")
		v.open(s.app + "/posts")
		v.sees(s.app+"/posts", 200, "Posts", "!"+draftTitle)

		v.open(s.app + "/posts/new")
		v.press(`main a[href^="/signin?ask"]`)
		v.sees(s.issuer+"/consent", 200, "Add posts")
		if v.ticked("posts:add") || !v.ticked("posts:delete") {
			t.Error("the boxes do not stand as they were left")
		}
		v.toggle("posts:add")
		v.press(buttonAllow)
		v.sees(s.app+"/posts", 200, "Posts")
		v.publish()
		v.sees(s.app+"/posts", 200, draftTitle)
	})
}

// What the groups do not give, no consent gives.
func TestPermissionByGroup(t *testing.T) {
	eachStorage(t, func(t *testing.T, s *server) {
		for _, who := range []struct {
			name             string
			mayAdd, mayErase bool
		}{
			{"reader", false, false},
			{"regular_user", true, false},
			{"admin", true, true},
		} {
			t.Run(who.name, func(t *testing.T) {
				v := s.visitor(t)
				v.begin()
				v.signIn(who.name, password)
				v.sees(s.issuer+"/consent", 200)
				if warned := v.has("li.unavailable"); warned == (who.mayAdd && who.mayErase) {
					t.Errorf("the page says that something is not available: %t", warned)
				}
				v.press(buttonAllow)
				v.sees(s.app+"/", 200, "Hello, ")
				v.open(s.app + "/posts")
				v.sees(s.app+"/posts", 200, "Posts")
				v.tryToAdd(who.mayAdd)
				v.tryToErase(who.mayErase)
			})
		}
	})
}

func (v *visitor) tryToAdd(may bool) {
	v.t.Helper()
	if may {
		v.publish()
		v.sees(v.app+"/posts", 200, draftTitle)
		return
	}
	v.submit("/posts/new", draft())
	v.sees(v.app+"/posts/new", 403, "You may not do that", "posts:add")
}

func (v *visitor) tryToErase(may bool) {
	v.t.Helper()
	v.open(v.app + "/posts")
	if offered := v.has("article form"); offered != may {
		v.t.Errorf("the app offers to delete: %t", offered)
	}
	if may {
		before := v.count("article")
		v.press(`article form button`)
		v.sees(v.app+"/posts", 200)
		if after := v.count("article"); after != before-1 {
			v.t.Errorf("%d posts, then %d", before, after)
		}
		return
	}
	v.submit("/posts/1/delete", map[string]string{})
	v.sees(v.app+"/posts/1/delete", 403, "You may not do that", "posts:delete")
}
