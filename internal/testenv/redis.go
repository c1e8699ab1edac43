package testenv

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// redisDatabases is how many tests of one binary can hold a logical database
// at the same time.
const redisDatabases = 1024

// Redis returns the URL (redis://...) of an empty logical database, which is
// flushed and handed on when the test ends. The server behind it starts at
// the first call in a test binary and is shared: publish and subscribe do not
// know databases, and FLUSHALL or CONFIG would meet the other tests (OwnRedis
// is for those).
func Redis(tb testing.TB) string {
	tb.Helper()
	shared, err := sharedRedis()
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	var database int
	select {
	case database = <-shared.free:
	default:
		tb.Fatalf("testenv: all %d Redis databases are in use", redisDatabases)
	}
	tb.Cleanup(func() {
		if _, err := ask(shared.node.addr, "SELECT "+strconv.Itoa(database), "FLUSHDB"); err != nil {
			tb.Errorf("testenv: %v", err)
			return
		}
		shared.free <- database
	})
	return fmt.Sprintf("redis://%s/%d", shared.node.addr, database)
}

// sharedRedis is the server of this test binary and its free databases.
var sharedRedis = sync.OnceValues(func() (*redisShare, error) {
	n, err := newRedisNode("--databases", strconv.Itoa(redisDatabases))
	if err != nil {
		return nil, err
	}
	s := &redisShare{node: n, free: make(chan int, redisDatabases)}
	for i := range redisDatabases {
		s.free <- i
	}
	return s, nil
})

type redisShare struct {
	node *redisNode
	free chan int
}

// RedisServer is a Redis that one test has for itself, to take it away and
// give it back. Its methods fail the test when they do not succeed, and so
// belong to the goroutine of the test; they are not for several at once.
type RedisServer struct {
	// URL (redis://127.0.0.1:port) stays the same over Stop and Start.
	URL string

	tb   testing.TB
	node *redisNode
}

// OwnRedis starts a Redis for this test alone; it ends with the test.
func OwnRedis(tb testing.TB) *RedisServer {
	tb.Helper()
	n, err := newRedisNode()
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	tb.Cleanup(n.process.kill)
	return &RedisServer{URL: "redis://" + n.addr, tb: tb, node: n}
}

// Stop ends the server like a crash: at once, connections cut, data lost.
func (s *RedisServer) Stop() { s.node.process.kill() }

// Start runs the server again, empty, on the same port. One that runs stays
// as it is.
func (s *RedisServer) Start() {
	s.tb.Helper()
	select {
	case <-s.node.process.done:
	default:
		return
	}
	if err := s.node.start(); err != nil {
		s.tb.Fatalf("testenv: %v", err)
	}
	s.tb.Cleanup(s.node.process.kill)
}

// Pause makes the server hang: connections stay open, the kernel accepts new
// ones, nothing answers.
func (s *RedisServer) Pause() { s.node.process.signal(syscall.SIGSTOP) }

// Resume ends a Pause.
func (s *RedisServer) Resume() { s.node.process.signal(syscall.SIGCONT) }

// redisNode is one redis-server: its address, its own arguments, its process.
type redisNode struct {
	addr    string
	dir     string
	args    []string
	process *process
}

// newRedisNode starts a redis-server on a free port. args are added to its
// command line.
func newRedisNode(args ...string) (*redisNode, error) {
	for attempt := 1; ; attempt++ {
		addr, err := freeAddr()
		if err != nil {
			return nil, err
		}
		dir, err := theKeeper.folder("redis")
		if err != nil {
			return nil, err
		}
		n := &redisNode{addr: addr, dir: dir, args: args}
		err = n.start()
		if err == nil {
			return n, nil
		}
		if attempt == 3 { // somebody can take the port before we do
			return nil, err
		}
	}
}

func (n *redisNode) start() error {
	path, err := program{names: []string{"redis-server"}, debian: "redis-server"}.find()
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(n.addr)
	if err != nil {
		return err
	}
	args := append([]string{
		"--port", port, "--bind", "127.0.0.1", "--dir", n.dir, "--daemonize", "no",
		"--save", "", "--appendonly", "no",
	}, n.args...)
	p, err := start(command{path: path, args: args, dir: n.dir, signal: "KILL"})
	if err != nil {
		return err
	}
	if err := p.await(func() error { _, err := ask(n.addr, "PING"); return err }); err != nil {
		p.kill()
		return err
	}
	n.process = p
	return nil
}

// ask sends commands, whose words hold no spaces, over one connection and
// returns the last answer: a status, a whole number or a text. An error
// answer is an error.
func ask(addr string, commands ...string) (string, error) {
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return "", fmt.Errorf("redis: %w", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", fmt.Errorf("redis: %w", err)
	}
	in := bufio.NewReader(conn)
	var answer string
	for _, command := range commands {
		if _, err := io.WriteString(conn, command+"\r\n"); err != nil {
			return "", fmt.Errorf("redis %s: %w", command, err)
		}
		if answer, err = readAnswer(in); err != nil {
			return "", fmt.Errorf("redis %s: %w", command, err)
		}
	}
	return answer, nil
}

func readAnswer(in *bufio.Reader) (string, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return "", err
	}
	kind, rest := line[0], strings.TrimRight(line[1:], "\r\n")
	switch kind {
	case '+', ':':
		return rest, nil
	case '-':
		return "", errors.New(rest)
	case '$':
		size, err := strconv.Atoi(rest)
		if err != nil || size < 0 {
			return "", fmt.Errorf("unexpected answer %q", line)
		}
		text := make([]byte, size+2)
		if _, err := io.ReadFull(in, text); err != nil {
			return "", err
		}
		return string(text[:size]), nil
	}
	return "", fmt.Errorf("unexpected answer %q", line)
}
