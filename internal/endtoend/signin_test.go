package endtoend_test

import (
	"regexp"
	"testing"

	"github.com/chromedp/chromedp"
)

const wrongCredentials = "Username or password is not right. Check both and try again."

func TestSignIn(t *testing.T) {
	eachStorage(t, func(t *testing.T, s *server) {
		v := s.visitor(t)
		v.begin()
		v.sees(s.issuer+"/signin", 200, "Sign in", "Demo app", "\nShow", "!"+wrongCredentials)
		v.signIn("regular_user", "not the password")
		v.sees(s.issuer+"/signin", 422, wrongCredentials)
		var name, secret string
		v.do("read the fields", chromedp.Value(`input[name="username"]`, &name), chromedp.Value(`input[name="password"]`, &secret))
		if name != "regular_user" || secret != "" {
			t.Errorf("after the refusal the fields hold %q and %q", name, secret)
		}
		// A mail address signs in as well, and Enter is as good as the button.
		v.fill(`input[name="username"]`, "Regular@test.com")
		v.fill(`input[name="password"]`, password)
		v.enterKey(`input[name="password"]`)
		v.sees(s.issuer+"/consent", 200, "Demo app asks for access", "regular@test.com", "Add posts", "Keep this access")
		v.press(buttonAllow)
		v.sees(s.app+"/", 200, "Hello, Rita Regular")
		v.press(`main a[href="/claims"]`)
		v.sees(s.app+"/claims", 200, "preferred_username", "regular_user", "regular@test.com", "posts:add", "!posts:delete")
		v.open(s.issuer + "/")
		v.sees(s.issuer+"/", 200, "Hello, Rita Regular")
	})
}

// The demo accounts that may not come in learn nothing about themselves.
func TestBannedIsRefused(t *testing.T) {
	eachStorage(t, func(t *testing.T, s *server) {
		v := s.visitor(t)
		v.begin()
		read := func(username, secret string) string {
			v.signIn(username, secret)
			reference := regexp.MustCompile(`Reference \S+`) // of the request
			return reference.ReplaceAllString(v.text(), "Reference")
		}
		unknown := read("nobody_here", "not the password")
		v.sees(s.issuer+"/signin", 422, wrongCredentials)
		banned := read("banned_user", "not the password")
		v.sees(s.issuer+"/signin", 422, wrongCredentials)
		if unknown != banned {
			t.Errorf("a stranger can tell who exists:\n%s\n--- and ---\n%s", unknown, banned)
		}
		v.signIn("banned_user", password)
		v.sees(s.issuer+"/signin", 403, "You do not have access", "!"+wrongCredentials)
		v.open(s.issuer + "/")
		v.sees(s.issuer+"/", 200, "!Hello")
		v.open(s.app + "/")
		v.sees(s.app+"/", 200, "!Hello")
	})
}

func TestSignOut(t *testing.T) {
	eachStorage(t, func(t *testing.T, s *server) {
		v := s.visitor(t)
		v.enter("regular_user")
		// While the session lives, the app gets its answer without a question.
		v.open(s.app + "/signin")
		v.sees(s.app+"/", 200, "Hello, Rita Regular")
		v.press(`header form[action="/signout"] button`)
		v.sees(s.app+"/", 200, "!Hello", "Sign in")
		v.open(s.issuer + "/")
		v.sees(s.issuer+"/", 200, "!Hello", "Sign in")
		v.begin()
		v.sees(s.issuer+"/signin", 200, "Password")
		v.signIn("regular_user", password)
		v.sees(s.app+"/", 200, "Hello, Rita Regular") // the consent is remembered
		// Without an app that vouches for it, the person is asked first.
		v.open(s.issuer + "/logout")
		v.sees(s.issuer+"/logout", 200, "Sign out?")
		v.press(buttonContinue)
		v.sees(s.issuer+"/logout", 200, "You are signed out")
	})
}

func TestCancel(t *testing.T) {
	eachStorage(t, func(t *testing.T, s *server) {
		v := s.visitor(t)
		v.begin()
		v.press(buttonDeny)
		v.sees(s.app+"/callback", 403, "You chose not to sign in")
		v.begin()
		v.signIn("reader", password)
		v.press(buttonDeny)
		v.sees(s.app+"/callback", 403, "You chose not to sign in")
		v.open(s.app + "/")
		v.sees(s.app+"/", 200, "!Hello")
	})
}
