package feed

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/resource/wire"
	"github.com/gatehouse-id/gatehouse/revocation"
)

func sessions(n int) []revocation.Row {
	rows := make([]revocation.Row, n)
	for i := range rows {
		rows[i] = row(revocation.Session, fmt.Sprintf("sid-%d", i), "")
	}
	return rows
}

// TestStream follows from a snapshot, past both timeouts of the server: no row is
// missing at the seam (H7), and each frame continues the one before.
func TestStream(t *testing.T) {
	s := serve(t)
	s.confirming(t)
	s.ledger.commit(sessions(3)...)
	first := s.take(t, "")
	s.ledger.commit(row(revocation.User, "person@example", ""), row(revocation.Permission, "posts:add", audienceB))
	f := s.follow(t, first.Cursor)
	for name, want := range map[string]string{"Cache-Control": "no-store", "X-Accel-Buffering": "no"} {
		if got := f.answer.Header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	rows, _ := f.until(first.Position, 5)
	if !cmp.Equal(kindsOf(rows), []string{"user"}) {
		t.Errorf("rows %+v", rows)
	}
	if ms, err := strconv.Atoi(f.retry); err != nil || ms < 500 {
		t.Errorf("retry %q", f.retry)
	}
	heads := 0
	for began := time.Now(); time.Since(began) < 2500*time.Millisecond; {
		e, ok := f.next()
		if !ok || e.name != wire.EventHead || e.Prev != 5 || e.Position != 5 || e.Age > wire.ConfirmedFor || e.Version != wire.Version {
			t.Fatalf("heartbeat %+v, %v", e, ok)
		}
		heads++
	}
	s.ledger.commit(row(revocation.Grant, "gid", ""))
	rows, id := f.until(5, 6)
	if len(rows) != 1 || rows[0].Kind != "grant" {
		t.Errorf("rows %+v", rows)
	}
	if got := s.take(t, id); got.Complete || got.Prev != 6 || len(got.Rows) != 0 {
		t.Errorf("a snapshot after the stream's cursor: %+v", got)
	}
}

// TestH15_NothingPlainOnTheWire: neither names nor ids nor audiences of others.
func TestH15_NothingPlainOnTheWire(t *testing.T) {
	s := serve(t)
	cursor := s.take(t, "").Cursor
	f := s.follow(t, cursor)
	var rows []revocation.Row
	for _, k := range revocation.Kinds() {
		r := row(k, "plain-key", audienceB)
		r.Reason = "plain-reason"
		if k == revocation.All {
			r.Key = ""
		}
		rows = append(rows, r)
	}
	s.ledger.commit(rows...)
	var seen strings.Builder
	for {
		e, ok := f.next()
		if !ok {
			t.Fatal("the stream ended")
		}
		seen.WriteString(e.id + e.data)
		if e.Position == int64(len(rows)) {
			break
		}
	}
	_, body := s.do(t, s.request(t, "GET", wire.PathSnapshot, ""))
	seen.WriteString(body)
	for _, plain := range []string{"plain", "b.example", "reason", "audience"} {
		if strings.Contains(seen.String(), plain) {
			t.Errorf("%q is on the wire: %s", plain, seen.String())
		}
	}
	for _, kind := range []string{"token", "permission"} {
		if strings.Contains(seen.String(), `"kind":"`+kind+`"`) {
			t.Errorf("a row of kind %s of another audience is on the wire", kind)
		}
	}
}

// TestResumeAnywhere: a stream that begins at any position that was ever told
// brings exactly what came after it.
func TestResumeAnywhere(t *testing.T) {
	s := serve(t)
	s.confirming(t)
	cursors := []string{s.take(t, "").Cursor}
	for i := range 12 {
		kind, audience := revocation.Kinds()[i%8], []string{audienceA, audienceB}[i%2]
		s.ledger.commit(row(kind, fmt.Sprint(i), audience))
		cursors = append(cursors, s.take(t, "").Cursor)
	}
	s.ledger.asked = nil // for the complete snapshots
	a := NewAudience(s.Keyring, audienceA)
	for at, cursor := range cursors {
		want := positions(a.rows(s.ledger.above(int64(at), 12), 12))
		rows, _ := s.follow(t, cursor).until(int64(at), 12)
		if diff := cmp.Diff(want, positions(rows)); diff != "" {
			t.Errorf("from %d: %s", at, diff)
		}
		if got := s.take(t, cursor); got.Complete || got.Prev != int64(at) || !cmp.Equal(want, positions(got.Rows)) {
			t.Errorf("snapshot from %d: %+v", at, got)
		}
	}
	if asked := s.ledger.evidence(); len(asked) > 12 {
		t.Errorf("asked for evidence of %v", asked)
	}
}

// TestResets: each cursor that cannot be continued without a gap is reset, and a
// snapshot after it is complete (H6, H8).
func TestResets(t *testing.T) {
	s := serve(t)
	s.confirming(t)
	s.ledger.commit(sessions(4)...)
	good := s.take(t, "").Cursor
	a := NewAudience(s.Keyring, audienceA)
	point := s.ledger.Last()
	middle := a.cursor(Mark{Timeline: point.Timeline, Position: 1})
	other := NewAudience(s.Keyring, audienceB).cursor(markOf(point))
	before := ring(t, "another secret for tests, long enough too")
	old := NewAudience(before, audienceA).cursor(markOf(point))
	elsewhere := a.cursor(Mark{Timeline: "elsewhere", Position: 2})
	s.ledger.mu.Lock()
	s.ledger.kept, s.ledger.point.Floor, s.ledger.primary.Floor = 2, 2, 2
	s.ledger.mu.Unlock()
	cases := map[string]string{
		"":                       resetMalformed,
		"x":                      resetMalformed,
		other:                    resetMalformed,
		old:                      resetMalformed, // its secret is not known here
		good[:len(good)-1] + "A": resetMalformed,
		elsewhere:                resetTimeline,
		middle:                   resetTooOld,
		a.cursor(Mark{point.Timeline, 0, Chain{}}): resetTooOld,
	}
	for cursor, reason := range cases {
		s.ledger.asked = nil
		f := s.follow(t, cursor)
		e, ok := f.next()
		if want := fmt.Sprintf(`{"v":1,"reason":"%s"}`, reason); !ok || e.name != wire.EventReset || e.data != want || e.id != "" {
			t.Errorf("%q: event %+v, %v; want %s", cursor, e, ok, want)
		}
		if e, more := f.next(); more {
			t.Errorf("%q: the stream goes on with %+v", cursor, e)
		}
		if asked := s.ledger.evidence(); len(asked) != 0 {
			t.Errorf("%q: evidence was asked for: %v", cursor, asked)
		}
		if got := s.take(t, cursor); !got.Complete || len(got.Rows) != 4 || got.Prev != 0 {
			t.Errorf("%q: snapshot %+v", cursor, got)
		}
		// Of what it was made from, and of nothing else.
		if asked := s.ledger.evidence(); !cmp.Equal(asked, []int64{4}) {
			t.Errorf("%q: evidence was asked for: %v", cursor, asked)
		}
	}
}

// TestChangeOfSecret: the cursors of before the change bring the new key.
func TestChangeOfSecret(t *testing.T) {
	s := serve(t)
	before := s.take(t, "")
	s.Keyring = ring(t, "another secret for tests, long enough too")
	if e := s.follow(t, before.Cursor).ends(); e.data != `{"v":1,"reason":"hash_key"}` {
		t.Errorf("event %+v", e)
	}
	if got := s.take(t, before.Cursor); !got.Complete || got.HashKey == before.HashKey {
		t.Errorf("snapshot %+v", got)
	}
}

// TestL8_Evidence: a cursor of ours that this node cannot check itself is shown to
// the primary; only if that does not know it, nothing is served.
func TestL8_Evidence(t *testing.T) {
	s := serve(t)
	s.confirming(t)
	s.ledger.commit(sessions(4)...)
	eventually(t, "the hub has seen the head", func() bool {
		p := s.ledger.Last()
		return s.proofs.has(placeOf(p, 4, chainOf(p.Chain)))
	})
	a, p := NewAudience(s.Keyring, audienceA), s.ledger.Last()
	otherChain := Chain{1}
	above := a.cursor(Mark{p.Timeline, 6, otherChain})
	differs := a.cursor(Mark{p.Timeline, 3, otherChain})
	s.ledger.mu.Lock()
	s.ledger.refuted[6], s.ledger.refuted[3] = revocation.ErrLost, revocation.ErrLost
	s.ledger.mu.Unlock()
	for i, cursor := range []string{above, differs} {
		for _, path := range []string{wire.PathStream, wire.PathSnapshot} {
			answer, body := s.do(t, s.request(t, "GET", path+"?after="+cursor, ""))
			if answer.StatusCode != 503 || answer.Header.Get("Retry-After") == "" || strings.Contains(body, "lost") {
				t.Errorf("cursor %d, %s: %s %s", i, path, answer.Status, body)
			}
		}
	}
	if asked := s.ledger.evidence(); !cmp.Equal(asked, []int64{6, 6, 3, 3}) {
		t.Errorf("evidence %v", asked)
	}
	// What the primary does not show is not gone on from: rows may stand below it.
	s.ledger.mu.Lock()
	s.ledger.refuted, s.ledger.foreign = nil, map[int64]bool{3: true}
	s.ledger.mu.Unlock()
	if e := s.follow(t, differs).ends(); e.data != `{"v":1,"reason":"too_old"}` {
		t.Errorf("event %+v", e)
	}
	if got := s.take(t, differs); !got.Complete {
		t.Errorf("snapshot %+v", got)
	}
	// A node that lags catches up instead (L17), and many who come at once cost one question.
	s.ledger.mu.Lock()
	clear(s.ledger.refuted)
	s.ledger.asked = nil
	s.ledger.append(sessions(2)...)
	ahead := a.cursor(markOf(s.ledger.primary))
	s.ledger.mu.Unlock()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			rows, _ := s.follow(t, ahead).until(6, 6)
			if len(rows) != 0 {
				t.Errorf("rows %+v", rows)
			}
		})
	}
	all.Wait()
	if asked := s.ledger.evidence(); len(asked) > 1 {
		t.Errorf("evidence %v", asked)
	}
	// Another database answers.
	s.ledger.mu.Lock()
	s.ledger.primary.Timeline = strings.Repeat("u", 32)
	s.ledger.mu.Unlock()
	if e := s.follow(t, a.cursor(Mark{p.Timeline, 100, otherChain})).ends(); e.data != `{"v":1,"reason":"timeline"}` {
		t.Errorf("event %+v", e)
	}
}

// TestL16_StreamEndsWithItsToken: when it expires, and when it is revoked; nothing
// is sent after that.
func TestL16_StreamEndsWithItsToken(t *testing.T) {
	t.Run("expired", func(t *testing.T) {
		s := serve(t, func(s *feedServer) { s.Auth = bearer{now: time.Now, expires: 300 * time.Millisecond} })
		s.confirming(t)
		f := s.follow(t, s.take(t, "").Cursor)
		if e := f.ends(); e.name != wire.EventHead {
			t.Errorf("last event %+v", e)
		}
	})
	t.Run("revoked", func(t *testing.T) {
		s := serve(t)
		s.confirming(t)
		cursor := s.take(t, "").Cursor
		f := s.follow(t, cursor)
		f.until(0, 0)
		other := s.follow(t, cursor, "Authorization", "Bearer client "+audienceA+" another")
		other.until(0, 0)
		s.ledger.mu.Lock()
		s.ledger.dead["jti"] = true
		s.ledger.mu.Unlock()
		s.ledger.commit(row(revocation.Session, "a", ""))
		if e, ok := f.next(); ok && e.Position > 0 {
			t.Errorf("told after its token was revoked: %+v", e)
		}
		if rows, _ := other.until(0, 1); len(rows) != 1 {
			t.Errorf("rows %+v", rows)
		}
	})
}

// TestL5_StaleNodeIsSilent: no frame, no snapshot, no new stream.
func TestL5_StaleNodeIsSilent(t *testing.T) {
	s := serve(t)
	cursor := s.take(t, "").Cursor
	f := s.follow(t, cursor)
	f.until(0, 0)
	s.ledger.mu.Lock()
	s.ledger.stale = true
	s.ledger.append(row(revocation.Session, "a", ""))
	s.ledger.takeIn()
	s.ledger.mu.Unlock()
	for _, path := range []string{wire.PathSnapshot, wire.PathSnapshot + "?after=" + cursor, wire.PathStream + "?after=" + cursor} {
		answer, _ := s.do(t, s.request(t, "GET", path, ""))
		if answer.StatusCode != 503 || answer.Header.Get("Retry-After") == "" || answer.Header.Get("Etag") != "" {
			t.Errorf("%s: %s %v", path, answer.Status, answer.Header)
		}
	}
	s.ledger.mu.Lock()
	s.ledger.stale = false
	s.ledger.mu.Unlock()
	s.ledger.confirm()
	if rows, _ := f.until(0, 1); len(rows) != 1 {
		t.Errorf("rows %+v", rows)
	}
}
