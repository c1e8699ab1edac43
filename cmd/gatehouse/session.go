package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

type sessionCommand struct {
	List sessionList `cmd:"" help:"List the signed-in browsers of a user."`
	End  sessionEnd  `cmd:"" help:"Sign a browser out."`
}

type sessionAnswer struct {
	ID         string `json:"sid"`
	CreatedAt  string `json:"created_at"`
	LastSeenAt string `json:"last_seen_at"`
	EndsAt     string `json:"ends_at"`
	Address    string `json:"address,omitempty"`
	UserAgent  string `json:"user_agent,omitempty"`
}

type sessionList struct{ whom }

// Run lists sessions, newest first.
func (l *sessionList) Run(c *call) error {
	return c.with(false, func(ctx context.Context, d *domain, _ audit.Actor) error {
		u, err := l.find(ctx, d)
		if err != nil {
			return err
		}
		found, err := d.db.SessionsOf(ctx, u.ID, c.now().UnixMilli())
		if err != nil {
			return err
		}
		list := make([]sessionAnswer, len(found))
		rows := [][]string{{"SESSION", "SINCE", "LAST SEEN", "ADDRESS", "BROWSER"}}
		for i := range found {
			s := &found[i]
			list[i] = sessionAnswer{
				ID: s.ID.String(), CreatedAt: when(s.CreatedAt), LastSeenAt: when(s.LastSeenAt), EndsAt: when(s.EndsAt()),
				Address: s.Address, UserAgent: s.UserAgent,
			}
			rows = append(rows, []string{list[i].ID, list[i].CreatedAt, list[i].LastSeenAt, list[i].Address, list[i].UserAgent})
		}
		return c.answer(map[string]any{"sessions": list}, func(w io.Writer) { table(w, rows...) })
	})
}

type sessionEnd struct {
	whom
	Session string `required:"" placeholder:"SID" help:"Id of the session, as session list shows it."`
}

// Run ends one session.
func (e *sessionEnd) Run(c *call) error {
	sid, err := id.Parse(e.Session)
	if err != nil {
		return fmt.Errorf("session %q: %w", e.Session, err)
	}
	return e.change(c, "signed out of that browser", func(ctx context.Context, d *domain, by audit.Actor, u *accounts.User) error {
		err := d.sessions.End(ctx, by, u.Subject, sid)
		if errors.Is(err, accounts.ErrNotFound) {
			return fmt.Errorf("%s has no session %s", plain(u.Username), e.Session)
		}
		return err
	})
}
