package templates

import (
	"net/http"
	"time"
)

// SignIn is the page that asks for username and password. Its form posts
// "username", "password", "flow" and "action" ("continue" or "deny").
type SignIn struct {
	Page
	Client   *ClientInfo // nil when the person came without an app; then there is no Cancel
	Username string      // what was typed or hinted
	Problems []SignInProblem
	// RetryAfter is the waiting time that TooManyAttempts tells of, rounded up.
	RetryAfter time.Duration
	Action     string
	Flow       string
	// Reauthenticate asks a person who is signed in for the password again: the
	// username is fixed, and SwitchURL leads to "not you?".
	Reauthenticate bool
	SwitchURL      string
	// Hidden comes back with either form of the page.
	Hidden []Field
	// Passkey is nil where there are none. Its form posts "flow", Hidden, "ceremony",
	// "response" and the action "passkey".
	Passkey *PasskeyAsk
	// The ways on: to sign-up, to another password, to a sign-in by a code that is
	// sent by mail. Each may be empty.
	SignUpURL, ResetURL, CodeURL string
}

// SignInProblem is something that the person is told about the last try.
type SignInProblem string

// The problems. WrongCredentials is also the answer for unknown, banned and
// disabled accounts: strangers must not learn who exists.
const (
	WrongCredentials SignInProblem = "wrong_credentials"
	TooManyAttempts  SignInProblem = "too_many_attempts"
	SignInExpired    SignInProblem = "expired"
	UsernameMissing  SignInProblem = "username_missing"
	PasswordMissing  SignInProblem = "password_missing"
	PasskeyRefused   SignInProblem = "passkey"
	PasskeyUnknown   SignInProblem = "passkey_unknown" // of no account, perhaps any more
	SignInRequest    SignInProblem = "request"         // the form came broken or from elsewhere
)

func signInProblems() []SignInProblem {
	return []SignInProblem{WrongCredentials, TooManyAttempts, SignInExpired, UsernameMissing, PasswordMissing, PasskeyRefused, PasskeyUnknown, SignInRequest}
}

// problem is a line of the summary at the top of a form.
type problem struct {
	Key   string
	Field string // id of the field to jump to; empty when there is none
	Count int    // for the plural, when the text counts
}

type signInData struct {
	SignIn
	Summary                          []problem
	UsernameInvalid, PasswordInvalid bool
	// ShowReference is not set for what the person can see and mend alone.
	ShowReference bool
	// FocusUsername and FocusPassword say where typing begins. Never when there
	// is a summary, which has to be read first.
	FocusUsername, FocusPassword bool
	Ways                         []way
}

// SignIn writes the sign-in page.
func (r *Renderer) SignIn(w http.ResponseWriter, status int, lang Language, p SignIn) error {
	return r.render(w, status, "sign_in", signInView(lang, p))
}

func signInView(lang Language, p SignIn) *view {
	data := signInData{SignIn: p}
	for _, w := range []way{
		{"signin.code", p.CodeURL}, {"signin.forgot", p.ResetURL}, {"signin.sign_up", p.SignUpURL},
	} {
		if w.URL != "" {
			data.Ways = append(data.Ways, w)
		}
	}
	for _, which := range p.Problems {
		line := problem{Key: "signin.problem." + string(which)}
		if which != UsernameMissing && which != PasswordMissing {
			data.ShowReference = true
		}
		switch which {
		case WrongCredentials:
			line.Field, data.UsernameInvalid, data.PasswordInvalid = "username", true, true
			if p.Reauthenticate {
				line.Key, line.Field, data.UsernameInvalid = "signin.problem.wrong_password", "current-password", false
			}
		case UsernameMissing:
			line.Field, data.UsernameInvalid = "username", true
		case PasswordMissing:
			line.Field, data.PasswordInvalid = "current-password", true
		case TooManyAttempts:
			line = tooMany(p.RetryAfter)
		}
		data.Summary = append(data.Summary, line)
	}
	if len(data.Summary) == 0 {
		data.FocusPassword = p.Username != ""
		data.FocusUsername = !data.FocusPassword
	}
	return &view{Lang: lang, Page: p.Page, P: data, Failed: len(data.Summary) > 0}
}

// tooMany rounds up, so that whoever waits that long is let in.
func tooMany(wait time.Duration) problem {
	if wait <= 0 {
		return problem{Key: "signin.problem.too_many_attempts"}
	}
	if wait <= 90*time.Second {
		return problem{Key: "signin.problem.wait_seconds", Count: int((wait + time.Second - 1) / time.Second)}
	}
	return problem{Key: "signin.problem.wait_minutes", Count: int((wait + time.Minute - 1) / time.Minute)}
}
