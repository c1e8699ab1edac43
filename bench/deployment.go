package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Fixtures of every deployment.
const (
	audience = "https://posts.example.com"
	callback = "https://app.example.com/callback"
	username = "ada"
	password = "a password for measuring"
	group    = "Editors"
	scope    = "posts:add"
)

const startPatience = 30 * time.Second

// connections is how many requests this program has under way at one node.
const connections = 256

// deployment is nodes on one database, and who is registered there.
type deployment struct {
	name    string
	issuer  string
	binary  string
	environ []string
	nodes   []*node
	host    *host
	app     client
	api     client // of the resource server
}

// client is a registered one.
type client struct {
	ID     string `json:"client_id"`
	Secret string `json:"client_secret"`
}

// node is one `gatehouse serve`.
type node struct {
	address string
	cmd     *exec.Cmd
	ended   chan error
	log     string
}

// kind says what a deployment is made of.
type kind struct {
	name            string
	nodes           int
	postgres, redis bool
	statusList      bool // tokens name their place in a status list
}

// deploy builds, starts and fills a deployment; close ends it. The error is
// errNoPrograms when PostgreSQL or Redis cannot be started.
func (b *bench) deploy(ctx context.Context, k kind) (*deployment, error) {
	if err := b.build(ctx); err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp(b.folder, "deployment-")
	if err != nil {
		return nil, fmt.Errorf("folder of a deployment: %w", err)
	}
	d := &deployment{name: k.name, binary: b.binary, host: &host{}}
	addresses, err := freeAddresses(k.nodes)
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(addresses[0])
	if err != nil {
		return nil, err
	}
	d.issuer = "http://localhost:" + port
	d.environ = append(withoutSettings(), "GATEHOUSE_ISSUER="+d.issuer, "GATEHOUSE_DATA_DIR="+filepath.Join(folder, "data"), "GATEHOUSE_LOG_LEVEL=warn")
	if err := d.storage(k); err != nil {
		return nil, err
	}
	if err := d.fill(ctx, k); err != nil {
		return nil, errors.Join(err, d.close())
	}
	for i, address := range addresses {
		n, err := d.serve(ctx, address, filepath.Join(folder, fmt.Sprintf("node%d.log", i)))
		if err != nil {
			return nil, errors.Join(err, d.close())
		}
		d.nodes = append(d.nodes, n)
	}
	return d, nil
}

var errNoPrograms = errors.New("PostgreSQL or Redis cannot be started here")

func (d *deployment) storage(k kind) error {
	if !k.postgres {
		return nil
	}
	database, redis, err := d.host.external()
	if err != nil {
		return errors.Join(fmt.Errorf("%w: %w", errNoPrograms, err), d.host.close())
	}
	d.environ = append(d.environ, "GATEHOUSE_DATABASE_URL="+database, "GATEHOUSE_SECRET="+strings.Repeat("measured ", 5))
	if k.redis {
		d.environ = append(d.environ, "GATEHOUSE_REDIS_URL="+redis)
	}
	return nil
}

// build builds the program once.
func (b *bench) build(ctx context.Context) error {
	if b.binary != "" {
		return nil
	}
	binary := filepath.Join(b.folder, "gatehouse")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", binary, "./cmd/gatehouse")
	cmd.Dir = b.root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build gatehouse: %w\n%s", err, out)
	}
	b.binary = binary
	return nil
}

// fill registers an API, a person who may use it, and an app.
func (d *deployment) fill(ctx context.Context, k kind) error {
	args := []string{"api", "create", "--audience", audience, "--name", "Posts", "--permission", scope + "=Add posts"}
	if k.statusList {
		args = append(args, "--status-list")
	}
	if err := d.ask(ctx, &d.api, "", args...); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"group", "create", "--name", group},
		{"group", "grant", "--group", group, "--permission", scope},
	} {
		if err := d.ask(ctx, nil, "", args...); err != nil {
			return err
		}
	}
	if err := d.enlist(ctx, username); err != nil {
		return err
	}
	return d.ask(ctx, &d.app, "", "client", "create", "--name", "App", "--type", "web", "--first-party", "--redirect-uri", callback, "--scope", "openid "+scope)
}

// enlist makes an account in the group.
func (d *deployment) enlist(ctx context.Context, name string) error {
	if err := d.ask(ctx, nil, password, "user", "create", "--username", name, "--password-stdin"); err != nil {
		return err
	}
	return d.ask(ctx, nil, "", "group", "add-member", "--group", group, "--user", name)
}

// ask runs a command on the deployment's storage and decodes its answer into out,
// if that is not nil.
func (d *deployment) ask(ctx context.Context, out any, stdin string, args ...string) error {
	var printed, problems bytes.Buffer
	cmd := exec.CommandContext(ctx, d.binary, append(args, "--json")...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = d.environ, strings.NewReader(stdin), &printed, &problems
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("gatehouse %s %s: %w\n%s", args[0], args[1], err, problems.String())
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(printed.Bytes(), out); err != nil {
		return fmt.Errorf("gatehouse %s %s: %w", args[0], args[1], err)
	}
	return nil
}

// serve starts a node and waits until it is ready.
func (d *deployment) serve(ctx context.Context, address, log string) (*node, error) {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("log of a node: %w", err)
	}
	defer func() { _ = file.Close() }() // the node has its own
	n := &node{address: address, log: log, ended: make(chan error, 1), cmd: exec.CommandContext(ctx, d.binary, "serve", "--listen="+address)}
	n.cmd.Env, n.cmd.Stdout, n.cmd.Stderr = d.environ, file, file
	if err := n.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a node: %w", err)
	}
	go func() { n.ended <- n.cmd.Wait() }()
	client := &http.Client{Timeout: time.Second}
	for end := time.Now().Add(startPatience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		select {
		case err := <-n.ended:
			n.ended <- err
			return nil, fmt.Errorf("a node ended at its start: %w\n%s", err, n.said())
		default:
		}
		answer, err := client.Get("http://" + address + "/readyz")
		if err != nil {
			continue
		}
		_ = answer.Body.Close()
		if answer.StatusCode == http.StatusOK {
			return n, nil
		}
	}
	return nil, errors.Join(fmt.Errorf("a node is not ready after %s\n%s", startPatience, n.said()), n.stop())
}

// said is the end of the node's log.
func (n *node) said() string {
	text, err := os.ReadFile(n.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-2000):])
}

// pid is the node's process.
func (n *node) pid() int { return n.cmd.Process.Pid }

// stop ends the node as a service manager would.
func (n *node) stop() error {
	_ = n.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-n.ended:
		return nil
	case <-time.After(startPatience):
		_ = n.cmd.Process.Kill()
		<-n.ended
		return fmt.Errorf("a node did not end within %s", startPatience)
	}
}

// close ends the nodes and gives the databases back.
func (d *deployment) close() error {
	var errs []error
	for _, n := range d.nodes {
		errs = append(errs, n.stop())
	}
	return errors.Join(append(errs, d.host.close())...)
}

// httpClient reaches this node, whichever address the issuer has.
func (n *node) httpClient() *http.Client {
	var dialer net.Dialer
	return &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: connections,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, n.address)
		},
	}}
}

// freeAddresses returns loopback addresses on which nothing listens.
func freeAddresses(n int) ([]string, error) {
	out := make([]string, n)
	for i := range out {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer func() { _ = l.Close() }() // all are held until all are known
		out[i] = l.Addr().String()
	}
	return out, nil
}

// withoutSettings is this process's environment without what could lead a server
// elsewhere.
func withoutSettings() []string {
	var out []string
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "GATEHOUSE_") {
			out = append(out, entry)
		}
	}
	return out
}
