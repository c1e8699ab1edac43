// Package sse reads server-sent events, as the WHATWG HTML standard §9.2 has them,
// from a server that is trusted with the content but not with this process's
// memory: an event is bounded.
package sse

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"time"
	"unicode/utf8"
)

// MaxBytes bounds an event: one line, and all lines of data together.
const MaxBytes = 8 << 20

// ErrTooLong is returned for an event of more than MaxBytes.
var ErrTooLong = errors.New("sse: event too long")

// maxRetry bounds what a server may ask for: more is no reconnection time.
const maxRetry = time.Hour

// Event is one event.
type Event struct {
	ID   string // the last one that the stream has set
	Name string // "message" when the stream does not say
	Data []byte
}

// Reader reads events from a stream.
type Reader struct {
	in        *bufio.Reader
	line      []byte
	lastCR    bool
	started   bool
	id        string
	retry     time.Duration
	name      string
	data      []byte
	hasData   bool
	nextID    string
	nextIDSet bool
}

// NewReader returns a Reader of r.
func NewReader(r io.Reader) *Reader {
	return &Reader{in: bufio.NewReaderSize(r, 32<<10)}
}

// Retry returns the reconnection time that the stream has asked for, zero when it
// has not.
func (r *Reader) Retry() time.Duration { return r.retry }

// Next returns the next event. An event that the stream's end cuts off is dropped.
// Errors: [io.EOF], ErrTooLong, the stream's own.
func (r *Reader) Next() (Event, error) {
	r.name, r.data, r.hasData, r.nextIDSet = "", nil, false, false
	for {
		line, err := r.readLine()
		if err != nil {
			return Event{}, err
		}
		if len(line) > 0 {
			if err := r.field(line); err != nil {
				return Event{}, err
			}
			continue
		}
		if r.nextIDSet {
			r.id, r.nextIDSet = r.nextID, false
		}
		if !r.hasData {
			r.name = ""
			continue
		}
		e := Event{ID: r.id, Name: r.name, Data: r.data}
		if e.Name == "" {
			e.Name = "message"
		}
		return e, nil
	}
}

// field takes in one line that is not empty.
func (r *Reader) field(line []byte) error {
	name, value, _ := bytes.Cut(line, []byte{':'})
	value = bytes.TrimPrefix(value, []byte{' '})
	switch string(name) { // a comment has the empty name
	case "event":
		r.name = string(value)
	case "data":
		if r.hasData {
			r.data = append(r.data, '\n')
		}
		r.hasData = true
		if len(r.data)+len(value) > MaxBytes {
			return ErrTooLong
		}
		r.data = append(r.data, value...)
	case "id":
		// It goes into a header when the stream is resumed.
		if !bytes.ContainsAny(value, "\x00") && utf8.Valid(value) {
			r.nextID, r.nextIDSet = string(value), true
		}
	case "retry":
		if ms, err := strconv.ParseUint(string(value), 10, 32); err == nil && value[0] != '+' {
			r.retry = min(time.Duration(ms)*time.Millisecond, maxRetry)
		}
	}
	return nil
}

// readLine returns the next line without its end, which is CR, LF or both. The
// line is good until the next call.
func (r *Reader) readLine() ([]byte, error) {
	r.line = r.line[:0]
	for {
		c, err := r.in.ReadByte()
		if err != nil {
			return nil, err
		}
		// The LF of a CR LF is skipped when the next line is read, which may be
		// much later.
		if r.lastCR && c == '\n' {
			r.lastCR = false
			continue
		}
		r.lastCR = c == '\r'
		if c == '\n' || c == '\r' {
			return r.unmarked(), nil
		}
		if len(r.line) == MaxBytes {
			return nil, ErrTooLong
		}
		r.line = append(r.line, c)
	}
}

// unmarked returns the line without the byte order mark that a stream may begin
// with.
func (r *Reader) unmarked() []byte {
	if r.started {
		return r.line
	}
	r.started = true
	return bytes.TrimPrefix(r.line, []byte("\xef\xbb\xbf"))
}
