package console_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/admin/console"
	"github.com/gatehouse-id/gatehouse/auditlog"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/hosted"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/provider/keys"
	"github.com/gatehouse-id/gatehouse/revocation"
	"github.com/gatehouse-id/gatehouse/storage/sqldb"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
	"github.com/gatehouse-id/gatehouse/templates"
)

const officeAPI = "https://posts.example.com"

var officeActor = audit.Actor{Kind: audit.System, ID: "test"}

// office is the console on a real database, without the rest of a server.
type office struct {
	testing.TB
	db     *sqldb.DB
	admin  *admin.Admin
	server http.Handler
	issuer string
	name   func(cookie string) string
	late   time.Duration // after everybody signed in
}

func (o *office) must(err error) {
	o.Helper()
	if err != nil {
		o.Fatal(err)
	}
}

// newOffice opens one on SQLite, with an API of two permissions.
func newOffice(t testing.TB, issuer string) *office {
	t.Helper()
	o := &office{TB: t, issuer: issuer}
	var err error
	o.db, err = sqldb.Open(t.Context(), sqldb.Options{URL: sqldbtest.SQLite(t), TokenLife: time.Hour})
	o.must(err)
	t.Cleanup(o.db.Close)
	keyring, err := secret.NewKeyring(secret.Text(strings.Repeat("s", 40)))
	o.must(err)
	quiet := slog.New(slog.NewJSONHandler(io.Discard, nil))
	o.domain(keyring, quiet)
	o.must(o.admin.APIs.EnsureBuiltin(t.Context(), issuer))
	_, _, _, err = o.admin.APIs.Create(t.Context(), officeActor, accounts.NewAPI{Audience: officeAPI, Name: "Posts", Permissions: []accounts.NewPermission{
		{Name: "posts:add", Description: "Can add post"}, {Name: "posts:drop", Description: "Can drop post"},
	}})
	o.must(err)
	base, err := url.Parse(issuer)
	o.must(err)
	pages, err := templates.New(templates.Options{HomePath: "/", StaticPath: "/static/"})
	o.must(err)
	cookies := web.Cookies{Issuer: base}
	o.name = cookies.Name
	handler := &console.Handler{
		Desk:  &hosted.Desk{Issuer: base, Cookies: cookies, Keyring: keyring, Pages: pages, Sessions: o.admin.Sessions, Now: func() time.Time { return time.Now().Add(o.late) }},
		Admin: o.admin, Callers: &admin.Callers{Store: o.db, Now: time.Now},
	}
	router := web.NewRouter()
	o.must(handler.Mount(router, web.Pages))
	router.PathPrefix("/static/").Handler(pages.Static())
	o.server = (&web.Front{Issuer: base, Log: quiet, Now: time.Now}).Wrap(router)
	return o
}

func (o *office) domain(keyring *secret.Keyring, quiet *slog.Logger) {
	db := o.db
	journal := accounts.Journal{Tx: db, Audit: db, Ledger: db, Now: time.Now}
	users := &accounts.Users{Journal: journal, Store: db, Lister: db, Sessions: db, Grants: db, Hasher: accounts.NewHasher(2, 10)}
	users.Settings = &accounts.Settings{SignUp: accounts.SignUpInvitation}
	proofs := &accounts.Proofs{Store: db, Users: users, Limiter: freely{}, Keys: keyring, Logger: quiet, Links: accounts.Links{Issuer: o.issuer}}
	o.admin = &admin.Admin{
		Deletion: &accounts.Deletion{Journal: journal, Users: users, Store: db, Log: quiet},
		Invites:  &accounts.Invites{Proofs: proofs}, SignInLinks: &accounts.MailCodes{Proofs: proofs},
		Settings: &accounts.SettingsKeeper{Journal: journal, Store: db, Rules: officeRules{}},
		Users:    users, Sessions: &accounts.Sessions{Journal: journal, Users: db, Store: db, Grants: db, Logger: quiet},
		Groups: &accounts.Groups{
			Journal: journal, Store: db, Members: db, Permissions: db, APIs: db, Users: db, Crowds: db, Nesting: db, Managers: db, Reader: db,
		},
		Consents: &accounts.Consents{Journal: journal, Users: db, Grants: db},
		APIs:     &accounts.APIs{Journal: journal, Store: db, Permissions: db, Clients: db, Secrets: db, Keys: keyring},
		Clients:  &accounts.Clients{Journal: journal, Store: db, Secrets: db, Grants: db, Keys: keyring, Hasher: users.Hasher},
		Factors: &accounts.Factors{
			Journal: journal, Users: db, Sessions: db, Grants: db, Store: db, TOTPs: db, Passkeys: db, Recovery: db, Devices: db,
			Waiting: db, Keys: keyring, Logger: quiet,
		},
		Sets:        &accounts.PermissionSets{Journal: journal, Store: db, Holdings: db, Permissions: db, Clients: db},
		Connections: &accounts.Connections{Journal: journal, Clients: db, Grants: db, Consents: db},
		Lists:       db, Reach: db, KeyRecords: db, Ledger: db, Activity: db, Counts: db, Marks: db, Audit: &auditlog.Log{Store: db},
		Keeper:   &keys.Keeper{Store: db, Keyring: keyring, Now: time.Now},
		Refusals: accounts.NewRefusals(journal, db, quiet), Callers: db, UserPages: db, Log: quiet, Now: time.Now,
	}
}

// freely is an accounts.Limiter that lets everything pass.
type freely struct{}

func (freely) Spend(context.Context, string, int, time.Duration, int) (time.Duration, error) {
	return 0, nil
}

// group makes a group that holds permissions.
func (o *office) group(name string, permissions ...string) *accounts.Group {
	o.Helper()
	_, err := o.admin.Groups.Create(o.Context(), officeActor, name, "")
	o.must(err)
	for _, p := range permissions {
		o.must(o.admin.Groups.GrantPermission(o.Context(), officeActor, name, p))
	}
	return o.readGroup(name)
}

func (o *office) readGroup(name string) *accounts.Group {
	o.Helper()
	g, err := o.admin.Groups.Find(o.Context(), name)
	o.must(err)
	return g
}

// person makes somebody who holds permissions through a group of their own.
func (o *office) person(n accounts.NewUser, permissions ...string) *accounts.User {
	o.Helper()
	u, err := o.admin.Users.Create(o.Context(), officeActor, n)
	o.must(err)
	if len(permissions) > 0 {
		group := "of " + n.Username
		o.group(group, permissions...)
		o.must(o.admin.Groups.AddMember(o.Context(), officeActor, group, u.Subject, 0))
	}
	return u
}

// rows are the rows of the ledger of a kind, oldest first.
func (o *office) rows(kind revocation.Kind) []string {
	o.Helper()
	list, err := o.db.ListedRevocations(context.WithoutCancel(o.Context()), admin.RevocationQuery{Kind: kind, Limit: 100})
	o.must(err)
	var keys []string
	for _, r := range list {
		keys = append([]string{r.Key}, keys...)
	}
	return keys
}

// clerk is somebody at the console, in a browser of their own.
type clerk struct {
	*office
	cookies []*http.Cookie
}

// clerk signs somebody in.
func (o *office) clerk(u *accounts.User) *clerk {
	o.Helper()
	_, position, err := o.db.UserByLogin(o.Context(), u.UsernameKey)
	o.must(err)
	token, _, err := o.admin.Sessions.Start(o.Context(), &accounts.Result{
		User: u, Position: position, AMR: []string{"pwd"}, ACR: accounts.ACRPassword,
	}, accounts.Meta{})
	o.must(err)
	return &clerk{office: o, cookies: []*http.Cookie{
		{Name: o.name(flow.SessionCookie), Value: token}, {Name: o.name(flow.BrowserCookie), Value: "a-browser-of-" + u.Username},
	}}
}

// sheet is an answered page.
type sheet struct {
	testing.TB
	status int
	header http.Header
	raw    string
	text   string
	root   *html.Node
}

func (c *clerk) send(method, path string, form url.Values, header ...string) *sheet {
	c.Helper()
	r := httptest.NewRequest(method, c.issuer+path, strings.NewReader(form.Encode()))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", c.issuer)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	for _, k := range c.cookies {
		r.AddCookie(k)
	}
	rec := httptest.NewRecorder()
	c.server.ServeHTTP(rec, r)
	s := &sheet{TB: c.TB, status: rec.Code, header: rec.Header(), raw: rec.Body.String()}
	var err error
	s.root, err = html.Parse(strings.NewReader(s.raw))
	c.must(err)
	for n := range s.root.Descendants() {
		if n.Type == html.TextNode {
			s.text += n.Data + " "
		}
	}
	s.text = strings.Join(strings.Fields(s.text), " ")
	return s
}

// get opens a page of the console.
func (c *clerk) get(path string) *sheet {
	c.Helper()
	return c.send(http.MethodGet, "/admin/"+path, nil)
}

// post sends a form of a page that was opened, with all its hidden fields, and follows
// where the answer leads.
func (c *clerk) post(s *sheet, field string, more url.Values) *sheet {
	c.Helper()
	target, form := s.form(field)
	for name, values := range more {
		form[name] = values
	}
	answer := c.send(http.MethodPost, target, form)
	if answer.status == http.StatusSeeOther {
		return c.send(http.MethodGet, strings.TrimPrefix(answer.header.Get("Location"), c.issuer), nil)
	}
	return answer
}

// form finds the form that would send a field with a value, as in "step=do", or the
// first one that posts, and all that it would send unchanged.
func (s *sheet) form(field string) (target string, values url.Values) {
	s.Helper()
	for n := range s.root.Descendants() {
		if n.Data != "form" || attr(n, "method") != "post" || attr(n, "action") == "/preferences" {
			continue
		}
		values := url.Values{}
		for in := range n.Descendants() {
			on := in.Data == "input" && !has(in, "disabled") && (attr(in, "type") != "checkbox" && attr(in, "type") != "radio" || has(in, "checked"))
			if on {
				values.Add(attr(in, "name"), attr(in, "value"))
			}
			if in.Data == "textarea" && in.FirstChild != nil {
				values.Add(attr(in, "name"), strings.TrimPrefix(in.FirstChild.Data, "\n"))
			}
		}
		name, value, _ := strings.Cut(field, "=")
		if field == "" || values.Get(name) == value {
			return attr(n, "action"), values
		}
	}
	s.Fatalf("no form with %q in %s", field, s.text)
	return "", nil
}

func has(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// boxes are the boxes of the page by what they are called, with the value to send.
func (s *sheet) boxes() map[string]*html.Node {
	found := map[string]*html.Node{}
	for n := range s.root.Descendants() {
		if n.Data == "input" && attr(n, "type") == "checkbox" {
			found[attr(n, "aria-label")] = n
		}
	}
	return found
}

// sees fails unless the page has a status and says the texts; one that begins with "!"
// it must not say.
func (s *sheet) sees(status int, texts ...string) *sheet {
	s.Helper()
	if s.status != status {
		s.Fatalf("status %d, want %d: %.600s", s.status, status, s.text)
	}
	for _, text := range texts {
		unwanted, not := strings.CutPrefix(text, "!")
		if strings.Contains(s.text, strings.TrimPrefix(text, "!")) == not {
			s.Errorf("%q: said %v in %s", unwanted, not, s.text)
		}
	}
	return s
}

// within is the same clerk, for a part of a test.
func (c *clerk) within(t *testing.T) *clerk {
	inner := *c.office
	inner.TB = t
	return &clerk{office: &inner, cookies: c.cookies}
}

// lacks fails if the page has a text in its source.
func (s *sheet) lacks(text string) *sheet {
	s.Helper()
	if strings.Contains(s.raw, text) {
		s.Errorf("the page has %s", text)
	}
	return s
}

// packed is a text as a form carries it along.
func packed(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// noise is a text of some length that no packing makes short.
func noise(n int) string {
	raw := make([]byte, n)
	_, _ = rand.Read(raw)
	return base64.RawURLEncoding.EncodeToString(raw)
}
