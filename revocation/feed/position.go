package feed

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/resource/wire"
)

// maxReport bounds the body of a report, in bytes.
const maxReport = 4 << 10

// maxLag is the highest lag that is believed, in milliseconds: a year.
const maxLag = 365 * 24 * 3600 * 1000

var errReport = errors.New("the report is malformed")

// position is POST /revocations/position.
func (h *Handler) position(w http.ResponseWriter, r *http.Request) {
	if !allowed(w, r, http.MethodPost) {
		return
	}
	f, ok := h.authorized(w, r)
	if !ok {
		return
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		refuse(w, r, http.StatusUnsupportedMediaType, "invalid_request", "The body must be application/json")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxReport))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		refuse(w, r, http.StatusRequestEntityTooLarge, "invalid_request", "The report is too large")
		return
	}
	if err == nil {
		var report wire.Report
		if report, err = parseReport(body); err == nil {
			h.report(w, r, f, report)
			return
		}
	}
	refuse(w, r, http.StatusBadRequest, "invalid_request", "The report is malformed")
}

// report takes what a follower has applied. Its cursor is evidence as any other
// (L8), but only where it lies beyond what this node knows: reports are many.
func (h *Handler) report(w http.ResponseWriter, r *http.Request, f *Follower, report wire.Report) {
	a := NewAudience(h.Keyring, f.Audience)
	c, _, ok := readCursor(h.Keyring, report.Cursor)
	if !ok || c.filter != a.filter {
		refuse(w, r, http.StatusBadRequest, "invalid_request", "The cursor is not one of this audience")
		return
	}
	p, same := h.Ledger.Last(), true
	if c.line == lineOf(p.Timeline) && c.position > p.Position {
		var err error
		if same, err = h.prove(r.Context(), p, c.position, c.chain); err != nil {
			busy(w, r, err)
			return
		}
		p = h.Ledger.Last()
	}
	if !same || c.line != lineOf(p.Timeline) {
		refuse(w, r, http.StatusConflict, "invalid_request", "The cursor belongs to another timeline; take a snapshot")
		return
	}
	next, ok := h.reports.take(Applied{
		ClientID: f.ClientID, Instance: report.Instance, Audience: f.Audience, Timeline: p.Timeline, Position: c.position,
		State: report.State, Lag: report.Lag, ReportedAt: h.Now().UnixMilli(),
	})
	if !ok {
		if h.crowded.now(h.Now()) {
			h.Log.WarnContext(r.Context(), "more processes of an API report than are kept: the receipts of a revocation do not name all of them",
				"client_id", f.ClientID, "kept", h.Limits.Instances)
		}
		w.Header().Set("Retry-After", "60")
		refuse(w, r, http.StatusTooManyRequests, "temporarily_unavailable", "Too many instances of this client report")
		return
	}
	web.Event(r.Context()).Outcome = "reported"
	web.NoStore(w)
	web.WriteJSON(w, http.StatusOK, wire.Reported{ReportAfter: next})
}

// parseReport reads a report: one JSON object with its four members and nothing
// else.
func parseReport(body []byte) (wire.Report, error) {
	var report wire.Report
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&report); err != nil {
		return wire.Report{}, errReport
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return wire.Report{}, errReport
	}
	good := isInstance(report.Instance) &&
		slices.Contains([]string{"fresh", "stale", "syncing"}, report.State) &&
		len(report.Cursor) == cursorText && report.Lag >= 0 && report.Lag <= maxLag
	if !good {
		return wire.Report{}, errReport
	}
	return report, nil
}

// isInstance reports whether a follower may call itself so.
func isInstance(name string) bool {
	strange := func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("._-", c)
	}
	return name != "" && len(name) <= 64 && !strings.ContainsFunc(name, strange)
}
