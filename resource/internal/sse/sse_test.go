package sse

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func readAll(t *testing.T, r io.Reader) ([]Event, *Reader) {
	t.Helper()
	reader := NewReader(r)
	var events []Event
	for {
		e, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return events, reader
		}
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
}

func TestReader(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     []Event
	}{
		{"one", "event: rows\nid: 7\ndata: {}\n\n", []Event{{"7", "rows", []byte("{}")}}},
		{"line ends", "event: a\r\ndata: 1\r\n\r\nevent: b\rdata: 2\r\revent: c\ndata: 3\n\n", []Event{
			{"", "a", []byte("1")}, {"", "b", []byte("2")}, {"", "c", []byte("3")},
		}},
		{"lines of data", "data: a\ndata\ndata:b\n\n", []Event{{"", "message", []byte("a\n\nb")}}},
		{"one space alone", "data:  a\n\n", []Event{{"", "message", []byte(" a")}}},
		{"empty data", "data\n\n", []Event{{"", "message", nil}}},
		{"comments", ": hello\n\n:\ndata: a\n:x\n\n", []Event{{"", "message", []byte("a")}}},
		{"no data, no event", "event: a\nid: 1\n\ndata: b\n\n", []Event{{"1", "message", []byte("b")}}},
		{"id stays", "id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n", []Event{
			{"1", "message", []byte("a")}, {"1", "message", []byte("b")}, {"", "message", []byte("c")},
		}},
		{"id with NUL", "id: 1\ndata: a\n\nid: \x00\ndata: b\n\n", []Event{{"1", "message", []byte("a")}, {"1", "message", []byte("b")}}},
		{"unknown field", "datum: x\n data: y\ndata: z\n\n", []Event{{"", "message", []byte("z")}}},
		{"byte order mark", "\xef\xbb\xbfdata: a\n\n\xef\xbb\xbfdata: b\n\n", []Event{{"", "message", []byte("a")}}},
		{"cut off", "data: a\n\ndata: b\n", []Event{{"", "message", []byte("a")}}},
		{"cut off id", "id: 9\ndata: a", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := readAll(t, strings.NewReader(tt.in))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("events differ (-want +got):\n%s", diff)
			}
			got, _ = readAll(t, iotest.OneByteReader(strings.NewReader(tt.in)))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("byte by byte (-want +got):\n%s", diff)
			}
		})
	}
}

// TestReaderDoesNotWait: an event is there with its last line end, also when that
// is a CR whose LF may follow.
func TestReaderDoesNotWait(t *testing.T) {
	in, out := io.Pipe()
	reader := NewReader(in)
	go func() {
		_, _ = io.WriteString(out, "data: a\r\n\r")
	}()
	if e, err := reader.Next(); err != nil || string(e.Data) != "a" {
		t.Fatalf("got %q, %v", e.Data, err)
	}
	go func() {
		_, _ = io.WriteString(out, "\ndata: b\r\n\r\n")
		out.Close()
	}()
	if e, err := reader.Next(); err != nil || string(e.Data) != "b" {
		t.Fatalf("got %q, %v", e.Data, err)
	}
}

func TestRetry(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"retry: 1500\n": 1500 * time.Millisecond, "retry: -1\n": 0, "retry: +1\n": 0, "retry: 1s\n": 0, "retry\n": 0,
		"retry: 4294967295\n": maxRetry, "retry: 99999999999\n": 0,
	} {
		if _, r := readAll(t, strings.NewReader(in)); r.Retry() != want {
			t.Errorf("%q: %v, want %v", in, r.Retry(), want)
		}
	}
}

// endless says one thing for ever.
type endless string

func (e endless) Read(b []byte) (int, error) {
	n := 0
	for n < len(b) {
		n += copy(b[n:], e)
	}
	return n, nil
}

func TestBounds(t *testing.T) {
	for name, in := range map[string]io.Reader{
		"line": io.MultiReader(strings.NewReader("data: "), endless("aaaaaaaa")),
		"data": endless("data: aaaaaaaaaaaaaaaaaaaaaaaaa\n"),
	} {
		if _, err := NewReader(in).Next(); !errors.Is(err, ErrTooLong) {
			t.Errorf("%s: %v", name, err)
		}
	}
	big := bytes.Repeat([]byte("a"), MaxBytes-len("data: "))
	if got, _ := readAll(t, io.MultiReader(strings.NewReader("data: "), bytes.NewReader(big), strings.NewReader("\n\n"))); len(got) != 1 {
		t.Errorf("an event within the bound was refused")
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("event: rows\nid: 7\nretry: 1\ndata: {}\r\ndata\r\r:\n\n"))
	f.Add([]byte("\xef\xbb\xbfdata\n\nid:\x00\n\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		got, reader := readAll(t, bytes.NewReader(in))
		again, _ := readAll(t, iotest.OneByteReader(bytes.NewReader(in)))
		if diff := cmp.Diff(got, again); diff != "" {
			t.Errorf("depends on how it arrives:\n%s", diff)
		}
		size := 0
		for _, e := range got {
			size += len(e.Data)
			if strings.ContainsAny(e.ID, "\r\n\x00") || e.Name == "" {
				t.Errorf("event %q %q", e.ID, e.Name)
			}
		}
		if size > len(in) || reader.Retry() < 0 || reader.Retry() > maxRetry {
			t.Errorf("%d bytes of %d, retry %v", size, len(in), reader.Retry())
		}
	})
}
