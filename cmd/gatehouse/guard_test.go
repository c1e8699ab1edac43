package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
)

// TestGuard runs the guard beside a server, both ways, and takes a token back.
func TestGuard(t *testing.T) {
	environ := serveEnviron(t)
	issuer := setting(environ, "GATEHOUSE_ISSUER")
	start(t, environ, serving, "serve")
	api := makeClient(t, environ, "api", "create", "--audience", "https://api.example.com", "--name", "Posts", "--permission", "posts:add=Add posts")
	robot := makeClient(t, environ, "client", "create", "--name", "Robot", "--type", "machine", "--scope", "posts:add")
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(api.Secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("hello " + r.Header.Get("X-Auth-Subject")))
	}))
	defer upstream.Close()

	// A guard has no data folder: it must not make one.
	own := []string{"GATEHOUSE_ISSUER=" + issuer, "GATEHOUSE_DATA_DIR=" + filepath.Join(t.TempDir(), "none")}
	flags := []string{"guard", "--audience", "https://api.example.com", "--client-id", api.ID, "--client-secret-file", file}
	asked, before := testenv.FreeAddr(t), testenv.FreeAddr(t)
	answers := start(t, own, `msg="guard: ready"`, append(flags, "--listen", asked)...)
	stands := start(t, append(own, "GATEHOUSE_GUARD_UPSTREAM="+upstream.URL, "GATEHOUSE_GUARD_PERMISSIONS=posts:add"), `msg="guard: ready"`, append(flags, "--listen", before)...)

	status, text := clientCredentials(t, mustURL(t, issuer).Host, issuer, robot.ID, robot.Secret)
	var token struct {
		Access string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(text), &token); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	// Until the guard follows the ledger it asks the server about each token.
	if status, header, text := askGuard(t, "http://"+asked+"/auth?permission=posts:add", token.Access); status != http.StatusOK || header.Get("X-Auth-Subject") != robot.ID {
		t.Fatalf("asked: %d %v %s", status, header, text)
	}
	if status, _, text := askGuard(t, "http://"+before+"/", token.Access); status != http.StatusOK || text != "hello "+robot.ID {
		t.Fatalf("as a gateway: %d %s", status, text)
	}
	for _, target := range []string{"http://" + asked + "/auth", "http://" + before + "/"} {
		if status, _, _ := askGuard(t, target, ""); status != http.StatusUnauthorized {
			t.Errorf("%s without a token: %d", target, status)
		}
	}
	mustRun(t, environ, "client", "disable", "--client", robot.ID)
	for _, target := range []string{"http://" + asked + "/auth", "http://" + before + "/"} {
		if !refusedSoon(t, target, token.Access) {
			t.Errorf("%s still takes the token of a disabled client\n%s", target, answers.stderr)
		}
	}
	for _, r := range []*running{answers, stands} {
		if log := r.stderr.String(); strings.Contains(log, token.Access) || strings.Contains(log, api.Secret) {
			t.Error("the log holds a secret")
		}
		if code := r.end(t); code != 0 {
			t.Errorf("exit code %d\n%s", code, r.stderr)
		}
	}
	if _, err := os.Stat(setting(own, "GATEHOUSE_DATA_DIR")); !os.IsNotExist(err) {
		t.Errorf("the guard made a data folder: %v", err)
	}
}

// guardClient is what a command made.
type guardClient struct {
	ID     string `json:"client_id"`
	Secret string `json:"client_secret"`
}

func makeClient(t *testing.T, environ []string, args ...string) guardClient {
	t.Helper()
	var c guardClient
	if err := json.Unmarshal([]byte(mustRun(t, environ, append(args, "--json")...)), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// askGuard sends a request that claims to be somebody's.
func askGuard(t *testing.T, target, access string) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	if access != "" {
		r.Header.Set("Authorization", "Bearer "+access)
	}
	r.Header.Set("X-Auth-Subject", "root")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(body)
}

// refusedSoon waits until a token is no longer taken, for as long as a follower may take.
func refusedSoon(t *testing.T, target, access string) bool {
	t.Helper()
	for giveUp := time.Now().Add(10 * time.Second); time.Now().Before(giveUp); time.Sleep(50 * time.Millisecond) {
		if status, _, _ := askGuard(t, target, access); status == http.StatusUnauthorized {
			return true
		}
	}
	return false
}
