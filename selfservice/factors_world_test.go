package selfservice_test

import (
	"bytes"
	"context"
	"html"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	virtual "github.com/descope/virtualwebauthn"
	"github.com/pquerna/otp/totp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/hosted"
	"github.com/gatehouse-id/gatehouse/internal/passkey"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/selfservice"
	"github.com/gatehouse-id/gatehouse/storage/sqldb"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
	"github.com/gatehouse-id/gatehouse/templates"
)

const factorIssuer = "https://id.example.com"

// factorWorld is a server with the pages about factors on SQLite.
type factorWorld struct {
	testing.TB
	now      time.Time
	db       *sqldb.DB
	log      bytes.Buffer
	server   http.Handler
	handler  *selfservice.Factors
	users    *accounts.Users
	groups   *accounts.Groups
	sessions *accounts.Sessions
	factors  *accounts.Factors
	ada, bob *accounts.User
}

// unlimited lets every attempt through.
type unlimited struct{}

func (unlimited) Spend(context.Context, string, int, time.Duration, int) (time.Duration, error) {
	return 0, nil
}

func newFactorWorld(t testing.TB) *factorWorld { return newFactorWorldAt(t, factorIssuer) }

func newFactorWorldAt(t testing.TB, issuer string) *factorWorld {
	t.Helper()
	w := &factorWorld{TB: t, now: time.UnixMilli(1_790_000_000_000)}
	clock := func() time.Time { return w.now }
	logger := slog.New(slog.NewJSONHandler(&w.log, nil))
	db, err := sqldb.Open(t.Context(), sqldb.Options{
		URL: sqldbtest.SQLite(t), Now: clock, Logger: logger, TokenLife: 15 * time.Minute,
	})
	w.must(err)
	t.Cleanup(db.Close)
	_, err = db.Migrate(t.Context())
	w.must(err)
	w.db = db
	keys, err := secret.NewKeyring(secret.Text(strings.Repeat("s", secret.MinLength)))
	w.must(err)
	at, err := url.Parse(issuer)
	w.must(err)
	renderer, err := templates.New(templates.Options{})
	w.must(err)
	party, err := passkey.New(at, "", "Gatehouse")
	w.must(err)

	journal := accounts.Journal{Tx: db, Audit: db, Ledger: db, Now: clock}
	w.users = &accounts.Users{Journal: journal, Store: db, Lister: db, Sessions: db, Grants: db}
	w.groups = &accounts.Groups{Journal: journal, Store: db, Members: db, Permissions: db, APIs: db, Users: db, Crowds: db, Nesting: db, Managers: db, Reader: db}
	w.sessions = &accounts.Sessions{Journal: journal, Users: db, Store: db, Grants: db, Logger: logger}
	w.factors = &accounts.Factors{
		Journal: journal, Users: db, Sessions: db, Grants: db, Store: db, TOTPs: db, Passkeys: db, Recovery: db, Devices: db,
		Waiting: db, WebAuthn: party, Keys: keys, Logger: logger, SecurityURL: issuer + "/account/security",
	}
	w.handler = &selfservice.Factors{
		Desk:   &hosted.Desk{Issuer: at, Cookies: web.Cookies{Issuer: at}, Keyring: keys, Pages: renderer, Sessions: w.sessions, Now: clock},
		Keeper: w.factors, Maker: w.factors, RelyingParty: party.RelyingParty(),
	}
	router := web.NewRouter()
	w.must(w.handler.Mount(router, web.Pages))
	w.server = (&web.Front{Issuer: at, Log: logger, Now: clock}).Wrap(router)
	for _, u := range []**accounts.User{&w.ada, &w.bob} {
		name := map[**accounts.User]string{&w.ada: "ada", &w.bob: "bob"}[u]
		*u, err = w.users.Create(t.Context(), factorOperator(), accounts.NewUser{Username: name, Email: name + "@example.org", EmailVerified: true, Name: name})
		w.must(err)
	}
	return w
}

func factorOperator() audit.Actor { return audit.Actor{Kind: audit.CommandLine, ID: "root"} }

func (w *factorWorld) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// owner is somebody at a browser, signed in just now.
type owner struct {
	*factorWorld
	user *accounts.User
	jar  map[string]string
	site string
}

func (w *factorWorld) owner(u *accounts.User, amr ...string) *owner {
	w.Helper()
	o := &owner{factorWorld: w, user: u, jar: map[string]string{}, site: "same-origin"}
	o.signIn(amr...)
	return o
}

// signIn begins a session; by a password, if nothing is said.
func (o *owner) signIn(amr ...string) {
	o.Helper()
	if amr == nil {
		amr = []string{"pwd"}
	}
	read, position, err := o.db.UserByLogin(o.Context(), o.user.UsernameKey)
	o.must(err)
	token, _, err := o.sessions.Start(o.Context(), &accounts.Result{User: read, Position: position, AMR: amr, ACR: accounts.Assurance(amr)}, accounts.Meta{UserAgent: "Firefox"})
	o.must(err)
	o.jar[o.handler.Cookies.Name(flow.SessionCookie)] = token
}

func (o *owner) get(path string) *httptest.ResponseRecorder {
	return o.do(httptest.NewRequest(http.MethodGet, factorIssuer+path, nil))
}

func (o *owner) post(path string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, factorIssuer+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", o.site)
	return o.do(r)
}

func (o *owner) do(r *http.Request) *httptest.ResponseRecorder {
	for name, value := range o.jar {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	answer := httptest.NewRecorder()
	o.server.ServeHTTP(answer, r)
	for _, c := range answer.Result().Cookies() {
		o.jar[c.Name] = c.Value
	}
	return answer
}

// hidden are the hidden fields of the form of a page, with further pairs.
func hidden(t testing.TB, page *httptest.ResponseRecorder, pairs ...string) url.Values {
	t.Helper()
	_, body, _ := strings.Cut(page.Body.String(), "<main")
	body, _, _ = strings.Cut(body, "</main>")
	form := url.Values{}
	for _, found := range regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`).FindAllStringSubmatch(body, -1) {
		form.Set(found[1], html.UnescapeString(found[2]))
	}
	if !form.Has("flow") {
		t.Fatalf("no form in the page (status %d, to %q)\n%s", page.Code, page.Header().Get("Location"), page.Body)
	}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return form
}

func sees(t testing.TB, answer *httptest.ResponseRecorder, status int, texts ...string) {
	t.Helper()
	if answer.Code != status {
		t.Fatalf("status %d (to %q), want %d\n%s", answer.Code, answer.Header().Get("Location"), status, answer.Body)
	}
	body := html.UnescapeString(answer.Body.String())
	for _, text := range texts {
		unwanted, not := strings.CutPrefix(text, "!")
		if strings.Contains(body, unwanted) == not {
			t.Errorf("want %q in the page:\n%s", text, body)
		}
	}
}

func leads(t testing.TB, answer *httptest.ResponseRecorder, to string) {
	t.Helper()
	if got := answer.Header().Get("Location"); answer.Code != http.StatusSeeOther || got != factorIssuer+to {
		t.Fatalf("status %d to %q, want 303 to %q\n%s", answer.Code, got, to, answer.Body)
	}
}

// codeOf is what an app with the key of a page shows now.
func (o *owner) codeOf(form url.Values) string {
	o.Helper()
	code, err := totp.GenerateCode(form.Get("key"), o.now)
	o.must(err)
	return code
}

// addApp adds an authenticator app by its page.
func (o *owner) addApp(name string) *httptest.ResponseRecorder {
	o.Helper()
	form := hidden(o, o.get("/account/factors/app"), "factor_name", name)
	form.Set("code", o.codeOf(form))
	return o.post("/account/factors/app", form)
}

// have is what the owner has.
func (o *owner) have() *accounts.FactorList {
	o.Helper()
	list, err := o.factors.List(o.Context(), o.user)
	o.must(err)
	return list
}

// attribute is the value of an attribute in the page.
func attribute(t testing.TB, page *httptest.ResponseRecorder, name string) string {
	t.Helper()
	found := regexp.MustCompile(` ` + name + `="([^"]*)"`).FindStringSubmatch(page.Body.String())
	if found == nil {
		t.Fatalf("no %s in\n%s", name, page.Body)
	}
	return html.UnescapeString(found[1])
}

// key is a device that makes passkeys.
func (o *owner) key() func(options string) string {
	o.Helper()
	device := virtual.NewAuthenticatorWithOptions(virtual.AuthenticatorOptions{UserHandle: o.user.ID[:]})
	rp := virtual.RelyingParty{ID: "id.example.com", Name: "Gatehouse", Origin: factorIssuer}
	key := virtual.NewCredential(virtual.KeyTypeEC2)
	for len(key.Key.AttestationData()) != 77 { // it writes coordinates that begin with a zero too short
		key = virtual.NewCredential(virtual.KeyTypeEC2)
	}
	return func(options string) string {
		o.Helper()
		parsed, err := virtual.ParseAttestationOptions(options)
		o.must(err)
		return virtual.CreateAttestationResponse(rp, device, key, *parsed)
	}
}
