package hosted_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/hosted"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/templates"
)

const issuer = "https://id.example.org/auth"

var start = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// one finds the one session that there is.
type one struct{ authTime int64 }

func (o one) Find(_ context.Context, token string) (*accounts.Session, *accounts.User, error) {
	if token != "the-token" {
		return nil, nil, accounts.ErrNotFound
	}
	return &accounts.Session{AuthTime: o.authTime}, &accounts.User{Subject: "ada"}, nil
}

func desk(t *testing.T, signedIn time.Duration) *hosted.Desk {
	t.Helper()
	at, err := url.Parse(issuer)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := secret.NewKeyring(secret.Text(strings.Repeat("s", secret.MinLength)))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := templates.New(templates.Options{HomePath: "/auth/"})
	if err != nil {
		t.Fatal(err)
	}
	return &hosted.Desk{
		Issuer: at, Cookies: web.Cookies{Issuer: at}, Keyring: keys, Pages: pages,
		Sessions: one{start.Add(-signedIn).UnixMilli()}, Now: func() time.Time { return start },
	}
}

// request is one of somebody who is signed in, or not.
func request(d *hosted.Desk, method, target string, signedIn bool) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	if signedIn {
		r.AddCookie(&http.Cookie{Name: d.Cookies.Name(flow.SessionCookie), Value: "the-token"})
	}
	return r
}

func TestMember(t *testing.T) {
	for name, tt := range map[string]struct {
		method, target string
		signedIn       bool
		missing        string
		open           []string
		want           string // where it leads; empty: the page is shown
	}{
		"signed in":             {"GET", "/auth/account/", true, "", nil, ""},
		"nobody":                {"GET", "/auth/account/apps?a=b", false, "", nil, "/auth/signin?return=%2Fauth%2Faccount%2Fapps%3Fa%3Db"},
		"nobody, with a form":   {"POST", "/auth/account/apps?a=b", false, "", nil, "/auth/signin?return=%2Fauth%2Faccount%2Fapps%3Fa%3Db"},
		"an odd address":        {"GET", "/auth/account/%5Cevil", false, "", nil, "/auth/signin?return=%2Fauth%2Faccount%2F"},
		"something to do first": {"GET", "/auth/account/", true, flow.PathTerms, nil, "/auth/terms"},
		"doing it":              {"GET", "/auth/terms", true, flow.PathTerms, []string{flow.PathTerms}, ""},
		"a second factor first": {"GET", "/auth/account/apps?a=b", true, flow.PathSecondFactor, nil, "/auth/second-factor?return=%2Fauth%2Faccount%2Fapps%3Fa%3Db"},
		"and after a form":      {"POST", "/auth/account/apps?a=b", true, flow.PathSecondFactor, []string{flow.PathEnrolFactor}, "/auth/second-factor?return=%2Fauth%2Faccount%2Fapps%3Fa%3Db"},
		"doing something else":  {"GET", "/auth/verify-email", true, flow.PathTerms, []string{flow.PathVerifyEmail}, "/auth/terms"},
	} {
		t.Run(name, func(t *testing.T) {
			d := desk(t, time.Minute)
			d.Missing = func(_ context.Context, s *accounts.Session, u *accounts.User) (string, error) {
				if s.AuthTime != start.Add(-time.Minute).UnixMilli() || u.Subject != "ada" {
					t.Errorf("asked about %+v, %+v", s, u)
				}
				return tt.missing, nil
			}
			w := httptest.NewRecorder()
			session, user := d.Member(w, request(d, tt.method, tt.target, tt.signedIn), tt.open...)
			if shown := session != nil && user != nil; shown != (tt.want == "") {
				t.Fatalf("shown %v", shown)
			}
			want := ""
			if tt.want != "" {
				want = "https://id.example.org" + tt.want
			}
			if got := w.Header().Get("Location"); got != want {
				t.Errorf("leads to %q, want %q", got, want)
			}
		})
	}
}

func TestFresh(t *testing.T) {
	for ago, want := range map[time.Duration]bool{0: true, 10 * time.Minute: true, 10*time.Minute + time.Millisecond: false} {
		d := desk(t, ago)
		r := request(d, "GET", "/auth/account/password", true)
		session, _, err := d.Person(r)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		if got := d.Fresh(w, r, session, hosted.FreshFor); got != want {
			t.Errorf("%s ago: %v", ago, got)
		}
		if to := w.Header().Get("Location"); !want && to != issuer+"/signin?again=1&return=%2Fauth%2Faccount%2Fpassword" {
			t.Errorf("leads to %q", to)
		}
	}
}

// TestContinue: what a page carries along comes from anybody, and leads nowhere but
// to a flow or to where the page itself would go.
func TestContinue(t *testing.T) {
	for text, want := range map[string]string{
		"":                        issuer + "/account/",
		"//evil.example":          issuer + "/account/",
		"https://evil.example":    issuer + "/account/",
		"AZr3":                    issuer + "/account/",
		strings.Repeat("A", 1000): issuer + "/account/",
		"AaIF42Oxd2mfMkf__6fYMg":  issuer + "/oauth2/authorize?flow=AaIF42Oxd2mfMkf__6fYMg",
	} {
		w := httptest.NewRecorder()
		desk(t, 0).Continue(w, text, hosted.PathAccount)
		if got := w.Header().Get("Location"); got != want || w.Code != http.StatusSeeOther {
			t.Errorf("%.30q leads to %q with %d, want %q", text, got, w.Code, want)
		}
	}
}

// TestAdmit: a sign-in that waits for its second factor brings no session.
func TestAdmit(t *testing.T) {
	d := desk(t, 0)
	u := &accounts.User{Subject: "ada"}
	w := httptest.NewRecorder()
	if d.Admit(w, request(d, "POST", "/auth/signin", false), &accounts.Passage{User: u, Pending: "p", PendingUntil: start.Add(time.Minute).UnixMilli()}) {
		t.Error("signed in without a token")
	}
	if set := strings.Join(w.Header()["Set-Cookie"], "\n"); !strings.Contains(set, d.Cookies.Name(flow.PendingCookie)+"=p") || strings.Contains(set, d.Cookies.Name(flow.SessionCookie)) {
		t.Errorf("cookies %s", set)
	}
	w = httptest.NewRecorder()
	r := request(d, "POST", "/auth/second-factor", false)
	r.AddCookie(&http.Cookie{Name: d.Cookies.Name(flow.PendingCookie), Value: "p"})
	p := &accounts.Passage{User: u, Token: "t", Session: &accounts.Session{ExpiresAt: start.Add(time.Hour).UnixMilli()}, Known: "k"}
	if !d.Admit(w, r, p) {
		t.Error("not signed in")
	}
	set := strings.Join(w.Header()["Set-Cookie"], "\n")
	for name, value := range map[string]string{flow.SessionCookie: "=t;", flow.KnownCookie: "=k;", flow.PendingCookie: "=;"} {
		if want := d.Cookies.Name(name) + value; !strings.Contains(set, want) {
			t.Errorf("no %s in %s", want, set)
		}
	}
}
