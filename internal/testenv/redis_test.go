package testenv

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"
)

// inDatabase asks the database that a URL from Redis names.
func inDatabase(t *testing.T, address, command string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := ask(u.Host, "SELECT "+strings.TrimPrefix(u.Path, "/"), command)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestRedisGivesEachItsOwn(t *testing.T) {
	var first string
	t.Run("first", func(t *testing.T) {
		first = Redis(t)
		inDatabase(t, first, "SET key value")
		if got := inDatabase(t, Redis(t), "DBSIZE"); got != "0" {
			t.Errorf("a second database holds %s keys, want 0", got)
		}
		if got := inDatabase(t, first, "GET key"); got != "value" {
			t.Errorf("GET = %q, want %q", got, "value")
		}
	})
	if got := inDatabase(t, first, "DBSIZE"); got != "0" {
		t.Errorf("after the test the database holds %s keys, want 0", got)
	}
}

func TestOwnRedis(t *testing.T) {
	s := OwnRedis(t)
	addr := strings.TrimPrefix(s.URL, "redis://")
	if _, err := ask(addr, "SET key value"); err != nil {
		t.Fatal(err)
	}

	s.Pause()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatalf("a paused server does not accept: %v", err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("GET key\r\n")); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(make([]byte, 1)); err == nil {
		t.Errorf("a paused server sent %d bytes", n)
	}
	s.Resume()
	if got, err := ask(addr, "GET key"); err != nil || got != "value" {
		t.Errorf("after Resume GET = %q, %v", got, err)
	}

	s.Pause()
	s.Stop() // must end a server that hangs, too
	s.Stop()
	if _, err := ask(addr, "PING"); err == nil {
		t.Error("a stopped server answers")
	}
	s.Start()
	s.Start()
	if got, err := ask(addr, "DBSIZE"); err != nil || got != "0" {
		t.Errorf("after Start DBSIZE = %q, %v, want an empty server on the same port", got, err)
	}
}

func TestRedisSentinel(t *testing.T) {
	u, err := url.Parse(RedisSentinel(t))
	if err != nil {
		t.Fatal(err)
	}
	if u.Scheme != "redis+sentinel" || u.Path != "/mymaster" {
		t.Errorf("URL = %s", u)
	}
	before := masterOf(t, u.Host)
	// Refused as long as the sentinel has not measured the replica.
	within(t, func() error {
		_, err := ask(u.Host, "SENTINEL FAILOVER mymaster")
		return err
	})
	within(t, func() error {
		if now := masterOf(t, u.Host); now == before {
			return fmt.Errorf("the master is still %s", now)
		}
		return nil
	})
}

// masterOf returns the address that a sentinel names.
func masterOf(t *testing.T, sentinel string) string {
	t.Helper()
	info, err := ask(sentinel, "INFO sentinel")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(info, "address=")
	addr, _, _ := strings.Cut(rest, ",")
	return addr
}

// within tries until done says nil, for 20 seconds at most.
func within(t *testing.T, done func() error) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := done()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func TestRedisCluster(t *testing.T) {
	var addrs []string
	t.Run("holder", func(t *testing.T) {
		addrs = strings.Split(strings.TrimPrefix(RedisCluster(t), "redis+cluster://"), ",")
		if len(addrs) != 3 {
			t.Fatalf("%d nodes, want 3", len(addrs))
		}
		stored := 0
		for _, addr := range addrs {
			_, err := ask(addr, "SET key value")
			switch {
			case err == nil:
				stored++
			case !strings.Contains(err.Error(), "MOVED"):
				t.Error(err)
			}
		}
		if stored != 1 {
			t.Errorf("%d nodes took the key, want one", stored)
		}
	})
	for _, addr := range addrs {
		if got, err := ask(addr, "DBSIZE"); err != nil || got != "0" {
			t.Errorf("after the test DBSIZE = %q, %v", got, err)
		}
	}
}
