package testenv

import (
	"fmt"
	"net"
	"os"
	"testing"
)

// Main runs the tests of a package, waits until every process that they
// started has ended and the temporary folder is gone, and exits. Call it from
// TestMain. Without it the same is done, only nobody waits for it.
func Main(m *testing.M) {
	code := m.Run()
	if err := theKeeper.end(); err != nil {
		fmt.Fprintln(os.Stderr, "testenv:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// FreeAddr returns a loopback address ("127.0.0.1:54321") on which nothing
// listens at the moment. Somebody else can take it before the caller does, so
// a caller that can listen on port 0 itself should.
func FreeAddr(tb testing.TB) string {
	tb.Helper()
	addr, err := freeAddr()
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	return addr
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return addr, nil
}

func freePort() (string, error) {
	addr, err := freeAddr()
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(addr)
	return port, err
}
