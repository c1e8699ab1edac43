package resource

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/gatehouse-id/gatehouse/resource/wire"
)

const (
	// reportAfter is the pause between two reports until the server says another.
	reportAfter    = 10 * time.Second
	minReportAfter = time.Second
	maxReportAfter = 10 * time.Minute
	// keepReporting is the longest pause while nothing new is applied.
	keepReporting = time.Minute
)

// reportPositions tells the issuer what has been applied: at once when something
// was, but not more often than the server wants. A report that fails is as good as
// none: the next one says the same and more.
func (f *feed) reportPositions(ctx context.Context) {
	after := reportAfter
	for {
		keep := time.NewTimer(keepReporting)
		select {
		case <-ctx.Done():
			keep.Stop()
			return
		case <-f.applied:
		case <-keep.C:
		}
		keep.Stop()
		if asked, ok := f.report(ctx); ok {
			after = asked
		}
		if !sleep(ctx, between(after, after*5/4)) {
			return
		}
	}
}

// report posts one report and returns when the next one may come.
func (f *feed) report(ctx context.Context) (time.Duration, bool) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	now := f.now()
	lag, known := f.core.Lag(now)
	cursor := f.core.Cursor()
	if !known || cursor == "" {
		return 0, false
	}
	state := "stale"
	switch f.core.State(now) {
	case Fresh:
		state = "fresh"
	case Syncing:
		state = "syncing"
	}
	body, err := json.Marshal(wire.Report{Instance: f.instance, Cursor: cursor, State: state, Lag: lag.Milliseconds()})
	if err != nil {
		return 0, false
	}
	token, err := f.account.bearer(ctx)
	if err != nil {
		return 0, false
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.base+wire.PathPosition, bytes.NewReader(body))
	if err != nil {
		return 0, false
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := f.client.Do(req)
	if err != nil {
		return 0, false
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		// Who is told to wait would only be refused again.
		var refused *answerError
		asked := errors.As(refusal(wire.PathPosition, resp), &refused) && refused.retryAfter > 0
		if !asked {
			return 0, false
		}
		return min(max(refused.retryAfter, reportAfter), maxReportAfter), true
	}
	var answer wire.Reported
	if json.NewDecoder(io.LimitReader(resp.Body, 4<<10)).Decode(&answer) != nil {
		return 0, false
	}
	seconds := min(max(answer.ReportAfter, 0), int64(maxReportAfter/time.Second))
	return max(time.Duration(seconds)*time.Second, minReportAfter), true
}
