package accounts_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
)

func TestRequired(t *testing.T) {
	const keep, verify, password, enrol, terms = accounts.ActionKeepAccount, accounts.ActionVerifyEmail,
		accounts.ActionChangePassword, accounts.ActionEnrolFactor, accounts.ActionAcceptTerms
	type actions = []accounts.Action
	type user = accounts.User
	tests := []struct {
		name      string
		policy    accounts.SignInPolicy
		user      user
		has, must bool
		want      actions
	}{
		{name: "nothing"},
		{name: "all of it, in order",
			policy: accounts.SignInPolicy{TermsVersion: "2"}, must: true,
			user: user{RequiredActions: actions{terms, password, verify}, Email: "a@b.example", TermsVersion: "1", DeleteAt: 1},
			want: actions{keep, verify, password, enrol, terms}},
		{name: "an address that the policy wants verified",
			policy: accounts.SignInPolicy{VerifyEmail: true}, user: user{Email: "a@b.example"}, want: actions{verify}},
		{name: "it is verified",
			policy: accounts.SignInPolicy{VerifyEmail: true}, user: user{Email: "a@b.example", EmailVerified: true, RequiredActions: actions{verify}}},
		{name: "there is no address",
			policy: accounts.SignInPolicy{VerifyEmail: true}, user: user{RequiredActions: actions{verify}}},
		{name: "a factor that is needed", must: true, want: actions{enrol}},
		{name: "a factor that is asked for", user: user{RequiredActions: actions{enrol}}, want: actions{enrol}},
		{name: "there is a factor", has: true, must: true, user: user{RequiredActions: actions{enrol}}},
		{name: "new terms", policy: accounts.SignInPolicy{TermsVersion: "2"}, user: user{TermsVersion: "1"}, want: actions{terms}},
		{name: "older terms are in force again", policy: accounts.SignInPolicy{TermsVersion: "1"}, user: user{TermsVersion: "2"}, want: actions{terms}},
		{name: "accepted terms", policy: accounts.SignInPolicy{TermsVersion: "2"}, user: user{TermsVersion: "2"}},
		{name: "accepted, and asked for again",
			policy: accounts.SignInPolicy{TermsVersion: "2"}, user: user{TermsVersion: "2", RequiredActions: actions{terms}}, want: actions{terms}},
		{name: "there are no terms", user: user{TermsVersion: "2", RequiredActions: actions{terms}}},
		{name: "a word that nobody knows", user: user{RequiredActions: actions{"dance", password}}, want: actions{password}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.policy.Required(&tt.user, tt.has, tt.must)); diff != "" {
				t.Errorf("required (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNeedsFactor(t *testing.T) {
	strict := accounts.SignInPolicy{StaffNeedFactor: true}
	for _, tt := range []struct {
		name    string
		policy  accounts.SignInPolicy
		user    accounts.User
		byGroup bool
		want    bool
	}{
		{"a member", accounts.SignInPolicy{}, accounts.User{}, true, true},
		{"staff", strict, accounts.User{Staff: true}, false, true},
		{"a superuser", strict, accounts.User{Superuser: true}, false, true},
		{"anybody else", strict, accounts.User{}, false, false},
		{"a superuser where it is not asked", accounts.SignInPolicy{}, accounts.User{Superuser: true, Staff: true}, false, false},
	} {
		if got := tt.policy.NeedsFactor(&tt.user, tt.byGroup); got != tt.want {
			t.Errorf("%s: %t", tt.name, got)
		}
	}
}

// Each action has a page of its own: without one the flow could not go on.
func TestActionsHavePages(t *testing.T) {
	seen := map[string]accounts.Action{}
	for _, a := range accounts.Actions() {
		path := flow.PathOf(a)
		if path == "" || seen[path] != "" {
			t.Errorf("%s has the page %q, and so has %q", a, path, seen[path])
		}
		seen[path] = a
	}
}

func TestRequire(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	u := w.user("ada")
	required := func() []accounts.Action {
		t.Helper()
		u, err := w.db.UserBySubject(ctx, u.Subject)
		w.must(err)
		return u.RequiredActions
	}
	w.must(w.users.Require(ctx, operator(), u.Subject, accounts.ActionAcceptTerms, accounts.ActionChangePassword, accounts.ActionAcceptTerms))
	want := []accounts.Action{accounts.ActionChangePassword, accounts.ActionAcceptTerms}
	if diff := cmp.Diff(want, required()); diff != "" {
		t.Errorf("required (-want +got):\n%s", diff)
	}
	for _, wrong := range []accounts.Action{"dance", accounts.ActionKeepAccount} {
		if err := w.users.Require(ctx, operator(), u.Subject, wrong); !errors.Is(err, accounts.ErrInvalid) {
			t.Errorf("%s: %v", wrong, err)
		}
	}
	if err := w.users.Require(ctx, operator(), "nobody", accounts.ActionAcceptTerms); !errors.Is(err, accounts.ErrNotFound) {
		t.Error(err)
	}
	w.must(w.users.Require(ctx, operator(), u.Subject))
	if got := required(); got != nil {
		t.Errorf("taken back: %v", got)
	}
}

// A new password is what was asked for; an operator's is not the person's own.
func TestRequire_ChangePassword(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	u := w.user("ada")
	w.must(w.users.SetPassword(ctx, operator(), u.Subject, "first passphrase of ada"))
	w.must(w.users.Require(ctx, operator(), u.Subject, accounts.ActionChangePassword))
	w.must(w.users.SetPassword(ctx, operator(), u.Subject, "second passphrase of ada"))
	u, position, err := w.db.UserByLogin(ctx, "ada")
	w.must(err)
	if u.RequiredActions == nil {
		t.Error("the operator's password was taken for the person's")
	}
	w.pass(1)
	proof := &accounts.Result{User: u, Position: position}
	w.must(w.users.ChangePassword(ctx, operator(), proof, "third passphrase of ada", [16]byte{}))
	u, err = w.db.UserBySubject(ctx, u.Subject)
	w.must(err)
	if u.RequiredActions != nil || u.PasswordChangedAt != w.now().UnixMilli() {
		t.Errorf("after the change: %v, changed at %d", u.RequiredActions, u.PasswordChangedAt)
	}
}

func TestRegister_RequiredACR(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct {
		kind  accounts.ClientType
		acr   string
		valid bool
	}{
		{accounts.WebClient, "", true},
		{accounts.WebClient, accounts.ACRTwoFactors, true},
		{accounts.SPAClient, accounts.ACRPassword, true},
		{accounts.WebClient, "aal3", false},
		{accounts.WebClient, "aal1 aal2", false},
		{accounts.MachineClient, accounts.ACRTwoFactors, false},
	} {
		r := accounts.Registration{Name: "App", Type: tt.kind, RequiredACR: tt.acr}
		if tt.kind != accounts.MachineClient {
			r.RedirectURIs = []string{"https://app.example.com/cb"}
		}
		c, _, err := w.clients.Register(t.Context(), operator(), r)
		if tt.valid != (err == nil) || !tt.valid && !errors.Is(err, accounts.ErrInvalid) {
			t.Errorf("%s with %q: %v", tt.kind, tt.acr, err)
		}
		if err == nil && c.RequiredACR != tt.acr {
			t.Errorf("registered with %q, not %q", c.RequiredACR, tt.acr)
		}
	}
}
