package consent_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

func steps() []string { return []string{flow.PathSignIn, flow.PathSelectAccount, flow.PathConsent} }

// Every step answers alike for a flow with which it cannot go on, whether its page
// is opened or its form sent; and nothing is done.
func TestStep_FlowUnfit(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.enter(w.ada)
	ended := func(at func(f *flow.Flow) *int64) string {
		f := w.flow(b, func(f *flow.Flow) { *at(f) = w.now.UnixMilli() })
		return f.ID.String()
	}
	old := func(f *flow.Flow) { f.ExpiresAt = w.now.UnixMilli() }
	expired := w.flow(b, old).ID.String()
	pushed := w.flow(b, old, func(f *flow.Flow) { f.Pushed = true }).ID.String()
	stranger := w.flow(w.browser()).ID.String()
	finished := ended(func(f *flow.Flow) *int64 { return &f.FinishedAt })
	denied := ended(func(f *flow.Flow) *int64 { return &f.DeniedAt })
	fresh := w.flow(b).ID.String()
	for _, tc := range []struct {
		name, flow string
		status     int
		texts      []string
	}{
		{"unknown", id.New().String(), http.StatusNotFound, []string{"This page has expired", `href="/"`}},
		{"garbage", `"><script>`, http.StatusNotFound, []string{"This page has expired", "!<script>"}},
		{"padded", fresh + "=", http.StatusNotFound, nil},
		{"long", strings.Repeat("A", 9000), http.StatusNotFound, nil},
		{"zero", id.ID{}.String(), http.StatusNotFound, nil},
		{"of another browser", stranger, http.StatusForbidden, []string{`href="/"`, "!Post Board"}},
		{"expired", expired, http.StatusGone, []string{"/oauth2/authorize?flow=" + expired, "https://board.example.com/"}},
		{"expired, pushed", pushed, http.StatusGone, []string{"!/oauth2/authorize", "https://board.example.com/"}},
		{"finished", finished, http.StatusSeeOther, nil},
		{"denied", denied, http.StatusSeeOther, nil},
	} {
		for _, path := range steps() {
			t.Run(tc.name+path, func(t *testing.T) {
				before := b.jar[w.cookies.Name("session")]
				for _, answer := range []*httptest.ResponseRecorder{
					b.get(path + "?flow=" + url.QueryEscape(tc.flow)),
					b.post(path, url.Values{"flow": {tc.flow + ".token"}, "username": {"ada"}, "password": {password}, "action": {"allow"}}),
				} {
					if tc.status == http.StatusSeeOther {
						wantRedirect(t, answer, "https://id.example.com/oauth2/authorize?flow="+tc.flow)
						continue
					}
					wantPage(t, answer, tc.status, tc.texts...)
				}
				if b.jar[w.cookies.Name("session")] != before {
					t.Error("the session changed")
				}
			})
		}
	}
	if w.consent(w.ada) != nil {
		t.Error("something was allowed")
	}
}

// A browser without the cookie, as after clearing it, is another browser.
func TestStep_NoBrowserCookie(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	f := w.flow(b, func(f *flow.Flow) { f.ExpiresAt += time.Hour.Milliseconds() })
	delete(b.jar, w.cookies.Name(flow.BrowserCookie))
	wantPage(t, b.get("/signin?flow="+f.ID.String()), http.StatusForbidden, "Allow cookies")
	w.wantOutcome("other-browser")
}

func TestStep_ClientGone(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	f := w.flow(b)
	w.must(w.clients.Disable(t.Context(), operator(), w.board.ClientID))
	wantPage(t, b.get("/signin?flow="+f.ID.String()), http.StatusBadRequest, "We do not know this app")
	f = w.flow(b, func(f *flow.Flow) { f.ClientID = "gone" })
	wantPage(t, b.get("/signin?flow="+f.ID.String()), http.StatusBadRequest, "We do not know this app")
}

// postForms are the good forms of the three steps for one flow.
func postForms(b *browser, f *flow.Flow) map[string]url.Values {
	b.Helper()
	page := func(path string) *httptest.ResponseRecorder {
		return b.get(path + "?flow=" + f.ID.String() + "&switch=1")
	}
	return map[string]url.Values{
		flow.PathSignIn:        fill(b, page(flow.PathSignIn), "username", "ada", "password", password, "action", "continue"),
		flow.PathSelectAccount: fill(b, page(flow.PathSelectAccount), "action", "continue"),
		flow.PathConsent:       fill(b, page(flow.PathConsent), "action", "allow"),
	}
}

func TestForm_CrossOrigin(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.enter(w.ada)
	f := w.flow(b)
	forms := postForms(b, f)
	for _, site := range []string{"cross-site", "same-site"} {
		b.site = site
		for path, form := range forms {
			wantPage(t, b.post(path, form), http.StatusForbidden, `href="/"`)
			w.wantOutcome("cross-origin")
		}
	}
	if s := w.stored(f); s.AccountChosenAt != 0 || s.ConsentedBy != "" || w.consent(w.ada) != nil {
		t.Error("a form of another site was taken")
	}
}

// Where the browser says nothing of the origin, the token stands alone.
func TestForm_Token(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.enter(w.ada)
	b.mute = true
	f, other := w.flow(b), w.flow(b)
	forms, others := postForms(b, f), postForms(b, other)
	token := func(form url.Values) string { return strings.SplitN(form.Get("flow"), ".", 2)[1] }
	for path, form := range forms {
		elsewhere := flow.PathConsent
		if path == elsewhere {
			elsewhere = flow.PathSignIn
		}
		good := token(form)
		for name, bad := range map[string]string{
			"none": "", "of another flow": token(others[path]), "of another page": token(forms[elsewhere]),
			"cut": good[:len(good)-1], "longer": good + "A", "padded": good + "=", "not base64": strings.Repeat("!", len(good)),
			"of another version": "AA" + good[2:],
		} {
			t.Run(name+path, func(t *testing.T) {
				sent := url.Values{"flow": {f.ID.String() + "." + bad}}
				for field, values := range form {
					if field != "flow" {
						sent[field] = values
					}
				}
				wantPage(t, b.post(path, sent), http.StatusForbidden, "flow="+f.ID.String())
				w.wantOutcome("form-refused")
				sent.Set("flow", f.ID.String())
				wantPage(t, b.post(path, sent), http.StatusForbidden)
			})
		}
	}
	if s := w.stored(f); s.AccountChosenAt != 0 || s.ConsentedBy != "" || s.DeniedAt != 0 {
		t.Errorf("something was done: %+v", s)
	}
	for _, path := range []string{flow.PathSelectAccount, flow.PathConsent, flow.PathSignIn} {
		wantRedirect(t, b.post(path, forms[path]), w.authorize(f))
	}
}

// A choice of account is no consent, not even where the two forms are about the
// same person and nothing else.
func TestForm_TokenOfAnotherStep(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.enter(w.ada)
	f := w.flow(b, func(f *flow.Flow) { f.Scopes = nil })
	choice := postForms(b, f)[flow.PathSelectAccount]
	choice.Set("action", "allow")
	wantPage(t, b.post("/consent", choice), http.StatusForbidden)
	if w.consent(w.ada) != nil {
		t.Error("recorded")
	}
}

// The token is the browser's: one that an attacker was shown is worth nothing in
// another's (login CSRF without a flow).
func TestForm_TokenOfAnotherBrowser(t *testing.T) {
	w := newWorld(t)
	attacker, victim := w.browser(), w.browser()
	form := fill(t, attacker.get("/signin"), "username", "ada", "password", password)
	victim.get("/signin")
	victim.mute = true
	wantPage(t, victim.post("/signin", form), http.StatusForbidden)
	if victim.jar[w.cookies.Name("session")] != "" {
		t.Error("signed in as the attacker")
	}
}

func TestForm_Malformed(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.enter(w.ada)
	f := w.flow(b)
	for path, form := range postForms(b, f) {
		good := form.Encode()
		for name, tc := range map[string]struct {
			body   string
			status int
		}{
			"too large":           {good + "&x=" + strings.Repeat("x", 64<<10), http.StatusRequestEntityTooLarge},
			"too many parameters": {good + strings.Repeat("&x=1", 100), http.StatusBadRequest},
			"a field twice":       {good + "&action=deny", http.StatusBadRequest},
			"flow twice":          {good + "&flow=" + url.QueryEscape(form.Get("flow")), http.StatusBadRequest},
			"bad escape":          {good + "&x=%zz", http.StatusBadRequest},
			"NUL":                 {good + "&x=%00", http.StatusBadRequest},
			"not UTF-8":           {good + "&x=%ff", http.StatusBadRequest},
		} {
			t.Run(name+path, func(t *testing.T) {
				wantPage(t, b.postBody(path, tc.body), tc.status, `href="/"`)
			})
		}
		r := httptest.NewRequest(http.MethodPost, "https://id.example.com"+path, strings.NewReader(`{"flow":"x"}`))
		r.Header.Set("Content-Type", "application/json")
		wantPage(t, b.do(r), http.StatusUnsupportedMediaType)
		wantPage(t, b.get(path+"?flow="+f.ID.String()+"&flow="+f.ID.String()), http.StatusBadRequest)
		wantPage(t, b.get(path+"?flow=%zz"), http.StatusBadRequest)
	}
	if s := w.stored(f); s.AccountChosenAt != 0 || s.ConsentedBy != "" || s.DeniedAt != 0 {
		t.Errorf("something was done: %+v", s)
	}
}

// The parameters of a form count in its body alone.
func TestForm_QueryIgnored(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.enter(w.ada)
	f := w.flow(b)
	form := postForms(b, f)[flow.PathConsent]
	wantPage(t, b.post("/consent?"+form.Encode(), nil), http.StatusNotFound)
	if w.consent(w.ada) != nil {
		t.Error("a link was taken as a yes")
	}
}
