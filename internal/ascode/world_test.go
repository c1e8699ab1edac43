package ascode_test

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/ascode"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/storage/sqldb"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func operator() audit.Actor { return audit.Actor{Kind: audit.CommandLine, ID: "root"} }

// world is a deployment on a real database.
type world struct {
	t  *testing.T
	db *sqldb.DB
	*ascode.Deployment
	secrets map[string]string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOn(t, "sqlite://"+filepath.Join(t.TempDir(), "gatehouse.db"))
}

func newWorldOn(t *testing.T, url string) *world {
	t.Helper()
	db, err := sqldb.Open(t.Context(), sqldb.Options{URL: url, TokenLife: time.Hour})
	must(t, err)
	t.Cleanup(db.Close)
	_, err = db.Migrate(t.Context())
	must(t, err)
	keys, err := secret.NewKeyring(secret.Text(bytes.Repeat([]byte("k"), 32)))
	must(t, err)
	j := accounts.Journal{Tx: db, Audit: db, Ledger: db, Now: time.Now}
	w := &world{t: t, db: db, secrets: map[string]string{}}
	w.Deployment = &ascode.Deployment{
		APIs:    &accounts.APIs{Journal: j, Store: db, Permissions: db, Clients: db, Secrets: db, Keys: keys},
		Sets:    &accounts.PermissionSets{Journal: j, Store: db, Holdings: db, Permissions: db, Clients: db},
		Groups:  &accounts.Groups{Journal: j, Store: db, Members: db, Crowds: db, Nesting: db, Managers: db, Reader: db, Permissions: db, APIs: db, Users: db},
		Users:   &accounts.Users{Journal: j, Store: db, Lister: db, Sessions: db, Grants: db},
		Clients: &accounts.Clients{Journal: j, Store: db, Secrets: db, Grants: db, Keys: keys},
		Marks:   &accounts.Marks{Journal: j, Store: db}, Grants: db, Keys: keys,
		Settings: []ascode.Setting{{Name: "sign_up", Value: "closed"}, {Name: "sign_up_domains", Value: []string{"a.example", "b.example"}}, {Name: "password_min_length", Value: 8}},
		Kept:     &accounts.SettingsKeeper{Journal: j, Store: db, Rules: &rules{}},
		Secret: func(kind, name string) (secret.Text, error) {
			if text := w.secrets[kind+":"+name]; text != "" {
				return secret.Text(text), nil
			}
			return "", errors.New("there is no secret")
		},
		Vacant: func(string) error { return nil },
	}
	must(t, w.APIs.EnsureBuiltin(t.Context(), "https://id.example.com"))
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, text string) *ascode.File {
	t.Helper()
	f, err := ascode.Read("test.yaml", strings.NewReader(text))
	must(t, err)
	return f
}

// apply applies a text and tells what changed, a line each.
func (w *world) apply(text string, opts ascode.Options) (string, error) {
	w.t.Helper()
	plan, err := w.Apply(w.t.Context(), operator(), read(w.t, text), opts)
	if err != nil {
		return "", err
	}
	return told(plan), nil
}

func told(plan *ascode.Plan) string {
	var out strings.Builder
	for _, c := range plan.Changes {
		fmt.Fprintf(&out, "%s %s %s", c.Kind, c.Name, c.Action)
		if c.ByHand {
			out.WriteString(" !removed")
		}
		if c.TakenFrom != "" {
			fmt.Fprintf(&out, " from %s", c.TakenFrom)
		}
		if c.Touches != "" {
			fmt.Fprintf(&out, " with %s", c.Touches)
		}
		out.WriteString("\n")
		for _, f := range c.Fields {
			fmt.Fprintf(&out, "  %s", f)
			if f.ByHand {
				out.WriteString(" !")
			}
			out.WriteString("\n")
		}
	}
	for _, f := range plan.Settings {
		fmt.Fprintf(&out, "setting %s\n", f)
	}
	return out.String()
}

// mustApply is apply for a text that has to be taken.
func (w *world) mustApply(text string, opts ascode.Options) string {
	w.t.Helper()
	out, err := w.apply(text, opts)
	must(w.t, err)
	return out
}

// export is what the deployment is as a file.
func (w *world) export(opts ascode.ExportOptions) string {
	w.t.Helper()
	f, err := w.Export(w.t.Context(), opts)
	must(w.t, err)
	var out bytes.Buffer
	must(w.t, f.Write(&out))
	return out.String()
}

// state changes whenever anything is written: events of the audit log, the ledger's
// head, and its counter of changes.
func (w *world) state() string {
	w.t.Helper()
	events, err := w.db.AuditTail(w.t.Context(), 10_000)
	must(w.t, err)
	head, err := w.db.Head(w.t.Context())
	must(w.t, err)
	return fmt.Sprintf("%d events, position %d, change %d", len(events), head.Position, head.Change)
}

func (w *world) user(name string) *accounts.User {
	w.t.Helper()
	u, err := w.Users.Create(w.t.Context(), operator(), accounts.NewUser{Username: name})
	must(w.t, err)
	return u
}

func (w *world) client(clientID string) *accounts.Client {
	w.t.Helper()
	c, _, err := w.db.ClientByID(w.t.Context(), clientID, time.Now().UnixMilli())
	must(w.t, err)
	return c
}

// opens reports whether a client gets in with a secret.
func (w *world) opens(clientID, text string) bool {
	w.t.Helper()
	ok, err := w.Clients.VerifySecret(w.t.Context(), w.client(clientID), secret.Text(text))
	must(w.t, err)
	return ok
}

func (w *world) group(name string) *accounts.Group {
	w.t.Helper()
	g, err := w.Groups.Find(w.t.Context(), name)
	must(w.t, err)
	return g
}
