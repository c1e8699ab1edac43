package docs_test

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// TestDocumentedCommands runs what the pages tell people to run.
func TestDocumentedCommands(t *testing.T) {
	bin := t.TempDir()
	build(t, filepath.Join(bin, "gatehouse"), "./cmd/gatehouse")
	all := pages(t)
	t.Run("named", func(t *testing.T) { checkNamed(t, bin, all) })
	t.Run("operate", func(t *testing.T) {
		s := newShell(t, bin)
		s.env = []string{"GATEHOUSE_SMTP_URL=" + testenv.SMTP(t, testenv.SMTPOptions{}).URL(), "GATEHOUSE_MAIL_FROM=Example <id@example.org>"}
		s.write("ada-password.txt", "a password of some length\n")
		for _, line := range commands(all["docs/operate.md"]) {
			if line != "gatehouse doctor" { // which asks a server that does not run here
				s.run(line)
			}
		}
		s.write("house.yaml", block(t, all["docs/operate.md"], "yaml"))
		s.run("gatehouse apply -f house.yaml")
		before := s.run("gatehouse client show --client board --json; gatehouse group list --json")
		s.run("gatehouse apply -f house.yaml")
		if after := s.run("gatehouse client show --client board --json; gatehouse group list --json"); after != before {
			t.Errorf("applied again, it changed\n%s\nto\n%s", before, after)
		}
	})
	t.Run("apis", func(t *testing.T) {
		s := newShell(t, bin)
		s.run("gatehouse group create --name Editors")
		for _, line := range commands(all["docs/apis.md"]) {
			s.run(line)
		}
	})
	for _, name := range []string{"apps", "groups", "signals"} {
		t.Run(name, func(t *testing.T) {
			s := newShell(t, bin)
			for _, line := range commands(all["docs/"+name+".md"]) {
				s.run(line)
			}
		})
	}
	t.Run("as-code", func(t *testing.T) {
		s, page := newShell(t, bin), all["docs/as-code.md"]
		s.write("gatehouse.yaml", block(t, page, "yaml"))
		s.run(block(t, page, "sh"))
	})
	t.Run("README", func(t *testing.T) { followReadme(t, bin, all["README.md"]) })
}

func build(t *testing.T, binary, what string) {
	t.Helper()
	cmd := exec.Command("go", "build", "-o", binary, what)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", what, err, out)
	}
}

// shell is a folder in which somebody follows a page.
type shell struct {
	t      *testing.T
	bin    string
	folder string
	env    []string
}

func newShell(t *testing.T, bin string) *shell { return &shell{t: t, bin: bin, folder: t.TempDir()} }

func (s *shell) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = s.folder
	cmd.Env = append(append(os.Environ(), s.env...), "PATH="+s.bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	return cmd
}

// run runs a script, which must succeed, and returns what it printed.
func (s *shell) run(script string) string {
	s.t.Helper()
	out, err := s.command("bash", "-euo", "pipefail", "-c", script).CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s\n%v\n%s", script, err, out)
	}
	return string(out)
}

func (s *shell) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.folder, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// block returns the first fenced block in the given language.
func block(t *testing.T, page, language string) string {
	t.Helper()
	_, rest, ok := strings.Cut(page, "```"+language+"\n")
	text, _, closed := strings.Cut(rest, "\n```")
	if !ok || !closed {
		t.Fatalf("the page has no block of %s", language)
	}
	return text + "\n"
}

var shBlock = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

// commands are the lines of a page's shell blocks that call gatehouse.
func commands(page string) []string {
	var out []string
	for _, b := range shBlock.FindAllStringSubmatch(page, -1) {
		for line := range strings.Lines(strings.ReplaceAll(b[1], "\\\n", " ")) {
			if strings.HasPrefix(line, "gatehouse ") {
				out = append(out, strings.TrimSpace(line))
			}
		}
	}
	return out
}

var namedCommand = regexp.MustCompile("(?s)`gatehouse ([a-z][^`]*)`")

// checkNamed lets the program parse every command that stands in the text.
func checkNamed(t *testing.T, bin string, all map[string]string) {
	for path, body := range all {
		for _, found := range namedCommand.FindAllStringSubmatch(fenced.ReplaceAllString(body, ""), -1) {
			args := append(strings.Fields(found[1]), "--help")
			if out, err := exec.Command(filepath.Join(bin, "gatehouse"), args...).CombinedOutput(); err != nil {
				t.Errorf("%s names gatehouse %s: %v\n%s", path, found[1], err, out)
			}
		}
	}
}

// followReadme does what the section about an API and an app says, on other ports.
func followReadme(t *testing.T, bin, page string) {
	_, page, ok := strings.Cut(page, "## Connect an API and an app")
	page, _, closed := strings.Cut(page, "## Test")
	if !ok || !closed {
		t.Fatal("the sections have other names")
	}
	ports := map[string]string{"8400": "", "8401": "", "8402": "", "9000": "", "9001": ""}
	for port := range ports {
		_, free, err := net.SplitHostPort(testenv.FreeAddr(t))
		if err != nil {
			t.Fatal(err)
		}
		ports[port] = free
		page = strings.ReplaceAll(page, "localhost:"+port, "localhost:"+free)
	}
	s := newShell(t, bin)
	background(t, s.command(filepath.Join(bin, "gatehouse"), "dev", "--issuer", "http://localhost:"+ports["8400"],
		"--demo-app-port", ports["8401"], "--demo-api-port", ports["8402"]), "ready\n", "")
	s.write("notes.go", block(t, page, "go"))
	build(t, filepath.Join(bin, "notes"), filepath.Join(s.folder, "notes.go"))

	blocks := shBlock.FindAllStringSubmatch(page, -1)
	if len(blocks) != 6 || !strings.Contains(blocks[0][1], "make build") || !strings.Contains(blocks[2][1], "go run ../notes.go") {
		t.Fatalf("%d blocks; want how to build, the API, how to start it, the app, the machine, and its end", len(blocks))
	}
	s.run(blocks[1][1])
	// The third block, with what was built.
	started := s.command("sh", "-c", `set -a; . ../notes.env; exec "$0"`, filepath.Join(bin, "notes"))
	background(t, started, "", "localhost:"+ports["9000"])
	s.run(blocks[3][1])
	// One shell: the last block uses what the one before has set.
	said := s.run(blocks[4][1] + blocks[5][1])
	for _, want := range []string{"missing_token", "a note by ", "invalid_token"} {
		before, rest, ok := strings.Cut(said, want)
		if !ok {
			t.Errorf("after %q the blocks printed no %q:\n%s", before, want, said)
		}
		said = rest
	}
}

// background starts a program that ends with the test, and waits until it has
// printed a word or listens on an address.
func background(t *testing.T, cmd *exec.Cmd, word, addr string) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	file, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = file, file
	if err := errors.Join(cmd.Start(), file.Close()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // an error says that it has ended
		_ = cmd.Wait()         // killed, as it was meant to be
	})
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for giveUp := time.Now().Add(time.Minute); ; <-tick.C {
		text, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		if word != "" && strings.Contains(string(text), word) || addr != "" && listens(addr) {
			return
		}
		if time.Now().After(giveUp) {
			t.Fatalf("%s is not ready:\n%s", cmd.Path, text)
		}
	}
}

func listens(addr string) bool {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}
