package signals_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/signals"
)

// inbox is a receiver that is pushed to.
type inbox struct {
	*httptest.Server
	mu      sync.Mutex
	answers []int // of the next requests; then 202
	body    string
	got     []string // tokens
	headers []http.Header
}

func newInbox(t *testing.T) *inbox {
	i := &inbox{}
	i.Server = httptest.NewServer(i)
	t.Cleanup(i.Close)
	return i
}

func (i *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	token, _ := io.ReadAll(r.Body)
	i.got, i.headers = append(i.got, string(token)), append(i.headers, r.Header)
	status := http.StatusAccepted
	if len(i.answers) > 0 {
		status, i.answers = i.answers[0], i.answers[1:]
	}
	w.WriteHeader(status)
	fmt.Fprint(w, i.body)
}

// take returns what has come, verified.
func (i *inbox) take(w *world, audience string) (sets []set) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, token := range i.got {
		sets = append(sets, w.verify(token, audience))
	}
	i.got = nil
	return sets
}

func TestPush(t *testing.T) {
	w, in := newWorld(t), newInbox(t)
	me := w.client()
	streamID := w.stream(me, in.URL+"/events", "Basic c2VjcmV0")
	u := w.user("alice")
	w.add(me, streamID, issSub(u))
	w.must(w.users.Ban(t.Context(), operator(), u.Subject))
	w.relay()
	if got := types(in.take(w, me)); !equal(got, "session-revoked", "account-disabled") {
		t.Errorf("pushed %v", got)
	}
	h := in.headers[0]
	if h.Get("Content-Type") != "application/secevent+jwt" || h.Get("Accept") != "application/json" || h.Get("Authorization") != "Basic c2VjcmV0" {
		t.Errorf("headers %v", h)
	}
	w.must(w.users.Unban(t.Context(), operator(), u.Subject))
	w.work()
	if got := types(in.take(w, me)); !equal(got, "account-enabled") {
		t.Errorf("pushed %v", got)
	}
	if len(w.queue) != 0 {
		t.Errorf("jobs are left: %v", w.queue)
	}
}

func equal(got []string, want ...string) bool { return cmp.Equal(got, want) }

func TestPush_NoHeader(t *testing.T) {
	w, in := newWorld(t), newInbox(t)
	me := w.client()
	w.verification(me, w.stream(me, in.URL, ""), "s")
	w.work()
	if got := in.take(w, me); len(got) != 1 || in.headers[0].Values("Authorization") != nil {
		t.Errorf("pushed %v with %v", got, in.headers)
	}
}

func (w *world) verification(as, stream, state string) {
	w.t.Helper()
	w.pass(time.Second)
	body := fmt.Sprintf(`{"stream_id":%q,"state":%q}`, stream, state)
	if status, answer := w.raw(as, "POST", "/signals/verify", body); status != http.StatusNoContent {
		w.t.Fatalf("verify: %d %s", status, answer)
	}
}

// TestPush_Retry: a receiver that fails is sent the same event again, before those
// after it, by the one job that there is.
func TestPush_Retry(t *testing.T) {
	w, in := newWorld(t), newInbox(t)
	me := w.client()
	streamID := w.stream(me, in.URL, "")
	in.answers = []int{500, 401, 302, 429}
	w.verification(me, streamID, "first")
	var jti string
	for try := 1; try <= 4; try++ {
		failed, errs := w.work()
		if len(failed) != 1 || failed[0].Attempts != try || strings.Contains(errs[0].Error(), in.URL) {
			t.Fatalf("try %d: %v, %v", try, failed, errs)
		}
		got := in.take(w, me)
		if len(got) != 1 || try > 1 && got[0].jti != jti {
			t.Fatalf("try %d: %v", try, got)
		}
		jti = got[0].jti
		w.verification(me, streamID, fmt.Sprint("after ", try))
	}
	if _, errs := w.work(); len(errs) > 0 {
		t.Error(errs)
	}
	var states []string
	for _, s := range in.take(w, me) {
		states = append(states, s.body["state"].(string))
	}
	if !equal(states, "first", "after 1", "after 2", "after 3", "after 4") {
		t.Errorf("in the order %v", states)
	}
}

// TestPush_Refused: an event that the receiver calls wrong is logged and not sent
// again, and those after it are sent.
func TestPush_Refused(t *testing.T) {
	w, in := newWorld(t), newInbox(t)
	me := w.client()
	streamID := w.stream(me, in.URL, "")
	for _, body := range []string{`{"err":"invalid_key","description":"unknown kid"}`, `not JSON`, `{"err":"a\u001bb"}`} {
		in.answers, in.body = []int{400}, body
		w.verification(me, streamID, "refused")
		w.verification(me, streamID, "next")
		if _, errs := w.work(); len(errs) > 0 {
			t.Error(errs)
		}
		if got := in.take(w, me); len(got) != 2 {
			t.Errorf("%s: pushed %v", body, got)
		}
	}
	if log := w.log.String(); !strings.Contains(log, "err=invalid_key") || !strings.Contains(log, "unknown kid") || strings.Contains(log, "\x1b") {
		t.Errorf("log: %s", log)
	}
}

// TestPush_Stopped: nothing leaves a stream that is paused, disabled or deleted, or
// whose client may not receive any more.
func TestPush_Stopped(t *testing.T) {
	for name, c := range map[string]struct {
		stop, begin func(w *world, me, stream string)
		held        bool
	}{
		"paused": {
			func(w *world, me, stream string) { w.status(me, stream, "paused") },
			func(w *world, me, stream string) { w.status(me, stream, "enabled") }, true,
		},
		"disabled": {
			func(w *world, me, stream string) { w.status(me, stream, "disabled") },
			func(w *world, me, stream string) { w.status(me, stream, "enabled") }, false,
		},
		"client disabled": {
			func(w *world, me, _ string) { w.must(w.clients.Disable(w.t.Context(), operator(), me)) },
			func(w *world, me, _ string) {
				w.must(w.clients.Enable(w.t.Context(), operator(), me))
				w.must(w.tr.Tend(w.t.Context()))
			}, true,
		},
		"permission taken": {
			func(w *world, me, _ string) { w.permit(me) },
			func(w *world, me, _ string) {
				w.permit(me, accounts.PermissionSignalsManage)
				w.must(w.tr.Tend(w.t.Context()))
			}, true,
		},
		"deleted": {
			func(w *world, me, stream string) { w.raw(me, "DELETE", "/signals/streams?stream_id="+stream, "") },
			func(*world, string, string) {}, false,
		},
		"polled instead": {
			func(w *world, me, stream string) { w.call(me, "PUT", "/signals/streams", `{"stream_id":"`+stream+`"}`) },
			func(*world, string, string) {}, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, in := newWorld(t), newInbox(t)
			me := w.client()
			streamID := w.stream(me, in.URL, "")
			w.verification(me, streamID, "before")
			c.stop(w, me, streamID)
			w.pass(time.Second)
			if name == "paused" || name == "disabled" {
				w.verification(me, streamID, "meanwhile")
			}
			if _, errs := w.work(); len(errs) > 0 {
				t.Error(errs)
			}
			if got := in.take(w, me); len(got) != 0 {
				t.Errorf("pushed %v", got)
			}
			c.begin(w, me, streamID)
			w.work()
			if got := in.take(w, me); c.held != (len(got) > 0) {
				t.Errorf("afterwards: %v", got)
			}
		})
	}
}

// permit gives a client these permissions and no others.
func (w *world) permit(clientID string, permissions ...string) {
	w.t.Helper()
	w.must(w.clients.Update(w.t.Context(), operator(), clientID, func(c *accounts.Client) error {
		c.Permissions = permissions
		return nil
	}))
}

func (w *world) status(as, stream, status string) {
	w.t.Helper()
	body := fmt.Sprintf(`{"stream_id":%q,"status":%q,"reason":"a test"}`, stream, status)
	code, answer := w.call(as, "POST", "/signals/status", body)
	want := map[string]any{"stream_id": stream, "status": status, "reason": "a test"}
	if diff := cmp.Diff(want, answer); code != http.StatusOK || diff != "" {
		w.t.Fatal(code, diff)
	}
	_, answer = w.call(as, "GET", "/signals/status?stream_id="+stream, "")
	if diff := cmp.Diff(want, answer); diff != "" {
		w.t.Fatal(diff)
	}
}

// TestPush_HandOver: a long queue is passed from job to job, and a job whose place
// another one took does nothing.
func TestPush_HandOver(t *testing.T) {
	w, in := newWorld(t), newInbox(t)
	me := w.client()
	streamID := w.stream(me, in.URL, "")
	w.verification(me, streamID, "1")
	old := w.queue[0]
	w.verification(me, streamID, "2")
	if len(w.queue) != 1 {
		t.Fatalf("%d jobs of one stream", len(w.queue))
	}
	in.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.pass(time.Minute) // slow
		in.ServeHTTP(rw, r)
	})
	w.must(w.tr.Work()[old.Kind].Handler.Handle(t.Context(), old))
	if got := in.take(w, me); len(got) != 1 || len(w.queue) != 2 || w.queue[1].ID == old.ID {
		t.Fatalf("pushed %v, queue %v", got, w.queue)
	}
	w.must(w.tr.Work()[old.Kind].Handler.Handle(t.Context(), old))
	if got := in.take(w, me); len(got) != 0 {
		t.Errorf("the old job pushed %v", got)
	}
	w.work()
	if got := in.take(w, me); len(got) != 1 {
		t.Errorf("pushed %v", got)
	}
}

// TestTend_Stalled: a stream whose job was lost gets another one.
func TestTend_Stalled(t *testing.T) {
	w, in := newWorld(t), newInbox(t)
	me := w.client()
	w.verification(me, w.stream(me, in.URL, ""), "1")
	w.queue = nil // lost
	w.must(w.tr.Tend(t.Context()))
	if len(w.queue) != 0 {
		t.Error("another job although the first may only wait")
	}
	w.pass(4 * time.Hour)
	w.must(w.tr.Tend(t.Context()))
	w.must(w.tr.Tend(t.Context()))
	if len(w.queue) != 1 {
		t.Fatalf("queue %v", w.queue)
	}
	w.work()
	if got := in.take(w, me); len(got) != 1 {
		t.Errorf("pushed %v", got)
	}
}

// TestTend_TooOld: a receiver that takes nothing for a week loses what is older, its
// stream is paused, and it is told so when it comes back.
func TestTend_TooOld(t *testing.T) {
	w := newWorld(t)
	me := w.client()
	streamID := w.stream(me, "", "")
	w.verification(me, streamID, "old")
	w.pass(6 * 24 * time.Hour)
	w.verification(me, streamID, "young")
	w.must(w.tr.Tend(t.Context()))
	w.pass(25 * time.Hour)
	w.must(w.tr.Tend(t.Context()))
	w.must(w.tr.Tend(t.Context()))
	_, status := w.call(me, "GET", "/signals/status?stream_id="+streamID, "")
	if status["status"] != "paused" || status["reason"] == "" {
		t.Errorf("status %v", status)
	}
	got := w.poll(me, streamID)
	if !equal(types(got), "stream-updated") || got[0].body["status"] != "paused" || got[0].body["reason"] != status["reason"] {
		t.Fatalf("told %v", got)
	}
	if diff := cmp.Diff(map[string]any{"format": "opaque", "id": streamID}, got[0].sub); diff != "" {
		t.Error(diff)
	}
	w.status(me, streamID, "enabled")
	if got := w.poll(me, streamID); !equal(types(got), "verification") || got[0].body["state"] != "young" {
		t.Errorf("told %v", got)
	}
	if !w.audited("signals.stream.pause") {
		t.Error("no audit event")
	}
}

func (w *world) audited(action string) bool {
	w.t.Helper()
	entries, err := w.db.AuditTail(w.t.Context(), 50)
	w.must(err)
	for _, e := range entries {
		if e.Action == action {
			return true
		}
	}
	return false
}

// TestBacklog: a stream holds so many events and no more; then it is paused and says
// so, once.
func TestBacklog(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	me := w.client()
	streamID := w.stream(me, "", "")
	u := w.user("alice")
	w.add(me, streamID, issSub(u))
	stored, err := w.db.StreamOf(ctx, me)
	w.must(err)
	var fill []signals.Event
	for i := range signals.MaxWaiting - 1 {
		fill = append(fill, signals.Event{StreamID: stored.ID, JTI: fmt.Sprint(i), ID: newID(), Claims: []byte("{}"), CreatedAt: w.now().UnixMilli()})
	}
	w.must(w.db.InTx(ctx, func(ctx context.Context) error { return w.db.InsertEvents(ctx, fill) }))
	for range 2 {
		w.must(w.users.SignOutEverywhere(ctx, operator(), u.Subject))
		w.relay()
	}
	w.verification(me, streamID, "one more")
	counts, err := w.db.CountEvents(ctx, []id.ID{stored.ID})
	w.must(err)
	if n := counts[stored.ID]; n != signals.MaxWaiting+1 { // the announcement
		t.Errorf("%d events wait", n)
	}
	if got := w.poll(me, streamID); !equal(types(got), "stream-updated") {
		t.Errorf("told %v", got)
	}
}
