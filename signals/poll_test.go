package signals_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestPoll(t *testing.T) {
	w := newWorld(t)
	me := w.client()
	streamID := w.stream(me, "", "")
	for i := range 3 {
		w.verification(me, streamID, fmt.Sprint(i))
	}
	now := `"returnImmediately":true`
	two, more := w.pollOnce(me, streamID, `{"maxEvents":2,`+now+`}`)
	if len(two) != 2 || !more {
		t.Fatalf("%d of them, more %v", len(two), more)
	}
	again, _ := w.pollOnce(me, streamID, `{"maxEvents":2,`+now+`}`)
	if len(again) != 2 || again[0].jti != two[0].jti && again[0].jti != two[1].jti {
		t.Errorf("what was not acknowledged did not come again: %v", again)
	}
	none, more := w.pollOnce(me, streamID, `{"maxEvents":0}`)
	if len(none) != 0 || !more {
		t.Errorf("none asked, %v came, more %v", none, more)
	}
	ack := fmt.Sprintf(`{"ack":[%q,"unknown"],"setErrs":{%q:{"err":"invalid_audience","description":"not me"}},%s}`, two[0].jti, two[1].jti, now)
	last, more := w.pollOnce(me, streamID, ack)
	if len(last) != 1 || more || last[0].body["state"] != "2" {
		t.Errorf("after acknowledgement %v, more %v", last, more)
	}
	if !strings.Contains(w.log.String(), "err=invalid_audience") {
		t.Error("the error was not logged")
	}
	if got := w.poll(me, streamID); len(got) != 1 {
		t.Errorf("%v", got)
	}
	if empty, more := w.pollOnce(me, streamID, `{`+now+`}`); len(empty) != 0 || more {
		t.Errorf("%v, more %v", empty, more)
	}
}

func TestPoll_Refused(t *testing.T) {
	w := newWorld(t)
	me := w.client()
	streamID := w.stream(me, "", "")
	for _, body := range []string{
		`{`, `[]`, `{"maxEvents":-1}`, `{"maxEvents":1.5}`, `{"maxEvents":"1"}`, `{"returnImmediately":"true"}`, `{"ack":{}}`, `{"ack":[1]}`,
		`{"ack":["` + strings.Repeat("a", 65) + `"]}`, `{"ack":["` + strings.Repeat(`a","`, 1000) + `"]}`, `{"setErrs":[]}`,
		`{"setErrs":{"a":{}}}`, `{"setErrs":{"a":"b"}}`, `{"setErrs":{"a":{"err":"b"},"a":{"err":"c"}}}`, `{"ack":[],"ack":[]}`, `{"ack":null}`,
	} {
		if status, answer := w.call(me, "POST", "/signals/poll/"+streamID, body); status != http.StatusBadRequest || answer["err"] != "invalid_request" {
			t.Errorf("%s: %d %v", body, status, answer)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), "POST", w.web.URL+"/auth/signals/poll/"+streamID, strings.NewReader("ack=1"))
	w.must(err)
	r.Header.Set("Authorization", "Bearer "+me)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := http.DefaultClient.Do(r)
	w.must(err)
	answer.Body.Close()
	if answer.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("a form: %d", answer.StatusCode)
	}
}

// TestPoll_Waits: a poll without an answer waits for one, also beyond what the server
// allows a request, and gives way to another poll of the same stream.
func TestPoll_Waits(t *testing.T) {
	w := newWorld(t)
	const limit = time.Second
	strict := httptest.NewUnstartedServer(w.web.Config.Handler)
	strict.Config.ReadTimeout, strict.Config.WriteTimeout = limit, limit
	strict.Start()
	t.Cleanup(strict.Close)
	me := w.client()
	streamID := w.stream(me, "", "")
	answers := make(chan string, 2)
	poll := func() {
		text := []byte("cut off")
		defer func() { answers <- string(text) }()
		_, text = w.rawAt(strict, me, "POST", "/signals/poll/"+streamID, `{}`)
	}
	go poll()
	w.eventually(func() bool { return w.tr.Polling() == 1 })
	go poll()
	if got := <-answers; got != `{"sets":{}}` {
		t.Errorf("the poll that gave way brought %s", got)
	}
	time.Sleep(limit * 3 / 2)
	w.verification(me, streamID, "now")
	if got := <-answers; strings.Count(got, "eyJ") == 0 {
		t.Errorf("the poll that waited brought %s", got)
	}
	w.eventually(func() bool { return w.tr.Polling() == 0 })
}

// TestPoll_Drain: a server that stops lets no poll wait.
func TestPoll_Drain(t *testing.T) {
	w := newWorld(t)
	me := w.client()
	streamID := w.stream(me, "", "")
	answers := make(chan string)
	poll := func() {
		var text []byte
		defer func() { answers <- string(text) }()
		_, text = w.raw(me, "POST", "/signals/poll/"+streamID, `{}`)
	}
	go poll()
	w.eventually(func() bool { return w.tr.Polling() == 1 })
	w.tr.Drain()
	w.tr.Drain()
	go poll()
	for range 2 {
		if got := <-answers; got != `{"sets":{}}` {
			t.Errorf("a poll brought %s", got)
		}
	}
}

// TestPoll_ClientEnds: a poll that waits brings nothing more once its client may not
// receive.
func TestPoll_ClientEnds(t *testing.T) {
	w := newWorld(t)
	me := w.client()
	streamID := w.stream(me, "", "")
	answers := make(chan int)
	go func() {
		status := 0
		defer func() { answers <- status }()
		status, _ = w.call(me, "POST", "/signals/poll/"+streamID, `{}`)
	}()
	w.eventually(func() bool { return w.tr.Polling() == 1 })
	w.must(w.clients.Disable(t.Context(), operator(), me))
	if status := <-answers; status != http.StatusNotFound {
		t.Errorf("answered %d", status)
	}
}

// TestPoll_PushStream: what is pushed cannot be polled.
func TestPoll_PushStream(t *testing.T) {
	w := newWorld(t)
	me := w.client()
	streamID := w.stream(me, "https://rp.example/", "")
	if status, _ := w.call(me, "POST", "/signals/poll/"+streamID, `{"returnImmediately":true}`); status != http.StatusNotFound {
		t.Errorf("answered %d", status)
	}
}

func (w *world) eventually(f func() bool) {
	w.t.Helper()
	for range 6000 {
		if f() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	w.t.Fatal("it never came true")
}

func TestVerification(t *testing.T) {
	w := newWorld(t)
	me := w.client()
	streamID := w.stream(me, "", "")
	w.verification(me, streamID, "a state")
	body := `{"stream_id":"` + streamID + `"}`
	if status, answer := w.call(me, "POST", "/signals/verify", body); status != http.StatusTooManyRequests {
		t.Errorf("at once again: %d %v", status, answer)
	}
	w.pass(time.Second)
	if status, _ := w.call(me, "POST", "/signals/verify", body); status != http.StatusNoContent {
		t.Errorf("later: %d", status)
	}
	states := map[any]bool{}
	for _, s := range w.poll(me, streamID) {
		sub, _ := s.sub.(map[string]any)
		if s.typ != ssf+"verification" || sub["format"] != "opaque" || sub["id"] != streamID {
			t.Errorf("%+v", s.claims)
		}
		states[s.body["state"]] = true
	}
	if len(states) != 2 || !states["a state"] || !states[nil] {
		t.Errorf("states %v", states)
	}
	w.status(me, streamID, "disabled")
	w.verification(me, streamID, "dropped")
	w.status(me, streamID, "enabled")
	if got := w.poll(me, streamID); len(got) != 0 {
		t.Errorf("held while disabled: %v", got)
	}
}
