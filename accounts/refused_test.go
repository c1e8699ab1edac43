package accounts_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

func TestRecognisable(t *testing.T) {
	for raw, want := range map[string]string{
		"https://app.example.com/callback":         "https://app.example.com/callback",
		"com.example.app:/cb":                      "com.example.app:/cb",
		"https://a.example/cb?":                    "https://a.example/cb?…",
		"https://a.example/cb?code=hidden#x":       "https://a.example/cb?…",
		"https://a.example/cb#token=hidden?x":      "https://a.example/cb#…",
		"https://a.example/cb%3Fcode%3Dhidden":     "https://a.example/cb%…",
		"https://a.example/cb%23hidden?x":          "https://a.example/cb%…",
		"https://ada:hidden@a.example/cb":          "https://…@a.example/cb",
		"https://ada:hidden@x@a.example/cb":        "https://…@a.example/cb",
		`https:\\ada:hidden@a.example\cb`:          `https:\\…@a.example\cb`,
		"HTTPS:/ada:hidden@a.example/cb":           "HTTPS:/…@a.example/cb",
		"//ada:hidden@a.example":                   "//…@a.example",
		"https://a.example/@ada":                   "https://a.example/@ada",
		"javascript:alert(1)":                      "javascript:alert(1)",
		"<script>alert(1)</script>":                "<script>alert(1)</script>",
		"https://аpp.example.com/cb":               `https://\xD0\xB0pp.example.com/cb`,
		"https://a.example/\x00\r\n\u202e \xff cb": `https://a.example/\x00\x0D\x0A\xE2\x80\xAE\x20\xFF\x20cb`,
		"…": `\xE2\x80\xA6`,
		"":  "",
		":": ":",
		"https://a.example/" + strings.Repeat("a", 10_000): "https://a.example/" + strings.Repeat("a", 512-18) + "…",
		strings.Repeat("\x00", 10_000):                     strings.Repeat(`\x00`, 128) + "…",
		strings.Repeat("/", 10_000) + "ada:hidden@x":       strings.Repeat("/", 512) + "…",
	} {
		got := accounts.Recognisable(raw)
		if got != want {
			t.Errorf("%.100q: %q, want %q", raw, got, want)
		}
		if whole := (accounts.RefusedRedirect{URI: got}).Whole(); whole != !strings.Contains(want, "…") {
			t.Errorf("%.100q: whole %v", raw, whole)
		}
	}
}

// FuzzRecognisable: whatever is sent, what is kept is short, printable, and without
// what may be secret; what can be registered and counts as whole is what was sent.
func FuzzRecognisable(f *testing.F) {
	for _, raw := range []string{"https://a.example/cb?x", "https://u:p@h/", "a:\x00…", `\\x@y%3f`} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got := accounts.Recognisable(raw)
		if len(got) > 520 {
			t.Errorf("%d bytes", len(got))
		}
		bad := func(r rune) bool { return r != '…' && (r > unicode.MaxASCII || r <= ' ' || r == 0x7f) }
		if strings.ContainsFunc(got, bad) {
			t.Errorf("%q", got)
		}
		whole := accounts.RefusedRedirect{URI: got}.Whole()
		if whole && strings.ContainsAny(got, "?#") {
			t.Errorf("%q keeps %q", raw, got)
		}
		if whole && got != raw && accounts.ValidateRedirectURI(accounts.NativeClient, got) == nil {
			t.Errorf("%q would be registered for %q", got, raw)
		}
	})
}

// refusedNotes is a RefusedStore that writes down what it is given.
type refusedNotes struct {
	mu    sync.Mutex
	added map[id.ID][]accounts.RefusedRedirect
	calls int
	fail  error
}

func (s *refusedNotes) AddRefused(_ context.Context, clientID id.ID, list []accounts.RefusedRedirect, _ int, _ int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.added == nil {
		s.added = map[id.ID][]accounts.RefusedRedirect{}
	}
	s.added[clientID] = append(s.added[clientID], list...)
	return s.fail
}

func (*refusedNotes) RefusedRedirects(context.Context, id.ID, int64) ([]accounts.RefusedRedirect, error) {
	return nil, nil
}
func (*refusedNotes) ForgetRefused(context.Context, id.ID, string) error { return nil }

func TestRefusalsAreBounded(t *testing.T) {
	now := time.UnixMilli(1_000)
	store := &refusedNotes{}
	r := accounts.NewRefusals(accounts.Journal{Now: func() time.Time { return now }}, store, slog.New(slog.DiscardHandler))
	one := id.New()
	for i := range 1000 {
		r.Note(one, fmt.Sprintf("https://a.example/%d", i))
	}
	r.Note(one, "https://a.example/0")
	now = now.Add(time.Second)
	r.Note(one, "https://a.example/0")
	if store.calls != 0 {
		t.Error("a request writes")
	}
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(store.added[one]); n != accounts.RefusedPerClient || store.calls != 1 {
		t.Errorf("%d URIs in %d writes", n, store.calls)
	}
	want := accounts.RefusedRedirect{URI: "https://a.example/0", Count: 3, FirstAt: 1_000, LastAt: 2_000}
	if diff := cmp.Diff(want, store.added[one][0]); diff != "" {
		t.Error(diff)
	}
	if err := r.Flush(t.Context()); err != nil || store.calls != 1 {
		t.Errorf("nothing waits: %v, %d writes", err, store.calls)
	}

	// Many clients have one room together.
	store.added = nil
	for range 3000 {
		r.Note(id.New(), "https://a.example/x")
	}
	store.fail = errors.New("no database")
	if err := r.Flush(t.Context()); !errors.Is(err, store.fail) || strings.Contains(err.Error(), "a.example") {
		t.Errorf("error: %.200v", err)
	}
	if len(store.added) != 1000 {
		t.Errorf("%d clients", len(store.added))
	}
}

// TestRefusalsRun: notes are written without being asked for, and those that wait
// when the server ends are written then.
func TestRefusalsRun(t *testing.T) {
	store := &refusedNotes{}
	r := accounts.NewRefusals(accounts.Journal{Now: time.Now}, store, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(t.Context())
	stop()
	client := id.New()
	r.Note(client, "https://a.example/last")
	if err := r.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if len(store.added[client]) != 1 {
		t.Errorf("%v", store.added)
	}
}
