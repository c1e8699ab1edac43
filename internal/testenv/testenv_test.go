package testenv

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// endlessRun is set in the run of this test binary that TestNothingOutlives
// kills.
const endlessRun = "GATEHOUSE_TESTENV_ENDLESS"

func TestMain(m *testing.M) {
	Main(m)
}

func TestFreeAddr(t *testing.T) {
	l, err := net.Listen("tcp", FreeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestFindNamesThePackage(t *testing.T) {
	_, err := program{names: []string{"no-such-program"}, debian: "the-package"}.find()
	if want := "no-such-program is not installed: apt-get install the-package"; err == nil || err.Error() != want {
		t.Errorf("find: %v, want %q", err, want)
	}
}

func TestFindTakesTheLastMatch(t *testing.T) {
	dir := t.TempDir()
	for _, version := range []string{"15", "17"} {
		if err := os.MkdirAll(filepath.Join(dir, version, "bin", "some-server"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	got, err := program{names: []string{"some-server"}, folders: []string{filepath.Join(dir, "*", "bin")}}.find()
	if want := filepath.Join(dir, "17", "bin", "some-server"); err != nil || got != want {
		t.Errorf("find = %q, %v, want %q", got, err, want)
	}
}

func TestAwaitReportsTheLog(t *testing.T) {
	p, err := start(command{
		path: "/bin/sh", args: []string{"-c", "echo out of luck >&2; exit 3"},
		dir: t.TempDir(), signal: "KILL",
	})
	if err != nil {
		t.Fatal(err)
	}
	err = p.await(func() error { return fmt.Errorf("not yet") })
	if err == nil || !strings.Contains(err.Error(), "out of luck") {
		t.Errorf("await = %v, want the process's log", err)
	}
}

// TestNothingOutlives kills a run of this test binary that has started all
// kinds of servers, with kill -9, and waits until its folder and its servers
// are gone.
func TestNothingOutlives(t *testing.T) {
	child := exec.Command(os.Args[0], "-test.run=^TestEndless$", "-test.timeout=1m")
	child.Env = append(os.Environ(), endlessRun+"=1")
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for lines := bufio.NewScanner(out); len(said) < 4 && lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), "="); ok {
			said[key] = value
		}
	}
	if err := child.Process.Kill(); err != nil {
		t.Error(err)
	}
	if err := child.Wait(); err == nil {
		t.Error("the run ended by itself")
	}
	if len(said) < 4 {
		t.Fatalf("the run said only %v", said)
	}
	within(t, func() error {
		if left := leftovers(said); len(left) > 0 {
			return fmt.Errorf("still there: %v", left)
		}
		return nil
	})
}

func leftovers(said map[string]string) []string {
	var left []string
	if _, err := os.Stat(said["dir"]); !os.IsNotExist(err) {
		left = append(left, said["dir"])
	}
	for _, server := range []string{"redis", "postgres", "chromium"} {
		if conn, err := net.Dial("tcp", said[server]); err == nil {
			conn.Close()
			left = append(left, server)
		}
	}
	return left
}

// TestEndless does nothing but in the run that TestNothingOutlives starts.
func TestEndless(t *testing.T) {
	if os.Getenv(endlessRun) == "" {
		return
	}
	// One that hangs must go too.
	own := OwnRedis(t)
	own.Pause()
	Postgres(t)
	c, err := postgres()
	if err != nil {
		t.Fatal(err)
	}
	Browser(t)
	text, err := filepath.Glob(filepath.Join(theKeeper.dir, "chromium-*", "DevToolsActivePort"))
	if err != nil || len(text) != 1 {
		t.Fatalf("DevToolsActivePort: %v, %v", text, err)
	}
	ports, err := os.ReadFile(text[0])
	if err != nil {
		t.Fatal(err)
	}
	port, _, _ := strings.Cut(string(ports), "\n")
	fmt.Printf("redis=%s\npostgres=%s\nchromium=127.0.0.1:%s\ndir=%s\n", own.node.addr, c.admin.Host, port, theKeeper.dir)
	select {}
}
