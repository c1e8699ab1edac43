package guard

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
)

// nginxFolders are where nginx is when PATH does not know it.
var nginxFolders = []string{"/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"}

func findNginx(t *testing.T) string {
	t.Helper()
	if path, err := exec.LookPath("nginx"); err == nil {
		return path
	}
	for _, folder := range nginxFolders {
		if _, err := os.Stat(filepath.Join(folder, "nginx")); err == nil {
			return filepath.Join(folder, "nginx")
		}
	}
	t.Fatal("nginx is not installed: apt-get install nginx-light")
	return ""
}

// startNginx runs nginx with the file of deploy/, in which the three addresses are
// replaced, and returns where it listens.
func startNginx(t *testing.T, guard, api *httptest.Server) *httptest.Server {
	t.Helper()
	shipped, err := os.ReadFile("../deploy/guard-nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	addr, dir := testenv.FreeAddr(t), t.TempDir()
	server := string(shipped)
	for old, fresh := range map[string]string{
		"127.0.0.1:8403": guard.Listener.Addr().String(), "127.0.0.1:9000": api.Listener.Addr().String(), "127.0.0.1:8080": addr,
	} {
		server = strings.ReplaceAll(server, "server "+old, "server "+fresh)
		server = strings.ReplaceAll(server, "listen "+old, "listen "+fresh)
	}
	main := "daemon off; master_process off; worker_processes 1; pid nginx.pid; error_log stderr;\nevents {}\nhttp {\naccess_log off;\n"
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		main += kind + "_temp_path " + dir + "/" + kind + ";\n"
	}
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(main+server+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), findNginx(t), "-p", dir, "-c", "nginx.conf", "-e", "stderr")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // an error says that it has ended
		_ = cmd.Wait()         // killed, as it was meant to be
		_ = log.Close()
	})
	for giveUp := time.Now().Add(30 * time.Second); ; {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
			break
		}
		if time.Now().After(giveUp) {
			text, _ := os.ReadFile(log.Name())
			t.Fatalf("nginx does not listen: %v\n%s", err, text)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return &httptest.Server{URL: "http://" + addr, Listener: fixed{addr}}
}

// fixed is a listener of which only the address is known.
type fixed struct{ addr string }

func (f fixed) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (f fixed) Close() error              { return nil }
func (f fixed) Addr() net.Addr {
	addr, _ := net.ResolveTCPAddr("tcp", f.addr)
	return addr
}

// nginxCase is a request to nginx, the answer, and whom the server is told of.
type nginxCase struct {
	method, path, token string
	want                int
	subject             string
}

func nginxCases(adds, reads string) []nginxCase {
	return []nginxCase{
		{"GET", "/posts", "", 401, ""},
		{"GET", "/posts", "eyJ.bad.token", 401, ""},
		{"GET", "/posts", reads, 200, "bob"},
		{"GET", "/posts", adds, 200, "ada"},
		{"POST", "/posts", reads, 403, ""},
		{"POST", "/posts", adds, 200, "ada"},
		{"DELETE", "/posts/1", reads, 403, ""},
		{"PROPFIND", "/posts/1", reads, 403, ""},
		{"GET", "/posts?login=optional", "", 401, ""},
		{"POST", "/posts?permission=openid&login=required", reads, 403, ""},
		{"GET", "/guard/optional", "", 404, ""},
		{"GET", "/public/../posts", "", 401, ""},
		{"GET", "/public/%2e%2e/posts", "", 401, ""},
		{"GET", "/public/", "", 200, ""},
		{"GET", "/public/", adds, 200, "ada"},
		{"GET", "/public/", "eyJ.bad.token", 401, ""},
	}
}

// TestAttack_194_Nginx drives the configuration that we ship with a real nginx.
func TestAttack_194_Nginx(t *testing.T) {
	i := newIssuer(t)
	u := newUpstream(t, hello)
	log := &logged{}
	asked := httptest.NewServer(newGuard(i, log))
	t.Cleanup(asked.Close)
	nginx := startNginx(t, asked, u.Server)
	adds, reads := i.token(nil), i.token(map[string]any{"scope": "openid", "sub": "bob", "sid": nil})
	for _, c := range nginxCases(adds, reads) {
		c.run(t, nginx, u)
	}
	if strings.Contains(log.String(), adds) {
		t.Error("the log holds a token")
	}
	// Without the guard nobody gets through.
	asked.Close()
	_, before := u.last()
	for _, path := range []string{"/posts", "/public/"} {
		got := send(t, nginx.URL+path, "Bearer "+adds)
		body, _ := io.ReadAll(got.Body)
		if got.StatusCode != http.StatusInternalServerError {
			t.Errorf("%s without the guard: %d %s", path, got.StatusCode, body)
		}
	}
	if _, after := u.last(); after != before {
		t.Error("a request reached the server although the guard was gone")
	}
}

// run sends the request with everything that could take somebody in.
func (c nginxCase) run(t *testing.T, nginx *httptest.Server, u *upstream) {
	t.Helper()
	_, before := u.last()
	request := c.method + " " + c.path + ` HTTP/1.1
Host: posts.example.com
X-Auth-Subject: root
X-AUTH-CLIENT: root
X_Auth_Subject: root
X-Auth_Scope: root
X-Auth-Session: root
X-Auth-Acr: root
X-Original-URI: /public/
X-Forwarded-Uri: /public/
X-HTTP-Method-Override: GET
Content-Length: 4
Connection: close
`
	if c.token != "" {
		request += "Authorization: Bearer " + c.token + "\n"
	}
	got := raw(t, nginx, request+"\nbody")
	reached, after := u.last()
	if got.StatusCode != c.want || (after > before) != (c.want == 200) {
		t.Errorf("%s %s with %.8q: %d, want %d; reached: %t", c.method, c.path, c.token, got.StatusCode, c.want, after > before)
		return
	}
	if challenge := got.Header.Get("WWW-Authenticate"); c.want == 401 && !strings.HasPrefix(challenge, "Bearer ") {
		t.Errorf("%s: challenge %q", c.path, challenge)
	}
	if c.want != 200 {
		return
	}
	text := fmt.Sprint(reached.Header)
	for name := range reached.Header {
		if claimsSomething(name) && strings.ToLower(name) != folded(name) {
			t.Errorf("%s %s: %s reached the server", c.method, c.path, name)
		}
	}
	if reached.Header.Get("X-Auth-Subject") != c.subject || strings.Contains(text, "root") || reached.Header.Get("Authorization") != "" {
		t.Errorf("%s %s: the server was told %s", c.method, c.path, text)
	}
}
