package endtoend_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// back presses the browser's back button. A page that is shown again may send the
// visitor on at once, so there may be several loads.
func (v *visitor) back() {
	v.t.Helper()
	v.travel("go back", chromedp.NavigateBack())
}

func TestBackButton(t *testing.T) {
	eachStorage(t, func(t *testing.T, s *server) {
		v := s.visitor(t)
		v.begin()
		v.signIn("regular_user", password)
		v.sees(s.issuer+"/consent", 200)
		// Before the answer: there is nothing to sign in for again.
		v.back()
		v.sees(s.issuer+"/consent", 200, "Demo app asks for access")
		v.press(buttonAllow)
		v.sees(s.app+"/", 200, "Hello, Rita Regular")
		// After it: whatever page comes back, the person ends at the app.
		v.back()
		if strings.HasPrefix(v.where(), s.issuer) {
			v.press(buttonAllow)
		}
		v.sees(s.app+"/", 200, "Hello, Rita Regular")
	})
}

// Two tabs show the same sign-in.
func TestSecondTabWithTheSameFlow(t *testing.T) {
	eachStorage(t, func(t *testing.T, s *server) {
		first := s.visitor(t)
		first.begin()
		second := first.tab()
		second.open(first.where())
		second.sees(s.issuer+"/signin", 200, "Password")

		first.signIn("regular_user", password)
		first.sees(s.issuer+"/consent", 200)
		second.signIn("regular_user", password)
		second.sees(s.issuer+"/consent", 200)
		first.press(buttonAllow)
		first.sees(s.app+"/", 200, "Hello, Rita Regular")
		second.press(buttonAllow)
		second.sees(s.app+"/", 200, "Hello, Rita Regular")
		first.open(s.app + "/posts")
		first.sees(s.app+"/posts", 200, "Posts")
	})
}

// Two tabs began a sign-in of their own each.
func TestSecondTabWithAnotherFlow(t *testing.T) {
	eachStorage(t, func(t *testing.T, s *server) {
		first := s.visitor(t)
		first.begin()
		second := first.tab()
		second.open(s.app + "/posts") // which sends to sign in
		second.sees(s.issuer+"/signin", 200, "Password")
		if first.where() == second.where() {
			t.Fatal("the tabs share a flow")
		}
		first.signIn("regular_user", password)
		first.press(buttonAllow)
		first.sees(s.app+"/", 200, "Hello, Rita Regular")
		second.open(second.where())
		second.sees(s.app+"/", 200, "Hello, Rita Regular")
	})
}

// A page that was left open for too long leads on.
func TestExpiredPage(t *testing.T) {
	eachStorage(t, func(t *testing.T, s *server) {
		v := s.visitor(t)
		v.begin()
		s.ageFlows(t)
		v.signIn("regular_user", password)
		v.sees(s.issuer+"/signin", 410, "This page has expired", "Try again")
		v.press(`main a.button.primary`)
		v.sees(s.issuer+"/signin", 200, "Password")
		v.signIn("regular_user", password)
		v.sees(s.issuer+"/consent", 200)
		s.ageFlows(t)
		v.press(buttonAllow)
		v.sees(s.issuer+"/consent", 410, "This page has expired")
		v.press(`main a.button.primary`)
		v.sees(s.issuer+"/consent", 200) // the sign-in was not lost
		v.press(buttonAllow)
		v.sees(s.app+"/", 200, "Hello, Rita Regular")
	})
}

func TestUnknownPage(t *testing.T) {
	eachStorage(t, func(t *testing.T, s *server) {
		v := s.visitor(t)
		for _, flow := range []string{"garbage", "AAAAAAAAAAAAAAAAAAAAAA", strings.Repeat("A", 2000)} {
			for _, path := range []string{"/signin", "/consent", "/select-account"} {
				v.open(s.issuer + path + "?flow=" + flow)
				v.sees(s.issuer+path, 404, "This page has expired", "Go to the start page")
			}
		}
		v.press(`main a.button`)
		v.sees(s.issuer+"/", 200, "Welcome")
	})
}
