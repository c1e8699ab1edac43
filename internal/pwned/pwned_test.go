package pwned

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/outbound"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

const stolen = secret.Text("korrekt batteri hest")

// service answers as the real one does, padding among the lines, and keeps what it
// was asked, byte for byte.
type service struct {
	mu     sync.Mutex
	asked  []string
	answer http.HandlerFunc
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	dump, _ := httputil.DumpRequest(r, true)
	s.mu.Lock()
	s.asked = append(s.asked, string(dump))
	s.mu.Unlock()
	s.answer(w, r)
}

func ranges(w http.ResponseWriter, r *http.Request) {
	_, _ = fmt.Fprint(w, "0018A45C4D1DEF81644B54AB7F969B88D65:10\r\n")
	for _, known := range []struct {
		password string
		count    int
	}{{stolen.Reveal(), 3}, {"only padding here", 0}} {
		sum := sha1.Sum([]byte(known.password))
		digits := strings.ToUpper(hex.EncodeToString(sum[:]))
		if strings.HasSuffix(r.URL.Path, "/"+digits[:5]) {
			_, _ = fmt.Fprintf(w, "%s:%d\r\n", digits[5:], known.count)
		}
	}
}

func breaches(t *testing.T, answer http.HandlerFunc) (*accounts.Breaches, *service, *bytes.Buffer) {
	t.Helper()
	s := &service{answer: answer}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	base := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	c, err := New(base+"/range", outbound.Options{AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	return &accounts.Breaches{Source: c, Log: slog.New(slog.NewTextHandler(&log, nil))}, s, &log
}

func TestKnown(t *testing.T) {
	b, s, log := breaches(t, ranges)
	for password, want := range map[secret.Text]bool{stolen: true, "only padding here": false, "nobody has this one": false} {
		if got := b.Known(t.Context(), password); got != want {
			t.Errorf("%s: %v", password.Reveal(), got)
		}
	}
	if log.Len() > 0 {
		t.Errorf("log: %s", log)
	}
	// Nothing but five digits leaves the machine.
	for _, dump := range s.asked {
		lines := strings.Split(strings.TrimSpace(dump), "\r\n")
		path := strings.Fields(lines[0])[1]
		if len(path) != len("/range/12345") || strings.Trim(path[len("/range/"):], "0123456789ABCDEF") != "" {
			t.Errorf("asked for %q", path)
		}
		for _, header := range lines[1:] {
			switch name, _, _ := strings.Cut(header, ":"); name {
			case "Host", "Connection":
			case "User-Agent":
				if header != "User-Agent: Gatehouse" {
					t.Errorf("sent %q", header)
				}
			case "Add-Padding":
			default:
				t.Errorf("sent %q", header)
			}
		}
		if !strings.Contains(dump, "Add-Padding: true") {
			t.Error("no padding was asked for")
		}
	}
	if len(s.asked) != 3 {
		t.Errorf("asked %d times", len(s.asked))
	}
}

// Whatever goes wrong, nobody is refused a password, and the log tells of it
// without the digits.
func TestKnown_FailsOpen(t *testing.T) {
	hang := make(chan struct{})
	sum := sha1.Sum([]byte(stolen.Reveal()))
	prefix := strings.ToUpper(hex.EncodeToString(sum[:]))[:5]
	for name, answer := range map[string]http.HandlerFunc{
		"an error":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		"a redirect":   func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"an endless":   func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bytes.Repeat([]byte("x"), 2<<20)) },
		"cut off":      func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"no answer":    func(http.ResponseWriter, *http.Request) { <-hang },
		"half answers": func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush(); <-hang },
	} {
		t.Run(name, func(t *testing.T) {
			b, _, log := breaches(t, answer)
			if name == "no answer" || name == "half answers" {
				defer func() { hang <- struct{}{} }() // before the server is closed
			}
			if b.Known(t.Context(), stolen) {
				t.Error("known")
			}
			if !strings.Contains(log.String(), "the password was taken") || strings.Contains(log.String(), prefix) {
				t.Errorf("log: %s", log)
			}
		})
	}
}

func TestNew_Refuses(t *testing.T) {
	for _, base := range []string{"", "api.pwnedpasswords.com", "https://u:p@h/range/", "https://h/range/?x=", "https://h/#x", "://"} {
		if _, err := New(base, outbound.Options{}); err == nil {
			t.Errorf("%q was taken", base)
		}
	}
	c, err := New("http://192.0.2.1/range/", outbound.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, prefix := range []string{"", "0018A4", "0018a", "../..", "0018"} {
		if _, err := c.Range(t.Context(), prefix); err == nil {
			t.Errorf("%q was asked for", prefix)
		}
	}
	if _, err := c.Range(t.Context(), "0018A"); err == nil || strings.Contains(err.Error(), "0018A") {
		t.Errorf("plain http: %v", err)
	}
}
