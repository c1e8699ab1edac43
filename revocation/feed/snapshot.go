package feed

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/resource/wire"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// pageRows is how many rows of the database a snapshot holds at once.
const pageRows = 2000

var errChanged = errors.New("feed: the ledger has changed below a snapshot")

// page is a snapshot that is about to be written.
type page struct {
	audience *Audience
	from     int64 // rows above it are sent
	to       revocation.Point
	complete bool
	rows     []revocation.Row // what memory had of them; with held, all
	held     bool
}

// snapshot is GET /revocations.
func (h *Handler) snapshot(w http.ResponseWriter, r *http.Request) {
	if !allowed(w, r, http.MethodGet, http.MethodHead) {
		return
	}
	f, ok := h.authorized(w, r)
	if !ok {
		return
	}
	text, complete, err := after(r)
	if err != nil {
		refuse(w, r, http.StatusBadRequest, "invalid_request", err.Error())
		return
	}
	p, err := h.plan(r.Context(), NewAudience(h.Keyring, f.Audience), text, complete)
	if err != nil {
		busy(w, r, err)
		return
	}
	head := w.Header()
	head.Set("Cache-Control", "private, max-age=0, must-revalidate")
	head.Set("Vary", "Authorization, Accept-Encoding")
	head.Set("Etag", p.etag())
	head.Set("Content-Type", "application/json")
	if matches(r.Header.Values("If-None-Match"), p.etag()) {
		web.Event(r.Context()).Outcome = "not-modified"
		head.Del("Content-Type")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if r.Method == http.MethodHead {
		return
	}
	h.answer(w, r, f.ClientID, p)
}

// plan decides what a snapshot brings: what came after the cursor if it can be
// continued, else everything. Who wants everything shows with the cursor what is
// known there: a node that has not noticed a loss does so by it (L8).
func (h *Handler) plan(ctx context.Context, a *Audience, text string, complete bool) (*page, error) {
	p := &page{audience: a, complete: true}
	if text != "" {
		mark, reason, err := h.resume(ctx, a, text)
		if err != nil {
			return nil, err
		}
		web.Event(ctx).Outcome = "complete-" + reason
		if reason == "" && !complete {
			web.Event(ctx).Outcome = "continued"
			p.complete, p.from = false, mark.Position
		}
	}
	var err error
	if p.to, err = h.Ledger.Point(ctx); err != nil {
		return nil, err
	}
	if p.complete {
		return p, nil
	}
	rows, to, ok := h.Ledger.Since(p.from)
	if ok && to.Timeline == p.to.Timeline && to.Position >= p.to.Position {
		p.rows, p.held = rows, true
	}
	return p, nil
}

// etag names what a snapshot says, apart from when it says it. That it is weak
// tells that the bytes may differ.
func (p *page) etag() string {
	sum := sha256.Sum256(fmt.Appendf(
		nil, "%d %q %d %d %d %t %x %x", wire.Version, p.to.Timeline, p.from, p.to.Position, p.to.Floor, p.complete,
		p.audience.hashKey, p.audience.filter,
	))
	return `W/"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
}

// matches compares weakly, as RFC 9110 §13.1.2 asks for.
func matches(header []string, etag string) bool {
	for _, one := range strings.Split(strings.Join(header, ","), ",") {
		one = strings.Trim(one, " \t")
		if one == "*" || "W/"+strings.TrimPrefix(one, "W/") == etag {
			return true
		}
	}
	return false
}

// answer writes a snapshot, with a turn at the database if it needs that.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, clientID string, p *page) {
	if !p.held {
		give, err := h.turns.take(r.Context(), clientID)
		if err != nil {
			w.Header().Del("Etag")
			busy(w, r, err)
			return
		}
		defer give()
	}
	rc := http.NewResponseController(w)
	// Deadlines are the socket's, so they follow the system's clock.
	last := time.Now().Add(h.Limits.SnapshotTime)
	more := func() error {
		next := time.Now().Add(h.Limits.BlockedFor)
		if next.After(last) {
			next = last
		}
		return rc.SetWriteDeadline(next)
	}
	if err := h.pack(w, r, p, more); err != nil {
		web.Event(r.Context()).Cause = err
		// Nobody must take a part for the whole.
		panic(http.ErrAbortHandler)
	}
}

// pack writes a complete snapshot compressed, if the client takes that. What came
// after a cursor is short, and hashes hardly shrink.
func (h *Handler) pack(w http.ResponseWriter, r *http.Request, p *page, more func() error) error {
	if !p.complete || !acceptsGzip(r.Header.Values("Accept-Encoding")) {
		return h.writeSnapshot(r.Context(), w, p, more)
	}
	w.Header().Set("Content-Encoding", "gzip")
	packed := gzip.NewWriter(w)
	if err := h.writeSnapshot(r.Context(), packed, p, more); err != nil {
		return err
	}
	return packed.Close()
}

// writeSnapshot writes a page as a wire.Snapshot without ever holding its rows
// all at once. more is called before each part.
func (h *Handler) writeSnapshot(ctx context.Context, out io.Writer, p *page, more func() error) error {
	if err := more(); err != nil {
		return err
	}
	now := h.Now()
	b := bufio.NewWriterSize(out, 32<<10)
	_, _ = b.WriteString(`{"rows":[`) // a bufio.Writer keeps its error for Flush
	if err := h.writeRows(ctx, b, p, more); err != nil {
		return err
	}
	floor, err := h.vouch(ctx, p)
	if err != nil {
		return err
	}
	head, err := json.Marshal(wire.Snapshot{
		Frame: wire.Frame{
			Version: wire.Version, Timeline: p.to.Timeline, Prev: p.from, Position: p.to.Position, Floor: floor,
			Time: now.UnixMilli(), Age: age(now, p.to.Confirmed),
		},
		Complete: p.complete, Cursor: p.audience.cursor(markOf(p.to)), HashKey: p.audience.hashKeyText(),
	})
	if err != nil {
		return err
	}
	_, _ = b.WriteString("],")
	_, _ = b.Write(head[1:])
	_ = b.WriteByte('\n')
	return b.Flush()
}

// vouch returns the floor that goes with rows that were read from the database
// after the moment which they are to lead to. If that has lost a part of the ledger
// meanwhile, they are of two histories; if it has dropped rows, these are below its
// floor of now.
func (h *Handler) vouch(ctx context.Context, p *page) (int64, error) {
	if p.held {
		return p.to.Floor, nil
	}
	same, err := h.Ledger.Evidence(ctx, p.to.Position, chainOf(p.to.Chain).known())
	if err != nil {
		return 0, err
	}
	last := h.Ledger.Last()
	if last.Timeline != p.to.Timeline || !same && p.to.Position > 0 {
		return 0, errChanged
	}
	return max(p.to.Floor, last.Floor), nil
}

func (h *Handler) writeRows(ctx context.Context, b *bufio.Writer, p *page, more func() error) error {
	first := true
	for from, rows := p.from, p.rows; ; {
		if !p.held {
			var err error
			if rows, err = h.Rows.After(ctx, from, pageRows); err != nil {
				return err
			}
		}
		for _, row := range p.audience.rows(rows, p.to.Position) {
			if !first {
				_ = b.WriteByte(',')
			}
			first = false
			text, err := json.Marshal(row)
			if err != nil {
				return err
			}
			_, _ = b.Write(text)
		}
		if p.held || len(rows) < pageRows || rows[len(rows)-1].Position >= p.to.Position {
			return nil
		}
		from = rows[len(rows)-1].Position
		if err := more(); err != nil {
			return err
		}
	}
}

// acceptsGzip reports whether gzip is named with a quality above zero
// (RFC 9110 §12.5.3). A "*" is not taken for it.
func acceptsGzip(header []string) bool {
	for _, one := range strings.Split(strings.Join(header, ","), ",") {
		name, params, _ := strings.Cut(one, ";")
		if !strings.EqualFold(strings.Trim(name, " \t"), "gzip") {
			continue
		}
		q, ok := strings.CutPrefix(strings.ToLower(strings.Trim(params, " \t")), "q=")
		if !ok {
			return true
		}
		quality, err := strconv.ParseFloat(q, 64)
		return err == nil && quality > 0
	}
	return false
}
