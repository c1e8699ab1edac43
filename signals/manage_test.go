package signals_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/signals"
)

var update = flag.Bool("update", false, "write testdata/configuration.json")

func newID() id.ID { return id.New() }

func TestConfiguration(t *testing.T) {
	w := newWorld(t)
	var first []byte
	for _, path := range []string{"/.well-known/ssf-configuration/auth", "/auth/.well-known/ssf-configuration"} {
		answer, err := http.Get(w.web.URL + path)
		w.must(err)
		defer answer.Body.Close()
		var compact, indented bytes.Buffer
		_, err = compact.ReadFrom(answer.Body)
		w.must(err)
		w.must(json.Indent(&indented, compact.Bytes(), "", "  "))
		if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s", path, answer.StatusCode, answer.Header.Get("Content-Type"))
		}
		first = append(indented.Bytes(), '\n')
		const golden = "testdata/configuration.json"
		if *update {
			w.must(os.WriteFile(golden, first, 0o644))
		}
		want, err := os.ReadFile(golden)
		w.must(err)
		if diff := cmp.Diff(string(want), string(first)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestStream(t *testing.T) {
	w := newWorld(t)
	me := w.client()
	create := `{"events_requested":["` + caep + `session-revoked","urn:unknown"],"description":"mine",
"delivery":{"method":"urn:ietf:rfc:8935","endpoint_url":"https://rp.example/e?k=v","authorization_header":"Bearer top-secret"}}`
	status, made := w.call(me, "POST", "/signals/streams", create)
	streamID, _ := made["stream_id"].(string)
	want := map[string]any{
		"stream_id": streamID, "iss": issuer, "aud": me, "events_supported": anys(allTypes()),
		"events_requested": anys([]string{caep + "session-revoked", "urn:unknown"}),
		"events_delivered": anys([]string{caep + "session-revoked"}), "min_verification_interval": 1.0, "description": "mine",
		"delivery": map[string]any{"method": "urn:ietf:rfc:8935", "endpoint_url": "https://rp.example/e?k=v"},
	}
	if diff := cmp.Diff(want, made); status != http.StatusCreated || diff != "" {
		t.Fatal(status, diff)
	}
	if status, answer := w.call(me, "POST", "/signals/streams", "{}"); status != http.StatusConflict {
		t.Errorf("a second stream: %d %v", status, answer)
	}
	status, read := w.call(me, "GET", "/signals/streams?stream_id="+streamID, "")
	if diff := cmp.Diff(want, read); status != http.StatusOK || diff != "" {
		t.Error(status, diff)
	}
	_, text := w.raw(me, "GET", "/signals/streams", "")
	var list []map[string]any
	w.must(json.Unmarshal(text, &list))
	if diff := cmp.Diff([]map[string]any{want}, list); diff != "" {
		t.Error(diff)
	}
	if _, text := w.raw(w.client(), "GET", "/signals/streams", ""); string(text) != "[]" {
		t.Errorf("somebody without a stream reads %s", text)
	}

	patch := `{"stream_id":"` + streamID + `","iss":"` + issuer + `","description":"other"}`
	want["description"] = "other"
	status, read = w.call(me, "PATCH", "/signals/streams", patch)
	if diff := cmp.Diff(want, read); status != http.StatusOK || diff != "" {
		t.Error(status, diff)
	}
	if stored, err := w.db.StreamOf(t.Context(), me); err != nil || len(stored.Sealed) == 0 {
		t.Errorf("a change of the description touched the header: %v, %v", stored, err)
	}
	// PUT deletes what it does not name; the stream is polled then.
	status, read = w.call(me, "PUT", "/signals/streams", `{"stream_id":"`+streamID+`"}`)
	delete(want, "description")
	delete(want, "events_requested")
	want["events_delivered"] = []any{}
	want["delivery"] = map[string]any{"method": "urn:ietf:rfc:8936", "endpoint_url": issuer + "/signals/poll/" + streamID}
	if diff := cmp.Diff(want, read); status != http.StatusOK || diff != "" {
		t.Error(status, diff)
	}
	if status, _ := w.raw(me, "DELETE", "/signals/streams?stream_id="+streamID, ""); status != http.StatusNoContent {
		t.Errorf("delete: %d", status)
	}
	if status, _ := w.call(me, "GET", "/signals/streams?stream_id="+streamID, ""); status != http.StatusNotFound {
		t.Errorf("read a deleted stream: %d", status)
	}
	w.auditedStream(me, streamID)
}

// auditedStream checks what the log tells of TestStream.
func (w *world) auditedStream(me, streamID string) {
	w.t.Helper()
	var actions []string
	entries, err := w.db.AuditTail(w.t.Context(), 20)
	w.must(err)
	for _, e := range entries {
		if e.TargetID == streamID {
			actions = append(actions, fmt.Sprint(e.Action, " ", e.Actor.Kind, " ", e.Actor.ID == me))
		}
	}
	wantActions := []string{
		"signals.stream.delete client true", "signals.stream.update client true",
		"signals.stream.update client true", "signals.stream.create client true",
	}
	if diff := cmp.Diff(wantActions, actions); diff != "" {
		w.t.Error(diff)
	}
}

func anys(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

// TestHeaderStaysSecret: the Authorization header of a receiver is shown nowhere and
// kept sealed, and it does not go to an address that it was not given for.
func TestHeaderStaysSecret(t *testing.T) {
	w := newWorld(t)
	me := w.client()
	const header = "Bearer top-secret"
	streamID := w.stream(me, "https://one.example/", header)
	stored, err := w.db.StreamOf(t.Context(), me)
	w.must(err)
	if len(stored.Sealed) == 0 || bytes.Contains(stored.Sealed, []byte("secret")) {
		t.Errorf("stored as %q", stored.Sealed)
	}
	for _, path := range []string{"/signals/streams", "/signals/streams?stream_id=" + streamID, "/signals/status?stream_id=" + streamID} {
		if _, text := w.raw(me, "GET", path, ""); bytes.Contains(text, []byte("secret")) {
			t.Errorf("%s shows it: %s", path, text)
		}
	}
	moved := `{"stream_id":"` + streamID + `","delivery":{"method":"urn:ietf:rfc:8935","endpoint_url":"https://two.example/"}}`
	if status, _ := w.call(me, "PATCH", "/signals/streams", moved); status != http.StatusOK {
		t.Fatalf("move: %d", status)
	}
	if stored, err = w.db.StreamOf(t.Context(), me); err != nil || stored.Sealed != nil {
		t.Errorf("the header moved along: %v", err)
	}
	entries, err := w.db.AuditTail(t.Context(), 50)
	w.must(err)
	if strings.Contains(fmt.Sprintf("%+v", entries)+w.log.String(), "top-secret") {
		t.Error("it is in a log")
	}
}

func TestStream_Refused(t *testing.T) {
	w := newWorld(t)
	me := w.client()
	push := func(endpoint string) string {
		return `{"delivery":{"method":"urn:ietf:rfc:8935","endpoint_url":` + endpoint + `}}`
	}
	for name, body := range map[string]string{
		"broken":             `{ broken`,
		"a list":             `[]`,
		"null":               `null`,
		"two objects":        `{}{}`,
		"repeated members":   `{"description":"a","description":"b"}`,
		"number":             `{"description":1}`,
		"null member":        `{"events_requested":null}`,
		"no types":           `{"events_requested":[1]}`,
		"too many types":     `{"events_requested":["` + strings.Repeat(`a","`, 64) + `a"]}`,
		"long type":          `{"events_requested":["` + strings.Repeat("a", 513) + `"]}`,
		"control characters": `{"description":"a\u0000b"}`,
		"not UTF-8":          "{\"description\":\"\xff\"}",
		"no method":          `{"delivery":{}}`,
		"unknown method":     `{"delivery":{"method":"urn:ietf:rfc:1"}}`,
		"no address":         `{"delivery":{"method":"urn:ietf:rfc:8935"}}`,
		"http":               push(`"http://rp.example/"`),
		"http by trick":      push(`"http://localhost.evil.example/"`),
		"file":               push(`"file:///etc/passwd"`),
		"no host":            push(`"https:///x"`),
		"opaque":             push(`"https:rp.example"`),
		"fragment":           push(`"https://rp.example/#a"`),
		"empty fragment":     push(`"https://rp.example/#"`),
		"user":               push(`"https://u:p@rp.example/"`),
		"line break":         push(`"https://rp.example/\n"`),
		"long address":       push(`"https://rp.example/` + strings.Repeat("a", 2048) + `"`),
		"header injection": `{"delivery":{"method":"urn:ietf:rfc:8935","endpoint_url":"https://rp.example/",
"authorization_header":"a\r\nHost: b"}}`,
	} {
		if status, answer := w.call(me, "POST", "/signals/streams", body); status != http.StatusBadRequest || answer["err"] != "invalid_request" {
			t.Errorf("%s: %d %v", name, status, answer)
		}
	}
}

func TestStream_RefusedChange(t *testing.T) {
	w := newWorld(t)
	me := w.client()
	if status, _ := w.call(me, "POST", "/signals/streams", `{"description":"`+strings.Repeat("a", 70<<10)+`"}`); status != http.StatusRequestEntityTooLarge {
		t.Errorf("large body: %d", status)
	}
	streamID := w.stream(me, "", "")
	for name, body := range map[string]string{
		"another issuer":   `{"stream_id":"` + streamID + `","iss":"https://evil.example"}`,
		"another audience": `{"stream_id":"` + streamID + `","aud":"x"}`,
		"other events":     `{"stream_id":"` + streamID + `","events_delivered":[]}`,
		"no stream":        `{"description":"x"}`,
		"broken":           `{ broken`,
	} {
		for _, method := range []string{"PATCH", "PUT"} {
			if status, answer := w.call(me, method, "/signals/streams", body); status != http.StatusBadRequest {
				t.Errorf("%s %s: %d %v", method, name, status, answer)
			}
		}
	}
	if status, _ := w.call(me, "POST", "/signals/verify", `{"stream_id":"`+streamID+`","state":"`+strings.Repeat("a", 1025)+`"}`); status != http.StatusBadRequest {
		t.Errorf("long state: %d", status)
	}
	for _, body := range []string{`{"stream_id":"` + streamID + `","status":"gone"}`, `{"stream_id":"` + streamID + `"}`} {
		if status, _ := w.call(me, "POST", "/signals/status", body); status != http.StatusBadRequest {
			t.Errorf("%s: %d", body, status)
		}
	}
}

// TestAttack_229_StreamOfAnother: every operation on a stream finds it by who asks,
// not by the id alone.
func TestAttack_229_StreamOfAnother(t *testing.T) {
	w := newWorld(t)
	victim, thief, bare := w.client(), w.client(), w.client()
	streamID := w.stream(victim, "", "")
	w.stream(thief, "", "")
	named := func(more string) string { return `{"stream_id":"` + streamID + `"` + more + `}` }
	subject := `,"subject":{"format":"iss_sub","iss":"` + issuer + `","sub":"x"}`
	for _, c := range []struct{ method, path, body string }{
		{"GET", "/signals/streams?stream_id=" + streamID, ""},
		{"PATCH", "/signals/streams", named("")},
		{"PUT", "/signals/streams", named("")},
		{"DELETE", "/signals/streams?stream_id=" + streamID, ""},
		{"GET", "/signals/status?stream_id=" + streamID, ""},
		{"POST", "/signals/status", named(`,"status":"disabled"`)},
		{"POST", "/signals/subjects/add", named(subject)},
		{"POST", "/signals/subjects/remove", named(subject)},
		{"POST", "/signals/verify", named("")},
		{"POST", "/signals/poll/" + streamID, `{"returnImmediately":true}`},
	} {
		for _, who := range []string{thief, bare} {
			if status, answer := w.call(who, c.method, c.path, c.body); status != http.StatusNotFound {
				t.Errorf("%s %s: %d %v", c.method, c.path, status, answer)
			}
		}
		r, err := http.NewRequestWithContext(t.Context(), c.method, w.web.URL+"/auth"+c.path, strings.NewReader(c.body))
		w.must(err)
		answer, err := http.DefaultClient.Do(r)
		w.must(err)
		answer.Body.Close()
		if answer.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s %s without a token: %d", c.method, c.path, answer.StatusCode)
		}
	}
	s, err := w.db.StreamOf(t.Context(), victim)
	if err != nil || s.Status != signals.Enabled || len(s.Requested) != len(allTypes()) {
		t.Errorf("the stream was changed: %+v, %v", s, err)
	}
}

func TestMethods(t *testing.T) {
	w := newWorld(t)
	for path, method := range map[string]string{
		"/signals/streams": "HEAD", "/signals/status": "PUT", "/signals/subjects/add": "GET", "/signals/verify": "DELETE",
	} {
		if status, _ := w.raw("x", method, path, ""); status != http.StatusMethodNotAllowed {
			t.Errorf("%s %s: %d", method, path, status)
		}
	}
}

// TestStream_Race: of many that make the same receiver's stream one wins.
func TestStream_Race(t *testing.T) {
	w := newWorld(t)
	me := w.client()
	var wg sync.WaitGroup
	var mu sync.Mutex
	answers := map[int]int{}
	for range 8 {
		wg.Go(func() {
			status, _ := w.call(me, "POST", "/signals/streams", "{}")
			mu.Lock()
			defer mu.Unlock()
			answers[status]++
		})
	}
	wg.Wait()
	if diff := cmp.Diff(map[int]int{http.StatusCreated: 1, http.StatusConflict: 7}, answers); diff != "" {
		t.Error(diff)
	}
}
