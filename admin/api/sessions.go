package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

const tagSessions = "sessions"

// Session is a signed-in browser.
type Session struct {
	SID        string     `json:"sid"`
	Subject    string     `json:"sub"`
	Username   string     `json:"username"`
	State      string     `json:"state" enum:"live,idle,expired" doc:"idle: it was not used for too long; expired: its time is over."`
	AMR        []string   `json:"amr" nullable:"false"`
	ACR        string     `json:"acr"`
	UserAgent  string     `json:"user_agent"`
	Address    string     `json:"address"`
	AuthTime   *time.Time `json:"auth_time,omitempty"`
	CreatedAt  *time.Time `json:"created_at,omitempty"`
	LastSeenAt *time.Time `json:"last_seen_at,omitempty"`
	IdleEndsAt *time.Time `json:"idle_ends_at,omitempty"`
	ExpiresAt  *time.Time `json:"expires_at,omitempty"`
}

func sessionOf(s *admin.ListedSession, now int64) Session {
	state := "live"
	switch {
	case now >= s.ExpiresAt:
		state = "expired"
	case now >= s.IdleEndsAt:
		state = "idle"
	}
	return Session{
		SID: s.ID.String(), Subject: s.Subject, Username: s.Username, State: state, AMR: filled(s.AMR), ACR: s.ACR,
		UserAgent: s.UserAgent, Address: s.Address, AuthTime: timeOf(s.AuthTime), CreatedAt: timeOf(s.CreatedAt),
		LastSeenAt: timeOf(s.LastSeenAt), IdleEndsAt: timeOf(s.IdleEndsAt), ExpiresAt: timeOf(s.Session.ExpiresAt),
	}
}

type sessionFilters struct {
	Paging
	Subject string `query:"sub" maxLength:"255" doc:"Those of one person; without it, everybody's."`
	Sort    string `query:"sort" enum:"-created_at,created_at" default:"-created_at" doc:"created_at begins with the oldest."`
}

func (s *surface) sessions() {
	register(s, Route{
		ID: "listSessions", Method: http.MethodGet, Path: "/sessions", Tag: tagSessions, Permission: accounts.AdminSessionsRead,
		Summary: "List sessions", Details: "Those that were ended are not among them.",
	}, func(ctx context.Context, c *admin.Caller, in *sessionFilters) (*List[Session], error) {
		var at idKey
		if err := s.after(ctx, in.Cursor, &at); err != nil {
			return nil, err
		}
		q := admin.SessionQuery{Subject: in.Subject, Before: at.ID, Oldest: in.Sort == "created_at", After: at.ID, Limit: in.Limit + 1}
		read, err := s.Admin.ListSessions(ctx, c, q)
		if err != nil {
			return nil, err
		}
		found, more := cut(read, in.Limit)
		now := s.Now().UnixMilli()
		items := make([]Session, len(found))
		for i := range found {
			items[i] = sessionOf(&found[i], now)
		}
		if !more {
			return page(s, ctx, items, nil)
		}
		return page(s, ctx, items, idKey{found[len(found)-1].ID})
	})
	register(s, Route{
		ID: "endSession", Method: http.MethodDelete, Path: "/sessions/{sid}", Tag: tagSessions, Permission: accounts.AdminSessionsWrite,
		Summary: "Sign one browser out", Details: "Its tokens are revoked; offline grants go on.", Status: http.StatusNoContent,
	}, func(ctx context.Context, c *admin.Caller, in *struct {
		SID string `path:"sid" maxLength:"22"`
	},
	) (*struct{}, error) {
		sid, err := id.Parse(in.SID)
		if err != nil {
			return nil, fmt.Errorf("session: %w", accounts.ErrNotFound)
		}
		return nil, s.Admin.EndSession(ctx, c, sid)
	})
}
