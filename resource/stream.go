package resource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/resource/follow"
	"github.com/gatehouse-id/gatehouse/resource/internal/sse"
	"github.com/gatehouse-id/gatehouse/resource/revset"
	"github.com/gatehouse-id/gatehouse/resource/wire"
)

const (
	// quietFor is how long a stream may stay without a frame.
	quietFor = 3 * wire.HeartbeatEvery * time.Millisecond
	// maxRetryAsked bounds what a server may ask for as the pause between streams.
	maxRetryAsked = slowRetry
)

var (
	errQuiet   = errors.New("the feed fell silent")
	errReset   = errors.New("the feed asks for a new snapshot")
	errNoFrame = errors.New("the feed sent what is no frame")
)

// stream follows the ledger until the connection ends.
func (f *feed) stream(parent context.Context, token string) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	watchdog := time.AfterFunc(requestTimeout, func() { cancel(errQuiet) })
	defer watchdog.Stop()
	requestedAt := f.now()
	resp, err := f.get(ctx, wire.PathStream, token, http.Header{
		"Accept": {"text/event-stream"}, "Cache-Control": {"no-store"}, "Last-Event-Id": {f.core.Cursor()},
	})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind != "text/event-stream" {
		return errNoFrame
	}
	f.core.Connected(requestedAt)
	watchdog.Reset(quietFor)
	events := sse.NewReader(resp.Body)
	for {
		event, err := events.Next()
		if retry := events.Retry(); retry > 0 {
			f.retry = min(retry, maxRetryAsked)
		}
		if err != nil {
			return ending(ctx, err)
		}
		if err := f.take(event); err != nil {
			f.resync = true
			return err
		}
		watchdog.Reset(quietFor)
	}
}

// ending returns why a stream ended; nil if that is how streams end.
func ending(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return fmt.Errorf("stream: %w", err)
}

// take takes in one event. After an error a snapshot is due.
func (f *feed) take(event sse.Event) error {
	switch event.Name {
	case wire.EventRows, wire.EventHead:
		var frame wire.Frame
		if err := json.Unmarshal(event.Data, &frame); err != nil {
			return errNoFrame
		}
		now := f.now()
		err := f.core.Frame(event.ID, frame, now)
		f.fruitful = f.fruitful || err == nil
		if slices.ContainsFunc(frame.Rows, func(r wire.Row) bool { return r.Kind == wire.KindKey }) {
			f.keys.outdate()
		}
		f.arrived(now, len(frame.Rows) > 0)
		if frame.Position > frame.Prev {
			f.tell()
		}
		return err
	case wire.EventReset:
		// A reset that cannot be read is one of an unknown version.
		var reset wire.Reset
		_ = json.Unmarshal(event.Data, &reset)
		f.core.Reset(reset)
		return errReset
	}
	// Not silently: it may be what this version should know.
	f.core.Reset(wire.Reset{})
	return fmt.Errorf("event %.32q: %w", event.Name, follow.ErrUnknown)
}

// arrived passes on that something was taken in.
func (f *feed) arrived(now time.Time, rows bool) {
	f.notice(now)
	if lag, ok := f.core.Lag(now); ok {
		f.logged = "" // so that the next failure is logged again
		if f.events.Lag != nil {
			f.events.Lag(lag)
		}
	}
	if rows {
		f.streams.check()
		f.measure()
		f.tell()
	}
}

// snapshot fetches what comes after the cursor, or everything.
func (f *feed) snapshot(parent context.Context, token string) error {
	f.core.Asking()
	f.notice(f.now())
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	watchdog := time.AfterFunc(requestTimeout, func() { cancel(errQuiet) })
	defer watchdog.Stop()
	requestedAt := f.now()
	path := wire.PathSnapshot
	if cursor := f.core.Cursor(); cursor != "" {
		path += "?" + wire.ParamAfter + "=" + url.QueryEscape(cursor)
	}
	resp, err := f.get(ctx, path, token, http.Header{"Accept": {"application/json"}})
	if err != nil {
		f.core.Failed()
		return err
	}
	defer resp.Body.Close()
	s, rows, failure, err := readSnapshot(progress{resp.Body, watchdog}, f.maxRows)
	if err != nil {
		f.core.Failed()
		return fmt.Errorf("snapshot: %w", because(ctx, err))
	}
	now := f.now()
	err = f.core.Load(s, rows, failure, requestedAt, now)
	if slices.ContainsFunc(rows, func(r revset.Row) bool { return r.Kind == revset.Key }) {
		f.keys.outdate()
	}
	f.arrived(now, true)
	return err
}

// progress keeps a watchdog quiet while something arrives.
type progress struct {
	io.Reader
	watchdog *time.Timer
}

// Read reads and resets the watchdog.
func (p progress) Read(b []byte) (int, error) {
	n, err := p.Reader.Read(b)
	if n > 0 {
		p.watchdog.Reset(requestTimeout)
	}
	return n, err
}

const (
	maxRowBytes      = 160
	maxHeadBytes     = 1 << 20
	maxHeadFields    = 64
	defaultBoundRows = 20_000_000
)

// readSnapshot reads a snapshot, keeping of its rows what a set keeps. The failure
// is why rows are missing; the set's owner must know.
func readSnapshot(in io.Reader, maxRows int) (s wire.Snapshot, rows []revset.Row, failure, err error) {
	if maxRows == 0 {
		maxRows = defaultBoundRows
	}
	decoder := json.NewDecoder(io.LimitReader(in, int64(maxRows)*maxRowBytes+maxHeadBytes))
	head := map[string]json.RawMessage{}
	if err := expect(decoder, '{'); err != nil {
		return s, nil, nil, err
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return s, nil, nil, err
		}
		if name == "rows" {
			missing, err := readRows(decoder, maxRows, &rows)
			if err != nil {
				return s, nil, nil, err
			}
			failure = errors.Join(failure, missing)
			continue
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return s, nil, nil, err
		}
		if head[name.(string)] = value; len(head) > maxHeadFields {
			return s, nil, nil, errors.New("too many fields")
		}
	}
	if err := expect(decoder, '}'); err != nil {
		return s, nil, nil, err
	}
	document, err := json.Marshal(head)
	if err == nil {
		err = json.Unmarshal(document, &s)
	}
	return s, rows, failure, err
}

// readRows appends the rows of an array to rows.
func readRows(decoder *json.Decoder, maxRows int, rows *[]revset.Row) (failure, err error) {
	first, err := decoder.Token()
	if err != nil || first == nil { // null is no rows
		return nil, err
	}
	if first != json.Delim('[') {
		return nil, errNoFrame
	}
	for decoder.More() {
		var r wire.Row
		if err := decoder.Decode(&r); err != nil {
			return nil, err
		}
		row, err := follow.Row(r)
		switch {
		case err != nil:
			failure = err
		case len(*rows) >= maxRows:
			failure = revset.ErrFull
		default:
			*rows = append(*rows, row)
		}
	}
	return failure, expect(decoder, ']')
}

func expect(decoder *json.Decoder, want json.Delim) error {
	token, err := decoder.Token()
	if err != nil {
		return err
	}
	if token != want {
		return errNoFrame
	}
	return nil
}
