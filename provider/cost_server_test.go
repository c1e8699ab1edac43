package provider_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime/debug"
	"testing"

	_ "net/http/pprof"
)

// TestCostServer is the server of BenchmarkCost, in a process of its own: it tells
// its fixtures on standard output and serves until standard input closes. In any
// other run it has nothing to do.
func TestCostServer(t *testing.T) {
	kind := os.Getenv(costServer)
	if kind == "" {
		return
	}
	database := os.Getenv(costDatabase)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var handler http.Handler
	var fixtures costFixtures
	if kind == costBare {
		handler, fixtures = newBareServer(t, database)
	} else {
		handler, fixtures = costGatehouseServer(t, database)
	}
	fixtures.Addr = l.Addr().String()
	if at := os.Getenv("GATEHOUSE_COST_PPROF"); at != "" {
		go func() { _ = http.ListenAndServe(at, nil) }()
	}
	debug.SetGCPercent(200) // as serve does; for the bare server too
	server := &http.Server{Handler: handler}
	go func() { _ = server.Serve(l) }()
	line, err := json.Marshal(fixtures)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(string(line))
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = server.Close()
}

func costGatehouseServer(t *testing.T, database string) (http.Handler, costFixtures) {
	w := newBenchWorld(t, database, nil)
	f := costFixtures{
		App:           [2]string{url.QueryEscape(w.app.ClientID), w.app.secret},
		Machine:       [2]string{url.QueryEscape(w.machine.ClientID), w.machine.secret},
		Resource:      [2]string{url.QueryEscape(w.resource.ClientID), w.resource.secret},
		Authorization: w.app.request(benchScope).Encode(),
	}
	for name, cookie := range w.browser.cookies {
		f.CookieName, f.Cookie = name, cookie.Value
	}
	return w.handler, f
}
