package auditlog

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// receiver takes connections and reads frames by their count of octets (RFC 6587
// §3.4.1) as a syslog server does.
type receiver struct {
	*testing.T
	listener net.Listener
	mu       sync.Mutex
	conns    []net.Conn
	frames   chan string
}

func newReceiver(t *testing.T, listener net.Listener) *receiver {
	r := &receiver{T: t, listener: listener, frames: make(chan string, 1000)}
	t.Cleanup(r.stop)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			r.mu.Lock()
			r.conns = append(r.conns, conn)
			r.mu.Unlock()
			go r.read(conn)
		}
	}()
	return r
}

func (r *receiver) read(conn net.Conn) {
	b := bufio.NewReader(conn)
	for {
		count, err := b.ReadString(' ')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSuffix(count, " "))
		if err != nil || n < 1 || count[0] == '0' {
			r.Errorf("count of octets %q", count)
			return
		}
		frame := make([]byte, n)
		if _, err := io.ReadFull(b, frame); err != nil {
			return
		}
		r.frames <- string(frame)
	}
}

// stop refuses new connections and breaks those that there are.
func (r *receiver) stop() {
	_ = r.listener.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		_ = c.Close()
	}
}

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// rfc5424 is a message: priority, version, time, host, app, process, message id, no
// structured data, a JSON object.
var rfc5424 = regexp.MustCompile(`^<109>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [!-~]{1,255} gatehouse \d+ ([!-~]{1,32}) - (\{.*\})$`)

// numbers are the places in the chain of the next n messages, each once, in order
// of arrival.
func (r *receiver) numbers(n int) []int64 {
	r.Helper()
	var seqs []int64
	for deadline := time.After(20 * time.Second); len(seqs) < n; {
		select {
		case frame := <-r.frames:
			m := rfc5424.FindStringSubmatch(frame)
			var line Line
			if m == nil || json.Unmarshal([]byte(m[2]), &line) != nil || m[1] != line.Action {
				r.Fatalf("message %q", frame)
			}
			if len(seqs) == 0 || line.Seq > seqs[len(seqs)-1] { // the others are sent again
				seqs = append(seqs, line.Seq)
			}
		case <-deadline:
			r.Fatalf("only %v of %d arrived", seqs, n)
		}
	}
	return seqs
}

// shelf keeps a chain and a stream in memory.
type shelf struct {
	mu    sync.Mutex
	rows  []*Record
	state StreamState
	owner string
	until int64
}

func (s *shelf) add(t *testing.T, n int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		r, err := NewRecord(id.New(), 1_800_000_000_000, audit.Event{
			Actor: audit.Actor{Kind: audit.System, ID: "x"}, Action: "user.ban", TargetKind: "user", TargetID: "ünï\ncode",
		}, audit.Origin{})
		if err != nil {
			t.Fatal(err)
		}
		r.Seq = int64(len(s.rows)) + 1
		s.rows = append(s.rows, r)
	}
}

func (s *shelf) EnsureAuditStream(context.Context, string) error { return nil }

func (s *shelf) ClaimAuditStream(_ context.Context, _, owner string, now, until int64) (int64, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owner != owner && s.until >= now {
		return 0, false, nil
	}
	s.owner, s.until = owner, until
	return s.state.Seq, true, nil
}

func (s *shelf) MoveAuditStream(_ context.Context, owner string, next StreamState) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owner != owner {
		return errors.New("another node's")
	}
	s.state = next
	return nil
}

func (s *shelf) FreeAuditStream(_ context.Context, _, _ string, ended int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until = ended
	return nil
}

func (s *shelf) AuditLinks(_ context.Context, after int64, limit int) ([]Link, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var links []Link
	for _, r := range s.rows[after:min(len(s.rows), int(after)+limit)] {
		links = append(links, Link{Seq: r.Seq, ID: r.ID, Row: r})
	}
	return links, nil
}

func (s *shelf) AuditStreams(context.Context) ([]StreamState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.state
	state.TouchedUntil = s.until
	return []StreamState{state}, nil
}

func (s *shelf) now() StreamState {
	all, _ := s.AuditStreams(context.Background())
	return all[0]
}

func (s *shelf) AuditSeqAt(_ context.Context, since int64) (int64, bool, error) {
	for _, r := range s.rows {
		if r.At >= since {
			return r.Seq, true, nil
		}
	}
	return 0, false, nil
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// run lets a node send; the function that it returns stops it.
func run(t *testing.T, store *shelf, sink *Syslog) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	s := &Stream{Name: "syslog", Store: store, Sink: sink, Now: time.Now, Log: slog.New(slog.DiscardHandler), Every: 5 * time.Millisecond}
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// TestAttack_AuditSinkGone: while the receiver is gone nothing is lost, somebody is
// told, and when it is back all arrives, what may have been lost with it again.
func TestAttack_AuditSinkGone(t *testing.T) {
	first := newReceiver(t, listen(t, "127.0.0.1:0"))
	address := first.listener.Addr().String()
	store := &shelf{}
	store.add(t, 450) // more than two batches
	stop := run(t, store, &Syslog{Address: SyslogAddress{Network: "tcp", Host: address}})
	if seqs := first.numbers(450); seqs[449] != 450 {
		t.Errorf("the last is %d", seqs[449])
	}
	eventually(t, "noted as sent", func() bool { return store.now().Seq == 450 })
	first.stop()
	store.add(t, 3)
	eventually(t, "noted as failing", func() bool { s := store.now(); return s.FailingSince != 0 && strings.Contains(s.Error, address) })
	second := newReceiver(t, listen(t, address))
	if diff := cmp.Diff([]int64{451, 452, 453}, second.numbers(3)); diff != "" {
		t.Error(diff)
	}
	eventually(t, "sent again", func() bool {
		return store.now() == (StreamState{Name: "syslog", Seq: 453, TouchedUntil: store.now().TouchedUntil})
	})
	// Another node waits until this one has given the stream back, and goes on behind it.
	other := run(t, store, &Syslog{Address: SyslogAddress{Network: "tcp", Host: address}})
	store.add(t, 1)
	second.numbers(1)
	stop()
	if got := store.now().Seq; got != 454 {
		t.Errorf("a node that stops notes %d", got)
	}
	store.add(t, 1)
	if diff := cmp.Diff([]int64{455}, second.numbers(1)); diff != "" {
		t.Error(diff)
	}
	other()
}

// TestSyslog_TLS: the receiver's certificate is checked.
func TestSyslog_TLS(t *testing.T) {
	config, pool := certificate(t)
	r := newReceiver(t, tls.NewListener(listen(t, "127.0.0.1:0"), config))
	events := []Line{{Seq: 1, Action: "a"}, {Seq: 2, Action: strings.Repeat("long", 20)}}
	address := SyslogAddress{Network: "tls", Host: r.listener.Addr().String()}
	stranger := &Syslog{Address: address, TLS: &tls.Config{MinVersion: tls.VersionTLS12}}
	if err := stranger.Send(t.Context(), events); err == nil {
		t.Error("a certificate of an unknown authority was taken")
	}
	s := &Syslog{Address: address, TLS: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}, Hostname: "höst name"}
	events[0].Time, events[1].Time = stamp(1), stamp(2)
	if err := s.Send(t.Context(), events); err != nil || s.Alive() != nil {
		t.Fatal(err, s.Alive())
	}
	if frame := <-r.frames; !strings.HasPrefix(frame, "<109>1 1970-01-01T00:00:00.001Z h_st_name gatehouse ") || !strings.Contains(frame, ` a - {"seq":1,`) {
		t.Errorf("%q", frame)
	}
	if frame := <-r.frames; !strings.Contains(frame, " "+strings.Repeat("long", 8)+" - {") {
		t.Errorf("%q", frame)
	}
	r.stop()
	eventually(t, "the connection is gone", func() bool { return s.Alive() != nil })
}

func certificate(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, pool
}

// TestSyslog_UDP: a datagram each, none longer than receivers take.
func TestSyslog_UDP(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	s := &Syslog{Address: SyslogAddress{Network: "udp", Host: conn.LocalAddr().String()}}
	long := map[string]any{"text": strings.Repeat("x", 3000)}
	if err := s.Send(t.Context(), []Line{{Seq: 1, Action: "short", Time: stamp(1)}, {Seq: 2, Action: "long", Time: stamp(1), Details: long}}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, want := range []string{`"seq":1`, `"cut":true`} {
		b := make([]byte, 65536)
		n, _, err := conn.ReadFrom(b)
		if err != nil || n > 2048 || !rfc5424.Match(b[:n]) || !strings.Contains(string(b[:n]), want) {
			t.Errorf("%q, %v", b[:n], err)
		}
	}
}

func TestParseSyslog(t *testing.T) {
	for text, want := range map[string]string{
		"udp://logs": "udp logs:514", "tcp://logs/": "tcp logs:601", "tls://logs": "tls logs:6514", "tls://[::1]:99": "tls [::1]:99",
		"": "", "logs": "", "http://logs": "", "tcp://": "", "tcp://u@logs": "", "tcp://logs/x": "", "tcp://logs?x": "", "udp://logs#x": "",
	} {
		a, err := ParseSyslog(text)
		got := ""
		if a != nil {
			got = fmt.Sprint(a.Network, " ", a.Host)
		}
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}
