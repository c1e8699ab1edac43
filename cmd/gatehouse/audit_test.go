package main

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
)

// TestServe_Audit: what a command does beside a server is sealed by the server, and
// sent to the syslog receiver that is set.
func TestServe_Audit(t *testing.T) {
	listener, err := net.Listen("tcp", testenv.FreeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	arrived := make(chan string, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		var all strings.Builder
		for b := make([]byte, 4096); !strings.Contains(all.String(), "group.create"); {
			n, err := conn.Read(b)
			if all.Write(b[:n]); err != nil {
				break
			}
		}
		arrived <- all.String()
		_, _ = io.Copy(io.Discard, conn) // until the server ends it
	}()
	environ := append(serveEnviron(t), "GATEHOUSE_AUDIT_SYSLOG_URL=tcp://"+listener.Addr().String())
	server := start(t, environ, serving, "serve")
	deadline := time.After(time.Minute)
	for n := 0; ; n++ {
		// More than one: the first may be sealed before the stream begins.
		mustRun(t, environ, "group", "create", "--name", fmt.Sprint("Editors", n))
		select {
		case text := <-arrived:
			if !strings.Contains(text, " <109>1 ") || !strings.Contains(text, `"target":{"kind":"group","id":"Editors`) {
				t.Errorf("%q", text)
			}
		case <-time.After(2 * time.Second):
			continue
		case <-deadline:
			t.Fatalf("nothing arrived\n%s", server.stderr)
		}
		break
	}
	if out := mustRun(t, environ, "audit", "verify"); !strings.Contains(out, "verified from row 1 on") {
		t.Error(out)
	}
	if out := mustRun(t, environ, "doctor"); !strings.Contains(out, "audit log: sent to "+listener.Addr().String()) {
		t.Error(out)
	}
	if code := server.end(t); code != 0 {
		t.Errorf("exit code %d\n%s", code, server.stderr)
	}
}
