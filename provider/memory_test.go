package provider

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// source is a database with one value, which is its count of changes.
type source struct {
	mark  accounts.Mark
	reads int
}

func (s *source) read(context.Context) (int64, accounts.Mark, error) {
	s.reads++
	return s.mark.Change, s.mark, nil
}

// TestL10_MemoryIsExact: what is remembered counts at its own change and at no
// other, earlier or later, and the position is the smallest of what was read.
func TestL10_MemoryIsExact(t *testing.T) {
	m := memory[int64]{kept: recent[string, remembered[int64]]{limit: 10}}
	s := &source{mark: accounts.Mark{Position: 10, Change: 5}}
	for _, c := range []struct {
		name      string
		database  accounts.Mark
		asked     accounts.Mark
		value     int64
		mark      accounts.Mark
		readsMore int
	}{
		{"first", accounts.Mark{Position: 10, Change: 5}, accounts.Mark{Position: 10, Change: 5}, 5, accounts.Mark{Position: 10, Change: 5}, 1},
		{"the same later", accounts.Mark{Position: 99, Change: 5}, accounts.Mark{Position: 99, Change: 5}, 5, accounts.Mark{Position: 99, Change: 5}, 0},
		{"changed", accounts.Mark{Position: 99, Change: 6}, accounts.Mark{Position: 99, Change: 6}, 6, accounts.Mark{Position: 99, Change: 6}, 1},
		{"asked for before", accounts.Mark{Position: 99, Change: 6}, accounts.Mark{Position: 98, Change: 5}, 6, accounts.Mark{Position: 98, Change: 6}, 1},
		{"a restored database", accounts.Mark{Position: 10, Change: 4}, accounts.Mark{Position: 10, Change: 4}, 4, accounts.Mark{Position: 10, Change: 4}, 1},
	} {
		before := s.reads
		s.mark = c.database
		value, mark, err := m.at(t.Context(), "k", c.asked, s.read)
		if err != nil || value != c.value || mark != c.mark || s.reads-before != c.readsMore {
			t.Errorf("%s: %d at %+v after %d reads, %v", c.name, value, mark, s.reads-before, err)
		}
	}
}

func TestMemory_KeepsNothingThatIsNotThere(t *testing.T) {
	m := memory[int64]{kept: recent[string, remembered[int64]]{limit: 10}}
	reads := 0
	for range 2 {
		_, _, err := m.at(t.Context(), "k", accounts.Mark{}, func(context.Context) (int64, accounts.Mark, error) {
			reads++
			return 0, accounts.Mark{}, accounts.ErrNotFound
		})
		if !errors.Is(err, accounts.ErrNotFound) {
			t.Error(err)
		}
	}
	if _, ok := m.peek("k"); ok || reads != 2 || len(m.loads) != 0 {
		t.Errorf("%d reads, %d turns left", reads, len(m.loads))
	}
}

// Many ask at once and one reads, also for those whose moment is a little older;
// who gives up hinders nobody.
func TestMemory_OneReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memory[int64]{kept: recent[string, remembered[int64]]{limit: 10}}
		var reads atomic.Int64
		release := make(chan struct{})
		read := func(context.Context) (int64, accounts.Mark, error) {
			reads.Add(1)
			<-release
			return 7, accounts.Mark{Position: 3, Change: 2}, nil
		}
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				v, mark, err := m.at(t.Context(), "k", accounts.Mark{Position: 3, Change: int64(1 + i%2)}, read)
				if v != 7 || mark.Position != 3 || err != nil {
					t.Error(v, mark, err)
				}
			})
		}
		synctest.Wait()
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := m.at(gone, "k", accounts.Mark{Change: 2}, read); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		close(release)
		all.Wait()
		if n := reads.Load(); n != 1 {
			t.Errorf("%d reads", n)
		}
	})
}

// A read that fails, or panics, fails for its own request alone.
func TestMemory_FailureIsNotShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memory[int64]{kept: recent[string, remembered[int64]]{limit: 10}}
		release := make(chan struct{})
		var all sync.WaitGroup
		all.Go(func() {
			defer func() { _ = recover() }()
			_, _, _ = m.at(t.Context(), "k", accounts.Mark{}, func(context.Context) (int64, accounts.Mark, error) {
				<-release
				panic("broken")
			})
		})
		synctest.Wait()
		all.Go(func() {
			v, _, err := m.at(t.Context(), "k", accounts.Mark{}, (&source{}).read)
			if v != 0 || err != nil {
				t.Error(v, err)
			}
		})
		synctest.Wait()
		close(release)
		all.Wait()
	})
}

func TestRecentIsBounded(t *testing.T) {
	r := recent[string, int]{limit: 100}
	r.put("used", 0)
	for i := range 10_000 {
		r.put(strconv.Itoa(i), i)
		if _, ok := r.get("used"); !ok {
			t.Fatalf("what is in use was forgotten after %d", i)
		}
	}
	if n := len(r.young) + len(r.old); n > 200 {
		t.Errorf("%d entries", n)
	}
	if v, ok := r.get("9999"); !ok || v != 9999 {
		t.Error(v, ok)
	}
	if _, ok := r.get("1"); ok {
		t.Error("nothing is forgotten")
	}
}
