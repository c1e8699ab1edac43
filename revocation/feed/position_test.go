package feed

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gatehouse-id/gatehouse/resource/wire"
	"github.com/gatehouse-id/gatehouse/revocation"
)

func body(t testing.TB, r wire.Report) string {
	t.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func (s *feedServer) report(t testing.TB, text string, header ...string) (int, string) {
	t.Helper()
	header = append([]string{"Content-Type", "application/json"}, header...)
	answer, got := s.do(t, s.request(t, "POST", wire.PathPosition, text, header...))
	return answer.StatusCode, strings.TrimSpace(got)
}

func TestPositionIsWritten(t *testing.T) {
	s := serve(t)
	s.ledger.commit(sessions(3)...)
	cursor := s.take(t, "").Cursor
	for _, state := range []string{"syncing", "fresh"} {
		status, answer := s.report(t, body(t, wire.Report{Instance: "pod-1.a_B", Cursor: cursor, State: state, Lag: 7}))
		if status != 200 || answer != `{"report_after":5}` {
			t.Fatalf("%d %s", status, answer)
		}
	}
	written := func() []Applied {
		s.kept.mu.Lock()
		defer s.kept.mu.Unlock()
		var all []Applied
		for _, list := range s.kept.got {
			all = append(all, list...)
		}
		return all
	}
	eventually(t, "the report is written", func() bool { return len(written()) > 0 && written()[len(written())-1].State == "fresh" })
	all := written()
	want := Applied{
		ClientID: "client", Instance: "pod-1.a_B", Audience: audienceA, Timeline: s.ledger.Last().Timeline, Position: 3, State: "fresh", Lag: 7,
	}
	got := all[len(all)-1]
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Applied{}, "ReportedAt")); diff != "" || got.ReportedAt == 0 {
		t.Error(diff)
	}
}

func TestPositionRefuses(t *testing.T) {
	s := serve(t)
	s.ledger.commit(sessions(3)...)
	p := s.ledger.Last()
	good := wire.Report{Instance: "a", Cursor: s.take(t, "").Cursor, State: "fresh"}
	with := func(change func(r *wire.Report)) string { r := good; change(&r); return body(t, r) }
	other := NewAudience(s.Keyring, audienceB).cursor(markOf(p))
	elsewhere := NewAudience(s.Keyring, audienceA).cursor(Mark{Timeline: "elsewhere", Position: 3})
	plain := body(t, good)
	for name, c := range map[string]struct {
		text   string
		status int
		header []string
	}{
		"good":              {plain, 200, nil},
		"no instance":       {with(func(r *wire.Report) { r.Instance = "" }), 400, nil},
		"long instance":     {with(func(r *wire.Report) { r.Instance = strings.Repeat("a", 65) }), 400, nil},
		"odd instance":      {with(func(r *wire.Report) { r.Instance = "a b" }), 400, nil},
		"letter of others":  {with(func(r *wire.Report) { r.Instance = "ä" }), 400, nil},
		"state":             {with(func(r *wire.Report) { r.State = "great" }), 400, nil},
		"lag":               {with(func(r *wire.Report) { r.Lag = -1 }), 400, nil},
		"large lag":         {with(func(r *wire.Report) { r.Lag = 1 << 60 }), 400, nil},
		"forged cursor":     {with(func(r *wire.Report) { r.Cursor = r.Cursor[:90] + "AAAAAA" }), 400, nil},
		"another audience":  {with(func(r *wire.Report) { r.Cursor = other }), 400, nil},
		"another timeline":  {with(func(r *wire.Report) { r.Cursor = elsewhere }), 409, nil},
		"unknown member":    {strings.Replace(plain, "{", `{"x":1,`, 1), 400, nil},
		"more after it":     {plain + "{}", 400, nil},
		"a list":            {"[" + plain + "]", 400, nil},
		"not JSON":          {"x", 400, nil},
		"empty":             {"", 400, nil},
		"too large":         {plain + strings.Repeat(" ", maxReport), 413, nil},
		"not called JSON":   {plain, 415, []string{"Content-Type", "text/plain"}},
		"without any token": {plain, 401, []string{"Authorization", ""}},
	} {
		if status, answer := s.report(t, c.text, c.header...); status != c.status {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
	if answer, _ := s.do(t, s.request(t, "GET", wire.PathPosition, "")); answer.StatusCode != 405 || answer.Header.Get("Allow") != "POST" {
		t.Errorf("GET: %s", answer.Status)
	}
}

// TestL8_ReportsAreEvidence: who has applied what this node never heard of makes
// it ask the primary.
func TestL8_ReportsAreEvidence(t *testing.T) {
	s := serve(t)
	p := s.ledger.Last()
	cursor := NewAudience(s.Keyring, audienceA).cursor(Mark{p.Timeline, 9, Chain{1}})
	s.ledger.mu.Lock()
	s.ledger.refuted[9] = revocation.ErrLost
	s.ledger.mu.Unlock()
	text := body(t, wire.Report{Instance: "a", Cursor: cursor, State: "fresh"})
	if status, answer := s.report(t, text); status != 503 || !cmp.Equal(s.ledger.evidence(), []int64{9}) {
		t.Errorf("%d %s, evidence %v", status, answer, s.ledger.evidence())
	}
}

// TestReportsAreBounded: a client that invents instances displaces only those that
// have been silent, and followers report less often the more they are.
func TestReportsAreBounded(t *testing.T) {
	r := newReports(3)
	now := int64(1_000_000)
	take := func(client, name string) bool {
		_, ok := r.take(Applied{ClientID: client, Instance: name, ReportedAt: now})
		return ok
	}
	for _, name := range []string{"a", "b", "c"} {
		if !take("x", name) {
			t.Fatalf("%s was refused", name)
		}
		now++
	}
	if take("x", "d") || !take("x", "a") || !take("y", "d") {
		t.Error("the bound is not one of instances of a client")
	}
	now += instanceFor.Milliseconds() - 1
	if !take("x", "d") || len(r.known["x"]) != 3 {
		t.Error("a silent instance was not displaced")
	}
	if _, ok := r.known["x"]["b"]; ok {
		t.Error("it was not the most silent one")
	}
	if got := len(r.collect(now, writtenEvery)); got != 4 { // b is lost with its place
		t.Errorf("%d reports to write", got)
	}
	if got := r.collect(now, writtenEvery); len(got) != 0 {
		t.Errorf("written twice: %v", got)
	}
	r.again([]Applied{{ClientID: "x", Instance: "a", ReportedAt: 1}, {ClientID: "x", Instance: "b"}})
	if got := r.collect(now, writtenEvery); len(got) != 1 || got[0].ReportedAt == 1 {
		t.Errorf("written again: %v", got)
	}
	r.collect(now+knownFor.Milliseconds()+1, writtenEvery)
	if len(r.known) != 0 || r.count != 0 {
		t.Errorf("still known: %v", r.known)
	}
	// Whoever may stream may report, at the pace that all of them together are asked for.
	limits := Limits{}.withDefaults()
	many := newReports(limits.Instances)
	for i := range limits.StreamsPerClient {
		after, ok := many.take(Applied{ClientID: "x", Instance: fmt.Sprint(i)})
		if want := min(max(int64(i+1)/100, 5), 120); !ok || after != want {
			t.Fatalf("%d followers report after %d s, want %d", i+1, after, want)
		}
	}
	if _, ok := many.take(Applied{ClientID: "x", Instance: "one more"}); ok {
		t.Error("there is no bound")
	}
	if slowest := ReportAfter(limits.Instances) * 5 / 4; instanceFor <= slowest {
		t.Errorf("who reports every %s is displaced after %s", slowest, instanceFor)
	}
}

// TestReportsBeyondTheBound: an instance too many is asked to wait, and an operator
// told, once.
func TestReportsBeyondTheBound(t *testing.T) {
	var log strings.Builder
	s := serve(t)
	s.Log = slog.New(slog.NewTextHandler(&log, nil))
	s.reports.perClient = 1
	cursor := s.take(t, "").Cursor
	for i, want := range []int{200, 429, 429} {
		text := body(t, wire.Report{Instance: fmt.Sprint(i), Cursor: cursor, State: "fresh"})
		answer, _ := s.do(t, s.request(t, "POST", wire.PathPosition, text, "Content-Type", "application/json"))
		if answer.StatusCode != want || (want == 429) != (answer.Header.Get("Retry-After") == "60") {
			t.Errorf("%d: %d %v", i, answer.StatusCode, answer.Header)
		}
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 1 {
		t.Errorf("logged %d times: %s", n, log.String())
	}
}

// TestReportsAreWrittenSeldom: who reports without end is written down each two
// seconds, with the last word, and at the end at once.
func TestReportsAreWrittenSeldom(t *testing.T) {
	r := newReports(3)
	start := int64(1_000_000)
	var written []int64
	for now := start; now < start+5000; now += 10 {
		r.take(Applied{ClientID: "x", Instance: "a", Position: now, ReportedAt: now})
		for _, a := range r.collect(now, writtenEvery) {
			written = append(written, a.Position-start)
		}
	}
	if diff := cmp.Diff([]int64{0, 2000, 4000}, written); diff != "" {
		t.Error(diff)
	}
	if last := r.collect(start+5000, 0); len(last) != 1 || last[0].Position != start+4990 {
		t.Errorf("at the end: %+v", last)
	}
}

// TestReportsSurviveAFailure of the store, and the last ones are written at the end.
func TestReportsSurviveAFailure(t *testing.T) {
	s := serve(t)
	cursor := s.take(t, "").Cursor
	s.kept.mu.Lock()
	s.kept.fail = errors.New("gone")
	s.kept.mu.Unlock()
	s.report(t, body(t, wire.Report{Instance: "a", Cursor: cursor, State: "fresh"}))
	if !s.saveReports(t.Context(), false, writtenEvery) || !s.saveReports(t.Context(), true, writtenEvery) {
		t.Error("the failure was not noticed")
	}
	s.kept.mu.Lock()
	s.kept.fail = nil
	s.kept.mu.Unlock()
	eventually(t, "written", func() bool {
		s.kept.mu.Lock()
		defer s.kept.mu.Unlock()
		return len(s.kept.got) == 1 && s.kept.got[0][0].Instance == "a"
	})
}

func FuzzReport(f *testing.F) {
	f.Add(body(f, wire.Report{Instance: "a", Cursor: strings.Repeat("A", cursorText), State: "fresh", Lag: 1}))
	f.Add(`{"instance":"a","instance":"b"}`)
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseReport([]byte(text))
		if err != nil {
			return
		}
		if !isInstance(r.Instance) || len(r.Instance) > 64 || r.Lag < 0 || len(r.Cursor) != cursorText {
			t.Errorf("%q was read as %+v", text, r)
		}
		if _, err := parseReport([]byte(body(t, r))); err != nil {
			t.Errorf("%+v does not survive", r)
		}
	})
}

func TestAge(t *testing.T) {
	now := time.Now()
	for d, want := range map[time.Duration]int64{0: 0, 1: 1, time.Millisecond: 1, time.Second: 1000, -time.Second: 0} {
		if got := age(now, now.Add(-d)); got != want {
			t.Errorf("%s: %d", d, got)
		}
	}
}
