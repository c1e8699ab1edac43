package consent_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
)

func TestConsent_Page(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.enter(w.ada)
	f := w.flow(b, func(f *flow.Flow) { f.Scopes = w.board.Scopes })
	page := b.get("/consent?flow=" + f.ID.String())
	wantPage(t, page, http.StatusOK,
		"Post Board", "board.example.com", "ada@example.org", "ada Example", "Editors", "Know who you are", "Act for you in Posts",
		"Write posts in your name", "Keep access when you are away", "/signin?flow="+f.ID.String()+"&switch=1",
		`value="posts:add" checked`, "!New", "!another program", "!Nobody here has checked")
	body := page.Body.String()
	for _, required := range []string{"openid", "profile", "groups", "offline_access", "posts:list"} {
		if strings.Contains(body, `name="scope" value="`+required+`"`) {
			t.Errorf("%s can be unticked", required)
		}
	}
	// Ada holds posts:add alone.
	if got := strings.Count(body, "You do not have this permission at present"); got != 2 {
		t.Errorf("%d permissions are marked as not held, want 2", got)
	}
}

// A permission that was deleted since the flow began is shown as what it is.
func TestConsent_UnknownScope(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.enter(w.ada)
	f := w.flow(b, func(f *flow.Flow) { f.Scopes = []string{"openid", "posts:gone"} })
	wantPage(t, b.get("/consent?flow="+f.ID.String()), http.StatusOK, "posts:gone (the API gives no description", "You do not have this permission")
}

func TestConsent_Warnings(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.enter(w.ada)
	for _, tc := range []struct {
		name  string
		kind  accounts.ClientType
		uri   string
		wants []string
	}{
		{"loopback", accounts.NativeClient, "http://127.0.0.1/cb", []string{"another program could pretend", "!127.0.0.1"}},
		{"scheme", accounts.NativeClient, "com.example.app:/cb", []string{"another app could pretend"}},
		{"in the browser", accounts.SPAClient, "http://localhost:3000/cb", []string{"another program could pretend", "localhost:3000"}},
		{"with a secret", accounts.WebClient, "http://localhost:8401/cb", []string{"!pretend", "localhost:8401"}},
		{"claimed https", accounts.NativeClient, "https://app.example.com/cb", []string{"!pretend", "app.example.com"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := w.register(accounts.Registration{Name: "Tool", Type: tc.kind, RedirectURIs: []string{tc.uri}})
			f := w.flow(b, func(f *flow.Flow) {
				f.ClientID, f.RedirectURI, f.Scopes = c.ClientID, tc.uri, []string{"openid"}
			})
			wantPage(t, b.get("/consent?flow="+f.ID.String()), http.StatusOK, tc.wants...)
		})
	}
}

func TestConsent_Allow(t *testing.T) {
	for _, tc := range []struct {
		name   string
		ticked []string
		want   []string
	}{
		{"all", []string{"email", "posts:add"}, []string{"openid", "email", "posts:add", "posts:list"}},
		{"one unticked", []string{"email"}, []string{"openid", "email", "posts:list"}},
		{"all unticked", nil, []string{"openid", "posts:list"}},
		{"scopes added that were not asked", []string{"posts:delete", "profile", "admin:write", "posts:add"}, []string{"openid", "posts:add", "posts:list"}},
		{"one sent twice", []string{"email", "email"}, []string{"openid", "email", "posts:list"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			b := w.browser()
			b.enter(w.ada)
			f := w.flow(b)
			form := fill(t, b.get("/consent?flow="+f.ID.String()), "action", "allow")
			form["scope"] = tc.ticked
			wantRedirect(t, b.post("/consent", form), w.authorize(f))
			w.wantOutcome("consented")
			k := w.consent(w.ada)
			if diff := cmp.Diff(tc.want, k.Scopes); diff != "" {
				t.Errorf("allowed (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(f.Scopes, k.Asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
			if w.stored(f).ConsentedBy != w.ada.Subject {
				t.Error("the flow does not say so")
			}
		})
	}
}

func TestConsent_Deny(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.enter(w.ada)
	f := w.flow(b)
	page := b.get("/consent?flow=" + f.ID.String())
	wantRedirect(t, b.post("/consent", fill(t, page, "action", "deny", "scope", "email")), w.authorize(f))
	if w.stored(f).DeniedAt == 0 || w.consent(w.ada) != nil {
		t.Error("a no was not taken as one")
	}
	// The back button does not turn it into a yes.
	wantRedirect(t, b.post("/consent", fill(t, page, "action", "allow")), w.authorize(f))
	if w.stored(f).ConsentedBy != "" || w.consent(w.ada) != nil {
		t.Error("a yes after the no was taken")
	}
}

// Neither nothing nor anything unknown is a yes.
func TestConsent_NoAction(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.enter(w.ada)
	f := w.flow(b)
	page := b.get("/consent?flow=" + f.ID.String())
	wantPage(t, b.post("/consent", fill(t, page)), http.StatusBadRequest)
	wantPage(t, b.post("/consent", fill(t, page, "action", "continue")), http.StatusBadRequest)
	wantPage(t, b.post("/consent", nil), http.StatusNotFound)
	if w.consent(w.ada) != nil {
		t.Error("consented")
	}
}

// What was answered before is how the boxes stand, and what is new is marked.
func TestConsent_Again(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.enter(w.ada)
	first := w.flow(b)
	form := fill(t, b.get("/consent?flow="+first.ID.String()), "action", "allow", "scope", "email")
	wantRedirect(t, b.post("/consent", form), w.authorize(first))
	second := w.flow(b, func(f *flow.Flow) { f.Scopes = append(f.Scopes, "posts:delete") })
	page := b.get("/consent?flow=" + second.ID.String())
	wantPage(t, page, http.StatusOK, `value="email" checked`, `!value="posts:add" checked`, `value="posts:delete" checked`, "New")
	if got := strings.Count(page.Body.String(), ">New<"); got != 1 {
		t.Errorf("%d scopes are marked as new", got)
	}
	// After a disconnect nothing of it counts.
	w.must(w.consents.Disconnect(t.Context(), operator(), w.ada, w.board))
	wantPage(t, b.get("/consent?flow="+second.ID.String()), http.StatusOK, `value="posts:add" checked`, "!New")
}

// The back button before the app was reached changes the answer; after it, the
// flow is over and the form is worth nothing.
func TestConsent_Replay(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.enter(w.ada)
	f := w.flow(b)
	page := b.get("/consent?flow=" + f.ID.String())
	wantRedirect(t, b.post("/consent", fill(t, page, "action", "allow", "scope", "email", "scope", "posts:add")), w.authorize(f))
	wantRedirect(t, b.post("/consent", fill(t, page, "action", "allow", "scope", "email")), w.authorize(f))
	if diff := cmp.Diff([]string{"openid", "email", "posts:list"}, w.consent(w.ada).Scopes); diff != "" {
		t.Errorf("allowed (-want +got):\n%s", diff)
	}
	done := w.stored(f)
	done.FinishedAt = w.now.UnixMilli()
	w.must(w.db.UpdateFlow(t.Context(), done))
	wantRedirect(t, b.post("/consent", fill(t, page, "action", "allow", "scope", "posts:add")), w.authorize(f))
	if diff := cmp.Diff([]string{"openid", "email", "posts:list"}, w.consent(w.ada).Scopes); diff != "" {
		t.Errorf("a replay was taken (-want +got):\n%s", diff)
	}
}

// A form is about one person: whoever signed in since in another tab did not see it.
func TestConsent_OtherPersonSince(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.enter(w.ada)
	f := w.flow(b)
	page := b.get("/consent?flow=" + f.ID.String())
	b.enter(w.bob)
	answer := b.post("/consent", fill(t, page, "action", "allow"))
	wantPage(t, answer, http.StatusForbidden, "/oauth2/authorize?flow="+f.ID.String())
	if w.consent(w.ada) != nil || w.consent(w.bob) != nil {
		t.Error("recorded for somebody who did not see the page")
	}
}

// A box that was left unticked must not become a yes because it was taken off the
// page.
func TestConsent_OfferChangedSince(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.enter(w.ada)
	f := w.flow(b)
	page := b.get("/consent?flow=" + f.ID.String())
	w.must(w.clients.Update(t.Context(), operator(), w.board.ClientID, func(c *accounts.Client) error {
		c.OptionalScopes = []string{"email"}
		return nil
	}))
	wantPage(t, b.post("/consent", fill(t, page, "action", "allow", "scope", "email")), http.StatusForbidden)
	if w.consent(w.ada) != nil {
		t.Error("recorded")
	}
}

func TestConsent_NeedsSession(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.enter(w.ada)
	f := w.flow(b)
	page := b.get("/consent?flow=" + f.ID.String())
	form := fill(t, page, "action", "allow")
	for name, token := range map[string]string{"none": "", "made up": "deadbeef", "another's shape": strings.Repeat("A", 43)} {
		t.Run(name, func(t *testing.T) {
			b.jar[w.cookies.Name("session")] = token
			wantRedirect(t, b.get("/consent?flow="+f.ID.String()), w.authorize(f))
			wantRedirect(t, b.post("/consent", form), w.authorize(f))
			wantRedirect(t, b.get("/select-account?flow="+f.ID.String()), w.authorize(f))
		})
	}
	if w.consent(w.ada) != nil {
		t.Error("recorded")
	}
}

func TestConsent_BannedSince(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.enter(w.ada)
	f := w.flow(b)
	page := b.get("/consent?flow=" + f.ID.String())
	w.must(w.users.Ban(t.Context(), operator(), w.ada.Subject))
	wantRedirect(t, b.post("/consent", fill(t, page, "action", "allow")), w.authorize(f))
	if w.consent(w.ada) != nil || w.stored(f).ConsentedBy != "" {
		t.Error("recorded")
	}
}

func TestSelectAccount(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.enter(w.ada)
	f := w.flow(b)
	page := b.get("/select-account?flow=" + f.ID.String())
	wantPage(t, page, http.StatusOK, "Continue as <b><bdi>ada</bdi>", "ada@example.org", "Use another account", "Post Board")
	session := b.jar[w.cookies.Name("session")]
	wantRedirect(t, b.post("/select-account", fill(t, page, "action", "switch")), "https://id.example.com/signin?flow="+f.ID.String()+"&switch=1")
	if b.jar[w.cookies.Name("session")] != session || w.stored(f).AccountChosenAt != 0 {
		t.Error("to look at another account changed something")
	}
	wantPage(t, b.get("/signin?flow="+f.ID.String()+"&switch=1"), http.StatusOK, "!readonly", `name="username" value=""`)
	wantPage(t, b.post("/select-account", fill(t, page)), http.StatusBadRequest)
	wantRedirect(t, b.post("/select-account", fill(t, page, "action", "continue")), w.authorize(f))
	if w.stored(f).AccountChosenAt == 0 {
		t.Error("not written down")
	}
	b.enter(w.bob)
	wantPage(t, b.post("/select-account", fill(t, page, "action", "continue")), http.StatusForbidden)
	page = b.get("/select-account?flow=" + f.ID.String())
	wantRedirect(t, b.post("/select-account", fill(t, page, "action", "deny")), w.authorize(f))
	if w.stored(f).DeniedAt == 0 {
		t.Error("a no was not taken as one")
	}
}
