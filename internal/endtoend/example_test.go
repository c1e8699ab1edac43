package endtoend_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/resource/wire"
)

// example is a resource server in another language, in the folder examples.
type example struct {
	name    string
	command func(t *testing.T, folder, port string) *exec.Cmd
	vectors func(t *testing.T, folder, file string) *exec.Cmd
}

func (e example) folder(t *testing.T) string {
	t.Helper()
	folder, err := filepath.Abs(filepath.Join("..", "..", "examples", e.name))
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// exampleAPI is a running example.
type exampleAPI struct {
	url  string
	said *tail
}

// start runs the example for an issuer until the test ends.
func (e example) start(t *testing.T, issuer, audience string, c client) *exampleAPI {
	t.Helper()
	port := freePorts(t, 1)[0]
	api := &exampleAPI{url: "http://127.0.0.1:" + port, said: newTail()}
	cmd := e.command(t, e.folder(t), port)
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(
		cmd.Env, "ISSUER="+issuer, "AUDIENCE="+audience, "API_CLIENT_ID="+c.ID, "API_CLIENT_SECRET="+c.Secret, "PYTHONDONTWRITEBYTECODE=1",
	)
	cmd.Stdout, cmd.Stderr = api.said, api.said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait() // it was killed
		for line := range strings.Lines(api.said.String()) {
			// Servers log addresses: that is why tokens do not belong there.
			if !strings.Contains(line, "?access_token=") && (strings.Contains(line, "eyJhbGci") || strings.Contains(line, c.Secret)) {
				t.Errorf("%s tells a secret: %.40s...", e.name, line)
			}
		}
		if t.Failed() {
			t.Logf("%s said:\n%s", e.name, api.said)
		}
	})
	api.await(t, "it answers", func() bool { return api.call(t, http.MethodGet, "/posts").status == http.StatusUnauthorized })
	return api
}

// await waits until something is so, for as long as a slow machine may take.
func (a *exampleAPI) await(t *testing.T, what string, so func() bool) {
	t.Helper()
	awaitWithin(t, patience, what, so)
}

// reply is what the example answers; its status is zero if it does not.
type reply struct {
	status    int
	challenge string
	retry     string
	body      struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
		Author      string `json:"author"`
	}
}

// call sends a request with the given values of the header Authorization.
func (a *exampleAPI) call(t *testing.T, method, path string, authorization ...string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, a.url+path, strings.NewReader(`{"title":"t","body":"b"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header["Authorization"] = authorization
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return reply{}
	}
	defer func() { _ = answer.Body.Close() }() // it is read
	r := reply{status: answer.StatusCode, challenge: answer.Header.Get("WWW-Authenticate"), retry: answer.Header.Get("Retry-After")}
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return reply{}
	}
	if len(body) > 0 {
		if err := json.Unmarshal(body, &r.body); err != nil {
			t.Fatalf("%s %s: %d %s", method, path, r.status, body)
		}
	}
	return r
}

// list, add and remove use a token as apps do.
func (a *exampleAPI) list(t *testing.T, token string) reply {
	t.Helper()
	return a.call(t, http.MethodGet, "/posts", "Bearer "+token)
}

func (a *exampleAPI) add(t *testing.T, token string) reply {
	t.Helper()
	return a.call(t, http.MethodPost, "/posts", "Bearer "+token)
}

// fresh reports whether the example knows the ledger. Without a fresh one it may
// not even say that a token lacks the permission to delete.
func (a *exampleAPI) fresh(t *testing.T, token string) bool {
	t.Helper()
	return a.call(t, http.MethodDelete, "/posts/99", "Bearer "+token).status == http.StatusForbidden
}

// isFresh waits until the example knows the ledger, isStale until it does not.
func (a *exampleAPI) isFresh(t *testing.T, token string) {
	t.Helper()
	a.await(t, "the ledger is fresh", func() bool { return a.fresh(t, token) })
}

func (a *exampleAPI) isStale(t *testing.T, token string) {
	t.Helper()
	a.await(t, "the ledger is stale", func() bool {
		return a.call(t, http.MethodDelete, "/posts/99", "Bearer "+token).status == http.StatusServiceUnavailable
	})
}

// refuses waits until the example refuses a token, within what a follower promises,
// and says why.
func (a *exampleAPI) refuses(t *testing.T, token string) string {
	t.Helper()
	var last reply
	awaitWithin(t, wire.FreshFor*time.Millisecond, "the token is refused", func() bool {
		last = a.list(t, token)
		return last.status == http.StatusUnauthorized
	})
	if !strings.Contains(last.challenge, `error="invalid_token"`) || last.body.Error != "invalid_token" {
		t.Errorf("refused with %+v", last)
	}
	return last.body.Description
}
