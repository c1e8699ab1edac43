package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
)

func TestMain(m *testing.M) {
	if text := os.Getenv(crowdEnv); text != "" {
		if err := beCrowd(text, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	testenv.Main(m)
}

// TestSmoke runs every experiment in a size that measures nothing, so that the
// program cannot rot.
func TestSmoke(t *testing.T) {
	if _, _, err := (&host{TB: t}).external(); err != nil {
		t.Fatal(err) // the program would leave experiments out
	}
	chart := filepath.Join(t.TempDir(), "chart.svg")
	var out, notes bytes.Buffer
	if err := run(t.Context(), []string{"-smoke", "-chart", chart}, &out, &notes); err != nil {
		t.Fatalf("%v\n%s%s", err, notes.String(), out.String())
	}
	for _, want := range []string{
		"### How long a token outlives the sign-out", "3 nodes, PostgreSQL and Redis", "1 node, SQLite", "3 nodes, PostgreSQL, no Redis", "introspection, cached 5 s",
		"### The set of what is revoked", "### Fan-out to 20 followers", "### The refresh storm", "### Verifying a token", "### Memory of a node",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
	drawn, err := os.ReadFile(chart)
	if err != nil {
		t.Fatal(err)
	}
	checkXML(t, string(drawn))
}

// TestStatusListServer reads a list of a real deployment, which the smoke test
// leaves out because lists need a minute to change.
func TestStatusListServer(t *testing.T) {
	b := &bench{sizes: smokeSizes(), notes: io.Discard, folder: t.TempDir()}
	var err error
	if b.root, err = sourceRoot(); err != nil {
		t.Fatal(err)
	}
	d, err := b.deploy(t.Context(), kind{nodes: 1, statusList: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.close(); err != nil {
			t.Error(err)
		}
	})
	p, err := d.person(d.nodes[0])
	if err != nil {
		t.Fatal(err)
	}
	token, err := p.tokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	read := func() bool {
		t.Helper()
		fresh := &lister{client: d.nodes[0].httpClient(), lists: map[string]*heldList{}}
		no, err := fresh.refuses(t.Context(), token.Access)
		if err != nil {
			t.Fatal(err)
		}
		return no
	}
	// Nobody has asked for the list before: this one is made after the sign-out.
	if err := p.signOut(t.Context(), token.ID); err != nil {
		t.Fatal(err)
	}
	if !read() {
		t.Error("the list does not say that the token was revoked")
	}
	if token, err = p.tokens(t.Context()); err != nil {
		t.Fatal(err)
	}
	if read() {
		t.Error("the list says that a living token was revoked")
	}
}

func TestDurations(t *testing.T) {
	var d durations
	if got := d.at(0.5); got != 0 {
		t.Errorf("nothing took %s", got)
	}
	for i := 100; i > 0; i-- {
		d = append(d, time.Duration(i))
	}
	for q, want := range map[float64]time.Duration{0.5: 50, 0.99: 99, 1: 100, 0.001: 1} {
		if got := d.at(q); got != want {
			t.Errorf("at %v: %d, want %d", q, got, want)
		}
	}
	if diff := cmp.Diff([]string{"150 s", "297 s", "300 s"}, uniform(5*time.Minute).three()); diff != "" {
		t.Error(diff)
	}
}

func TestSpan(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0 ns": 0, "999 ns": 999, "1.5 µs": 1500, "86.8 ms": 86_812 * time.Microsecond, "1.39 s": 1394 * time.Millisecond,
		"29.9 s": 29_900 * time.Millisecond, "594 s": 594 * time.Second,
	} {
		if got := span(d); got != want {
			t.Errorf("%d: %q, want %q", d, got, want)
		}
	}
	if got := count(70_000_000); got != "70,000,000" {
		t.Errorf("count: %s", got)
	}
}

// TestHistogram lets two streams come to positions in frames of several rows.
func TestHistogram(t *testing.T) {
	const ms = int64(time.Millisecond)
	var h histogram
	moments := map[int64]int64{5: 10 * ms, 6: 20 * ms, 8: 30 * ms} // 7 is somebody else's
	h.addAll([]arrival{{6, 25 * ms}, {9, 40 * ms}}, moments)
	h.addAll([]arrival{{8, 29 * ms}}, moments)
	h.addAll(nil, moments)
	want := []time.Duration{15, 5, 10, 19, 9, 0} // in ms: by position, stream after stream
	if h.n != len(want) || h.longest != 19*time.Millisecond {
		t.Errorf("%d samples, longest %s", h.n, h.longest)
	}
	if got := h.at(0.5).Round(time.Millisecond); got != 9*time.Millisecond {
		t.Errorf("p50 %s", got)
	}
	if h.at(1) != h.longest {
		t.Errorf("max %s", h.at(1))
	}
}

// TestStreamReads takes positions from frames, however long these are.
func TestStreamReads(t *testing.T) {
	var s stream
	long := `data: {"v":1,"prev":1,"position":3,"rows":["` + strings.Repeat("x", 5000) + `"]}`
	s.read(strings.NewReader("retry: 500\n\nevent: head\nid: a\ndata: {\"v\":1,\"prev\":1,\"position\":1}\n\ndata: {\"prev\":1,\"position\":1}\n\n" + long + "\n\ndata: {\"position\":x}\n"))
	var got []int64
	for _, a := range s.arrivals {
		got = append(got, a.position)
	}
	if diff := cmp.Diff([]int64{1, 3}, got); diff != "" {
		t.Error(diff)
	}
	if s.place.Load() != ended {
		t.Error("the end was not noted")
	}
}

func TestTable(t *testing.T) {
	var out bytes.Buffer
	(&table{title: "T", head: []string{"what", "p50"}, rows: [][]string{{"a", "1.5 µs"}}}).write(&out)
	want := "\n### T\n\n| what |    p50 |\n| ---- | -----: |\n| a    | 1.5 µs |\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestChart(t *testing.T) {
	text := latencyChart([]outcome{
		{way: "feed <ours>", where: "1 node & more", took: durations{time.Millisecond, 30 * time.Millisecond}},
		{way: "lifetime", computed: true, took: uniform(10 * time.Minute)},
	}, 20)
	checkXML(t, text)
	for _, want := range []string{"last of 20 ", `class="ours"`, `class="computed"`, "30 ms", "594 s", "prefers-color-scheme: dark"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if place(0) != chartLeft || place(time.Hour) != chartRight || place(time.Second) <= place(time.Millisecond) {
		t.Errorf("places: %v %v %v", place(0), place(time.Second), place(time.Hour))
	}
}

func checkXML(t *testing.T, text string) {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("the chart is not XML: %v", err)
		}
	}
}

func TestReadCosts(t *testing.T) {
	operations, costs := readCosts(`goos: linux
BenchmarkCost/Gatehouse/Refresh-2   1000   520000 ns/op   41.00 MiB   0.4600 cpu-ms/op   0.1200 database-ms/op
BenchmarkCost/Bare/Refresh-2        1000   420000 ns/op   18.00 MiB   0.3700 cpu-ms/op   0.1100 database-ms/op
PASS
`)
	if diff := cmp.Diff([]string{"Refresh"}, operations); diff != "" {
		t.Error(diff)
	}
	if costs["Gatehouse/Refresh"]["cpu-ms/op"] != "0.4600" || costs["Bare/Refresh"]["MiB"] != "18.00" {
		t.Errorf("%v", costs)
	}
}

func TestFlags(t *testing.T) {
	for _, test := range []struct {
		args string
		want string // of the error; empty for none
	}{
		{"-short", ""},
		{"-full -only latency,set -followers 7", ""},
		{"-full -smoke", "exclude"},
		{"-only nothing", "no experiment"},
		{"more", "unknown argument"},
	} {
		b := &bench{notes: io.Discard, sizes: shortSizes()}
		_, err := b.parse(strings.Fields(test.args))
		if got := fmt.Sprint(err); (err == nil) != (test.want == "") || !strings.Contains(got, test.want) && err != nil {
			t.Errorf("%s: %s", test.args, got)
		}
		if strings.Contains(test.args, "7") && (b.followers != 7 || b.signOuts != fullSizes().signOuts) {
			t.Errorf("%s: %+v", test.args, b.sizes)
		}
	}
}
