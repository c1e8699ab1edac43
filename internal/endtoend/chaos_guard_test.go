package endtoend_test

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
)

// guardProcess is a follower that can stand still: the others live in the test's own
// process.
type guardProcess struct {
	t     *testing.T
	load  *load
	robot client
	addr  string
	cmd   *exec.Cmd
	token string // taken back while it stood still
}

// newGuard starts `gatehouse guard`, which denies what it cannot judge.
func newGuard(t *testing.T, l *load, api, robot client) *guardProcess {
	t.Helper()
	g := &guardProcess{t: t, load: l, robot: robot, addr: testenv.FreeAddr(t)}
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(api.Secret), 0o600); err != nil {
		t.Fatal(err)
	}
	logged := newTail()
	g.cmd = exec.Command(program, "guard", "--audience", l.api, "--client-id", api.ID, "--client-secret-file", file, "--stale", "deny", "--listen", g.addr)
	g.cmd.Env = append(withoutSettings(os.Environ()), "GATEHOUSE_ISSUER="+l.issuer)
	g.cmd.Stdout, g.cmd.Stderr = logged, logged
	if err := g.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = g.cmd.Process.Signal(syscall.SIGCONT)
		_ = g.cmd.Process.Signal(syscall.SIGTERM)
		if err := g.cmd.Wait(); err != nil {
			t.Errorf("the guard ended: %v", err)
		}
		if t.Failed() {
			t.Logf("log of the guard:\n%s", logged)
		}
	})
	return g
}

// mint gets a token, whatever fails meanwhile.
func (g *guardProcess) mint() string {
	var a answer
	g.load.insist("mint for the guard", func(ctx context.Context) (err error) {
		a, err = g.load.post(ctx, "/oauth2/token", g.robot, url.Values{"grant_type": {"client_credentials"}, "scope": {"posts:add"}})
		return err
	})
	return a.Access
}

// says is the status of the guard's answer, zero without one.
func (g *guardProcess) says(token string) int {
	req, err := http.NewRequestWithContext(g.t.Context(), http.MethodGet, "http://"+g.addr+"/auth", nil)
	if err != nil {
		g.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := g.load.http.Do(req)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// takes waits until the guard follows.
func (g *guardProcess) takes(token string) {
	g.t.Helper()
	awaitWithin(g.t, patience, "the guard takes a living token", func() bool { return g.says(token) == http.StatusOK })
}

// freeze lets the guard stand still while a token is taken back that it has accepted.
func (g *guardProcess) freeze() {
	g.token = g.mint()
	g.takes(g.token)
	_ = g.cmd.Process.Signal(syscall.SIGSTOP)
	g.load.insist("revoke behind the guard's back", func(ctx context.Context) error {
		_, err := g.load.post(ctx, "/oauth2/revoke", g.robot, url.Values{"token": {g.token}})
		return err
	})
}

// thaw checks that a guard which has slept longer than the bound does not take what
// lies in its socket's buffer for news: from its first answer on the token is dead.
func (g *guardProcess) thaw() {
	g.t.Helper()
	_ = g.cmd.Process.Signal(syscall.SIGCONT)
	refused := false
	for end := time.Now().Add(bound); !refused && time.Now().Before(end); pause() {
		status := g.says(g.token)
		if status == http.StatusOK {
			g.t.Fatal("a guard that stood still for longer than the bound accepts a token that was taken back meanwhile")
		}
		refused = status == http.StatusUnauthorized
	}
	if !refused {
		g.t.Error("the guard does not learn what was taken back while it stood still")
	}
	g.takes(g.mint())
}
