package endtoend_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/storage/sqldb"
)

// load is everything that people, apps and operators do meanwhile.
type load struct {
	*cluster
	t      *testing.T
	judges *judges
	http   *http.Client
	app    client // the people's

	db     *sqldb.DB
	users  *accounts.Users
	groups *accounts.Groups

	rows   atomic.Int64 // revocations that were answered
	stop   chan struct{}
	people []*person
	// Whoever takes a permission from the group holds it alone: a membership that
	// gives nothing ends without a row (L19).
	rights sync.RWMutex
}

// newLoad works on the cluster's nodes over HTTP, and beside them as an operator's
// program with the same database.
func newLoad(t *testing.T, c *cluster, j *judges) *load {
	t.Helper()
	l := &load{cluster: c, t: t, judges: j, stop: make(chan struct{}), db: c.ledger(t)}
	l.http = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	t.Cleanup(l.http.CloseIdleConnections)
	journal := accounts.Journal{Tx: l.db, Audit: l.db, Ledger: l.db, Now: time.Now}
	l.users = &accounts.Users{
		Journal: journal, Store: l.db, Lister: l.db, Sessions: l.db, Grants: l.db, Hasher: accounts.NewHasher(1, 0),
	}
	l.groups = &accounts.Groups{Journal: journal, Store: l.db, Members: l.db, Permissions: l.db, APIs: l.db, Users: l.db, Crowds: l.db, Nesting: l.db, Managers: l.db, Reader: l.db}
	l.app = c.register(
		t, "--name", "People's app", "--type", "web", "--redirect-uri", callback, "--scope", everyScope, "--optional-scope", "posts:add posts:delete",
	)
	return l
}

func operator() audit.Actor { return audit.Actor{Kind: audit.CommandLine, ID: "endtoend"} }

// ended reports whether the load shall end.
func (l *load) ended() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

// insist does something until it is done. An error may hide that it was done: all
// that is insisted on can be done twice.
func (l *load) insist(what string, do func(ctx context.Context) error) {
	var err error
	for end := time.Now().Add(4 * patience); time.Now().Before(end); pause() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(l.t.Context()), 5*time.Second)
		err = do(ctx)
		cancel()
		if err == nil {
			return
		}
	}
	l.judges.fault("%s: %v", what, err)
}

// answer is what the token endpoint says.
type answer struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
	Scope   string `json:"scope"`
	Error   string `json:"error"`
}

// errAnswer is an answer that is no success, and no failure of the server's.
type errAnswer struct{ status int }

// Error implements error.
func (e errAnswer) Error() string { return fmt.Sprintf("answered %d", e.status) }

// post sends a form as a client does.
func (l *load) post(ctx context.Context, path string, c client, form url.Values) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.issuer+path, strings.NewReader(form.Encode()))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(url.QueryEscape(c.ID), url.QueryEscape(c.Secret))
	resp, err := l.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }() // it was read
	var a answer
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil && path == "/oauth2/token" {
		return answer{}, err
	}
	switch {
	case resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests:
		return answer{}, fmt.Errorf("%s answered %s", path, resp.Status)
	case resp.StatusCode != http.StatusOK:
		return a, errAnswer{resp.StatusCode}
	}
	return a, nil
}

// machine mints tokens and revokes them (RFC 7009) until the load ends.
func (l *load) machine(c client, apart time.Duration) {
	for !l.ended() {
		a, err := l.post(l.t.Context(), "/oauth2/token", c, url.Values{"grant_type": {"client_credentials"}, "scope": {"posts:add"}})
		if err != nil {
			pause()
			continue
		}
		l.judges.lives(a.Access)
		l.insist("revoke a machine's token", func(ctx context.Context) error {
			_, err := l.post(ctx, "/oauth2/revoke", c, url.Values{"token": {a.Access}})
			return err
		})
		l.rows.Add(1)
		l.judges.died("token", a.Access)
		time.Sleep(apart)
	}
}

// holding is a grant with its present tokens.
type holding struct {
	answer
	code    string
	proof   string // of the code (RFC 7636)
	session string // in which it was given
}

// person signs in, uses the app and has things taken away, until the load ends.
type person struct {
	*load
	name, subject string
	browser       *agent

	mu   sync.Mutex
	held []*holding
}

// tokens are the access tokens that a test accepts of those that are held.
func (p *person) tokens(which func(h *holding) bool) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var found []string
	for _, h := range p.held {
		if which(h) {
			found = append(found, h.Access)
		}
	}
	return found
}

func all(*holding) bool { return true }

// enlist makes an account and a browser.
func (l *load) enlist(name string) {
	l.t.Helper()
	u, err := l.users.Create(l.t.Context(), operator(), accounts.NewUser{Username: name, Password: editorPassword})
	if err != nil {
		l.t.Fatal(err)
	}
	if err := l.groups.AddMember(l.t.Context(), operator(), "Editors", u.Subject, 0); err != nil {
		l.t.Fatal(err)
	}
	browser := l.agent(l.t)
	browser.password, browser.client.Timeout, browser.client.Transport = editorPassword, 5*time.Second, l.http.Transport
	l.people = append(l.people, &person{load: l, name: name, subject: u.Subject, browser: browser})
}

// use gets a new grant for the app; the person signs in if their session is over.
func (p *person) use() (*holding, error) {
	h := &holding{proof: oauth2.GenerateVerifier()}
	request := p.issuer + "/oauth2/authorize?" + url.Values{
		"client_id": {p.app.ID}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {everyScope}, "state": {rand.Text()},
		"resource": {p.api}, "code_challenge": {oauth2.S256ChallengeFromVerifier(h.proof)}, "code_challenge_method": {"S256"},
	}.Encode()
	back, err := p.browser.authorize(request, p.name)
	if err != nil {
		return nil, err
	}
	if h.code = back.Get("code"); h.code == "" {
		return nil, errors.New("no code: " + back.Get("error"))
	}
	if h.answer, err = p.redeem(p.t.Context(), h); err != nil {
		return nil, err
	}
	h.session = sessionOf(h.Access)
	p.judges.lives(h.Access)
	p.mu.Lock()
	p.held = append(p.held, h)
	p.mu.Unlock()
	return h, nil
}

// sessionOf and keyOf read a token without a look at its signature.
func sessionOf(token string) string { return partOf(token, 1, "sid") }
func keyOf(token string) string     { return partOf(token, 0, "kid") }

// bodyOf is the JSON of one part of a token.
func bodyOf(token string, part int) []byte {
	decoded, err := base64.RawURLEncoding.DecodeString(strings.Split(token+"..", ".")[part])
	if err != nil {
		return nil
	}
	return decoded
}

func partOf(token string, part int, name string) string {
	var object map[string]any
	if err := json.Unmarshal(bodyOf(token, part), &object); err != nil {
		return ""
	}
	value, _ := object[name].(string)
	return value
}

func (p *person) redeem(ctx context.Context, h *holding) (answer, error) {
	return p.post(ctx, "/oauth2/token", p.app, url.Values{
		"grant_type": {"authorization_code"}, "code": {h.code}, "redirect_uri": {callback}, "code_verifier": {h.proof},
	})
}

// refresh gets a new access token of a grant.
func (p *person) refresh(ctx context.Context, h *holding) error {
	a, err := p.post(ctx, "/oauth2/token", p.app, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {h.Refresh}})
	if err != nil {
		return err
	}
	p.mu.Lock()
	h.Access, h.Refresh, h.Scope = a.Access, a.Refresh, a.Scope
	p.mu.Unlock()
	return nil
}

// forget lets go of a grant that is over or not needed.
func (p *person) forget(gone ...*holding) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = slices.DeleteFunc(p.held, func(h *holding) bool { return slices.Contains(gone, h) })
}

// live goes on until the load ends. Each round ends in another way.
func (p *person) live() {
	for round := 0; !p.ended(); round++ {
		var mine []*holding
		for range 4 {
			if h, err := p.use(); err == nil {
				mine = append(mine, h)
			} else {
				pause()
			}
		}
		if len(mine) < 4 {
			continue
		}
		p.lose(mine[0], "grant", func(ctx context.Context) error {
			_, err := p.post(ctx, "/oauth2/revoke", p.app, url.Values{"token": {mine[0].Refresh}})
			return err
		})
		p.lose(mine[1], "code replay", func(ctx context.Context) error {
			a, err := p.redeem(ctx, mine[1])
			if a.Error == "invalid_grant" {
				return nil
			}
			return errors.Join(err, errors.New("not invalid_grant"))
		})
		if err := p.refresh(p.t.Context(), mine[3]); err != nil {
			p.forget(mine[3]) // who has lost an answer must not come back too late
		}
		p.end(round, mine[2:])
	}
}

// lose has one grant taken back.
func (p *person) lose(h *holding, cause string, do func(ctx context.Context) error) {
	p.forget(h)
	p.insist(cause, do)
	p.rows.Add(1)
	p.judges.died(cause, h.Access)
}

// end ends a round: with the session, with everything, or with less to hold.
func (p *person) end(round int, mine []*holding) {
	user := func(do func(ctx context.Context, actor audit.Actor, subject string) error) func(context.Context) error {
		return func(ctx context.Context) error { return do(ctx, operator(), p.subject) }
	}
	switch round % 4 {
	case 0, 1:
		before := p.tokens(func(h *holding) bool { return h.session == mine[0].session })
		p.insist("sign out", func(ctx context.Context) error { return p.signOut(ctx, mine[0].ID) })
		p.rows.Add(1)
		p.judges.died("session", before...)
		p.forget(mine[0]) // the other one outlives its session
	case 2:
		p.rights.RLock()
		defer p.rights.RUnlock()
		before := p.tokens(all)
		p.insist("leave the group", func(ctx context.Context) error {
			return p.groups.RemoveMember(ctx, operator(), "Editors", p.subject)
		})
		p.rows.Add(1)
		p.judges.died("membership", before...)
		p.insist("join the group", func(ctx context.Context) error {
			return p.groups.AddMember(ctx, operator(), "Editors", p.subject, 0)
		})
		p.forget(mine...)
	case 3:
		before := p.tokens(all)
		p.mu.Lock()
		p.held = nil
		p.mu.Unlock()
		cause, do := "user", user(p.users.SignOutEverywhere)
		if round%8 == 3 {
			cause, do = "ban", user(p.users.Ban)
		}
		p.insist(cause, do)
		p.rows.Add(1)
		p.judges.died(cause, before...)
		p.insist("end of a ban", user(p.users.Unban))
	}
}

// signOut ends the browser's session (OpenID Connect RP-Initiated Logout).
func (p *person) signOut(ctx context.Context, hint string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.issuer+"/logout?id_token_hint="+hint, nil)
	if err != nil {
		return err
	}
	resp, err := p.browser.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // it was read
	page, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err == nil && !bytes.Contains(page, []byte("You are signed out")) {
		err = fmt.Errorf("sign-out answered %s", resp.Status)
	}
	return err
}

// everywhere does what ends tokens of all people at once.
func (l *load) everywhere(cause string, of func(h *holding) bool, do func()) {
	var before []string
	for _, p := range l.people {
		before = append(before, p.tokens(of)...)
	}
	do()
	l.rows.Add(1)
	l.judges.died(cause, before...)
}
