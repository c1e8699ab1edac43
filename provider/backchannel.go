package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/jobs"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// BackchannelKind is the kind of the jobs that tell a client of a session's end.
const BackchannelKind = "backchannel-logout"

// BackchannelPolicy is how they are tried.
func BackchannelPolicy() jobs.Policy {
	return jobs.Policy{Timeout: 5 * time.Second, GiveUpAfter: 12 * time.Hour}
}

// BackchannelSink turns the ends of sessions into jobs, one for each client and
// session (OpenID Connect Back-Channel Logout 1.0). It is a relay.Sink.
//
//	session     every client that got an ID token in the session
//	user        every client at which the person was signed in; each session by its
//	            own token, so that a late one does not end what began since
//	grant       that grant's client, unless the client gave it back itself
//	other kinds nobody: the person stays signed in
//
// The client at which a person signs out is told as well: the specification makes
// no exception, and the app's other windows learn of it in that way.
type BackchannelSink struct {
	SignIns accounts.SignInStore
	Jobs    jobs.Enqueuer
	Log     *slog.Logger
}

// farewell is a job's payload. It names the client by its id alone: where it is
// told, and how, is what is registered at the time of the try.
type farewell struct {
	ClientID  string `json:"client_id"`
	Subject   string `json:"sub"`
	SessionID string `json:"sid,omitempty"`
}

// Expand implements relay.Sink.
func (b *BackchannelSink) Expand(ctx context.Context, rows []revocation.Row) error {
	ends := b.sort(ctx, rows)
	var found []accounts.SignIn
	add := func(more []accounts.SignIn, err error) error {
		found = append(found, more...)
		return err
	}
	if len(ends.sessions) > 0 {
		if err := add(b.SignIns.SignInsOfSessions(ctx, ends.sessions)); err != nil {
			return err
		}
	}
	if len(ends.grants) > 0 {
		if err := add(b.SignIns.SignInsOfGrants(ctx, ends.grants)); err != nil {
			return err
		}
	}
	for _, u := range ends.users {
		if err := add(b.SignIns.SignInsOfUser(ctx, u.Key, u.Position, u.At)); err != nil {
			return err
		}
	}
	list, err := farewells(found)
	if err != nil {
		return err
	}
	if err := b.Jobs.Enqueue(ctx, list...); err != nil {
		return fmt.Errorf("enqueue logout tokens: %w", err)
	}
	return b.forget(ctx, ends.users)
}

// ends are the rows that end sign-ins.
type ends struct {
	sessions, grants []id.ID
	users            []revocation.Row
}

func (b *BackchannelSink) sort(ctx context.Context, rows []revocation.Row) ends {
	var e ends
	for _, r := range rows {
		switch {
		case r.Kind == revocation.User:
			e.users = append(e.users, r)
		case r.Key == "", r.Kind != revocation.Session && (r.Kind != revocation.Grant || r.Reason == accounts.ReasonRevoked):
			// A session without a key only gave a stamp its position.
		default:
			key, err := id.Parse(r.Key)
			if err != nil {
				// Nobody has such a session; it must not hold up all others.
				b.Log.WarnContext(ctx, "a row of the ledger names no id", "position", r.Position, "kind", r.Kind)
				continue
			}
			if r.Kind == revocation.Session {
				e.sessions = append(e.sessions, key)
			} else {
				e.grants = append(e.grants, key)
			}
		}
	}
	return e
}

// farewells makes one job for each client and session.
func farewells(found []accounts.SignIn) ([]jobs.Job, error) {
	seen := map[accounts.SignIn]bool{}
	var list []jobs.Job
	for _, s := range found {
		if seen[s] {
			continue
		}
		seen[s] = true
		f := farewell{ClientID: s.ClientID, Subject: s.Subject}
		if !s.SessionID.IsZero() {
			f.SessionID = s.SessionID.String()
		}
		payload, err := json.Marshal(f)
		if err != nil {
			return nil, fmt.Errorf("encode a logout job: %w", err)
		}
		list = append(list, jobs.Job{ID: id.New(), Kind: BackchannelKind, Target: s.ClientID, Payload: string(payload)})
	}
	return list, nil
}

func (b *BackchannelSink) forget(ctx context.Context, users []revocation.Row) error {
	if len(users) == 0 {
		return nil
	}
	subjects := make([]string, len(users))
	for i, u := range users {
		subjects[i] = u.Key
	}
	return b.SignIns.ForgetSignIns(ctx, subjects)
}
