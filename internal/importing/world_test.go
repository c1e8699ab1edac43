package importing_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/importing"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/storage/sqldb"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func operator() audit.Actor { return audit.Actor{Kind: audit.CommandLine, ID: "root"} }

// world is a deployment on a real database.
type world struct {
	t     *testing.T
	db    *sqldb.DB
	users *accounts.Users
	*importing.Target
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// each runs a test on each engine.
func each(t *testing.T, test func(w *world)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) { test(newWorld(t)) })
	t.Run("PostgreSQL", func(t *testing.T) { test(newWorldOn(t, sqldbtest.Postgres(t))) })
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
	hasher := accounts.NewHasher(0, 0)
	users := &accounts.Users{Journal: j, Store: db, Lister: db, Sessions: db, Grants: db, Hasher: hasher}
	w := &world{t: t, db: db, users: users, Target: &importing.Target{
		APIs:    &accounts.APIs{Journal: j, Store: db, Permissions: db, Clients: db, Secrets: db, Keys: keys},
		Groups:  &accounts.Groups{Journal: j, Store: db, Members: db, Crowds: db, Nesting: db, Managers: db, Reader: db, Permissions: db, APIs: db, Users: db},
		Clients: &accounts.Clients{Journal: j, Store: db, Secrets: db, Grants: db, Keys: keys, Hasher: hasher},
		Import:  &accounts.Import{Journal: j, Users: users, Store: db},
	}}
	must(t, w.APIs.EnsureBuiltin(t.Context(), "https://id.example.com"))
	return w
}

// run imports a source and returns the result and what was not carried over, as
// "kind name: reason", sorted.
func (w *world) run(src importing.Source, o importing.Options) (importing.Result, []string) {
	w.t.Helper()
	var items []string
	report := &importing.Report{Write: func(i importing.Item) error {
		items = append(items, fmt.Sprintf("%s %s: %s", i.Kind, i.Name, i.Reason))
		return nil
	}}
	if o.Digest == "" {
		o.Digest = "d"
	}
	result, err := w.Run(w.t.Context(), operator(), src, report, o)
	must(w.t, err)
	slices.Sort(items)
	total := int64(0)
	for _, c := range report.Counts() {
		total += c.Count
	}
	if total != int64(len(items)) {
		w.t.Errorf("%d counted of %d notes", total, len(items))
	}
	return result, items
}

// state changes whenever anything is written that anybody could see.
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
	u, err := w.users.Find(w.t.Context(), name)
	must(w.t, err)
	return u
}

// groups are those of somebody, the outer ones too.
func (w *world) groups(name string) string {
	w.t.Helper()
	list, err := w.db.GroupsOf(w.t.Context(), w.user(name).ID, time.Now().UnixMilli())
	must(w.t, err)
	return strings.Join(list, " ")
}

// holds are the permissions of a group itself.
func (w *world) holds(group string) string {
	w.t.Helper()
	g, err := w.Groups.Find(w.t.Context(), group)
	must(w.t, err)
	return strings.Join(g.Permissions, " ")
}

func (w *world) client(id string) *accounts.Client {
	w.t.Helper()
	c, _, err := w.db.ClientByID(w.t.Context(), id, time.Now().UnixMilli())
	must(w.t, err)
	return c
}

// signsIn reports whether a password is somebody's.
func (w *world) signsIn(name, password string) bool {
	w.t.Helper()
	ok, _, err := w.users.Hasher.Verify(w.t.Context(), w.user(name).PasswordHash, secret.Text(password))
	must(w.t, err)
	return ok
}

func open(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	t.Cleanup(func() { must(t, f.Close()) })
	return f
}
