package web

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// maxLogged bounds each logged value that a client may have chosen.
const maxLogged = 256

// RequestEvent is the one line that a request leaves in the log. Handlers fill in what
// they learn, in the request's own goroutine; the Front writes it at the end.
// No field may hold a secret, a token, a code or a query string.
type RequestEvent struct {
	ClientID  string
	GrantType string
	UserID    string // sub or internal id, never a name or mail address
	Outcome   string // one fixed word, such as "issued", "denied", "signed-in"
	Error     string // the protocol's error code, such as "invalid_grant"
	Reason    string // one fixed word that says which of the code's several causes it was
	Client    id.ID  // the client's own key if there is such a client; it is not logged
	Fault     bool   // ours, although the answer is no 5xx: a redirect can carry one
	Cause     error  // why, for the operator; a Cause with a 5xx answer is an error in the log
	route     string
	stack     []byte
}

// Event returns the event of the request in whose context ctx was made.
// Outside a Front it returns one that nobody will read.
func Event(ctx context.Context) *RequestEvent {
	if q := fromContext(ctx); q != nil {
		return &q.event
	}
	return &RequestEvent{}
}

// recordRoute notes the template of the route that matched: unlike the path it
// holds nothing that the client chose.
func recordRoute(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if q := fromContext(r.Context()); q != nil {
			if route := mux.CurrentRoute(r); route != nil {
				q.event.route, _ = route.GetPathTemplate() // a route without a path keeps ""
			}
		}
		next.ServeHTTP(w, r)
	})
}

// write logs the event of q.
func (e *RequestEvent) write(ctx context.Context, log *slog.Logger, method string, q *request, took time.Duration) {
	level := slog.LevelInfo
	if e.Fault || q.answer.status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	if !log.Enabled(ctx, level) {
		return
	}
	attrs := make([]slog.Attr, 0, 16)
	attrs = append(attrs,
		slog.String("request_id", q.id),
		slog.String("method", clip(method)),
		slog.String("route", e.route),
		slog.Int("status", q.answer.status),
		slog.Int64("bytes", q.answer.bytes),
		slog.Duration("duration", took),
	)
	if q.addr.IsValid() {
		attrs = append(attrs, slog.String("address", q.addr.String()))
	}
	for _, a := range [...]struct{ name, value string }{
		{"client_id", e.ClientID},
		{"grant_type", e.GrantType},
		{"user_id", e.UserID},
		{"outcome", e.Outcome},
		{"error", e.Error},
		{"reason", e.Reason},
	} {
		if a.value != "" {
			attrs = append(attrs, slog.String(a.name, clip(a.value)))
		}
	}
	if len(e.stack) > 0 {
		attrs = append(attrs, slog.String("stack", string(e.stack)))
	}
	if e.Cause != nil {
		attrs = append(attrs, slog.String("cause", e.Cause.Error()))
	}
	log.LogAttrs(ctx, level, "request", attrs...)
}

func clip(s string) string {
	if len(s) <= maxLogged {
		return s
	}
	return s[:maxLogged] + "..."
}
