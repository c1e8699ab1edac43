package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humamux"

	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/web"
)

const (
	keyAnswer = "admin answer"
	keyHeader = "Idempotency-Key"
	maxKey    = 255
	// answerLife is how long the answer to a key is kept.
	answerLife = 24 * time.Hour
	// answerWait is longer than any request takes: a claim without an answer after it
	// belongs to one that was cut off.
	answerWait = 2 * time.Minute
	maxAnswer  = 1 << 20
)

var (
	errKey        = errors.New("the Idempotency-Key must be 1 to 255 printable ASCII characters, once")
	errInProgress = errors.New("a request with this Idempotency-Key is being done; try again in a moment")
	errUnfinished = errors.New("a request with this Idempotency-Key was cut off, and may have been done or not: look, then use another key")
	errMismatch   = errors.New("this Idempotency-Key was used for another request")
)

// keyParameter describes the header.
func keyParameter() *huma.Param {
	longest := maxKey
	return &huma.Param{
		Name: keyHeader, In: "header", Schema: &huma.Schema{Type: huma.TypeString, MaxLength: &longest},
		Description: "Does the request once, however often it is sent with the same key within 24 hours; all get the same answer.",
	}
}

// answer is what was answered to a request.
type answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// once does a request with an Idempotency-Key once, and gives the same answer to all
// that follow it. Answers may hold secrets, so they are sealed.
func (s *surface) once(rt Route) func(huma.Context, func(huma.Context)) {
	return func(hc huma.Context, next func(huma.Context)) {
		r, w := humamux.Unwrap(hc)
		keys := r.Header.Values(keyHeader)
		if len(keys) == 0 {
			next(hc)
			return
		}
		claim, body, err := s.claim(w, r, rt, callOf(hc.Context()), keys)
		if err != nil {
			s.write(w, r, err)
			return
		}
		kept, err := s.Answers.ClaimKey(r.Context(), claim)
		if err != nil {
			s.write(w, r, err)
			return
		}
		if kept != nil {
			s.replay(w, r, claim, kept)
			return
		}
		// A client that goes away must not leave the claim without its answer.
		ctx := context.WithoutCancel(hc.Context())
		inner := r.WithContext(ctx)
		inner.Body = io.NopCloser(bytes.NewReader(body))
		recorded := &recorder{header: http.Header{}}
		next(huma.WithContext(humamux.NewContext(hc.Operation(), inner, recorded), ctx))
		s.settle(ctx, claim, recorded)
		for name, values := range recorded.header {
			w.Header()[name] = values
		}
		w.WriteHeader(recorded.status)
		_, _ = w.Write(recorded.body.Bytes())
	}
}

// claim reads the key and the body; what is asked is all of the request that counts.
func (s *surface) claim(w http.ResponseWriter, r *http.Request, rt Route, asked *call, keys []string) (admin.Claim, []byte, error) {
	key := keys[0]
	if len(keys) > 1 || key == "" || len(key) > maxKey || strings.ContainsFunc(key, func(c rune) bool { return c < ' ' || c >= 0x7f }) {
		return admin.Claim{}, nil, errKey
	}
	limit := rt.MaxBody
	if limit == 0 {
		limit = maxBody
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return admin.Claim{}, nil, &refused{s.problem(http.StatusRequestEntityTooLarge, "too-large", "The body is too large"), nil}
	}
	if err != nil {
		return admin.Claim{}, nil, &refused{s.problem(http.StatusBadRequest, "bad-request", "The body cannot be read"), nil}
	}
	now := s.Now()
	return admin.Claim{
		ID:      digest(asked.caller.Actor.Kind, asked.caller.Actor.ID, asked.caller.ClientID, key),
		Request: digest(r.Method, asked.path, asked.query, string(body)),
		At:      now.UnixMilli(), ExpiresAt: now.Add(answerLife).UnixMilli(),
	}, body, nil
}

func digest(parts ...string) []byte {
	b, _ := json.Marshal(parts) // strings alone
	sum := sha256.Sum256(b)
	return sum[:]
}

// replay answers to a key that was used before.
func (s *surface) replay(w http.ResponseWriter, r *http.Request, claim admin.Claim, kept *admin.Kept) {
	if !bytes.Equal(kept.Request, claim.Request) {
		s.write(w, r, errMismatch)
		return
	}
	if kept.Answer == nil {
		err := errInProgress
		if claim.At-kept.At > answerWait.Milliseconds() {
			err = errUnfinished
		}
		s.write(w, r, err)
		return
	}
	var a answer
	plain, err := s.Keyring.Open(keyAnswer, kept.Answer, claim.ID)
	if err == nil {
		err = json.Unmarshal(plain, &a)
	}
	if err != nil {
		s.write(w, r, fmt.Errorf("open a kept answer: %w", err))
		return
	}
	for name, values := range a.Header {
		w.Header()[name] = values
	}
	w.Header().Set("Idempotent-Replayed", "true")
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body)
}

// settle keeps the answer. What failed on our side is not kept: the caller may try
// again with the same key. When keeping fails, the claim stays without an answer, which
// is what callers are then told.
func (s *surface) settle(ctx context.Context, claim admin.Claim, r *recorder) {
	err := s.keep(ctx, claim, r)
	if err != nil {
		s.Log.ErrorContext(ctx, "the answer to an idempotency key was not kept", "request_id", web.RequestID(ctx), "error", err)
	}
}

func (s *surface) keep(ctx context.Context, claim admin.Claim, r *recorder) error {
	if r.status >= http.StatusInternalServerError || r.status == http.StatusTooManyRequests {
		return s.Answers.FreeKey(ctx, claim)
	}
	if r.body.Len() > maxAnswer {
		return errors.New("the answer is too large")
	}
	plain, err := json.Marshal(answer{Status: r.status, Header: r.header, Body: r.body.Bytes()})
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	sealed, err := s.Keyring.Seal(keyAnswer, plain, claim.ID)
	if err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	return s.Answers.KeepAnswer(ctx, claim, sealed)
}

// recorder takes an answer in memory.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (r *recorder) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

// Write implements http.ResponseWriter.
func (r *recorder) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(b)
}
