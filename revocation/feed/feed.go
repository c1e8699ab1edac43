package feed

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/resource/revset"
	"github.com/gatehouse-id/gatehouse/resource/wire"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// Ledger is this node's picture of the ledger; *revocation.Tail is one.
type Ledger interface {
	Last() revocation.Point
	Point(ctx context.Context) (revocation.Point, error)
	Changed() <-chan struct{}
	Since(position int64) ([]revocation.Row, revocation.Point, bool)
	Revoked(ctx context.Context, q *revset.Query, k func() revocation.Keys) (bool, error)
	// Evidence reports whether the primary shows a position with that hash.
	Evidence(ctx context.Context, position int64, chain []byte) (bool, error)
}

var _ Ledger = (*revocation.Tail)(nil)

// Rows reads the ledger from the primary database.
type Rows interface {
	// After returns at most limit rows above a position, in order.
	After(ctx context.Context, position int64, limit int) ([]revocation.Row, error)
}

// Follower is who may follow, proven by an access token.
type Follower struct {
	ClientID  string
	Audience  string // what its API is called; decides what it is told (L3)
	ExpiresAt time.Time
	// Query and Keys are the token's own: the stream ends when it is revoked (L16).
	Query revset.Query
	Keys  func() revocation.Keys
}

// Authorizer proves who asks. If it returns false, it has answered (RFC 6750 §3).
type Authorizer interface {
	Follower(w http.ResponseWriter, r *http.Request) (*Follower, bool)
}

// Limits bound what followers can make this node hold. Zero values mean the
// defaults.
type Limits struct {
	Streams          int           // open streams; 20,000
	StreamsPerClient int           // of them, of one client; 12,000
	Snapshots        int           // snapshots that read the database at once, of one client one less; 4
	SnapshotQueue    int           // snapshots that wait for their turn, half of them of one client; 256
	SnapshotWait     time.Duration // for how long; 5 s
	SnapshotTime     time.Duration // in which a snapshot must be read; 5 min
	Instances        int           // instances of one client that report; as many as StreamsPerClient
	DrainFor         time.Duration // over which streams are ended at shutdown; 3 s
	BlockedFor       time.Duration // how long a follower may refuse to read before it is dropped; 10 s
}

func (l Limits) withDefaults() Limits {
	number := func(n *int, otherwise int) {
		if *n == 0 {
			*n = otherwise
		}
	}
	span := func(d *time.Duration, otherwise time.Duration) {
		if *d == 0 {
			*d = otherwise
		}
	}
	number(&l.Streams, 20_000)
	number(&l.StreamsPerClient, 12_000)
	number(&l.Snapshots, 4)
	number(&l.SnapshotQueue, 256)
	span(&l.SnapshotWait, 5*time.Second)
	span(&l.SnapshotTime, 5*time.Minute)
	number(&l.Instances, l.StreamsPerClient)
	span(&l.DrainFor, 3*time.Second)
	span(&l.BlockedFor, 10*time.Second)
	return l
}

// Handler serves the feed. Its fields must not change after Mount; Run must run
// while it serves.
type Handler struct {
	Ledger    Ledger
	Rows      Rows
	Auth      Authorizer
	Followers FollowerStore
	Keyring   *secret.Keyring
	Issuer    *url.URL
	Now       func() time.Time
	Log       *slog.Logger
	Limits    Limits

	begin   sync.Once
	hub     *hub
	turns   *turns
	proofs  *proofs
	reports *reports
	crowded seldom
}

func (h *Handler) init() {
	h.begin.Do(func() {
		h.Limits = h.Limits.withDefaults()
		h.hub = newHub(h.Limits)
		h.turns = newTurns(h.Limits)
		h.proofs = newProofs()
		h.reports = newReports(h.Limits.Instances)
	})
}

// Mount adds the routes of the feed below the issuer's path.
func (h *Handler) Mount(router *mux.Router) {
	h.init()
	router.HandleFunc(h.Issuer.Path+wire.PathSnapshot, h.snapshot)
	router.HandleFunc(h.Issuer.Path+wire.PathStream, h.stream)
	router.HandleFunc(h.Issuer.Path+wire.PathPosition, h.position)
}

// Run makes the frames of all streams and writes down what followers report,
// until ctx ends. It returns nil.
func (h *Handler) Run(ctx context.Context) error {
	h.init()
	var workers sync.WaitGroup
	workers.Go(func() { h.cut(ctx) })
	workers.Go(func() { h.writeReports(ctx) })
	workers.Wait()
	return nil
}

// Drain ends all streams, each between two frames, spread over some seconds so
// that they do not all come back to the other nodes at once, and lets no new one
// begin. It returns when all have ended or cannot any more.
func (h *Handler) Drain() {
	h.init()
	h.hub.drain(h.Limits.DrainFor + h.Limits.BlockedFor)
}

// allowed answers requests with other methods.
func allowed(w http.ResponseWriter, r *http.Request, methods ...string) bool {
	list := ""
	for _, m := range methods {
		if r.Method == m {
			return true
		}
		if list != "" {
			list += ", "
		}
		list += m
	}
	w.Header().Set("Allow", list)
	refuse(w, r, http.StatusMethodNotAllowed, "invalid_request", "Only "+list+" is allowed here")
	return false
}

// refuse answers with an error in the form of RFC 6749 §5.2.
func refuse(w http.ResponseWriter, r *http.Request, status int, code, description string) {
	web.Event(r.Context()).Error = code
	web.NoStore(w)
	web.WriteJSON(w, status, map[string]string{"error": code, "error_description": description})
}

// busy asks to come back in some seconds, not everybody in the same one.
func busy(w http.ResponseWriter, r *http.Request, cause error) {
	web.Event(r.Context()).Cause = cause
	w.Header().Set("Retry-After", strconv.Itoa(1+rand.IntN(5)))
	refuse(w, r, http.StatusServiceUnavailable, "temporarily_unavailable", "The feed cannot answer at the moment; try again shortly")
}

// authorized proves who asks and notes it in the request's event.
func (h *Handler) authorized(w http.ResponseWriter, r *http.Request) (*Follower, bool) {
	f, ok := h.Auth.Follower(w, r)
	if ok {
		web.Event(r.Context()).ClientID = f.ClientID
	}
	return f, ok
}
