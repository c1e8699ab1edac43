package endtoend_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
)

const (
	password = "testpass123"
	patience = 30 * time.Second
)

// storages are the two ways in which Gatehouse keeps things.
const (
	embedded = "SQLite and memory"
	external = "PostgreSQL and Redis"
)

// eachStorage runs a test on a server of its own for each storage.
func eachStorage(t *testing.T, test func(t *testing.T, s *server)) {
	t.Helper()
	for _, storage := range []string{embedded, external} {
		t.Run(storage, func(t *testing.T) { test(t, start(t, storage)) })
	}
}

// server is a running `gatehouse dev`.
type server struct {
	issuer, app, api string
	dataDir          string

	listen  string
	env     []string  // of the server, and of commands beside it
	cmd     *exec.Cmd // nil when it does not run
	ended   chan error
	printed *tail
	logged  *tail

	mu      sync.Mutex
	secrets []string // that were made while it ran
}

// start starts `gatehouse dev` with new data. When the test ends, the server must
// end cleanly without having told a secret.
func start(t *testing.T, storage string) *server {
	t.Helper()
	const tries = 3
	for i := range tries {
		s := place(t, storage)
		if s.run(t) {
			t.Cleanup(func() { s.stop(t) })
			return s
		}
		if !strings.Contains(s.logged.String(), "in use") || i == tries-1 {
			t.Fatalf("the server did not become ready:\n%s%s", s.printed, s.logged)
		}
	}
	panic("unreachable")
}

// place says where a server shall be and keep its data.
func place(t *testing.T, storage string) *server {
	t.Helper()
	ports := freePorts(t, 3)
	s := &server{
		listen: "localhost:" + ports[0], issuer: "http://localhost:" + ports[0],
		app: "http://localhost:" + ports[1], api: "http://localhost:" + ports[2], dataDir: t.TempDir(),
	}
	s.env = append(
		withoutSettings(os.Environ()), "GATEHOUSE_ISSUER="+s.issuer, "GATEHOUSE_LISTEN="+s.listen,
		"GATEHOUSE_DEMO_APP_PORT="+ports[1], "GATEHOUSE_DEMO_API_PORT="+ports[2], "GATEHOUSE_DATA_DIR="+s.dataDir,
	)
	if storage == external {
		secret := "endtoend-" + strings.Repeat(ports[0], 12)
		s.secrets = append(s.secrets, secret)
		s.env = append(
			s.env, "GATEHOUSE_DATABASE_URL="+testenv.Postgres(t), "GATEHOUSE_REDIS_URL="+testenv.Redis(t), "GATEHOUSE_SECRET="+secret,
		)
	}
	return s
}

// withoutSettings drops what could lead a test's server elsewhere.
func withoutSettings(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(entry string) bool {
		return strings.HasPrefix(entry, "GATEHOUSE_")
	})
}

// freePorts returns different ports on which nothing listens at the moment.
func freePorts(t *testing.T, n int) []string {
	t.Helper()
	var ports []string
	for len(ports) < n {
		_, port, err := net.SplitHostPort(testenv.FreeAddr(t))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(ports, port) {
			ports = append(ports, port)
		}
	}
	return ports
}

// run starts the process and reports whether it got ready.
func (s *server) run(t *testing.T) bool {
	t.Helper()
	s.printed, s.logged = newTail(), newTail()
	cmd := exec.Command(program, "dev", "--log-format", "json")
	cmd.Env, cmd.Stdout, cmd.Stderr = s.env, s.printed, s.logged
	began := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatalf("start the server: %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-s.printed.line("ready"):
	case <-ended:
		return false
	case <-time.After(patience):
		_ = cmd.Process.Kill()
		<-ended
		return false
	}
	t.Logf("time to ready: %s", time.Since(began).Round(time.Millisecond))
	s.cmd, s.ended = cmd, ended
	return true
}

// stop ends the server as a service manager would, and looks at what it said.
func (s *server) stop(t *testing.T) {
	t.Helper()
	if s.cmd == nil {
		return
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("the server had ended before: %v", err)
	}
	select {
	case err := <-s.ended:
		if err != nil {
			t.Errorf("the server ended with %v", err)
		}
	case <-time.After(patience):
		_ = s.cmd.Process.Kill()
		<-s.ended
		t.Errorf("the server did not end within %s", patience)
	}
	s.cmd = nil
	s.checkSilence(t)
	if t.Failed() {
		t.Logf("log of the server:\n%s", s.logged)
	}
}

// checkSilence looks for codes, refresh tokens, JWTs, passwords and client secrets
// in what the server said. It prints the demo accounts' password, and logs nothing
// of the kind.
func (s *server) checkSilence(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, said := range []*tail{s.logged, s.printed} {
		// A request's id has 22 characters and may hold the first three by chance.
		if found := regexp.MustCompile(`eyJ[\w-]{20,}`).FindString(said.String()); found != "" {
			t.Errorf("the server told a JWT: %.20s...", found)
		}
	}
	always := append([]string{"ghc_", "ghr_"}, s.secrets...)
	for _, name := range []string{"secret", "demo-app-secret", "demo-api-secret"} {
		kept, err := os.ReadFile(filepath.Join(s.dataDir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
		if text := strings.TrimSpace(string(kept)); text != "" {
			always = append(always, text)
		}
	}
	for _, secret := range append(always, password) {
		if found := s.logged.lineWith(secret); found != "" {
			t.Errorf("the log holds a secret (%.4s...): %s", secret, found)
		}
	}
	for _, secret := range always {
		if found := s.printed.lineWith(secret); found != "" {
			t.Errorf("the server printed a secret (%.4s...): %s", secret, found)
		}
	}
}

// hide notes a secret that the server must not tell.
func (s *server) hide(secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secrets = append(s.secrets, secret)
}

// databaseFile is where the embedded storage is.
func (s *server) databaseFile(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(s.dataDir, "*.db"))
	if err != nil || len(found) != 1 {
		t.Fatalf("database files %q, %v", found, err)
	}
	return found[0]
}

// setting returns a variable of the server's.
func (s *server) setting(name string) string {
	for _, entry := range s.env {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}

// tail keeps what a process writes and tells of lines.
type tail struct {
	mu      sync.Mutex
	text    bytes.Buffer
	awaited map[string]chan struct{}
}

var _ io.Writer = (*tail)(nil)

func newTail() *tail { return &tail{awaited: map[string]chan struct{}{}} }

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text.Write(p)
	for line, seen := range t.awaited {
		if bytes.Contains(append([]byte("\n"), t.text.Bytes()...), fmt.Appendf(nil, "\n%s\n", line)) {
			close(seen)
			delete(t.awaited, line)
		}
	}
	return len(p), nil
}

// line returns a channel that is closed when the process writes that line. It is
// asked for before the process starts, or soon after.
func (t *tail) line(want string) <-chan struct{} {
	t.mu.Lock()
	seen := make(chan struct{})
	t.awaited[want] = seen
	t.mu.Unlock()
	_, _ = t.Write(nil) // it may be there already
	return seen
}

// lineWith returns the first line that holds a text, or nothing.
func (t *tail) lineWith(text string) string {
	lines := bufio.NewScanner(strings.NewReader(t.String()))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if strings.Contains(lines.Text(), text) {
			return lines.Text()
		}
	}
	return ""
}

// String implements fmt.Stringer.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}
