package testenv

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// RedisSentinel starts one master, one replica and one sentinel for this test
// alone and returns redis+sentinel://127.0.0.1:port/mymaster, the port being
// the sentinel's. The sentinel calls a silent master down after one second.
func RedisSentinel(tb testing.TB) (url string) {
	tb.Helper()
	sentinel, nodes, err := startSentinel()
	for _, n := range nodes {
		tb.Cleanup(n.process.kill)
	}
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	tb.Cleanup(sentinel.process.kill)
	return "redis+sentinel://" + sentinel.addr + "/mymaster"
}

// startSentinel returns the nodes it has started also when it fails.
func startSentinel() (sentinel *redisNode, nodes []*redisNode, err error) {
	// By default a master waits five seconds for more replicas.
	master, err := newRedisNode("--repl-diskless-sync-delay", "0")
	if err != nil {
		return nil, nil, err
	}
	nodes = append(nodes, master)
	host, port, err := net.SplitHostPort(master.addr)
	if err != nil {
		return nil, nodes, err
	}
	replica, err := newRedisNode("--replicaof", host+" "+port)
	if err != nil {
		return nil, nodes, err
	}
	nodes = append(nodes, replica)
	// Only a sentinel that sees the replica at its first look knows it at
	// once; it looks again ten seconds later.
	err = replica.says("INFO replication", "master_link_status:up")
	if err != nil {
		return nil, nodes, err
	}
	dir, err := theKeeper.folder("sentinel")
	if err != nil {
		return nil, nodes, err
	}
	// A sentinel writes what it learns into its configuration file.
	file := filepath.Join(dir, "sentinel.conf")
	config := fmt.Sprintf("sentinel monitor mymaster %s %s 1\n"+
		"sentinel down-after-milliseconds mymaster 1000\n"+
		"sentinel failover-timeout mymaster 5000\n", host, port)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, nodes, fmt.Errorf("configure the sentinel: %w", err)
	}
	sentinel, err = newSentinelNode(file)
	if err != nil {
		return nil, nodes, err
	}
	if err := sentinel.says("INFO sentinel", "status=ok,address="+master.addr+",slaves=1"); err != nil {
		sentinel.process.kill()
		return nil, nodes, err
	}
	return sentinel, nodes, nil
}

func newSentinelNode(file string) (*redisNode, error) {
	path, err := program{names: []string{"redis-server"}, debian: "redis-server"}.find()
	if err != nil {
		return nil, err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(file)
	p, err := start(command{
		path: path, dir: dir, signal: "KILL",
		args: []string{file, "--sentinel", "--port", port, "--bind", "127.0.0.1", "--dir", dir},
	})
	if err != nil {
		return nil, err
	}
	if err := p.await(func() error { _, err := ask(addr, "PING"); return err }); err != nil {
		p.kill()
		return nil, err
	}
	return &redisNode{addr: addr, dir: dir, process: p}, nil
}

// says waits until the answer to a command holds all of the wanted texts.
func (n *redisNode) says(command string, wanted ...string) error {
	return n.process.await(func() error {
		answer, err := ask(n.addr, command)
		if err != nil {
			return err
		}
		for _, want := range wanted {
			if !strings.Contains(answer, want) {
				return fmt.Errorf("%s does not say %q", command, want)
			}
		}
		return nil
	})
}

// RedisCluster returns redis+cluster://127.0.0.1:P1,127.0.0.1:P2,127.0.0.1:P3
// of a cluster of three masters. A Redis Cluster takes more than two seconds
// to accept writes and has no logical databases, so one serves the whole test
// binary: it is flushed when the last test that holds it ends, and tests that
// hold it at the same time see each other's keys.
func RedisCluster(tb testing.TB) string {
	tb.Helper()
	c, err := sharedCluster()
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	c.mu.Lock()
	c.holders++
	c.mu.Unlock()
	tb.Cleanup(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.holders--; c.holders > 0 {
			return
		}
		for _, addr := range c.addrs {
			if _, err := ask(addr, "FLUSHALL"); err != nil {
				tb.Errorf("testenv: %v", err)
			}
		}
	})
	return "redis+cluster://" + strings.Join(c.addrs, ",")
}

// sharedCluster is the Redis Cluster of this test binary.
var sharedCluster = sync.OnceValues(startRedisCluster)

type redisCluster struct {
	addrs   []string
	mu      sync.Mutex
	holders int
}

func startRedisCluster() (*redisCluster, error) {
	slots := []string{"0 5460", "5461 10922", "10923 16383"}
	var nodes []*redisNode
	var buses []string
	for range slots {
		// By default the bus is at port+10000, which may not exist.
		bus, err := freePort()
		if err != nil {
			return nil, err
		}
		n, err := newRedisNode("--cluster-enabled", "yes", "--cluster-port", bus,
			"--cluster-node-timeout", "5000")
		if err != nil {
			return nil, err
		}
		nodes, buses = append(nodes, n), append(buses, bus)
	}
	c := &redisCluster{}
	for i, n := range nodes {
		commands := []string{
			"CLUSTER ADDSLOTSRANGE " + slots[i],
			fmt.Sprintf("CLUSTER SET-CONFIG-EPOCH %d", i+1),
		}
		if i > 0 {
			host, port, err := net.SplitHostPort(nodes[0].addr)
			if err != nil {
				return nil, err
			}
			commands = append(commands, fmt.Sprintf("CLUSTER MEET %s %s %s", host, port, buses[0]))
		}
		if _, err := ask(n.addr, commands...); err != nil {
			return nil, err
		}
		c.addrs = append(c.addrs, n.addr)
	}
	for _, n := range nodes {
		if err := n.says("CLUSTER INFO", "cluster_state:ok", "cluster_known_nodes:3", "cluster_slots_ok:16384"); err != nil {
			return nil, err
		}
	}
	return c, nil
}
