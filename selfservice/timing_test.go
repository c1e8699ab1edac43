package selfservice_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/consent"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/web"
)

// timingPeople is how many accounts there are, each tried in its turn.
const timingPeople = 40

// TestTiming asks over HTTP as somebody would who wants to know who has an account:
// sign-in with a wrong password, reset and sign-up, for addresses that have one and
// for others. A small size runs always, and says only that all of it works: what the
// figures say is asked in the long form, beside a server that gives accounts away.
func TestTiming(t *testing.T) {
	long := os.Getenv("GATEHOUSE_TEST_LONG") != ""
	s := newTimedSite(t)
	for _, tt := range []struct {
		name, path string
		pairs      int
		leak       time.Duration // for known accounts
		fields     func(known bool, i int) []string
	}{
		{"reset, as it must not be", "/reset", 400, time.Millisecond, s.mailed},
		{"reset", "/reset", 1500, 0, s.mailed},
		{"sign-up", "/signup", 750, 0, s.signUp},
		{"sign-in", "/signin", 750, 0, s.signIn},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pairs := tt.pairs
			if !long {
				pairs = 4
			}
			s.leak = tt.leak
			c := s.compare(tt.path, pairs, tt.fields)
			t.Logf("%d of each, typically %s; known accounts take %s longer, score %.1f", pairs, c.Typical, c.Effect, c.Score)
			if long && c.toldApart() != (tt.leak > 0) {
				t.Errorf("known accounts told apart: %t, %+v", c.toldApart(), c)
			}
		})
	}
}

// timedSite is the entrance and the sign-in page behind a real listener, whose limits
// do their work and let everybody through.
type timedSite struct {
	*entranceWorld
	url    string
	client *http.Client
	leak   time.Duration
}

// roomy are limits that nobody reaches.
type roomy struct{ accounts.Limiter }

func (l roomy) Spend(ctx context.Context, key string, _ int, every time.Duration, n int) (time.Duration, error) {
	return l.Limiter.Spend(ctx, key, 1<<20, every, n)
}

func newTimedSite(t *testing.T) *timedSite {
	t.Helper()
	w := newEntrance(t)
	s := &timedSite{entranceWorld: w, client: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	proofs := w.handler.SignUps.Proofs
	proofs.Limiter = roomy{proofs.Limiter}
	journal := w.users.Journal
	factors := &accounts.Factors{
		Journal: journal, Users: w.db, Sessions: w.db, Grants: w.db, Store: w.db, TOTPs: w.db, Passkeys: w.db, Recovery: w.db, Devices: w.db,
		Waiting: w.db, Keys: proofs.Keys, Logger: proofs.Logger,
	}
	steps := &consent.Handler{
		Desk: w.handler.Desk, Flows: w.db, Clients: w.db, APIs: w.db, Remembered: w.db,
		Authenticator: &accounts.Authenticator{
			Journal: journal, Users: w.db, Hasher: w.users.Hasher, Limiter: proofs.Limiter, Keys: proofs.Keys, Logger: proofs.Logger,
		},
		SignIns: &accounts.SignIns{
			Journal: journal, Users: w.db, Sessions: w.sessions, Factors: factors, Waiting: w.db, Limiter: proofs.Limiter, Keys: proofs.Keys, Logger: proofs.Logger,
		},
	}
	router := web.NewRouter()
	w.must(w.handler.Mount(router, web.Pages))
	w.must(steps.Mount(router, web.Pages))
	front := &web.Front{Issuer: w.handler.Issuer, Log: slog.New(slog.DiscardHandler), Now: w.handler.Now}
	w.server = front.Wrap(router)
	server := httptest.NewServer(s.leaky(w.server))
	t.Cleanup(server.Close)
	s.url = server.URL
	hash, err := w.users.Hasher.Hash(t.Context(), entrancePassword)
	w.must(err)
	for i := range timingPeople {
		_, err := w.users.Create(t.Context(), entranceOperator(), accounts.NewUser{
			Username: personName(true, i), Email: personName(true, i) + "@example.org", EmailVerified: true, PasswordHash: hash,
		})
		w.must(err)
	}
	return s
}

// personName is a name as long as any other, with an account or without.
func personName(known bool, i int) string {
	if known {
		return fmt.Sprintf("known-%03d", i%timingPeople)
	}
	return fmt.Sprintf("other-%03d", i%timingPeople)
}

// leaky takes longer for known accounts, if it is told to: with work, not with sleep,
// whose grain would help to find it.
func (s *timedSite) leaky(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Known") == "true" {
			for end := time.Now().Add(s.leak); time.Now().Before(end); {
			}
		}
		next.ServeHTTP(w, r)
	})
}

func (s *timedSite) mailed(known bool, i int) []string {
	return []string{"email", personName(known, i) + "@example.org"}
}

func (s *timedSite) signUp(known bool, i int) []string {
	return append(s.mailed(known, i), "username", fmt.Sprintf("wanted-%05d", i), "new_password", entrancePassword)
}

func (s *timedSite) signIn(known bool, i int) []string {
	return []string{"username", personName(known, i) + "@example.org", "password", entranceOther, "action", "continue"}
}

// compare sends a form of a page in pairs, known and unknown in random order. The
// ticket of the form is good as often as it is sent.
func (s *timedSite) compare(path string, pairs int, fields func(known bool, i int) []string) comparison {
	s.Helper()
	b := s.browser()
	_, ticket := b.form(b.get(path))
	cookie := s.handler.Cookies.Name(flow.BrowserCookie)
	var samples [2][]time.Duration // unknown, known
	for i := range pairs {
		first := rand.IntN(2)
		for _, kind := range []int{first, 1 - first} {
			form := url.Values{"flow": {ticket.Get("flow")}}
			list := fields(kind == 1, i)
			for j := 0; j < len(list); j += 2 {
				form.Set(list[j], list[j+1])
			}
			samples[kind] = append(samples[kind], s.send(path, form, kind == 1, cookie+"="+b.jar[cookie]))
		}
	}
	return compare(samples[1], samples[0])
}

// send returns how long an answer took, to its last byte.
func (s *timedSite) send(path string, form url.Values, known bool, cookie string) time.Duration {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), http.MethodPost, s.url+path, strings.NewReader(form.Encode()))
	s.must(err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Cookie", cookie)
	r.Header.Set("X-Known", fmt.Sprint(known))
	began := time.Now()
	answer, err := s.client.Do(r)
	s.must(err)
	body, err := io.ReadAll(answer.Body)
	took := time.Since(began)
	s.must(err)
	s.must(answer.Body.Close())
	if want := map[bool]int{true: http.StatusUnprocessableEntity, false: http.StatusSeeOther}[path == "/signin"]; answer.StatusCode != want {
		s.Fatalf("%s: status %d, want %d\n%s", path, answer.StatusCode, want, body)
	}
	return took
}
