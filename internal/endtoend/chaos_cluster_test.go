package endtoend_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/resource"
	"github.com/gatehouse-id/gatehouse/storage/sqldb"
)

// Whom the cluster knows, and how they sign in.
const (
	editor         = "rita"
	editorPassword = "a long and uncommon password 7"
)

// cluster is several nodes of `gatehouse serve` on one database. The issuer is a
// wire that leads to one of them, as a load balancer does.
type cluster struct {
	*server
	nodes    []*member
	database string // as the test reaches it
	next     atomic.Int64
	list     atomic.Pointer[[]*member] // nodes, for links that were opened before them
}

// member is one process of a cluster.
type member struct {
	addr     string
	redis    *link // nil without
	database *link // nil when nothing is between
	env      []string
	cmd      *exec.Cmd
	ended    chan struct{}
	logged   *tail
	stopped  atomic.Bool // by a signal, or not running
}

// clusterOf starts nodes. Each reaches PostgreSQL at the given URL, through a wire
// of its own if it names one host, and Redis through another if there is one.
func clusterOf(t *testing.T, count int, database, redis string) *cluster {
	t.Helper()
	secret := "endtoend-" + strings.Repeat("c", 48)
	c := &cluster{database: database}
	front := newLink(t, c.healthy)
	_, port, _ := strings.Cut(front.addr, ":")
	c.server = &server{issuer: "http://localhost:" + port, api: "http://localhost:1", dataDir: t.TempDir(), secrets: []string{secret}}
	c.env = append(
		withoutSettings(os.Environ()), "GATEHOUSE_ISSUER="+c.issuer, "GATEHOUSE_DATA_DIR="+c.dataDir, "GATEHOUSE_SECRET="+secret,
		"GATEHOUSE_DATABASE_URL="+database, "GATEHOUSE_LOG_LEVEL=warn",
	)
	base := c.env
	if redis != "" {
		c.env = append(c.env, "GATEHOUSE_REDIS_URL="+redis)
	}
	for range count {
		n := &member{logged: newTail(), addr: "127.0.0.1:" + freePorts(t, 1)[0]}
		n.env = append(n.env, base...)
		if u := parsed(t, database); !strings.Contains(u.Host, ",") {
			n.database = newLink(t, func() string { return parsed(t, database).Host })
			u.Host = n.database.addr
			n.env = append(n.env, "GATEHOUSE_DATABASE_URL="+u.String())
		}
		if redis != "" {
			u := parsed(t, redis)
			n.redis = newLink(t, func() string { return parsed(t, redis).Host })
			u.Host = n.redis.addr
			n.env = append(n.env, "GATEHOUSE_REDIS_URL="+u.String())
		}
		n.env = append(n.env, "GATEHOUSE_LISTEN="+n.addr)
		c.nodes = append(c.nodes, n)
	}
	c.list.Store(&c.nodes)
	c.start(t)
	t.Cleanup(func() {
		c.stop(t)
		for _, n := range c.nodes {
			c.logged, c.printed = n.logged, newTail()
			c.checkSilence(t)
			if t.Failed() {
				t.Logf("log of the node %s:\n%s", n.addr, n.logged)
			}
		}
	})
	return c
}

func parsed(t *testing.T, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal("not a URL")
	}
	return u
}

// healthy is one node after the other, as far as they are not known to be down.
func (c *cluster) healthy() string {
	list := c.list.Load()
	if list == nil {
		return "127.0.0.1:1" // nobody listens there
	}
	nodes := *list
	for range nodes {
		if n := nodes[c.next.Add(1)%int64(len(nodes))]; !n.stopped.Load() {
			return n.addr
		}
	}
	return nodes[0].addr
}

// any is one node after the other, whatever state it is in.
func (c *cluster) any() string {
	nodes := *c.list.Load()
	return nodes[c.next.Add(1)%int64(len(nodes))].addr
}

// start starts the nodes that do not run and waits until they are ready.
func (c *cluster) start(t *testing.T) {
	t.Helper()
	for _, n := range c.nodes {
		if n.cmd == nil {
			n.launch(t)
		}
	}
	for _, n := range c.nodes {
		n.awaitReady(t)
	}
}

func (n *member) launch(t *testing.T) {
	t.Helper()
	cmd := exec.Command(program, "serve")
	cmd.Env, cmd.Stdout, cmd.Stderr = n.env, n.logged, n.logged
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }() // how is told by its log
	n.cmd, n.ended = cmd, ended
}

func (n *member) awaitReady(t *testing.T) {
	t.Helper()
	ready := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		answer, err := ready.Get("http://" + n.addr + "/readyz")
		if err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				n.stopped.Store(false)
				return
			}
		}
		select {
		case <-n.ended:
			t.Fatalf("a node ended at its start:\n%s", n.logged)
		default:
		}
		if time.Now().After(end) {
			t.Fatalf("a node is not ready after %s:\n%s", patience, n.logged)
		}
	}
}

// stop ends all nodes as a service manager would.
func (c *cluster) stop(t *testing.T) {
	t.Helper()
	for _, n := range c.nodes {
		n.stopped.Store(true)
		if n.cmd != nil {
			n.signal(syscall.SIGTERM)
		}
	}
	for _, n := range c.nodes {
		if n.cmd == nil {
			continue
		}
		select {
		case <-n.ended:
		case <-time.After(patience):
			n.signal(syscall.SIGKILL)
			<-n.ended
			t.Errorf("a node did not end within %s", patience)
		}
		n.cmd = nil
	}
	http.DefaultClient.CloseIdleConnections()
}

// kill ends a node without a chance to say anything.
func (n *member) kill() {
	n.stopped.Store(true)
	n.signal(syscall.SIGKILL)
	<-n.ended
	n.cmd = nil
}

func (n *member) signal(s syscall.Signal) { _ = n.cmd.Process.Signal(s) } // it may have ended

// freeze lets the node stand still, thaw go on.
func (n *member) freeze() { n.stopped.Store(true); n.signal(syscall.SIGSTOP) }
func (n *member) thaw()   { n.signal(syscall.SIGCONT); n.stopped.Store(false) }

// furnish makes the API, the group and the person that tests are about, and returns
// the API's own client.
func (c *cluster) furnish(t *testing.T) client {
	t.Helper()
	c.hide(editorPassword)
	made := c.ask(t, "api", "create", "--audience", c.api, "--name", "Posts", "--permission", "posts:add=Add posts", "--permission", "posts:delete=Delete posts")
	c.askWith(t, editorPassword, "user", "create", "--username", editor, "--password-stdin")
	c.command(t, "group", "create", "--name", "Editors")
	c.command(t, "group", "grant", "--group", "Editors", "--permission", "posts:add")
	c.command(t, "group", "add-member", "--group", "Editors", "--user", editor)
	id, _ := made["client_id"].(string)
	secret, _ := made["client_secret"].(string)
	return client{id, secret}
}

// editor is the person that furnish has made, with a browser.
func (c *cluster) editor(t *testing.T) *agent {
	t.Helper()
	a := c.agent(t)
	a.password = editorPassword
	return a
}

// follower follows the ledger over a wire and denies what it cannot judge.
func (c *cluster) follower(t *testing.T, as client, over *link, events resource.Events) *resource.Verifier {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, over.addr)
	}}
	v, err := resource.New(resource.Config{
		Issuer: c.issuer, Audience: c.api, ClientID: as.ID, ClientSecret: as.Secret, Stale: resource.Deny,
		Client: &http.Client{Transport: transport}, Events: events,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)).With("over", over.addr),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		v.Close()
		transport.CloseIdleConnections()
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := v.Ready(ctx); err != nil {
		t.Fatalf("the follower does not get ready: %v", err)
	}
	return v
}

// ledger opens the database beside the nodes.
func (c *cluster) ledger(t *testing.T) *sqldb.DB {
	t.Helper()
	db, err := sqldb.Open(t.Context(), sqldb.Options{URL: c.database, TokenLife: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db
}
