package provider_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
)

// BenchmarkCost reports what docs/measurements.md tells: milliseconds of CPU of one
// operation, of server and PostgreSQL together, at 8 connections, for Gatehouse and
// for a bare server that does the same work without any policy (cost_bare_test.go).
// The servers are processes of their own, so that the asking does not count. Run it
// with -benchtime 5s or more: /proc counts in hundredths of a second.
func BenchmarkCost(b *testing.B) {
	for _, kind := range []string{costGatehouse, costBare} {
		b.Run(kind, func(b *testing.B) {
			s := startCost(b, os.Args[0], kind)
			for _, op := range costOperations() {
				b.Run(op.name, func(b *testing.B) { s.measure(b, op.do) })
			}
		})
	}
}

type costOperation struct {
	name string
	do   func(s *costRun, worker int) error
}

func costOperations() []costOperation {
	return []costOperation{
		{"ClientCredentials", (*costRun).clientCredentials},
		{"Code", (*costRun).codeAndToken},
		{"Refresh", (*costRun).refresh},
		{"Introspect", (*costRun).introspect},
		{"Userinfo", (*costRun).userinfo},
		{"JWKS", func(s *costRun, _ int) error { return s.get("/.well-known/jwks.json", "", "", http.StatusOK) }},
	}
}

const (
	costWorkers   = 8
	costGatehouse = "Gatehouse"
	costBare      = "Bare"
	costServer    = "GATEHOUSE_COST_SERVER" // which server a child process is
	costDatabase  = "GATEHOUSE_COST_DATABASE"
)

// costFixtures is what a server tells who asks it.
type costFixtures struct {
	Addr          string
	CookieName    string
	Cookie        string
	App, Machine  [2]string // client_id, secret
	Resource      [2]string
	Authorization string // query
}

type costRun struct {
	costFixtures
	b         *testing.B
	client    *http.Client
	server    int // process ids
	postgres  int
	refreshes [costWorkers]string
	accesses  [costWorkers]string
}

// startCost starts a server of a kind from a test binary of this package.
func startCost(b *testing.B, binary, kind string) *costRun {
	b.Helper()
	s := &costRun{b: b, client: &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: costWorkers},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	database := sqldbtest.Postgres(b)
	s.postgres = postmaster(b, database)
	cmd := exec.Command(binary, "-test.run", "^TestCostServer$", "-test.timeout", "0")
	cmd.Env = append(os.Environ(), costServer+"="+kind, costDatabase+"="+database)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	s.server = cmd.Process.Pid
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err == nil {
		err = json.Unmarshal([]byte(line), &s.costFixtures)
	}
	if err != nil {
		b.Fatalf("%q: %v", line, err)
	}
	go func() { _, _ = io.Copy(io.Discard, stdout) }()
	for worker := range costWorkers {
		if err := s.codeAndToken(worker); err != nil {
			b.Fatal(err)
		}
	}
	return s
}

// measure lets the workers do an operation b.N times together.
func (s *costRun) measure(b *testing.B, do func(s *costRun, worker int) error) {
	s.batch(b, costWorkers, do) // connections, plans, caches
	server, database := cpu(s.server), s.databaseCPU()
	b.ResetTimer()
	s.batch(b, b.N, do)
	b.StopTimer()
	server, database = cpu(s.server)-server, s.databaseCPU()-database
	b.ReportMetric((server+database)/float64(b.N), "cpu-ms/op")
	b.ReportMetric(database/float64(b.N), "database-ms/op")
	b.ReportMetric(float64(resident(s.server)), "MiB")
}

// batch lets the workers do an operation n times together.
func (s *costRun) batch(b *testing.B, n int, do func(s *costRun, worker int) error) {
	var left atomic.Int64
	left.Store(int64(n))
	var all sync.WaitGroup
	for worker := range costWorkers {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				if err := do(s, worker); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

func (s *costRun) clientCredentials(int) error {
	_, err := s.post("/oauth2/token", s.Machine, url.Values{"grant_type": {"client_credentials"}})
	return err
}

func (s *costRun) codeAndToken(worker int) error {
	r, _ := http.NewRequest(http.MethodGet, "http://"+s.Addr+"/oauth2/authorize?"+s.Authorization, nil)
	r.AddCookie(&http.Cookie{Name: s.CookieName, Value: s.Cookie})
	resp, err := s.client.Do(r)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	at, err := resp.Location()
	if err != nil || at.Query().Get("code") == "" {
		return fmt.Errorf("no code: %d %v", resp.StatusCode, at)
	}
	tokens, err := s.post("/oauth2/token", s.App, url.Values{
		"grant_type": {"authorization_code"}, "code": {at.Query().Get("code")}, "redirect_uri": {callback}, "code_verifier": {verifier},
	})
	s.refreshes[worker], s.accesses[worker] = tokens.Refresh, tokens.Access
	return err
}

func (s *costRun) refresh(worker int) error {
	tokens, err := s.post("/oauth2/token", s.App, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {s.refreshes[worker]}})
	s.refreshes[worker], s.accesses[worker] = tokens.Refresh, tokens.Access
	return err
}

func (s *costRun) introspect(worker int) error {
	a, err := s.post("/oauth2/introspect", s.Resource, url.Values{"token": {s.accesses[worker]}})
	if err == nil && !a.Active {
		err = fmt.Errorf("the token is not active")
	}
	return err
}

func (s *costRun) userinfo(worker int) error {
	return s.get("/userinfo", "Authorization", "Bearer "+s.accesses[worker], http.StatusOK)
}

func (s *costRun) get(path, header, value string, status int) error {
	r, _ := http.NewRequest(http.MethodGet, "http://"+s.Addr+path, nil)
	if header != "" {
		r.Header.Set(header, value)
	}
	resp, err := s.client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != status {
		err = fmt.Errorf("%s: %d %s", path, resp.StatusCode, body)
	}
	return err
}

// costAnswer is what the asking needs of an answer.
type costAnswer struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Active  bool   `json:"active"`
}

func (s *costRun) post(path string, client [2]string, form url.Values) (costAnswer, error) {
	var a costAnswer
	r, _ := http.NewRequest(http.MethodPost, "http://"+s.Addr+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(client[0], client[1])
	resp, err := s.client.Do(r)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %d %s", path, resp.StatusCode, body)
	}
	if err != nil {
		return a, err
	}
	return a, json.Unmarshal(body, &a)
}

// postmaster is the process of the database's server.
func postmaster(b *testing.B, database string) int {
	b.Helper()
	conn, err := pgx.Connect(context.Background(), database)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(context.Background())
	var backend int
	if err := conn.QueryRow(context.Background(), "SELECT pg_backend_pid()").Scan(&backend); err != nil {
		b.Fatal(err)
	}
	fields := processStat(backend)
	if len(fields) < 2 {
		b.Fatal("no /proc")
	}
	parent, err := strconv.Atoi(fields[1])
	if err != nil {
		b.Fatal(err)
	}
	return parent
}

func (s *costRun) databaseCPU() float64 {
	total := cpu(s.postgres)
	children, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.postgres), "task", strconv.Itoa(s.postgres), "children"))
	for _, child := range bytes.Fields(children) {
		pid, _ := strconv.Atoi(string(child))
		total += cpu(pid)
	}
	return total
}

// processStat is /proc/pid/stat from the state on (proc(5)).
func processStat(pid int) []string {
	text, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	return strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
}

// cpu is what a process has used, in milliseconds.
func cpu(pid int) float64 {
	fields := processStat(pid)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) * 10
}

// resident is a process's memory in MiB.
func resident(pid int) int {
	text, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "statm"))
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.Atoi(fields[1])
	return pages * os.Getpagesize() >> 20
}
