package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/auditlog"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

const tagAudit = "audit"

// AuditEvent is one event of the audit log.
type AuditEvent struct {
	ID         string         `json:"id"`
	At         time.Time      `json:"at"`
	Action     string         `json:"action"`
	ActorKind  string         `json:"actor_kind" doc:"person, client, command or system."`
	ActorID    string         `json:"actor_id"`
	ActorName  string         `json:"actor_name,omitempty"`
	TargetKind string         `json:"target_kind"`
	TargetID   string         `json:"target_id"`
	Details    map[string]any `json:"details,omitempty"`
	Before     map[string]any `json:"before,omitempty" doc:"What the change made different, as it was."`
	After      map[string]any `json:"after,omitempty" doc:"What the change made different, as it is now."`
	RequestID  string         `json:"request_id,omitempty"`
	Address    string         `json:"address,omitempty"`
	SID        string         `json:"sid,omitempty" doc:"Of the session in which a person did it."`
	ClientID   string         `json:"client_id,omitempty" doc:"Of the app by whose token a person did it."`
	Seq        int64          `json:"seq,omitempty" doc:"Its place in the chain; missing until it is sealed."`
	ErasedAt   *time.Time     `json:"erased_at,omitempty" doc:"When what was personal in it was erased."`
}

func auditEventOf(e *auditlog.Entry) AuditEvent {
	return AuditEvent{
		ID: e.ID.String(), At: time.UnixMilli(e.At).UTC(), Action: e.Action, ActorKind: e.Actor.Kind, ActorID: e.Actor.ID, ActorName: e.Actor.Name,
		TargetKind: e.TargetKind, TargetID: e.TargetID, Details: e.Details, Before: e.Before, After: e.After,
		RequestID: e.RequestID, Address: e.Address, SID: e.Session, ClientID: e.Client, Seq: e.Seq, ErasedAt: timeOf(e.ErasedAt),
	}
}

type auditFilters struct {
	Paging
	ActorKind  string    `query:"actor_kind" enum:"person,client,command,system"`
	ActorID    string    `query:"actor_id" maxLength:"2048" doc:"A sub, client_id or system user."`
	Action     string    `query:"action" maxLength:"100" doc:"The beginning of actions, such as user. or user.ban."`
	TargetKind string    `query:"target_kind" maxLength:"100"`
	TargetID   string    `query:"target_id" maxLength:"2048"`
	RequestID  string    `query:"request_id" maxLength:"200"`
	Since      time.Time `query:"since" doc:"The first moment that counts."`
	Until      time.Time `query:"until" doc:"The first moment that no longer counts."`
	Text       string    `query:"text" maxLength:"2048" doc:"An id in any place: of the event, its actor, its target, its request or its session, or of whom and what else it names."`
}

func (f *auditFilters) query() auditlog.Query {
	q := auditlog.Query{
		ActorKind: f.ActorKind, ActorID: f.ActorID, Action: f.Action, TargetKind: f.TargetKind, TargetID: f.TargetID,
		RequestID: f.RequestID, Text: f.Text,
	}
	if !f.Since.IsZero() {
		q.Since = f.Since.UnixMilli()
	}
	if !f.Until.IsZero() {
		q.Until = f.Until.UnixMilli()
	}
	return q
}

func (s *surface) audit() {
	register(s, Route{
		ID: "searchAudit", Method: http.MethodGet, Path: "/audit", Tag: tagAudit, Permission: accounts.AdminAuditRead,
		Summary: "Search the audit log",
		Details: "Newest first. A page may be short, even empty, and have a next one: a search looks at no more of the log at a time than somebody wants to wait for.",
	}, func(ctx context.Context, c *admin.Caller, in *auditFilters) (*List[AuditEvent], error) {
		var at idKey
		if err := s.after(ctx, in.Cursor, &at); err != nil {
			return nil, err
		}
		found, err := s.Admin.SearchAudit(ctx, c, in.query(), at.ID, in.Limit)
		if err != nil {
			return nil, err
		}
		items := make([]AuditEvent, len(found.Entries))
		for i := range found.Entries {
			items[i] = auditEventOf(&found.Entries[i])
		}
		if found.Next.IsZero() {
			return page(s, ctx, items, nil)
		}
		return page(s, ctx, items, idKey{found.Next})
	})
	register(s, Route{
		ID: "getAuditEvent", Method: http.MethodGet, Path: "/audit/{event}", Tag: tagAudit, Permission: accounts.AdminAuditRead,
		Summary: "Show an event of the audit log",
	}, func(ctx context.Context, c *admin.Caller, in *struct {
		Event string `path:"event" maxLength:"22"`
	},
	) (*struct{ Body AuditEvent }, error) {
		eventID, err := id.Parse(in.Event)
		if err != nil {
			return nil, fmt.Errorf("event: %w", accounts.ErrNotFound)
		}
		found, err := s.Admin.AuditEvent(ctx, c, eventID)
		if err != nil {
			return nil, err
		}
		return &struct{ Body AuditEvent }{auditEventOf(found)}, nil
	})
}
