package statuslist

import (
	"context"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/gatehouse-id/gatehouse/provider/keys"
	"github.com/gatehouse-id/gatehouse/resource/revset"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// TTL is how long a verifier may go without a fresh list unless told otherwise.
const TTL = 30 * time.Second

// PathLists is the path of the aggregation, relative to the issuer (section 9 of
// the draft). A list is at this path, a slash, and its name.
const PathLists = "/status"

// Store keeps lists and entries.
type Store interface {
	// TakeStatusIndexes reserves n indexes that follow one another, in a list of
	// the audience and algorithm that has room for them, which it makes if there
	// is none. It returns the first. n divides Size.
	TakeStatusIndexes(ctx context.Context, audience, algorithm string, n int) (Place, error)
	// InsertStatusEntry writes durably. accounts.ErrNotFound if the list is gone,
	// accounts.ErrConflict if the place is taken.
	InsertStatusEntry(ctx context.Context, e Entry) error
	// StatusList finds a list, or accounts.ErrNotFound.
	StatusList(ctx context.Context, number int64) (List, error)
	// StatusEntries returns entries of tokens that lived at a time (Unix
	// milliseconds), in the order of their index, from one index on.
	StatusEntries(ctx context.Context, number, from, now int64, limit int) ([]Entry, error)
	// StatusLists returns the numbers of lists, at most so many.
	StatusLists(ctx context.Context, limit int) ([]int64, error)
}

// Ledger answers from memory what was revoked; *revocation.Tail is one.
type Ledger interface {
	Point(ctx context.Context) (revocation.Point, error)
	Query(k revocation.Keys) revset.Query
	Revoked(ctx context.Context, q *revset.Query, k func() revocation.Keys) (bool, error)
}

// Lists gives tokens their places and serves the lists. Its exported fields are
// its dependencies. It is safe for concurrent use.
type Lists struct {
	Issuer *url.URL // without a trailing slash
	Store  Store
	Ledger Ledger
	Keys   *keys.Ring
	Log    *slog.Logger
	Now    func() time.Time
	// TTL is how long a list may be kept; zero means the constant TTL.
	TTL time.Duration

	flight singleflight.Group

	mu     sync.Mutex
	blocks map[use]*block
	made   map[int64]*document
}

func (l *Lists) ttl() time.Duration {
	if l.TTL > 0 {
		return l.TTL
	}
	return TTL
}

// AggregationURL is where the URIs of all lists are found (section 9 of the draft).
func (l *Lists) AggregationURL() string { return l.Issuer.String() + PathLists }

func (l *Lists) uri(number int64) string { return l.AggregationURL() + "/" + name(number) }
