package api

import (
	"context"
	"net/http"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/revocation"
)

const tagRevocations = "revocations"

// Revocation is a row of the ledger.
type Revocation struct {
	Position  int64      `json:"position"`
	Kind      string     `json:"kind" doc:"token, session, grant, user, membership, permission, client, key or all; a newer release may have others."`
	Key       string     `json:"key,omitempty" doc:"What of a token it is compared with: jti, sid, gid, sub, scope, client_id or kid."`
	Audience  string     `json:"audience,omitempty" doc:"Where it concerns one API alone."`
	Reason    string     `json:"reason"`
	At        *time.Time `json:"at,omitempty"`
	ExpiresAt *time.Time `json:"expires_at,omitempty" doc:"When no token can need it any more."`
	Concerned int        `json:"concerned" doc:"Instances of resource servers that it concerns and that report."`
	Applied   int        `json:"applied" doc:"Of these, those that have reported that they have it."`
}

func revocationOf(r *admin.Revocation) Revocation {
	return Revocation{
		Position: r.Position, Kind: string(r.Kind), Key: r.Key, Audience: r.Audience, Reason: r.Reason,
		At: timeOf(r.At), ExpiresAt: timeOf(r.ExpiresAt), Concerned: r.Concerned, Applied: r.Applied,
	}
}

// Follower is the last report of an instance of a resource server.
type Follower struct {
	Audience   string     `json:"audience"`
	ClientID   string     `json:"client_id"`
	Instance   string     `json:"instance"`
	State      string     `json:"state" doc:"As last reported: fresh, stale or syncing; silent for one that should have reported again."`
	Position   int64      `json:"position"`
	LagMS      int64      `json:"lag_ms" doc:"How old what it knew was when it reported."`
	FirstAt    *time.Time `json:"first_reported_at,omitempty"`
	ReportedAt *time.Time `json:"reported_at,omitempty"`
}

func followerOf(f *admin.Follower) Follower {
	out := Follower{
		Audience: f.Audience, ClientID: f.ClientID, Instance: f.Instance, State: f.State, Position: f.Position,
		LagMS: f.Lag, FirstAt: timeOf(f.FirstAt), ReportedAt: timeOf(f.ReportedAt),
	}
	if f.Silent {
		out.State = "silent"
	}
	return out
}

func followersOf(list []admin.Follower) []Follower {
	out := make([]Follower, len(list))
	for i := range list {
		out[i] = followerOf(&list[i])
	}
	return out
}

// Receipt is what one instance of a resource server has told of a revocation.
type Receipt struct {
	Follower
	AcknowledgedAt *time.Time `json:"acknowledged_at,omitempty" doc:"When it first reported to have it; up to some seconds after it had."`
	AfterMS        int64      `json:"after_ms,omitempty" doc:"From the writing to that report."`
}

// ExplainedRevocation is a row of the ledger with all that is known of it.
type ExplainedRevocation struct {
	Revocation
	Events   []AuditEvent `json:"events" nullable:"false" doc:"Of its cause, for those who may read the audit log."`
	Receipts []Receipt    `json:"receipts" nullable:"false"`
}

// Followers are the resource servers that follow the ledger.
type Followers struct {
	Head  int64      `json:"head" doc:"Position of the ledger."`
	Items []Follower `json:"items" nullable:"false"`
}

// NewRevocation asks to revoke.
type NewRevocation struct {
	Kind    string `json:"kind" enum:"token,session,grant,user,client,all"`
	Key     string `json:"key,omitempty" maxLength:"2048" doc:"sid, gid, sub or client_id; for token the jti, where the token itself is not at hand; none for all."`
	Token   string `json:"token,omitempty" maxLength:"8192" doc:"For the kind token, the access token itself. With its jti alone only superusers revoke it."`
	Confirm string `json:"confirm,omitempty" maxLength:"2048" doc:"For user and client the key once more, for all the word all."`
	Reason  string `json:"reason,omitempty" maxLength:"100" doc:"For all, ASCII; the others have reasons of their own."`
}

type revocationFilters struct {
	Paging
	Kind string `query:"kind" enum:"token,session,grant,user,membership,permission,client,key,all"`
	Key  string `query:"key" maxLength:"2048" doc:"Of tokens: a jti, sid, gid, sub, scope, client_id or kid."`
	Sort string `query:"sort" enum:"-position,position" default:"-position" doc:"position begins with the oldest."`
}

// positionKey is where a list of the ledger goes on.
type positionKey struct {
	Position int64 `json:"p"`
}

func (s *surface) revocations() {
	register(s, Route{
		ID: "listRevocations", Method: http.MethodGet, Path: "/revocations", Tag: tagRevocations, Permission: accounts.AdminRevocationsRead,
		Summary: "List revocations", Details: "As long as a token can need them.",
	}, s.listRevocations)
	register(s, Route{
		ID: "getRevocation", Method: http.MethodGet, Path: "/revocations/{position}", Tag: tagRevocations, Permission: accounts.AdminRevocationsRead,
		Summary: "Show a revocation and who has applied it",
	}, func(ctx context.Context, c *admin.Caller, in *struct {
		Position int64 `path:"position" minimum:"1"`
	},
	) (*struct{ Body ExplainedRevocation }, error) {
		found, err := s.Admin.Revocation(ctx, c, in.Position)
		if err != nil {
			return nil, err
		}
		return &struct{ Body ExplainedRevocation }{explained(found)}, nil
	})
	register(s, Route{
		ID: "revoke", Method: http.MethodPost, Path: "/revocations", Tag: tagRevocations, Permission: accounts.AdminRevocationsWrite,
		Summary: "Revoke", Status: http.StatusNoContent,
		Details: "Ends one access token, a session, a grant, or all that a user or an app has under way. The kind `all` makes every access token of the deployment " +
			"refresh once; only superusers may.",
	}, func(ctx context.Context, c *admin.Caller, in *struct{ Body NewRevocation }) (*struct{}, error) {
		b := in.Body
		return nil, s.Admin.Revoke(ctx, c, admin.Revoke{
			Kind: revocation.Kind(b.Kind), Key: b.Key, Token: secret.Text(b.Token), Confirm: b.Confirm, Reason: b.Reason,
		})
	})
	register(s, Route{
		ID: "listFollowers", Method: http.MethodGet, Path: "/followers", Tag: tagRevocations, Permission: accounts.AdminRevocationsRead,
		Summary: "List the resource servers that follow the ledger", Details: "As they last reported, if that was lately.",
	}, func(ctx context.Context, c *admin.Caller, _ *struct{}) (*struct{ Body Followers }, error) {
		head, followers, err := s.Admin.Followers(ctx, c)
		if err != nil {
			return nil, err
		}
		return &struct{ Body Followers }{Followers{Head: head, Items: followersOf(followers)}}, nil
	})
}

func (s *surface) listRevocations(ctx context.Context, c *admin.Caller, in *revocationFilters) (*List[Revocation], error) {
	var at positionKey
	if err := s.after(ctx, in.Cursor, &at); err != nil {
		return nil, err
	}
	q := admin.RevocationQuery{
		Kind: revocation.Kind(in.Kind), Key: in.Key, Before: at.Position, Oldest: in.Sort == "position", After: at.Position, Limit: in.Limit + 1,
	}
	read, err := s.Admin.ListRevocations(ctx, c, q)
	if err != nil {
		return nil, err
	}
	found, more := cut(read, in.Limit)
	items := make([]Revocation, len(found))
	for i := range found {
		items[i] = revocationOf(&found[i])
	}
	if !more {
		return page(s, ctx, items, nil)
	}
	return page(s, ctx, items, positionKey{found[len(found)-1].Position})
}

func explained(e *admin.Explained) ExplainedRevocation {
	out := ExplainedRevocation{
		Revocation: revocationOf(&e.Revocation), Events: make([]AuditEvent, len(e.Events)), Receipts: make([]Receipt, len(e.Receipts)),
	}
	for i := range e.Events {
		out.Events[i] = auditEventOf(&e.Events[i])
	}
	for i, r := range e.Receipts {
		out.Receipts[i] = Receipt{Follower: followerOf(&r.Follower), AcknowledgedAt: timeOf(r.AcknowledgedAt)}
		if r.AcknowledgedAt != 0 {
			out.Receipts[i].AfterMS = max(r.AcknowledgedAt-e.At, 0)
		}
	}
	return out
}
