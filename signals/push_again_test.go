package signals_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestPush_RefusesUs: a receiver that does not know the transmitter any more loses
// nothing meanwhile (RFC 8935 §2.4).
func TestPush_RefusesUs(t *testing.T) {
	for _, code := range []string{"authentication_failed", "access_denied"} {
		w, in := newWorld(t), newInbox(t)
		me := w.client()
		w.verification(me, w.stream(me, in.URL, "Bearer old"), "kept")
		in.answers, in.body = []int{400}, `{"err":"`+code+`"}`
		if failed, errs := w.work(); len(failed) != 1 || !strings.Contains(errs[0].Error(), code) {
			t.Fatalf("%s: %v, %v", code, failed, errs)
		}
		in.take(w, me)
		if _, errs := w.work(); len(errs) > 0 || len(in.take(w, me)) != 1 {
			t.Errorf("%s: the event is not sent again: %v", code, errs)
		}
	}
}

// TestPush_Progress: failures between successes do not add up to the long waits of
// a receiver that is down.
func TestPush_Progress(t *testing.T) {
	w, in := newWorld(t), newInbox(t)
	me := w.client()
	streamID := w.stream(me, in.URL, "")
	for n := range 3 {
		w.verification(me, streamID, fmt.Sprint(n))
	}
	first := w.queue[0]
	in.answers = []int{202, 500}
	w.must(w.tr.Work()[first.Kind].Handler.Handle(t.Context(), first))
	if got := in.take(w, me); len(got) != 2 || len(w.queue) != 2 {
		t.Fatalf("pushed %v, queue %v", got, w.queue)
	}
	if next := w.queue[1]; next.ID == first.ID || next.RunAt != w.now().Add(2*time.Second).UnixMilli() {
		t.Errorf("next is %+v", next)
	}
	w.work()
	if got := in.take(w, me); len(got) != 2 {
		t.Errorf("then pushed %v", got)
	}
}

// TestPush_Mended: what the receiver does to its stream ends the wait for the next
// try, unless one may be under way.
func TestPush_Mended(t *testing.T) {
	for name, mend := range map[string]func(w *world, me, stream, endpoint string){
		"another address": func(w *world, me, stream, endpoint string) {
			body := fmt.Sprintf(`{"stream_id":%q,"delivery":{"method":"urn:ietf:rfc:8935","endpoint_url":%q}}`, stream, endpoint)
			if status, answer := w.call(me, "PATCH", "/signals/streams", body); status != http.StatusOK {
				w.t.Fatal(status, answer)
			}
		},
		"enabled":      func(w *world, me, stream, _ string) { w.status(me, stream, "enabled") },
		"verification": func(w *world, me, stream, _ string) { w.verification(me, stream, "more") },
	} {
		t.Run(name, func(t *testing.T) {
			w, in := newWorld(t), newInbox(t)
			me := w.client()
			streamID := w.stream(me, in.URL, "")
			in.answers = []int{500}
			w.verification(me, streamID, "waits")
			if failed, _ := w.work(); len(failed) != 1 {
				t.Fatalf("failed: %v", failed)
			}
			in.take(w, me)
			w.queue = nil // it waits for an hour
			mend(w, me, streamID, in.URL+"/new")
			if len(w.queue) != 0 {
				t.Error("another job although the first may be at work")
			}
			w.pass(2 * time.Minute)
			mend(w, me, streamID, in.URL+"/new")
			if len(w.queue) != 1 {
				t.Fatalf("queue %v", w.queue)
			}
			w.work()
			if got := in.take(w, me); len(got) == 0 || got[0].body["state"] != "waits" {
				t.Errorf("pushed %v", got)
			}
		})
	}
}
