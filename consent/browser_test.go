package consent_test

import (
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
)

// browser keeps cookies and sends forms, without scripts.
type browser struct {
	*world
	jar  map[string]string
	mute bool // sends neither Origin nor Sec-Fetch-Site
	site string
}

func (w *world) browser() *browser {
	return &browser{world: w, jar: map[string]string{}, site: "same-origin"}
}

// get opens a page by a path of the issuer.
func (b *browser) get(path string) *httptest.ResponseRecorder {
	return b.do(httptest.NewRequest(http.MethodGet, b.handler.Issuer.String()+path, nil))
}

// post sends a form.
func (b *browser) post(path string, form url.Values) *httptest.ResponseRecorder {
	return b.postBody(path, form.Encode())
}

func (b *browser) postBody(path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, b.handler.Issuer.String()+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if !b.mute {
		r.Header.Set("Sec-Fetch-Site", b.site)
	}
	return b.do(r)
}

func (b *browser) do(r *http.Request) *httptest.ResponseRecorder {
	for name, value := range b.jar {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	answer := httptest.NewRecorder()
	b.server.ServeHTTP(answer, r)
	for _, c := range answer.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(b.jar, c.Name)
			continue
		}
		b.jar[c.Name] = c.Value
	}
	return answer
}

// ticket is the hidden value of the page's form.
func ticket(t testing.TB, page *httptest.ResponseRecorder) string {
	t.Helper()
	found := regexp.MustCompile(`<input type="hidden" name="flow" value="([^"]*)">`).FindStringSubmatch(page.Body.String())
	if found == nil {
		t.Fatalf("no form in the page (status %d, to %q)", page.Code, page.Header().Get("Location"))
	}
	return html.UnescapeString(found[1])
}

// fill is a form with the page's ticket and the given pairs.
func fill(t testing.TB, page *httptest.ResponseRecorder, pairs ...string) url.Values {
	t.Helper()
	form := url.Values{"flow": {ticket(t, page)}}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return form
}

// tryPassword opens the sign-in page of a flow and sends the form.
func (b *browser) tryPassword(f *flow.Flow, name, secret string) *httptest.ResponseRecorder {
	b.Helper()
	page := b.get("/signin?flow=" + f.ID.String() + "&switch=1")
	return b.post("/signin", fill(b, page, "username", name, "password", secret, "action", "continue"))
}

// enter signs somebody in, by a flow of its own.
func (b *browser) enter(u *accounts.User) {
	b.Helper()
	f := b.flow(b)
	wantRedirect(b, b.tryPassword(f, u.Username, password), b.authorize(f))
}

func (w *world) authorize(f *flow.Flow) string {
	return w.handler.Issuer.String() + "/oauth2/authorize?flow=" + f.ID.String()
}

func wantRedirect(t testing.TB, answer *httptest.ResponseRecorder, to string) {
	t.Helper()
	if got := answer.Header().Get("Location"); answer.Code != http.StatusSeeOther || got != to {
		t.Fatalf("status %d to %q, want 303 to %q\n%s", answer.Code, got, to, answer.Body)
	}
}

// wantPage checks the status and that the page has, or with "!" has not, each text.
func wantPage(t testing.TB, answer *httptest.ResponseRecorder, status int, texts ...string) {
	t.Helper()
	if answer.Code != status {
		t.Fatalf("status %d (to %q), want %d", answer.Code, answer.Header().Get("Location"), status)
	}
	body := html.UnescapeString(answer.Body.String())
	for _, text := range texts {
		unwanted, not := strings.CutPrefix(text, "!")
		if strings.Contains(body, unwanted) == not {
			t.Errorf("want %q in the page:\n%s", text, body)
		}
	}
}

// wantOutcome checks the last line of the log.
func (w *world) wantOutcome(outcome string) {
	w.Helper()
	lines := strings.Split(strings.TrimSpace(w.log.String()), "\n")
	if last := lines[len(lines)-1]; !strings.Contains(last, `"outcome":"`+outcome+`"`) {
		w.Errorf("want outcome %q, logged %s", outcome, last)
	}
}
