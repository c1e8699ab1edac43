package cache

import (
	"container/heap"
	"fmt"
	"sync"
	"time"
)

// shelf is one part of a Memory: a map with a budget in bytes, and a heap that
// knows which entry ends first.
type shelf struct {
	mu      sync.Mutex
	entries map[string]*entry
	byEnd   endHeap
	used    int
	budget  int
}

// entry is a value, or a limit, whose end is its theoretical arrival time.
type entry struct {
	key   string
	value []byte
	end   int64 // microseconds
	slot  int   // in the heap
}

func newShelf(budget int) shelf {
	return shelf{entries: map[string]*entry{}, budget: budget}
}

func (e *entry) size() int { return len(e.key) + len(e.value) + overhead }

// live returns the entry of key unless its time is over.
func (s *shelf) live(key string, now int64) *entry {
	if e := s.entries[key]; e != nil && e.end > now {
		return e
	}
	return nil
}

func (s *shelf) drop(key string) {
	if e := s.entries[key]; e != nil {
		heap.Remove(&s.byEnd, e.slot)
		delete(s.entries, key)
		s.used -= e.size()
	}
}

func (s *shelf) put(e entry, now int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.putLocked(e, now)
}

func (s *shelf) putLocked(e entry, now int64) error {
	if e.size() > s.budget {
		return fmt.Errorf("%w: value of %d bytes exceeds the memory's share", ErrInvalid, len(e.value))
	}
	s.drop(e.key)
	for len(s.byEnd) > 0 && (s.byEnd[0].end <= now || s.used+e.size() > s.budget) {
		s.drop(s.byEnd[0].key)
	}
	s.entries[e.key] = &e
	heap.Push(&s.byEnd, &e)
	s.used += e.size()
	return nil
}

func (s *shelf) spend(key string, m meter, now int64) (time.Duration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tat := int64(noTAT)
	if e := s.live(key, now); e != nil {
		tat = e.end
	}
	newTAT, wait := m.next(tat, now)
	if wait > 0 {
		if newTAT < tat {
			// The limit was lowered: its own wait counts, not the old one's.
			if err := s.putLocked(entry{key: key, end: newTAT}, now); err != nil {
				return 0, err
			}
		}
		return time.Duration(wait) * time.Microsecond, nil
	}
	if newTAT <= now {
		s.drop(key)
		return 0, nil
	}
	return 0, s.putLocked(entry{key: key, end: newTAT}, now)
}

// endHeap orders entries by their end, the earliest first.
type endHeap []*entry

func (h endHeap) Len() int           { return len(h) }
func (h endHeap) Less(i, j int) bool { return h[i].end < h[j].end }
func (h endHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].slot, h[j].slot = i, j
}

// Push serves heap.Push.
func (h *endHeap) Push(x any) {
	e := x.(*entry)
	e.slot = len(*h)
	*h = append(*h, e)
}

// Pop serves heap.Remove.
func (h *endHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return e
}
