package endtoend_test

import "testing"

// The whole way needs no script.
func TestWithoutJavaScript(t *testing.T) {
	eachStorage(t, func(t *testing.T, s *server) {
		v := s.visitor(t).withoutJavaScript()
		v.begin()
		v.sees(s.issuer+"/signin", 200, "Password", "!\nShow") // a button that the page's script brings
		v.signIn("regular_user", "not the password")
		v.sees(s.issuer+"/signin", 422, wrongCredentials)
		v.signIn("regular_user", password)
		v.sees(s.issuer+"/consent", 200, "Add posts")
		v.toggle("posts:add")
		v.press(buttonAllow)
		v.sees(s.app+"/", 200, "Hello, Rita Regular", "Needs the permission posts:add")
		v.press(`main a[href="/posts/new"]`)
		v.sees(s.app+"/posts/new", 403, "Missing: posts:add")
		v.press(`main a[href^="/signin?ask"]`)
		v.toggle("posts:add")
		v.press(buttonAllow)
		v.sees(s.app+"/posts", 200)
		v.publish()
		v.sees(s.app+"/posts", 200, draftTitle)
		v.press(`header form[action="/signout"] button`)
		v.sees(s.app+"/", 200, "!Hello", "Sign in")
		v.begin()
		v.sees(s.issuer+"/signin", 200, "Password")
	})
}
