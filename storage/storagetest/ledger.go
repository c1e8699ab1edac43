package storagetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// Ledger is what the contract of the ledger is about.
type Ledger interface {
	Identity
	accounts.SessionStore
	accounts.SessionLister
	accounts.GrantStore
	BumpChange(ctx context.Context) error
	Purge(ctx context.Context, now int64, batch int) (int, error)
	AppendAllAbove(ctx context.Context, position int64, reason string) error
}

// Revocations is the contract of the ledger. open returns an empty database for
// the test that it is called with. now is the time of its clock, which stands
// still, and life is how long its rows live, both in milliseconds.
func Revocations(t *testing.T, open func(t *testing.T) Ledger, now, life int64) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Ledger){
		"Append":     func(t *testing.T, l Ledger) { ledgerAppend(t, l, now, life) },
		"Block":      ledgerBlock,
		"OutsideTx":  ledgerOutsideTx,
		"BadEntries": ledgerBadEntries,
		"Rollback":   ledgerRollback,
		"Stamps":     ledgerStamps,
		"Revoked":    ledgerRevoked,
		"Purge":      func(t *testing.T, l Ledger) { ledgerPurge(t, l, now, life) },
		"AllAbove":   ledgerAllAbove,
		"Writers":    ledgerWriters,
		"Snapshot":   ledgerSnapshot,
		"Deadlocks":  ledgerDeadlocks,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// appendRows appends in a transaction of its own.
func appendRows(t testing.TB, l Ledger, entries ...revocation.Entry) {
	t.Helper()
	must(t, l.InTx(t.Context(), func(ctx context.Context) error { return l.Append(ctx, entries...) }))
}

func head(t testing.TB, l Ledger) revocation.Head {
	t.Helper()
	h, err := l.Head(t.Context())
	must(t, err)
	return h
}

func rowsAfter(t testing.TB, l Ledger, position int64) []revocation.Row {
	t.Helper()
	rows, err := l.After(t.Context(), position, 10_000)
	must(t, err)
	return rows
}

func ledgerAppend(t *testing.T, l Ledger, now, life int64) {
	ban := revocation.Entry{Kind: revocation.User, Key: "sub", Reason: "ban"}
	token := revocation.Entry{Kind: revocation.Token, Key: "jti", Reason: "revoked", Audience: "https://a.example", ExpiresAt: 77}
	must(t, l.InTx(t.Context(), func(ctx context.Context) error {
		must(t, l.Append(ctx, ban))
		return l.InTx(ctx, func(ctx context.Context) error { // joins
			again := ban
			again.Reason = "another reason"
			return l.Append(ctx, token, again)
		})
	}))
	appendRows(t, l)
	must(t, l.BumpChange(t.Context()))
	appendRows(t, l, ban)
	want := []revocation.Row{
		{Position: 1, Kind: revocation.User, Key: "sub", Reason: "ban", At: now, ExpiresAt: now + life},
		{Position: 2, Kind: revocation.Token, Key: "jti", Audience: "https://a.example", Reason: "revoked", At: now, ExpiresAt: 77},
		{Position: 3, Kind: revocation.User, Key: "sub", Reason: "ban", At: now, ExpiresAt: now + life},
	}
	if diff := cmp.Diff(want, rowsAfter(t, l, 0)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want[1:], rowsAfter(t, l, 1)); diff != "" {
		t.Error(diff)
	}
	limited, err := l.After(t.Context(), 0, 1)
	must(t, err)
	if diff := cmp.Diff(want[:1], limited); diff != "" {
		t.Error(diff)
	}
	got := head(t, l)
	wantHead := revocation.Head{Position: 3, Change: 1}
	if diff := cmp.Diff(wantHead, got, cmpopts.IgnoreFields(revocation.Head{}, "Timeline", "Hash")); diff != "" {
		t.Error(diff)
	}
	if len(got.Timeline) != 32 {
		t.Errorf("timeline %q", got.Timeline)
	}
}

// ledgerBlock: a bulk cause takes all its positions at once.
func ledgerBlock(t *testing.T, l Ledger) {
	const n = 2500
	entries := make([]revocation.Entry, n)
	for i := range entries {
		entries[i] = revocation.Entry{Kind: revocation.Session, Key: fmt.Sprintf("sid-%04d", i), Reason: "bulk \"x\" ü"}
	}
	appendRows(t, l, revocation.Entry{Kind: revocation.All, Reason: "first"})
	appendRows(t, l, entries...)
	rows := rowsAfter(t, l, 1)
	if len(rows) != n || head(t, l).Position != n+1 {
		t.Fatalf("%d rows, head %+v", len(rows), head(t, l))
	}
	for i, r := range rows {
		if r.Position != int64(i)+2 || r.Key != entries[i].Key || r.Reason != entries[i].Reason {
			t.Fatalf("row %d is %+v", i, r)
		}
	}
}

func ledgerOutsideTx(t *testing.T, l Ledger) {
	wantError(t, l.Append(t.Context(), revocation.Entry{Kind: revocation.All}), revocation.ErrNotInTx)
	wantError(t, l.Stamp(t.Context(), revocation.Stamp{Subject: revocation.UserValidFrom, ID: "x"}), revocation.ErrNotInTx)
	var late context.Context
	must(t, l.InTx(t.Context(), func(ctx context.Context) error { late = ctx; return nil }))
	wantError(t, l.Append(late, revocation.Entry{Kind: revocation.All}), revocation.ErrNotInTx)
	if _, err := l.Head(late); err == nil {
		t.Error("a statement ran in a transaction that is over")
	}
	if err := l.InTx(late, func(context.Context) error { return nil }); err == nil {
		t.Error("a transaction that is over was joined")
	}
}

// ledgerBadEntries: a row that kills nothing, or everybody, by mistake is refused.
func ledgerBadEntries(t *testing.T, l Ledger) {
	must(t, l.InTx(t.Context(), func(ctx context.Context) error {
		for _, e := range []revocation.Entry{
			{Kind: revocation.User}, {Kind: revocation.Session}, {Kind: revocation.Grant}, {Kind: revocation.Token},
			{Kind: revocation.All, Key: "x"}, {Kind: "future", Key: "x"}, {}, {Kind: revocation.User, Key: "a\x00b"},
			{Kind: revocation.User, Key: "a\xff"},
		} {
			if l.Append(ctx, e) == nil {
				t.Errorf("%+v was accepted", e)
			}
		}
		for _, s := range []revocation.Stamp{
			{Subject: "future", ID: "x"}, {Subject: revocation.SessionRev, ID: "x"}, {Subject: revocation.ConsentValidFrom, ID: "x"},
		} {
			if l.Stamp(ctx, s) == nil {
				t.Errorf("%+v was accepted", s)
			}
		}
		return nil
	}))
	if h := head(t, l); h.Position != 0 {
		t.Errorf("head %+v", h)
	}
}

func ledgerRollback(t *testing.T, l Ledger) {
	rollback := errors.New("rollback")
	err := l.InTx(t.Context(), func(ctx context.Context) error {
		must(t, l.InsertUser(ctx, plainUser("x")))
		must(t, l.Append(ctx, revocation.Entry{Kind: revocation.All, Reason: "x"}))
		return l.InTx(ctx, func(context.Context) error { return rollback })
	})
	if err != rollback {
		t.Errorf("error %v", err)
	}
	func() {
		defer func() {
			if recover() != "panic" {
				t.Error("the panic was lost")
			}
		}()
		_ = l.InTx(t.Context(), func(ctx context.Context) error {
			must(t, l.InsertUser(ctx, plainUser("x")))
			must(t, l.Append(ctx, revocation.Entry{Kind: revocation.All, Reason: "x"}))
			panic("panic")
		})
	}()
	ctx, cancel := context.WithCancel(t.Context())
	err = l.InTx(ctx, func(ctx context.Context) error {
		must(t, l.InsertUser(ctx, plainUser("x")))
		must(t, l.Append(ctx, revocation.Entry{Kind: revocation.All, Reason: "x"}))
		cancel()
		return nil
	})
	wantError(t, err, context.Canceled)
	if h := head(t, l); h.Position != 0 || h.Change != 0 {
		t.Errorf("head %+v", h)
	}
	_, err = l.UserBySubject(t.Context(), "sub-x")
	wantError(t, err, accounts.ErrNotFound)
}

// ledgerRevoked: the SQL agrees with revocation.Row.Matches.
func ledgerRevoked(t *testing.T, l Ledger) {
	r := rand.New(rand.NewPCG(1, 2))
	few := []string{"a", "b", "c", "d"}
	pick := func() string { return few[r.IntN(len(few))] }
	for range 40 {
		e := revocation.Entry{Kind: revocation.Kinds()[r.IntN(len(revocation.Kinds()))], Reason: "x"}
		if e.Kind != revocation.All {
			e.Key = pick() + string(e.Kind[0])
		}
		if e.Kind == revocation.All && r.IntN(3) > 0 {
			e.Audience = pick() // else every small rev is dead for that reason alone
		}
		appendRows(t, l, e)
	}
	must(t, l.InTx(t.Context(), func(ctx context.Context) error { // a row that kills nothing
		return l.Stamp(ctx, revocation.Stamp{Subject: revocation.UserValidFrom, ID: "nobody"})
	}))
	rows := rowsAfter(t, l, 0)
	dead := 0
	for range 600 {
		k := revocation.Keys{
			ID: pick() + "t", SessionID: pick() + "s", GrantID: pick() + "g", Subject: pick() + string("um"[r.IntN(2)]),
			ClientID: pick() + "c", KeyID: pick() + "k", Audience: pick(), Rev: r.Int64N(int64(len(rows) + 2)),
		}
		// Most tokens share no key with any row.
		for _, part := range []*string{&k.ID, &k.SessionID, &k.GrantID, &k.Subject, &k.ClientID, &k.KeyID, &k.Audience} {
			switch r.IntN(8) {
			case 0: // as it is
			case 1:
				*part = ""
			default:
				*part = "z"
			}
		}
		for range r.IntN(3) {
			k.Scopes = append(k.Scopes, pick()+string("pz"[r.IntN(2)]))
		}
		want := slices.ContainsFunc(rows, func(r revocation.Row) bool { return r.Matches(k) })
		got, err := l.Revoked(t.Context(), k)
		must(t, err)
		if got != want {
			t.Fatalf("%+v: revoked %v, want %v", k, got, want)
		}
		if want {
			dead++
		}
	}
	if dead < 100 || dead > 500 {
		t.Errorf("%d of 600 are dead: the test says little", dead)
	}
}

// ledgerPurge: the head never goes back (L20), and what was dropped is refused by
// the floor (L12).
func ledgerPurge(t *testing.T, l Ledger, now, life int64) {
	for _, e := range []revocation.Entry{
		{Kind: revocation.User, Key: "a"},
		{Kind: revocation.User, Key: "b", ExpiresAt: now + 10},
		{Kind: revocation.Token, Key: "c", ExpiresAt: now + 10},
		{Kind: revocation.User, Key: "d"},
	} {
		appendRows(t, l, e)
	}
	purge := func(at int64, batch, want int, position, floor int64) {
		t.Helper()
		n, err := l.Purge(t.Context(), at, batch)
		must(t, err)
		if h := head(t, l); n != want || h.Position != position || h.Floor != floor {
			t.Fatalf("dropped %d, head %+v; want %d, position %d, floor %d", n, h, want, position, floor)
		}
	}
	purge(now+10, 10, 0, 4, 0)
	purge(now+11, 10, 2, 4, 2)
	for rev, want := range map[int64]bool{0: true, 1: true, 2: false, 3: false} {
		got, err := l.Revoked(t.Context(), revocation.Keys{ID: "x", Subject: "y", Rev: rev})
		must(t, err)
		if got != want {
			t.Errorf("rev %d below floor 2: %v", rev, got)
		}
	}
	purge(now+life+1, 1, 1, 4, 2)
	purge(now+life+1, 10, 1, 4, 4)
	purge(now+life+1, 10, 0, 4, 4)
	if rows := rowsAfter(t, l, 0); len(rows) != 0 {
		t.Errorf("left: %+v", rows)
	}
	appendRows(t, l, revocation.Entry{Kind: revocation.User, Key: "e"})
	if rows := rowsAfter(t, l, 0); len(rows) != 1 || rows[0].Position != 5 {
		t.Errorf("after the purge: %+v", rows)
	}
	purge(now, 10, 0, 5, 4)
}

func ledgerAllAbove(t *testing.T, l Ledger) {
	appendRows(t, l, revocation.Entry{Kind: revocation.User, Key: "a"})
	must(t, l.AppendAllAbove(t.Context(), 100, "test"))
	must(t, l.AppendAllAbove(t.Context(), 50, "test"))
	rows := rowsAfter(t, l, 1)
	if len(rows) != 2 || rows[0].Position != 101 || rows[1].Position != 102 || rows[0].Kind != revocation.All {
		t.Fatalf("rows %+v", rows)
	}
	if got, err := l.Revoked(t.Context(), revocation.Keys{ID: "x", Rev: 101}); !got || err != nil {
		t.Errorf("a token of the lost time lives: %v", err)
	}
	if got, err := l.Revoked(t.Context(), revocation.Keys{ID: "x", Rev: 102}); got || err != nil {
		t.Errorf("a token minted after it is dead: %v", err)
	}
}
