// Package deploy_test holds what is shipped for deployments against the program.
//
// No container engine is needed: the services of docker-compose.yml start as
// native processes with the compose file's own variables, commands and secrets,
// rewritten only where they name another container or a path inside one.
package deploy_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// compose is what of docker-compose.yml matters here.
type compose struct {
	Services map[string]service `yaml:"services"`
	Secrets  map[string]struct {
		File string `yaml:"file"`
	} `yaml:"secrets"`
}

type service struct {
	Environment map[string]string `yaml:"environment"`
	Secrets     []string          `yaml:"secrets"`
	Command     []string          `yaml:"command"`
	ReadOnly    bool              `yaml:"read_only"`
	SecurityOpt []string          `yaml:"security_opt"`
	DependsOn   map[string]struct {
		Condition string `yaml:"condition"`
	} `yaml:"depends_on"`
	Healthcheck struct {
		Test []string `yaml:"test"`
	} `yaml:"healthcheck"`
}

const mounted = "/run/secrets/"

func readCompose(t *testing.T) compose {
	t.Helper()
	text, err := os.ReadFile("../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	var c compose
	if err := yaml.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// makeSecrets runs the script in a folder of its own, twice: the second run must
// keep what the first has made.
func makeSecrets(t *testing.T) (folder string, files map[string]string) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), "secrets")
	var runs []map[string]string
	for range 2 {
		if out, err := exec.Command("./make-secrets", folder).CombinedOutput(); err != nil {
			t.Fatalf("make-secrets: %v\n%s", err, out)
		}
		made := map[string]string{}
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			text, err := os.ReadFile(filepath.Join(folder, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			made[e.Name()] = strings.TrimSpace(string(text))
		}
		runs = append(runs, made)
	}
	if !cmp.Equal(runs[0], runs[1]) {
		t.Error("a second run of make-secrets changed secrets")
	}
	return folder, runs[0]
}

func TestSecretsComeFromFiles(t *testing.T) {
	c := readCompose(t)
	folder, made := makeSecrets(t)
	if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the secrets' folder: %v, %v; want it closed to others", info.Mode(), err)
	}
	for name, s := range c.Secrets {
		if s.File != "deploy/secrets/"+name || made[name] == "" {
			t.Errorf("secret %s: file %q is not one that make-secrets makes", name, s.File)
		}
	}
	for name, s := range c.Services {
		for _, one := range s.Secrets {
			if _, ok := c.Secrets[one]; !ok {
				t.Errorf("%s mounts the secret %s, which is not declared", name, one)
			}
		}
		texts := slices.Clone(s.Command)
		for variable, value := range s.Environment {
			file := strings.HasPrefix(value, mounted)
			if strings.HasSuffix(variable, "_FILE") != file {
				t.Errorf("%s: %s=%s: only what ends in _FILE names a secret", name, variable, value)
			}
			texts = append(texts, value)
		}
		for _, text := range texts {
			if one, ok := strings.CutPrefix(text, mounted); ok && !slices.Contains(s.Secrets, one) {
				t.Errorf("%s uses the secret %s and does not mount it", name, one)
			}
		}
	}
}

func TestServicesAreConfined(t *testing.T) {
	c := readCompose(t)
	for name, s := range c.Services {
		if !s.ReadOnly || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s: want read_only and no-new-privileges", name)
		}
		for other, need := range s.DependsOn {
			if need.Condition != "service_healthy" || len(c.Services[other].Healthcheck.Test) == 0 {
				t.Errorf("%s does not wait for %s to be healthy", name, other)
			}
		}
	}
}

var (
	goLine      = regexp.MustCompile(`(?m)^go (\d+\.\d+)`)
	fromLine    = regexp.MustCompile(`(?m)^FROM golang:(\d+\.\d+) `)
	commandLine = regexp.MustCompile(`(?m)^CMD (\[.*\])$`)
)

func TestImageIsBuiltWithOurGo(t *testing.T) {
	module, docker := readFile(t, "../go.mod"), readFile(t, "../Dockerfile")
	want, got := goLine.FindStringSubmatch(module), fromLine.FindStringSubmatch(docker)
	if want == nil || got == nil || want[1] != got[1] {
		t.Errorf("go.mod says %q, the Dockerfile %q", want, got)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestComposeEnvironmentStarts starts what docker-compose.yml starts, asks it, and
// stops it as an engine would.
func TestComposeEnvironmentStarts(t *testing.T) {
	c := readCompose(t)
	folder, made := makeSecrets(t)
	redis := startRedis(t, c.Services["redis"], folder)
	replaceSecret(t, folder, "redis_url", strings.Replace(made["redis_url"], "redis:6379", redis, 1))
	replaceSecret(t, folder, "database_url", testenv.Postgres(t))

	binary := filepath.Join(t.TempDir(), "gatehouse")
	if out, err := exec.Command("go", "build", "-o", binary, "../cmd/gatehouse").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	addr := testenv.FreeAddr(t)
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	issuer := "http://localhost:" + port
	run := func(args ...string) *exec.Cmd {
		cmd := exec.Command(binary, args...)
		cmd.Dir = t.TempDir()
		// Nothing but the container's variables.
		cmd.Env = environment(c.Services["gatehouse"], folder, map[string]string{
			"GATEHOUSE_LISTEN": addr, "GATEHOUSE_ISSUER": issuer,
		})
		return cmd
	}
	var command []string
	if err := json.Unmarshal([]byte(commandLine.FindStringSubmatch(readFile(t, "../Dockerfile"))[1]), &command); err != nil {
		t.Fatal(err)
	}
	server := start(t, run(command...))
	await(t, server, func() error { return expectOK("http://" + addr + "/readyz") })
	checkIssuer(t, issuer)
	health := c.Services["gatehouse"].Healthcheck.Test
	if out, err := run(health[2:]...).CombinedOutput(); err != nil {
		t.Errorf("health check: %v\n%s", err, out)
	}
	if out, err := run("doctor").CombinedOutput(); err != nil {
		t.Errorf("doctor: %v\n%s", err, out)
	}
	server.stop(t)
}

// startRedis runs the compose file's command and returns where it listens.
func startRedis(t *testing.T, s service, secrets string) string {
	t.Helper()
	addr := testenv.FreeAddr(t)
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	args := make([]string, len(s.Command))
	for i, a := range s.Command {
		args[i] = strings.Replace(a, mounted, secrets+"/", 1)
	}
	args = append(args, "--bind", host, "--port", port, "--dir", t.TempDir())
	p := start(t, exec.Command(args[0], args[1:]...))
	await(t, p, func() error {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return err
		}
		return conn.Close()
	})
	return addr
}

func replaceSecret(t *testing.T, folder, name, value string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, name), []byte(value+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

var interpolated = regexp.MustCompile(`\$\{[A-Z_]+:-([^}]*)\}`)

// environment is the service's, with the defaults of its placeholders.
func environment(s service, secrets string, local map[string]string) []string {
	var env []string
	for name, value := range s.Environment {
		value = interpolated.ReplaceAllString(value, "$1")
		value = strings.Replace(value, mounted, secrets+"/", 1)
		if l, ok := local[name]; ok {
			value = l
		}
		env = append(env, name+"="+value)
	}
	return env
}

func expectOK(url string) error {
	answer, err := http.Get(url)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %d %s", url, answer.StatusCode, body)
	}
	return nil
}

func checkIssuer(t *testing.T, issuer string) {
	t.Helper()
	answer, err := http.Get(issuer + "/.well-known/openid-configuration")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var document struct {
		Issuer string `json:"issuer"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&document); err != nil || document.Issuer != issuer {
		t.Errorf("discovery says %q (%v), want %q", document.Issuer, err, issuer)
	}
}

// process is a started program that ends with the test.
type process struct {
	cmd  *exec.Cmd
	log  string
	done chan error
}

func start(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{cmd: cmd, log: filepath.Join(t.TempDir(), "log"), done: make(chan error, 1)}
	log, err := os.Create(p.log)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := errors.Join(cmd.Start(), log.Close()); err != nil {
		t.Fatal(err)
	}
	go func() { p.done <- cmd.Wait(); close(p.done) }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // an error says that it has ended
		<-p.done
	})
	return p
}

// await asks ready until it says nil, the process ends, or a minute has passed.
func await(t *testing.T, p *process, ready func() error) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	giveUp := time.After(time.Minute)
	for {
		err := ready()
		if err == nil {
			return
		}
		select {
		case ended := <-p.done:
			t.Fatalf("%s ended at its start: %v\n%s", p.cmd.Path, ended, readFile(t, p.log))
		case <-giveUp:
			t.Fatalf("%s is not ready: %v\n%s", p.cmd.Path, err, readFile(t, p.log))
		case <-tick.C:
		}
	}
}

// stop asks the process to end and expects that it does so in order.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-p.done:
		if err != nil {
			t.Errorf("stopped with %v\n%s", err, readFile(t, p.log))
		}
	case <-time.After(time.Minute):
		t.Errorf("did not stop\n%s", readFile(t, p.log))
	}
}
