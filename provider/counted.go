package provider

import (
	"net/http"

	"github.com/gatehouse-id/gatehouse/internal/counts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/web"
)

// Counter counts what the endpoints answer.
type Counter interface {
	// Count neither waits nor fails. The client is zero if it is not known which.
	Count(w counts.What, client id.ID)
}

// counted counts what an endpoint answers, by what the request's event says at its
// end: that is the one place, whatever way a request went. How the event is filled is
// the matter of those who answer.
func (p *Provider) counted(endpoint string, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h(w, r)
		if p.Counter == nil {
			return
		}
		event := web.Event(r.Context())
		if what := countable(endpoint, event); what.Kind != "" {
			p.Counter.Count(what, event.Client)
		}
	}
}

// countable is nothing for what is neither an error, a token nor an introspection.
func countable(endpoint string, event *web.RequestEvent) counts.What {
	switch {
	case event.Error != "":
		reason := event.Reason
		if reason == "" && event.Error == "invalid_client" && event.Client.IsZero() && event.ClientID != "" {
			reason = counts.ReasonUnknownClient
		}
		return counts.What{Kind: counts.Refusal, Place: endpoint, Name: event.Error, Reason: reason}
	case endpoint == counts.AtToken && event.Outcome == "issued":
		return counts.What{Kind: counts.Token, Name: event.GrantType}
	case endpoint == counts.AtIntrospect && event.Outcome != "":
		return counts.What{Kind: counts.Introspection, Name: event.Outcome}
	}
	return counts.What{}
}

// noteRefusal notes an error in the request's event.
func noteRefusal(r *http.Request, e *Error) *web.RequestEvent {
	event := web.Event(r.Context())
	event.Error, event.Reason, event.Cause = e.Code, e.Reason, e.Cause
	return event
}
