package endtoend_test

import (
	"io"
	"net"
	"sync"
	"testing"
)

// link is a wire between two programs that a test can cut and clamp. Who connects
// to it reaches what it leads to at that moment.
type link struct {
	addr string

	leads func() string

	mu    sync.Mutex
	cut   bool
	clamp chan struct{} // nil, or closed when bytes flow again
	conns map[net.Conn]struct{}
}

// newLink opens a wire until the test ends.
func newLink(t *testing.T, leads func() string) *link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{addr: listener.Addr().String(), leads: leads, conns: map[net.Conn]struct{}{}}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { l.join(conn) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		l.sever()
		running.Wait()
	})
	return l
}

// hold notes a connection, so that it can be cut; false if the wire is cut.
func (l *link) hold(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		return false
	}
	l.conns[conn] = struct{}{}
	return true
}

func (l *link) drop(conns ...net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, conn := range conns {
		_ = conn.Close() // both ends are told by it
		delete(l.conns, conn)
	}
}

// join carries what two ends say to each other until one of them hangs up.
func (l *link) join(near net.Conn) {
	if !l.hold(near) {
		_ = near.Close()
		return
	}
	far, err := net.Dial("tcp", l.leads())
	if err != nil {
		l.drop(near)
		return
	}
	if !l.hold(far) {
		_ = far.Close()
		l.drop(near)
		return
	}
	var both sync.WaitGroup
	carry := func(to, from net.Conn) {
		_, _ = io.Copy(clamped{l, to}, from) // how it ended does not matter
		l.drop(near, far)
	}
	both.Go(func() { carry(near, far) })
	both.Go(func() { carry(far, near) })
	both.Wait()
}

// clamped is an end that gets nothing while the wire is clamped.
type clamped struct {
	*link
	net.Conn
}

// Write implements io.Writer.
func (c clamped) Write(p []byte) (int, error) {
	c.mu.Lock()
	wait := c.clamp
	c.mu.Unlock()
	if wait != nil {
		<-wait
	}
	return c.Conn.Write(p)
}

// hangUp ends all connections; new ones may be made.
func (l *link) hangUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for conn := range l.conns {
		_ = conn.Close()
	}
}

// sever ends all connections and lets nobody make one.
func (l *link) sever() {
	l.mu.Lock()
	l.cut = true
	if l.clamp != nil {
		close(l.clamp)
		l.clamp = nil
	}
	l.mu.Unlock()
	l.hangUp()
}

// hang lets connections stand, and nothing through.
func (l *link) hang() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.clamp == nil && !l.cut {
		l.clamp = make(chan struct{})
	}
}

// heal undoes sever and hang; what waited arrives late.
func (l *link) heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = false
	if l.clamp != nil {
		close(l.clamp)
		l.clamp = nil
	}
}
