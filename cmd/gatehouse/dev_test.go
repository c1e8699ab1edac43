package main

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
)

// TestDevTwice starts the demo on nothing, stops it, and starts it again on what
// it left.
func TestDevTwice(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	environ := devEnviron(t, dir)
	app := "http://localhost:" + setting(environ, "GATEHOUSE_DEMO_APP_PORT")
	var before string
	for _, name := range []string{"first", "second"} {
		r := start(t, environ, "\nready\n", "dev")
		out := r.stdout.String()
		for _, want := range []string{setting(environ, "GATEHOUSE_ISSUER"), app, "admin@test.com", "staff_user", "banned_user", "testpass123"} {
			if !strings.Contains(out, want) {
				t.Errorf("%s start does not say %q:\n%s%s", name, want, out, r.stderr)
			}
		}
		b := newBrowser(t)
		if p := b.get(app + "/"); p.status != http.StatusOK {
			t.Errorf("%s start: demo app answers %d", name, p.status)
		}
		users := mustRun(t, environ, "user", "list", "--json")
		if before != "" && users != before {
			t.Errorf("the second start has other accounts:\n%s\n%s", before, users)
		}
		before = users
		if code := r.end(t); code != 0 {
			t.Errorf("%s start ended with %d\n%s", name, code, r.stderr)
		}
	}
	for _, file := range []string{"secret", "demo-app-secret", "demo-api-secret", "gatehouse.db", "gatehouse.db-ledger"} {
		if info, err := os.Stat(filepath.Join(dir, file)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info, err)
		}
	}
}

// TestDevFinishesAnInterruptedStart begins as if the first start had been killed
// after some accounts.
func TestDevFinishesAnInterruptedStart(t *testing.T) {
	environ := devEnviron(t, filepath.Join(t.TempDir(), "data"))
	r := start(t, environ, "\nready\n", "dev")
	r.end(t)
	c := &call{ctx: t.Context(), environ: environ, stderr: r.stderr, now: time.Now}
	d, err := c.open(false)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.db.SetInstance(t.Context(), factDemo, unfinished); err != nil {
		t.Fatal(err)
	}
	if err := d.users.Delete(t.Context(), demoActor(), mustFind(t, d, "regular_user")); err != nil {
		t.Fatal(err)
	}
	d.close()
	if err := os.Remove(filepath.Join(setting(environ, "GATEHOUSE_DATA_DIR"), "demo-app-secret")); err != nil {
		t.Fatal(err)
	}
	r = start(t, environ, "\nready\n", "dev")
	if out := mustRun(t, environ, "user", "show", "--user", "regular@test.com", "--json"); !strings.Contains(out, demoGroup) {
		t.Errorf("the account was not made again:\n%s", out)
	}
	newBrowser(t).signIn(t, environ, "regular_user", "posts:add")
	r.end(t)
}

func TestDevRefusals(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", testenv.FreeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	_, takenPort, err := net.SplitHostPort(taken.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		extra string
		want  []string
	}{
		"taken port":        {"GATEHOUSE_DEMO_APP_PORT=" + takenPort, []string{takenPort, "address already in use", "--demo-app-port"}},
		"unwritable folder": {"GATEHOUSE_DATA_DIR=" + filepath.Join(file, "data"), []string{"cannot be written to", "GATEHOUSE_DATA_DIR"}},
		"wrong variable":    {"GATEHOUSE_ISUER=x", []string{"GATEHOUSE_ISUER", "did you mean GATEHOUSE_ISSUER?"}},
		"wrong value":       {"GATEHOUSE_LOG_FORMAT=x", []string{"GATEHOUSE_LOG_FORMAT"}},
		"public listener":   {"GATEHOUSE_LISTEN=:0", []string{"65535"}},
		"public issuer":     {"GATEHOUSE_ISSUER=https://id.example.com", []string{"use serve"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			environ := devEnviron(t, filepath.Join(t.TempDir(), "data"))
			variable, _, _ := strings.Cut(test.extra, "=")
			environ = slices.DeleteFunc(environ, func(pair string) bool { return strings.HasPrefix(pair, variable+"=") })
			environ = append(environ, test.extra)
			code, out, errs := run(t, environ, "", "dev", "--log-level=error")
			if code != 1 || strings.Count(errs, "\n") != 1 || strings.Contains(out, "ready") {
				t.Errorf("exit code %d\n%s%s", code, out, errs)
			}
			for _, want := range test.want {
				if !strings.Contains(errs, want) {
					t.Errorf("%q is not in %s", want, errs)
				}
			}
		})
	}
}

// TestDevRefusesServedData keeps well-known passwords out of a database that has
// been served.
func TestDevRefusesServedData(t *testing.T) {
	environ := devEnviron(t, filepath.Join(t.TempDir(), "data"))
	served := []string{environ[0], environ[3]}
	r := start(t, served, `"msg":"ready"`, "serve")
	if code := r.end(t); code != 0 {
		t.Fatalf("serve: %d\n%s", code, r.stderr)
	}
	code, _, errs := run(t, environ, "", "dev")
	if code != 1 || !strings.Contains(errs, "has been served") {
		t.Errorf("exit code %d: %s", code, errs)
	}
	if out := mustRun(t, environ, "user", "list", "--json"); strings.Contains(out, "admin") {
		t.Errorf("accounts were made:\n%s", out)
	}
}

// TestServeRefusesDemoData keeps the demo's data from being served.
func TestServeRefusesDemoData(t *testing.T) {
	environ := devEnviron(t, filepath.Join(t.TempDir(), "data"))
	r := start(t, environ, "\nready\n", "dev")
	r.end(t)
	code, _, errs := run(t, environ, "", "serve")
	if code != 1 || !strings.Contains(errs, "demo accounts") || strings.Contains(errs, "\n{") {
		t.Errorf("exit code %d: %s", code, errs)
	}
}

// TestDevOtherPorts refuses to take the demo API's audience away under its tokens.
func TestDevOtherPorts(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	r := start(t, devEnviron(t, dir), "\nready\n", "dev")
	r.end(t)
	code, _, errs := run(t, devEnviron(t, dir), "", "dev")
	if code != 1 || !strings.Contains(errs, "use these ports") {
		t.Errorf("exit code %d: %s", code, errs)
	}
}
