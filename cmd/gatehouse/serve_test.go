package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/config"
	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/storage/sqldb"
)

const serving = `"msg":"ready"`

// serveEnviron is the environment of a server on SQLite with a free port.
func serveEnviron(t *testing.T) []string {
	t.Helper()
	return []string{
		"GATEHOUSE_ISSUER=http://localhost:" + ports(t, 1)[0], "GATEHOUSE_DATA_DIR=" + filepath.Join(t.TempDir(), "data"),
	}
}

// machine registers a machine client and returns the address of its tokens.
func machine(t *testing.T, environ []string) (id, secret string) {
	t.Helper()
	mustRun(t, environ, "api", "create", "--audience", "https://api.example.com", "--name", "Posts", "--permission", "posts:add=Add posts")
	var made struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	out := mustRun(t, environ, "client", "create", "--name", "Robot", "--type", "machine", "--scope", "posts:add", "--json")
	if err := json.Unmarshal([]byte(out), &made); err != nil {
		t.Fatal(err)
	}
	return made.ID, made.Secret
}

// clientCredentials asks a node for a token and returns the status and the answer.
func clientCredentials(t *testing.T, node, issuer, id, secret string) (int, string) {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"posts:add"}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+node+"/oauth2/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(id, secret)
	req.Host = mustURL(t, issuer).Host // as a proxy in front passes it on
	p := newBrowser(t).do(req)
	return p.status, p.text
}

// TestServeWithCommandsBeside registers a client while the server runs, uses it,
// and takes it away.
// awaitRefusal waits until a node knows what a command beside it did: a second at
// most, and the noise of this machine.
func awaitRefusal(t *testing.T, node, issuer, id, secret string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		status, body := clientCredentials(t, node, issuer, id, secret)
		if status == http.StatusUnauthorized {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("disabled, and answered %d %s", status, body)
		}
	}
}

func TestServeWithCommandsBeside(t *testing.T) {
	environ := serveEnviron(t)
	issuer := setting(environ, "GATEHOUSE_ISSUER")
	node := mustURL(t, issuer).Host
	r := start(t, environ, serving, "serve")
	// The command is told only the folder, and knows the issuer from the database.
	beside := environ[1:]
	if out := mustRun(t, beside, "client", "create", "--name", "App", "--type", "spa", "--redirect-uri", "https://app.example.com/"); !strings.Contains(out, "OIDC_ISSUER="+issuer+"\n") {
		t.Errorf("another issuer:\n%s", out)
	}
	id, secret := machine(t, beside)
	if status, body := clientCredentials(t, node, issuer, id, secret); status != http.StatusOK || !strings.Contains(body, "access_token") {
		t.Errorf("%d %s", status, body)
	}
	mustRun(t, beside, "client", "disable", "--client="+id)
	awaitRefusal(t, node, issuer, id, secret)
	b := newBrowser(t)
	for _, path := range []string{pathHealth, pathReady, "/.well-known/openid-configuration", "/.well-known/jwks.json", "/"} {
		if p := b.get(issuer + path); p.status != http.StatusOK {
			t.Errorf("%s: %d %s", path, p.status, p.text)
		}
	}
	if p := b.get(issuer + "/nothing"); p.status != http.StatusNotFound || !p.has("<html") {
		t.Errorf("%d %s", p.status, p.text)
	}
	if code := r.end(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	for _, s := range []string{secret, "access_token"} {
		if strings.Contains(r.stderr.String(), s) {
			t.Errorf("%q is in the log", s)
		}
	}
}

// TestServeOnPostgresAndRedis starts three nodes at once on an empty database.
func TestServeOnPostgresAndRedis(t *testing.T) {
	addresses := ports(t, 3)
	issuer := "http://localhost:" + addresses[0]
	redis := testenv.Redis(t)
	environ := []string{
		"GATEHOUSE_DATABASE_URL=" + testenv.Postgres(t), "GATEHOUSE_REDIS_URL=" + redis, "GATEHOUSE_ISSUER=" + issuer,
		"GATEHOUSE_SECRET=" + strings.Repeat("k", 40), "GATEHOUSE_DATA_DIR=/dev/null/not-needed",
	}
	nodes := make([]*running, len(addresses))
	var starting sync.WaitGroup
	for i, port := range addresses {
		starting.Go(func() { nodes[i] = start(t, environ, serving, "serve", "--listen=127.0.0.1:"+port) })
	}
	starting.Wait()
	id, secret := machine(t, environ)
	for i, port := range addresses {
		if !strings.Contains(nodes[i].stderr.String(), serving) {
			t.Fatalf("a node does not serve:\n%s", nodes[i].stderr)
		}
		if status, body := clientCredentials(t, "127.0.0.1:"+port, issuer, id, secret); status != http.StatusOK {
			t.Errorf("%d %s", status, body)
		}
	}
	mustRun(t, environ, "keys", "rotate", "--force")
	if out := mustRun(t, environ, "keys", "list"); strings.Count(out, " active ") != 4 || strings.Count(out, " retiring ") != 4 {
		t.Errorf("three nodes made more than one set of keys:\n%s", out)
	}
	_, _, said := run(t, environ, "", "client", "disable", "--client="+id)
	for _, port := range addresses {
		awaitRefusal(t, "127.0.0.1:"+port, issuer, id, secret)
	}
	// The command told of its row before it ended.
	if length := redisAnswer(t, redis, "XLEN gatehouse:ledger"); length == ":0" {
		t.Errorf("nothing is on the stream\n%s", said)
	}
	if code, out, errs := run(t, environ, "", "doctor"); code != 0 {
		t.Errorf("doctor: %s%s", out, errs)
	}
	for _, n := range nodes {
		if code := n.end(t); code != 0 {
			t.Errorf("exit code %d\n%s", code, n.stderr)
		}
	}
}

// redisAnswer sends one inline command to the logical database of the URL.
func redisAnswer(t *testing.T, address, command string) string {
	t.Helper()
	u := mustURL(t, address)
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "SELECT "+strings.TrimPrefix(u.Path, "/")+"\r\n"+command+"\r\n"); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewScanner(conn)
	for range 2 { // the first line is SELECT's
		if !in.Scan() {
			t.Fatalf("Redis has hung up: %v", in.Err())
		}
	}
	return in.Text()
}

// TestServeFinishesRequests stops the server while a request is half sent. That
// the server asked for the rest (RFC 9110 §10.1.1) shows that it is being handled.
func TestServeFinishesRequests(t *testing.T) {
	environ := serveEnviron(t)
	r := start(t, environ, serving, "serve")
	host := mustURL(t, setting(environ, "GATEHOUSE_ISSUER")).Host
	conn, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	const body = "grant_type=client_credentials"
	_, err = fmt.Fprintf(conn, "POST /oauth2/token HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", host, len(body))
	if err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	if line, err := in.ReadString('\n'); err != nil || !strings.Contains(line, " 100 ") {
		t.Fatalf("%q %v", line, err)
	}
	if _, err := in.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	r.stop()
	// The listener is closed before requests are waited for.
	for {
		probe, err := net.Dial("tcp", host)
		if err != nil {
			break
		}
		_ = probe.Close()
	}
	if _, err := io.WriteString(conn, body); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if text, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(text), `"error"`) {
		t.Errorf("%d %s %v", resp.StatusCode, text, err)
	}
	if code := r.end(t); code != 0 {
		t.Errorf("exit code %d\n%s", code, r.stderr)
	}
}

// TestReadiness asks a node whose database has gone.
func TestReadiness(t *testing.T) {
	cfg, err := config.Load(config.Flags{DataDir: filepath.Join(t.TempDir(), "data")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	clock := func() time.Time { return now }
	if _, err := openDomain(t.Context(), cfg, slog.New(slog.DiscardHandler), clock, false); err == nil {
		t.Fatal("a database that was never migrated is used")
	}
	d, err := openDomain(t.Context(), cfg, slog.New(slog.DiscardHandler), clock, true)
	if err != nil {
		t.Fatal(err)
	}
	h := &readiness{domain: d}
	ask := func() (int, string) {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, pathReady, nil))
		return rec.Code, rec.Body.String()
	}
	if code, body := ask(); code != http.StatusServiceUnavailable || strings.Contains(body, "key") {
		t.Errorf("without keys: %d %s", code, body)
	}
	if err := d.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if code, _ := ask(); code != http.StatusServiceUnavailable {
		t.Errorf("asked again within a second: %d", code)
	}
	now = now.Add(2 * readyFor)
	if code, body := ask(); code != http.StatusOK {
		t.Errorf("prepared: %d %s", code, body)
	}
	d.close()
	now = now.Add(2 * readyFor)
	if code, _ := ask(); code != http.StatusServiceUnavailable {
		t.Errorf("without a database: %d", code)
	}
}

// pair writes a certificate of its own for localhost.
func pair(t *testing.T, folder string, serial int64) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), DNSNames: []string{"localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: encoded}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// TestServeTLS serves by certificate files, with HTTP/2 and HSTS.
func TestServeTLS(t *testing.T) {
	cert, key := pair(t, t.TempDir(), 1)
	port := ports(t, 1)[0]
	environ := []string{
		"GATEHOUSE_ISSUER=https://localhost:" + port, "GATEHOUSE_DATA_DIR=" + filepath.Join(t.TempDir(), "data"),
		"GATEHOUSE_TLS_CERT=" + cert, "GATEHOUSE_TLS_KEY=" + key,
	}
	r := start(t, environ, serving, "serve")
	text, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}}
	resp, err := client.Get("https://localhost:" + port + "/.well-known/openid-configuration")
	if err != nil {
		t.Fatalf("%v\n%s", err, r.stderr)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 || resp.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("%s %s %v", resp.Proto, resp.Status, resp.Header)
	}
	client.CloseIdleConnections()
	if code := r.end(t); code != 0 {
		t.Errorf("exit code %d\n%s", code, r.stderr)
	}
}

// TestCertificateIsRenewed replaces the files under a running server.
func TestCertificateIsRenewed(t *testing.T) {
	folder := t.TempDir()
	cert, key := pair(t, folder, 1)
	now := time.Now()
	settings, err := newTLS(cert, key, slog.New(slog.DiscardHandler), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	serial := func() int64 {
		t.Helper()
		got, err := settings.GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		return got.Leaf.SerialNumber.Int64()
	}
	broken := []byte("half a certificate")
	steps := []struct {
		name   string
		change func()
		wait   time.Duration
		want   int64
	}{
		{"unchanged", func() {}, 2 * certificateEvery, 1},
		{"renewed a moment ago", func() { pair(t, folder, 2) }, 0, 1},
		{"renewed", func() {}, 2 * certificateEvery, 2},
		{"broken", func() { _ = os.WriteFile(cert, broken, 0o600) }, 2 * certificateEvery, 2},
		{"gone", func() { _ = os.Remove(cert) }, 2 * certificateEvery, 2},
		{"mended", func() { pair(t, folder, 3) }, 2 * certificateEvery, 3},
	}
	for _, s := range steps {
		s.change()
		now = now.Add(s.wait)
		if got := serial(); got != s.want {
			t.Errorf("%s: serial %d, want %d", s.name, got, s.want)
		}
	}
	if _, err := newTLS(cert, filepath.Join(folder, "none"), slog.New(slog.DiscardHandler), time.Now); err == nil {
		t.Error("started without a key")
	}
}

// TestRestoredBackupIsNoticedByCommands puts an older copy of the database back
// and lets a command, not the server, be the first to open it (L24).
func TestRestoredBackupIsNoticedByCommands(t *testing.T) {
	environ := []string{"GATEHOUSE_DATA_DIR=" + filepath.Join(t.TempDir(), "data")}
	file := filepath.Join(setting(environ, "GATEHOUSE_DATA_DIR"), "gatehouse.db")
	mustRun(t, environ, "user", "create", "--username", "ada")
	mustRun(t, environ, "user", "create", "--username", "eve")
	backup, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	mustRun(t, environ, "user", "ban", "--user", "eve")
	if err := os.WriteFile(file, backup, 0o600); err != nil {
		t.Fatal(err)
	}
	mustRun(t, environ, "user", "show", "--user", "ada")
	db, err := sqldb.Open(context.Background(), sqldb.Options{URL: "sqlite://" + file, TokenLife: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.After(t.Context(), 0, 10)
	if err != nil || len(rows) != 1 || rows[0].Kind != "all" || rows[0].Position < 2 {
		t.Errorf("%v %v", rows, err)
	}
}
