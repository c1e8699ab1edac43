package feed

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/resource/revset"
	"github.com/gatehouse-id/gatehouse/revocation"
)

const (
	audienceA = "https://a.example"
	audienceB = "https://b.example"
	// farAway is when the rows of tests expire, in milliseconds.
	farAway = 1_900_000_000_000
)

// ledger stands for a Tail and its database.
type ledger struct {
	now func() time.Time

	mu       sync.Mutex
	rows     []revocation.Row // what the database has
	kept     int64            // above it rows are in memory
	point    revocation.Point
	primary  revocation.Point // ahead of point while this node lags
	stale    bool
	changed  chan struct{}
	dead     map[string]bool // ids of revoked tokens
	asked    []int64         // positions of which evidence was presented
	refuted  map[int64]error
	foreign  map[int64]bool // positions that the primary does not show
	reads    int
	hold     chan struct{} // reads wait for it, if it is set
	failRead error
}

func newLedger(now func() time.Time) *ledger {
	l := &ledger{now: now, changed: make(chan struct{}), dead: map[string]bool{}, refuted: map[int64]error{}}
	l.point = revocation.Point{Timeline: strings.Repeat("t", 32), Confirmed: now()}
	l.primary = l.point
	return l
}

// commit appends rows in one transaction and takes them in.
func (l *ledger) commit(rows ...revocation.Row) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.append(rows...)
	l.takeIn()
}

func (l *ledger) append(rows ...revocation.Row) {
	for _, r := range rows {
		l.primary.Position++
		r.Position = l.primary.Position
		if r.ExpiresAt == 0 {
			r.ExpiresAt = farAway
		}
		l.rows = append(l.rows, r)
	}
	sum := sha256.Sum256(fmt.Append(l.primary.Chain, rows))
	l.primary.Chain = sum[:]
}

func (l *ledger) takeIn() {
	l.point = l.primary
	l.point.Confirmed = l.now()
	close(l.changed)
	l.changed = make(chan struct{})
}

// confirm is a look that finds nothing new.
func (l *ledger) confirm() { l.commitNothing(func() {}) }

func (l *ledger) commitNothing(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
	l.takeIn()
}

func (l *ledger) Last() revocation.Point {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.point
}

func (l *ledger) Point(context.Context) (revocation.Point, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stale {
		return revocation.Point{}, revocation.ErrStale
	}
	l.point.Confirmed = l.now()
	return l.point, nil
}

func (l *ledger) Changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

func (l *ledger) Since(position int64) ([]revocation.Row, revocation.Point, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if position < l.kept {
		return nil, l.point, false
	}
	return l.above(position, l.point.Position), l.point, true
}

// above relies on positions without gaps.
func (l *ledger) above(position, upTo int64) []revocation.Row {
	n := int64(len(l.rows))
	return l.rows[min(position, n):max(min(position, n), min(upTo, n))]
}

func (l *ledger) Revoked(_ context.Context, _ *revset.Query, k func() revocation.Keys) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stale {
		return false, revocation.ErrStale
	}
	return l.dead[k().ID], nil
}

func (l *ledger) Evidence(_ context.Context, position int64, chain []byte) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = append(l.asked, position)
	if err := l.refuted[position]; err != nil {
		return false, err
	}
	l.takeIn()
	return !l.foreign[position], nil
}

func (l *ledger) After(ctx context.Context, position int64, limit int) ([]revocation.Row, error) {
	l.mu.Lock()
	hold := l.hold
	l.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reads++
	if l.failRead != nil && position > 0 {
		return nil, l.failRead
	}
	rows := l.above(position, 1<<62)
	return rows[:min(limit, len(rows))], nil
}

func (l *ledger) evidence() []int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]int64(nil), l.asked...)
}

func row(kind revocation.Kind, key, audience string) revocation.Row {
	return revocation.Row{Kind: kind, Key: key, Audience: audience}
}

// bearer takes the name of a client for its token: "client audience token-id".
type bearer struct {
	now     func() time.Time
	expires time.Duration
}

func (b bearer) Follower(w http.ResponseWriter, r *http.Request) (*Follower, bool) {
	parts := strings.Fields(r.Header.Get("Authorization"))
	if len(parts) != 4 || parts[0] != "Bearer" {
		w.Header().Set("WWW-Authenticate", "Bearer")
		w.WriteHeader(http.StatusUnauthorized)
		return nil, false
	}
	life := b.expires
	if life == 0 {
		life = time.Hour
	}
	return &Follower{
		ClientID: parts[1], Audience: parts[2], ExpiresAt: b.now().Add(life),
		Keys: func() revocation.Keys { return revocation.Keys{ID: parts[3]} },
	}, true
}

// reportsKept is a FollowerStore.
type reportsKept struct {
	mu   sync.Mutex
	fail error
	got  [][]Applied
}

func (s *reportsKept) WriteReports(_ context.Context, list []Applied) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	s.got = append(s.got, list)
	return nil
}

func ring(t testing.TB, secrets ...string) *secret.Keyring {
	t.Helper()
	var texts []secret.Text
	for _, s := range append(secrets, "a secret for tests that is long enough") {
		texts = append(texts, secret.Text(s))
	}
	k, err := secret.NewKeyring(texts...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func mustURL(t testing.TB, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
