package feed

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Applied is what an instance of a resource server has reported.
type Applied struct {
	ClientID   string
	Instance   string
	Audience   string
	Timeline   string
	Position   int64
	State      string // "fresh", "stale" or "syncing"
	Lag        int64  // how old what it knows is, in milliseconds
	FirstAt    int64  // of its first report, Unix milliseconds; set by the store
	ReportedAt int64  // Unix milliseconds
}

// Acknowledgement says when an instance had applied a position.
type Acknowledgement struct {
	ClientID string
	Instance string
	Audience string
	FirstAt  int64 // Unix milliseconds of the first report at or above the position; zero if there is none
}

// FollowerStore keeps what followers report.
type FollowerStore interface {
	// WriteReports stores reports, at most one of each instance, and that their
	// positions were acknowledged. An older report does not replace a newer one.
	WriteReports(ctx context.Context, reports []Applied) error
}

const (
	// reportsEvery is how often what was reported is written down.
	reportsEvery = time.Second
	// writtenEvery is how often what one instance reports is written, however often it
	// does: who reports without end must not keep the database busy.
	writtenEvery = 2 * time.Second
	// knownFor is how long an instance counts that does not report.
	knownFor = 10 * time.Minute
	// instanceFor is how long an instance cannot be displaced by another of its
	// client: who invents names must not fill the store. It is longer than anybody
	// who is there waits between reports.
	instanceFor = 3 * time.Minute
	// How long followers wait between reports, in seconds: the more there are, the
	// longer.
	minReportAfter = 5
	maxReportAfter = 120
	reportsASecond = 100
)

// instance names one follower.
type instance struct{ clientID, name string }

// reports remembers the last report of each instance that talks to this node.
type reports struct {
	perClient int

	mu      sync.Mutex
	known   map[string]map[string]Applied // by client and instance
	count   int
	unsaved map[instance]struct{}
	written map[instance]int64 // when last, Unix milliseconds
}

func newReports(perClient int) *reports {
	return &reports{perClient: perClient, known: map[string]map[string]Applied{}, unsaved: map[instance]struct{}{}, written: map[instance]int64{}}
}

// take remembers a report until it is written, and returns after how many seconds
// the next one may come. It is false if the client has too many instances.
func (s *reports) take(a Applied) (int64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	mine := s.known[a.ClientID]
	if mine == nil {
		mine = map[string]Applied{}
		s.known[a.ClientID] = mine
	}
	if _, known := mine[a.Instance]; !known {
		if len(mine) >= s.perClient && !s.displace(mine, a.ReportedAt) {
			return 0, false
		}
		s.count++
	}
	mine[a.Instance] = a
	s.unsaved[instance{a.ClientID, a.Instance}] = struct{}{}
	return int64(ReportAfter(s.count) / time.Second), true
}

// displace forgets the instance of a client that was silent for the longest time.
func (s *reports) displace(mine map[string]Applied, now int64) bool {
	var oldest Applied
	for _, a := range mine {
		if oldest.Instance == "" || a.ReportedAt < oldest.ReportedAt {
			oldest = a
		}
	}
	if now-oldest.ReportedAt < instanceFor.Milliseconds() {
		return false
	}
	s.forget(oldest)
	return true
}

// forget drops an instance; what it reported and is not written yet is lost.
func (s *reports) forget(a Applied) {
	delete(s.known[a.ClientID], a.Instance)
	delete(s.unsaved, instance{a.ClientID, a.Instance})
	delete(s.written, instance{a.ClientID, a.Instance})
	s.count--
}

// collect returns what is to be written of instances of which nothing was for so long,
// and forgets who is gone.
func (s *reports) collect(now int64, silent time.Duration) []Applied {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Applied, 0, len(s.unsaved))
	for i := range s.unsaved {
		if now-s.written[i] < silent.Milliseconds() {
			continue // until then a later report may take its place
		}
		out = append(out, s.known[i.clientID][i.name])
		delete(s.unsaved, i)
		s.written[i] = now
	}
	for clientID, mine := range s.known {
		for _, a := range slices.Collect(maps.Values(mine)) {
			if now-a.ReportedAt > knownFor.Milliseconds() {
				s.forget(a)
			}
		}
		if len(mine) == 0 {
			delete(s.known, clientID)
		}
	}
	return out
}

// again puts back what could not be written, unless it is known better by now.
func (s *reports) again(failed []Applied) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range failed {
		if _, known := s.known[a.ClientID][a.Instance]; known {
			i := instance{a.ClientID, a.Instance}
			s.unsaved[i] = struct{}{}
			delete(s.written, i)
		}
	}
}

// seldom lets something happen at most once a minute.
type seldom struct{ next atomic.Int64 }

func (s *seldom) now(now time.Time) bool {
	next := s.next.Load()
	return now.UnixNano() >= next && s.next.CompareAndSwap(next, now.Add(time.Minute).UnixNano())
}

// writeReports writes each second what was reported, until ctx ends, and then
// once more.
func (h *Handler) writeReports(ctx context.Context) {
	tick := time.NewTicker(reportsEvery)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			h.saveReports(last, failing, 0)
			return
		case <-tick.C:
			failing = h.saveReports(ctx, failing, writtenEvery)
		}
	}
}

// saveReports writes of whom nothing was for so long. It reports whether writing
// failed, and logs when that changes.
func (h *Handler) saveReports(ctx context.Context, failing bool, silent time.Duration) bool {
	list := h.reports.collect(h.Now().UnixMilli(), silent)
	if len(list) == 0 {
		return failing
	}
	err := h.Followers.WriteReports(ctx, list)
	if err != nil {
		h.reports.again(list)
		if !failing {
			h.Log.WarnContext(ctx, "what followers report cannot be written", "error", err)
		}
	}
	return err != nil
}

// ReportAfter is how long each of so many followers waits between its reports.
func ReportAfter(followers int) time.Duration {
	return time.Duration(min(max(followers/reportsASecond, minReportAfter), maxReportAfter)) * time.Second
}
