package keys_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/provider/keys"
)

// memory is a Store with transactions: what one does shows when it has ended well,
// and LockKeys keeps others out until then.
type memory struct {
	writers sync.Mutex

	mu       sync.Mutex
	records  []keys.Record
	change   int64
	events   []audit.Event
	reads    int
	failNext error
}

type tx struct {
	locked  bool
	records []keys.Record
	change  int64
	events  []audit.Event
	steps   []string
}

type txKey struct{}

func txOf(ctx context.Context) *tx {
	t, _ := ctx.Value(txKey{}).(*tx)
	return t
}

var errNoTx = errors.New("written outside a locked transaction")

func (m *memory) Keys(ctx context.Context) ([]keys.Record, int64, error) {
	if t := txOf(ctx); t != nil {
		return slices.Clone(t.records), t.change, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	if m.failNext != nil {
		err := m.failNext
		m.failNext = nil
		return nil, 0, err
	}
	return slices.Clone(m.records), m.change, nil
}

func (m *memory) Change(context.Context) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.change, nil
}

func (m *memory) InTx(ctx context.Context, f func(ctx context.Context) error) error {
	t := &tx{}
	err := f(context.WithValue(ctx, txKey{}, t))
	if !t.locked {
		return errors.Join(err, errors.New("the lock was not taken"))
	}
	defer m.writers.Unlock()
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.records, m.change = t.records, t.change
	m.events = append(m.events, t.events...)
	return nil
}

func (m *memory) LockKeys(ctx context.Context) error {
	t := txOf(ctx)
	if t == nil {
		return errNoTx
	}
	m.writers.Lock()
	t.locked = true
	m.mu.Lock()
	defer m.mu.Unlock()
	t.records, t.change = slices.Clone(m.records), m.change
	return nil
}

func (m *memory) InsertKey(ctx context.Context, r keys.Record) error {
	t := txOf(ctx)
	if t == nil || !t.locked {
		return errNoTx
	}
	if i := slices.IndexFunc(t.records, func(o keys.Record) bool { return o.KID == r.KID }); i >= 0 {
		return errors.New("kid exists")
	}
	t.records = append(t.records, r)
	t.change++
	t.steps = append(t.steps, "insert")
	return oneActive(t.records)
}

func (m *memory) UpdateKey(ctx context.Context, r keys.Record) error {
	t := txOf(ctx)
	if t == nil || !t.locked {
		return errNoTx
	}
	i := slices.IndexFunc(t.records, func(o keys.Record) bool { return o.KID == r.KID })
	if i < 0 {
		return errors.New("no such key")
	}
	t.records[i] = r
	t.change++
	t.steps = append(t.steps, "update")
	return oneActive(t.records)
}

// oneActive is the unique index that SQL may put on active keys.
func oneActive(records []keys.Record) error {
	seen := map[string]bool{}
	for _, r := range records {
		if r.State == keys.Active && seen[r.Algorithm] {
			return errors.New("two active keys of " + r.Algorithm)
		}
		seen[r.Algorithm] = seen[r.Algorithm] || r.State == keys.Active
	}
	return nil
}

func (m *memory) WriteAudit(ctx context.Context, e audit.Event) error {
	t := txOf(ctx)
	if t == nil || !t.locked {
		return errNoTx
	}
	if len(t.steps) > 0 {
		return errors.New("the log is written after the counter was taken")
	}
	t.events = append(t.events, e)
	return nil
}

func (m *memory) snapshot() []keys.Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.records)
}

// in returns the records of an algorithm in a state.
func (m *memory) in(algorithm string, state keys.State) []keys.Record {
	return slices.DeleteFunc(m.snapshot(), func(r keys.Record) bool {
		return r.Algorithm != algorithm || r.State != state
	})
}

func (m *memory) one(t testing.TB, algorithm string, state keys.State) keys.Record {
	t.Helper()
	found := m.in(algorithm, state)
	if len(found) != 1 {
		t.Fatalf("%d %s keys of %s", len(found), state, algorithm)
	}
	return found[0]
}

// edit changes stored keys behind everybody's back.
func (m *memory) edit(f func(records []keys.Record) []keys.Record) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.records = f(slices.Clone(m.records))
	m.change++
}

type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

var actor = audit.Actor{Kind: audit.System, ID: "test"}

func newKeyring(t testing.TB, name string) *secret.Keyring {
	t.Helper()
	k, err := secret.NewKeyring(secret.Text(strings.Repeat(name, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// house is a store with its first keys, a keeper and a clock.
type house struct {
	*memory
	*clock
	keyring *secret.Keyring
	keeper  *keys.Keeper
	ring    *keys.Ring
	revoked []string
}

func newHouse(t testing.TB) *house {
	t.Helper()
	first, err := firstKeys()
	if err != nil {
		t.Fatal(err)
	}
	h := emptyHouse(t)
	h.records, h.change = slices.Clone(first), int64(len(first))
	return h
}

// firstKeys are made once: RSA takes its time.
var firstKeys = sync.OnceValues(func() ([]keys.Record, error) {
	keyring, err := secret.NewKeyring(secret.Text(strings.Repeat("s", 32)))
	if err != nil {
		return nil, err
	}
	m := &memory{}
	k := &keys.Keeper{Store: m, Keyring: keyring, Now: func() time.Time { return noon }}
	err = k.Ensure(context.Background(), actor)
	return m.records, err
})

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func emptyHouse(t testing.TB) *house {
	t.Helper()
	h := &house{
		memory:  &memory{},
		clock:   &clock{at: noon},
		keyring: newKeyring(t, "s"),
	}
	h.keeper = &keys.Keeper{
		Store: h.memory, Keyring: h.keyring, Now: h.now,
		Revoke: func(ctx context.Context, kid, reason string) error {
			if x := txOf(ctx); x == nil || !x.locked {
				return errNoTx
			}
			h.revoked = append(h.revoked, kid+" "+reason)
			return nil
		},
	}
	h.ring = keys.NewRing(h.memory, h.keyring)
	return h
}

func (h *house) set(t testing.TB) *keys.Set {
	t.Helper()
	s, err := h.ring.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}
