package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/config"
	"github.com/gatehouse-id/gatehouse/examples/posts"
	"github.com/gatehouse-id/gatehouse/examples/webapp"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// demoPassword is printed at every start.
const demoPassword secret.Text = "testpass123"

const demoGroup = "Editors"

// demoAccount is one of the accounts that dev makes.
type demoAccount struct {
	Username string `json:"username"`
	Email    string `json:"email"`
	Name     string `json:"name"`
	About    string `json:"about"`

	superuser, staff, editor, banned bool
}

func demoAccounts() []demoAccount {
	return []demoAccount{
		{Username: "admin", Email: "admin@test.com", Name: "Ada Admin", About: "superuser: holds every permission", superuser: true},
		{Username: "staff_user", Email: "staff@test.com", Name: "Stella Staff", About: "staff", staff: true},
		{Username: "regular_user", Email: "regular@test.com", Name: "Rita Regular", About: "in the group Editors: may add posts", editor: true},
		{Username: "reader", Email: "reader@test.com", Name: "Rob Reader", About: "in no group: may read"},
		{Username: "banned_user", Email: "banned@test.com", Name: "Ben Banned", About: "banned: cannot sign in", banned: true},
	}
}

// demo is what was made, as the database remembers it.
type demo struct {
	ClientID string `json:"client_id"`
	App      string `json:"app"`
	API      string `json:"api"`

	secret secret.Text
	// With these the demo API follows the ledger.
	apiClientID string
	apiSecret   secret.Text
}

// unfinished marks a database as dev's before the first account is made.
const unfinished = "{}"

// demoActor makes the demo data.
func demoActor() audit.Actor { return audit.Actor{Kind: audit.System, ID: "dev"} }

func demoURLs(cfg *config.Config) (app, api string) {
	url := func(port int) string { return "http://" + net.JoinHostPort("localhost", strconv.Itoa(port)) }
	return url(cfg.DemoAppPort), url(cfg.DemoAPIPort)
}

// ensureDemo finds the demo data or makes it; a start that was interrupted is
// finished. It refuses to put accounts whose password everybody knows into a
// database that serve has served.
func (d *domain) ensureDemo(ctx context.Context) (*demo, error) {
	fact, err := d.fact(ctx, factDemo)
	if err != nil {
		return nil, err
	}
	made := &demo{}
	made.App, made.API = demoURLs(d.cfg)
	switch fact {
	case "":
		issuer, err := d.fact(ctx, factIssuer)
		if err != nil {
			return nil, err
		}
		if issuer != "" {
			return nil, fmt.Errorf("this database has been served as %s: dev would add accounts whose password everybody knows; use another data folder or database", issuer)
		}
		if err := d.db.SetInstance(ctx, factDemo, unfinished); err != nil {
			return nil, err
		}
	case unfinished:
	default:
		return d.findDemo(ctx, fact, made)
	}
	if err := d.makeDemo(ctx, made); err != nil {
		return nil, fmt.Errorf("make the demo data: %w", err)
	}
	return made, nil
}

// findDemo reads what an earlier start made. The demo API's audience is its URL,
// so the ports cannot change under it.
func (d *domain) findDemo(ctx context.Context, fact string, now *demo) (*demo, error) {
	var before demo
	if err := json.Unmarshal([]byte(fact), &before); err != nil {
		return nil, fmt.Errorf("stored demo facts: %w", err)
	}
	if before.App != now.App || before.API != now.API {
		return nil, fmt.Errorf("the demo data of %s belongs to %s and %s: use these ports, or another data folder", d.cfg.DataDir, before.App, before.API)
	}
	if err := d.prepare(ctx); err != nil {
		return nil, err
	}
	if err := d.readDemoSecrets(ctx, &before); err != nil {
		return nil, err
	}
	return &before, nil
}

func (d *domain) readDemoSecrets(ctx context.Context, of *demo) error {
	api, err := d.db.APIByAudience(ctx, of.API)
	if err != nil {
		return fmt.Errorf("demo API: %w", err)
	}
	of.apiClientID = api.ResourceServer
	if of.apiSecret, err = d.demoSecret(ctx, of.apiClientID, demoAPISecret); err != nil {
		return err
	}
	of.secret, err = d.demoSecret(ctx, of.ClientID, demoAppSecret)
	return err
}

// makeDemo makes keys and accounts side by side: both cost time on all cores.
func (d *domain) makeDemo(ctx context.Context, made *demo) error {
	users := demoAccounts()
	subjects := make([]string, len(users))
	group, making := errgroup.WithContext(ctx)
	group.Go(func() error { return d.prepare(making) })
	for i, u := range users {
		group.Go(func() (err error) {
			subjects[i], err = d.ensureDemoUser(making, u)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := d.makeDemoRights(ctx, made.API, users, subjects); err != nil {
		return err
	}
	client, err := d.ensureDemoClient(ctx, made)
	if err != nil {
		return err
	}
	made.ClientID = client
	if err := d.readDemoSecrets(ctx, made); err != nil {
		return err
	}
	fact, err := json.Marshal(made)
	if err != nil {
		return err
	}
	// Hashing five passwords took 100 MB for a moment; the demo then idles.
	debug.FreeOSMemory()
	return d.db.SetInstance(ctx, factDemo, string(fact))
}

// ensureDemoUser returns the sub of an account that it makes if it is missing.
func (d *domain) ensureDemoUser(ctx context.Context, u demoAccount) (string, error) {
	given, family, _ := strings.Cut(u.Name, " ")
	made, err := d.users.Create(ctx, demoActor(), accounts.NewUser{
		Username: u.Username, Email: u.Email, EmailVerified: true, Name: u.Name,
		Profile:  accounts.Profile{GivenName: given, FamilyName: family},
		Password: demoPassword, AnyPassword: true, Staff: u.staff, Superuser: u.superuser, Demo: true,
	})
	if errors.Is(err, accounts.ErrConflict) {
		made, err = d.users.Find(ctx, u.Username)
	}
	if err != nil {
		return "", fmt.Errorf("user %s: %w", u.Username, err)
	}
	return made.Subject, nil
}

// makeDemoRights makes the API, the group and who is in it, and bans whom it should.
func (d *domain) makeDemoRights(ctx context.Context, audience string, users []demoAccount, subjects []string) error {
	_, _, text, err := d.apis.Create(ctx, demoActor(), accounts.NewAPI{
		Audience: audience, Name: "Posts", Permissions: []accounts.NewPermission{
			{Name: posts.PermissionAdd, Description: "Add posts"},
			{Name: posts.PermissionDelete, Description: "Delete posts"},
		},
	})
	switch {
	case err == nil:
		if err := d.keepDemoSecret(demoAPISecret, text); err != nil {
			return err
		}
	case !errors.Is(err, accounts.ErrConflict):
		return fmt.Errorf("API: %w", err)
	}
	if _, err := d.groups.Create(ctx, demoActor(), demoGroup, "May add posts"); err != nil && !errors.Is(err, accounts.ErrConflict) {
		return fmt.Errorf("group: %w", err)
	}
	if err := d.groups.GrantPermission(ctx, demoActor(), demoGroup, posts.PermissionAdd); err != nil {
		return fmt.Errorf("group: %w", err)
	}
	for i, u := range users {
		if u.editor {
			if err := d.groups.AddMember(ctx, demoActor(), demoGroup, subjects[i], 0); err != nil {
				return fmt.Errorf("group: %w", err)
			}
		}
		if u.banned {
			if err := d.users.Ban(ctx, demoActor(), subjects[i]); err != nil {
				return fmt.Errorf("ban %s: %w", u.Username, err)
			}
		}
	}
	return nil
}

// demoClientID is fixed, so that an interrupted start finds what it had made.
const demoClientID = "demo-app"

func (d *domain) ensureDemoClient(ctx context.Context, made *demo) (string, error) {
	client, text, err := d.clients.Register(ctx, demoActor(), accounts.Registration{
		ClientID: demoClientID, Name: "Demo app", Type: accounts.WebClient, HomeURI: made.App,
		RedirectURIs: []string{made.App + webapp.CallbackPath}, PostLogoutRedirectURIs: []string{made.App + webapp.HomePath},
		Scopes: webapp.Scopes(), OptionalScopes: []string{posts.PermissionAdd, posts.PermissionDelete}, Demo: true,
	})
	if errors.Is(err, accounts.ErrConflict) {
		return demoClientID, nil
	}
	if err != nil {
		return "", fmt.Errorf("client: %w", err)
	}
	return client.ClientID, d.keepDemoSecret(demoAppSecret, text)
}

// Files in the data folder that hold the secrets of the demo's clients.
const (
	demoAppSecret = "demo-app-secret"
	demoAPISecret = "demo-api-secret"
)

// keepDemoSecret writes a secret, unless the file is there: then demoSecret finds
// out that it is another one.
func (d *domain) keepDemoSecret(file string, text secret.Text) error {
	err := config.WriteOnce(filepath.Join(d.cfg.DataDir, file), []byte(text.Reveal()+"\n"))
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("keep the demo's secret: %w", err)
	}
	return nil
}

// demoSecret reads the secret of one of the demo's clients. If it is lost, or is
// another database's, the client gets a new one.
func (d *domain) demoSecret(ctx context.Context, clientID, file string) (secret.Text, error) {
	client, _, err := d.db.ClientByID(ctx, clientID, d.now().UnixMilli())
	if err != nil {
		return "", fmt.Errorf("demo client: %w", err)
	}
	path := filepath.Join(d.cfg.DataDir, file)
	kept, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("the demo's secret: %w", err)
	}
	text := secret.Text(strings.TrimSpace(string(kept)))
	if ok, err := d.clients.VerifySecret(ctx, client, text); ok || err != nil {
		return text, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("the demo's secret: %w", err)
	}
	if text, err = d.clients.RotateSecret(ctx, demoActor(), clientID, 0); err != nil {
		return "", fmt.Errorf("the demo's secret: %w", err)
	}
	return text, d.keepDemoSecret(file, text)
}
