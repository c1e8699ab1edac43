package api_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
)

// TestIdempotency: a POST with a key is done once, and answered alike to whoever asks
// again, and to nobody else.
func TestIdempotency(t *testing.T) {
	w := newWorld(t)
	body := `{"username": "ada", "name": "Ada"}`
	first := w.want(w.call(w.rootKey, http.MethodPost, "/users", body, "Idempotency-Key", "key-1"), http.StatusCreated, "")
	again := w.want(w.call(w.rootKey, http.MethodPost, "/users", body, "Idempotency-Key", "key-1"), http.StatusCreated, "")
	if again.raw != first.raw || again.header.Get("Location") != first.header.Get("Location") || again.header.Get("ETag") != first.header.Get("ETag") ||
		again.header.Get("Idempotent-Replayed") != "true" || first.header.Get("Idempotent-Replayed") != "" {
		t.Errorf("first %s %v, again %s %v", first.raw, first.header, again.raw, again.header)
	}
	if again.header.Get("X-Request-Id") == first.header.Get("X-Request-Id") {
		t.Error("the replay has the request id of the first")
	}
	w.want(w.call(w.rootKey, http.MethodPost, "/users", `{"username": "eve"}`, "Idempotency-Key", "key-1"), http.StatusUnprocessableEntity, "idempotency-mismatch")
	w.want(w.call(w.rootKey, http.MethodPost, "/invitations", body, "Idempotency-Key", "key-1"), http.StatusUnprocessableEntity, "idempotency-mismatch")
	// A refusal is an answer too.
	for range 2 {
		w.want(w.call(w.rootKey, http.MethodPost, "/users", body, "Idempotency-Key", "key-2"), http.StatusConflict, "conflict")
	}
	// Keys are everybody's own.
	other := w.operator("other", accounts.AdminUsersWrite)
	a := w.want(w.call(other, http.MethodPost, "/users", `{"username": "grace"}`, "Idempotency-Key", "key-1"), http.StatusCreated, "")
	if a.header.Get("Idempotent-Replayed") != "" || a.str("username") != "grace" {
		t.Errorf("somebody else's key: %s", a.raw)
	}
	for _, key := range []string{"", strings.Repeat("k", 256), "a\tb", "ä"} {
		w.want(w.call(w.rootKey, http.MethodPost, "/users", `{"username": "x"}`, "Idempotency-Key", key), http.StatusBadRequest, "bad-idempotency-key")
	}
	w.want(w.call(w.rootKey, http.MethodPost, "/users", `{"username": "`+strings.Repeat("x", 70<<10)+`"}`, "Idempotency-Key", "key-3"), http.StatusRequestEntityTooLarge, "too-large")

	// What is kept is no use to who reads the database, and gone after a day.
	link := w.want(w.call(w.rootKey, http.MethodPost, user(w.root, "sign-in-link"), nil, "Idempotency-Key", "key-4"), http.StatusCreated, "")
	kept := w.kept()
	if kept == nil || bytes.Contains(kept.Answer, []byte("http")) {
		t.Errorf("kept %v", kept)
	}
	replayed := w.call(w.rootKey, http.MethodPost, user(w.root, "sign-in-link"), nil, "Idempotency-Key", "key-4")
	if link.str("link") == "" || replayed.str("link") != link.str("link") {
		t.Errorf("link %s, again %s", link.raw, replayed.raw)
	}
	w.advance(25 * time.Hour)
	root := w.bearer(w.root)
	fresh := w.want(w.call(root, http.MethodPost, user(w.root, "sign-in-link"), nil, "Idempotency-Key", "key-4"), http.StatusCreated, "")
	if fresh.str("link") == link.str("link") {
		t.Error("an answer was kept for more than a day")
	}
}

// spy remembers claims, and fails to keep answers when it is told to.
type spy struct {
	admin.AnswerStore
	mu     sync.Mutex
	claims []admin.Claim
	broken bool
}

func (s *spy) ClaimKey(ctx context.Context, c admin.Claim) (*admin.Kept, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.claims = append(s.claims, c)
	return s.AnswerStore.ClaimKey(ctx, c)
}

func (s *spy) KeepAnswer(ctx context.Context, c admin.Claim, sealed []byte) error {
	if s.broken {
		return errors.New("broken")
	}
	return s.AnswerStore.KeepAnswer(ctx, c, sealed)
}

// kept is what the database has of the last key that was used.
func (w *world) kept() *admin.Kept {
	w.Helper()
	w.answers.mu.Lock()
	defer w.answers.mu.Unlock()
	last := w.answers.claims[len(w.answers.claims)-1]
	kept, err := w.db.ClaimKey(w.Context(), last)
	w.must(err)
	return kept
}

// TestIdempotencyRace: of many at once with one key, one is done.
func TestIdempotencyRace(t *testing.T) {
	w := newWorld(t)
	const many = 8
	answers := make([]answer, many)
	var all sync.WaitGroup
	for i := range many {
		all.Go(func() {
			answers[i] = w.call(w.rootKey, http.MethodPost, "/users", `{"username": "once"}`, "Idempotency-Key", "race")
		})
	}
	all.Wait()
	done := 0
	for _, a := range answers {
		switch {
		case a.status == http.StatusCreated && a.header.Get("Idempotent-Replayed") == "":
			done++
		case a.status == http.StatusCreated, a.problem() == "idempotency-in-progress":
		default:
			t.Errorf("answered %d %s", a.status, a.raw)
		}
	}
	if done != 1 {
		t.Errorf("done %d times", done)
	}
	w.want(w.call(w.rootKey, http.MethodPost, "/users", `{"username": "once"}`, "Idempotency-Key", "race"), http.StatusCreated, "")
}

// TestIdempotencyCutOff: when nobody knows whether the first was done, the caller is
// told so, and it is not done again.
func TestIdempotencyCutOff(t *testing.T) {
	w := newWorld(t)
	w.answers.broken = true
	w.want(w.call(w.rootKey, http.MethodPost, "/users", `{"username": "ada"}`, "Idempotency-Key", "k"), http.StatusCreated, "")
	w.want(w.call(w.rootKey, http.MethodPost, "/users", `{"username": "ada"}`, "Idempotency-Key", "k"), http.StatusConflict, "idempotency-in-progress")
	w.advance(3 * time.Minute)
	w.want(w.call(w.rootKey, http.MethodPost, "/users", `{"username": "ada"}`, "Idempotency-Key", "k"), http.StatusConflict, "idempotency-unknown")
}

// TestFaults: what fails inside shows nothing of it, can be tried again, and leaves no
// answer under its key.
func TestFaults(t *testing.T) {
	w := newWorld(t)
	pages := w.admin.UserPages
	w.admin.UserPages = brokenPages{}
	a := w.want(w.call(w.rootKey, http.MethodGet, "/users", nil), http.StatusServiceUnavailable, "unavailable")
	if strings.Contains(a.raw, "secret of the inside") || a.header.Get("Retry-After") == "" || !strings.Contains(w.log.String(), "secret of the inside") {
		t.Errorf("answered %s, log %s", a.raw, w.log.String())
	}
	w.admin.UserPages = panicPages{}
	a = w.want(w.call(w.rootKey, http.MethodGet, "/users", nil), http.StatusInternalServerError, "server-error")
	if strings.Contains(a.raw, "secret of the inside") || a.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("answered %s", a.raw)
	}
	w.admin.UserPages = pages
	users := w.admin.Users.Store
	w.admin.Users.Store = brokenUsers{users}
	w.want(w.call(w.rootKey, http.MethodPost, "/users", `{"username": "ada"}`, "Idempotency-Key", "k"), http.StatusServiceUnavailable, "unavailable")
	w.admin.Users.Store = users
	w.want(w.call(w.rootKey, http.MethodPost, "/users", `{"username": "ada"}`, "Idempotency-Key", "k"), http.StatusCreated, "")
}

type brokenPages struct{}

func (brokenPages) UserPage(context.Context, admin.UserQuery, admin.UserPosition, int) ([]accounts.User, *admin.UserPosition, error) {
	return nil, nil, fmt.Errorf("secret of the inside")
}

type panicPages struct{}

func (panicPages) UserPage(context.Context, admin.UserQuery, admin.UserPosition, int) ([]accounts.User, *admin.UserPosition, error) {
	panic("secret of the inside")
}

type brokenUsers struct{ accounts.UserStore }

func (brokenUsers) InsertUser(context.Context, *accounts.User) error {
	return errors.New("no database")
}
