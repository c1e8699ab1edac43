package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"gatehouse": main})
}

// TestScripts runs the transcripts in testdata/script, which show the commands as
// somebody at a shell uses them.
func TestScripts(t *testing.T) {
	program := programFolder(t)
	testscript.Run(t, testscript.Params{Dir: filepath.Join("testdata", "script"), Setup: func(e *testscript.Env) error {
		program(e)
		return nil
	}})
}

// programFolder builds the program as it is shipped, and returns what lets a
// transcript find it first: a test binary with the race detector takes several times
// as long to start, and transcripts start it some hundred times. What the detector can
// find, the tests find that serve in this process.
func programFolder(t *testing.T) func(e *testscript.Env) {
	t.Helper()
	folder := t.TempDir()
	build := exec.Command("go", "build", "-o", folder, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, out)
	}
	return func(e *testscript.Env) {
		e.Setenv("PATH", folder+string(os.PathListSeparator)+e.Getenv("PATH"))
	}
}

// TestScriptsOnPostgres runs those that change what people and apps may do on the
// other engine.
func TestScriptsOnPostgres(t *testing.T) {
	var files []string
	for _, name := range []string{"api", "apply", "ascode", "client", "group"} {
		files = append(files, filepath.Join("testdata", "script", name+".txtar"))
	}
	program := programFolder(t)
	testscript.Run(t, testscript.Params{Files: files, Setup: func(e *testscript.Env) error {
		program(e)
		e.Setenv("GATEHOUSE_DATABASE_URL", sqldbtest.Postgres(t))
		e.Setenv("OTHER_DATABASE_URL", sqldbtest.Postgres(t))
		e.Setenv("GATEHOUSE_SECRET", strings.Repeat("k", 40))
		return nil
	}})
}

// run carries out one command line in this process.
func run(t *testing.T, environ []string, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	// A command that serves although it should refuse must not go on for ever.
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c := &call{ctx: ctx, environ: environ, stdin: strings.NewReader(stdin), stdout: &out, stderr: &errs, now: time.Now}
	code = c.run(args)
	return code, out.String(), errs.String()
}

// mustRun is run for commands that have to succeed.
func mustRun(t *testing.T, environ []string, args ...string) string {
	t.Helper()
	code, out, errs := run(t, environ, "", args...)
	if code != 0 {
		t.Fatalf("gatehouse %s: exit code %d\n%s", strings.Join(args, " "), code, errs)
	}
	return out
}

// running is a program that serves until it is stopped.
type running struct {
	stop   context.CancelFunc
	code   chan int
	stdout *lockedBuffer
	stderr *lockedBuffer
}

// lockedBuffer is written by the program while the test reads it.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
	seen chan struct{} // has room for one: something was written
}

// Write implements io.Writer.
func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text.Write(p)
	select {
	case b.seen <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// start starts the program and waits until it has written a text, or has ended.
func start(t *testing.T, environ []string, until string, args ...string) *running {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	seen := make(chan struct{}, 1)
	r := &running{
		stop: stop, code: make(chan int, 1),
		stdout: &lockedBuffer{seen: seen}, stderr: &lockedBuffer{seen: seen},
	}
	ended := make(chan struct{})
	go func() {
		c := &call{ctx: ctx, environ: environ, stdin: strings.NewReader(""), stdout: r.stdout, stderr: r.stderr, now: time.Now}
		r.code <- c.run(args)
		close(ended)
	}()
	t.Cleanup(func() { stop(); <-ended })
	deadline := time.After(time.Minute)
	for {
		if strings.Contains(r.stdout.String()+r.stderr.String(), until) {
			return r
		}
		select {
		case <-seen:
		case <-ended:
			return r
		case <-deadline:
			t.Fatalf("not ready\n%s%s", r.stdout, r.stderr)
		}
	}
}

// end stops the program and returns its exit code.
func (r *running) end(t *testing.T) int {
	t.Helper()
	r.stop()
	select {
	case code := <-r.code:
		r.code <- code
		return code
	case <-time.After(time.Minute):
		t.Fatal("it does not stop")
	}
	return -1
}

// ports returns free ports of loopback.
func ports(t *testing.T, n int) []string {
	t.Helper()
	var out []string
	for range n {
		_, port, err := net.SplitHostPort(testenv.FreeAddr(t))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, port)
	}
	return out
}

// devEnviron is the environment of a demo with free ports in a data folder.
func devEnviron(t *testing.T, dir string) []string {
	t.Helper()
	p := ports(t, 3)
	return []string{
		"GATEHOUSE_ISSUER=http://localhost:" + p[0], "GATEHOUSE_DEMO_APP_PORT=" + p[1], "GATEHOUSE_DEMO_API_PORT=" + p[2],
		"GATEHOUSE_DATA_DIR=" + dir,
	}
}

// setting returns a variable of an environment.
func setting(environ []string, name string) string {
	for _, pair := range environ {
		if value, ok := strings.CutPrefix(pair, name+"="); ok {
			return value
		}
	}
	return ""
}

var _ io.Writer = (*lockedBuffer)(nil)
