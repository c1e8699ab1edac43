package keys

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/gatehouse-id/gatehouse/internal/audit"
)

// The algorithms, as RFC 7518 §3.1 and RFC 8037 §3.1 name them.
const (
	RS256 = "RS256"
	ES256 = "ES256"
	EdDSA = "EdDSA"
	PS256 = "PS256"
)

// Algorithms lists the algorithms in the order of the JWKS document. RS256 leads,
// because clients that look at no kid take the first key, and RS256 is what their
// ID tokens are signed with.
func Algorithms() []string { return []string{RS256, ES256, EdDSA, PS256} }

// State is what a key may be used for.
type State string

// The states, in the order in which a key passes them.
const (
	Next     State = "next"     // published, does not sign yet
	Active   State = "active"   // signs and verifies
	Retiring State = "retiring" // verifies only; the private half is erased
	Gone     State = "gone"     // neither; kept as a trace
)

// Record is a key as it is stored. Times are Unix milliseconds, zero if the key
// has not come there.
type Record struct {
	KID       string
	Algorithm string
	State     State
	Sealed    []byte // PKCS#8, sealed; empty from Retiring on
	Public    []byte // JWK (RFC 7517)

	CreatedAt   int64
	PublishedAt int64
	ActivatedAt int64
	RetiredAt   int64
	GoneAt      int64
}

// Sort puts keys in the order of algorithms, states and their making. The two keys of a
// first pair are of one moment: only their states tell which is which.
func Sort(records []Record) {
	states := []State{Next, Active, Retiring, Gone}
	slices.SortFunc(records, func(x, y Record) int {
		return cmp.Or(
			cmp.Compare(slices.Index(Algorithms(), x.Algorithm), slices.Index(Algorithms(), y.Algorithm)),
			cmp.Compare(slices.Index(states, x.State), slices.Index(states, y.State)),
			cmp.Compare(x.CreatedAt, y.CreatedAt), cmp.Compare(x.KID, y.KID),
		)
	})
}

// Change is one step of one key.
type Change struct {
	KID       string `json:"kid"`
	Algorithm string `json:"algorithm"`
	From      State  `json:"from,omitempty"` // empty for a new key
	To        State  `json:"to"`
}

// Source is what a Ring reads.
type Source interface {
	// Keys returns all keys and the change counter of the same snapshot. The
	// counter moves with every change of keys.
	Keys(ctx context.Context) ([]Record, int64, error)
	// Change returns the counter alone.
	Change(ctx context.Context) (int64, error)
}

// Store is what a Keeper writes to.
type Store interface {
	Keys(ctx context.Context) ([]Record, int64, error)
	InTx(ctx context.Context, f func(ctx context.Context) error) error
	// LockKeys makes other writers of keys wait, on all nodes, until the
	// transaction ends. What Keys returns after it is the newest there is.
	LockKeys(ctx context.Context) error
	// InsertKey and UpdateKey move the change counter.
	InsertKey(ctx context.Context, r Record) error
	UpdateKey(ctx context.Context, r Record) error
	WriteAudit(ctx context.Context, e audit.Event) error
}

var (
	// ErrCannotOpen says that a private key does not open under the secret.
	ErrCannotOpen = errors.New("signing key cannot be opened")
	// ErrDamaged says that a stored key contradicts itself.
	ErrDamaged = errors.New("stored signing key is damaged")
	// ErrNoKey says that an algorithm has no active key.
	ErrNoKey = errors.New("no active signing key")
	// ErrUnknownAlgorithm says that an algorithm is not one of Algorithms.
	ErrUnknownAlgorithm = errors.New("unknown signing algorithm")
	// ErrUnknownKey says that no key has the given kid.
	ErrUnknownKey = errors.New("unknown signing key")
	// ErrNextTooYoung says that the next key was published so lately that caches
	// of the JWKS may not have it: tokens that it signs would be refused.
	ErrNextTooYoung = errors.New("the next signing key is too young")
)
