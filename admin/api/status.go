package api

import (
	"context"
	"net/http"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
)

// Status is what a dashboard shows. What the caller may not see is missing.
type Status struct {
	At        time.Time     `json:"at"`
	Parts     []StatusPart  `json:"parts" nullable:"false" doc:"What the deployment stands on."`
	Activity  *Activity     `json:"activity,omitempty"`
	Traffic   *Traffic      `json:"traffic" doc:"What was counted: each node writes every 5 seconds."`
	Audit     *AuditStatus  `json:"audit,omitempty" doc:"How the audit log is sealed."`
	Queues    []Queue       `json:"queues" nullable:"false" doc:"What waits to be sent to others, mails for instance."`
	Ledger    *LedgerStatus `json:"ledger,omitempty" doc:"For those who may see revocations."`
	Keys      []Key         `json:"keys,omitempty" nullable:"false" doc:"For those who may see signing keys."`
	Followers []Follower    `json:"followers,omitempty" nullable:"false" doc:"For those who may see revocations."`
}

// StatusPart tells whether a part of the deployment answers.
type StatusPart struct {
	Name    string `json:"name"`
	Answers bool   `json:"answers"`
	TookMS  int64  `json:"took_ms"`
}

// Activity is what people did lately.
type Activity struct {
	Since   time.Time `json:"since" doc:"The figures are of the time after it."`
	SignIns []SignIns `json:"sign_ins" nullable:"false"`
	Grants  int       `json:"grants" doc:"How many grants began; the count ends at 20000."`
}

// SignIns counts the sign-ins of an hour that ended in one way.
type SignIns struct {
	Hour   time.Time `json:"hour"`
	Result string    `json:"result" doc:"success, or the cause of the refusal."`
	Count  int64     `json:"count"`
}

// Queue is what waits of one kind.
type Queue struct {
	Kind     string     `json:"kind"`
	Waiting  int        `json:"waiting" doc:"The count of all kinds together ends at 20000."`
	Retrying int        `json:"retrying" doc:"Of these, tried before without success."`
	DueAt    *time.Time `json:"due_at,omitempty" doc:"When the first of them was or is due."`
}

// LedgerStatus is where the ledger stands.
type LedgerStatus struct {
	Position int64            `json:"position"`
	Timeline string           `json:"timeline"`
	Applied  int64            `json:"applied" doc:"Up to which position the node that answers has taken it in."`
	Confirm  *time.Time       `json:"confirmed_at,omitempty" doc:"When the database last told that node that there is nothing more."`
	Floor    int64            `json:"floor" doc:"Tokens decided before it are refused: their rows have left."`
	Relays   map[string]int64 `json:"relays" doc:"Up to which position it was passed on as messages, by kind."`
}

func (s *surface) status() {
	register(s, Route{
		ID: "getStatus", Method: http.MethodGet, Path: "/status", Tag: "status", Permission: accounts.AdminAuditRead,
		Summary: "Show how the deployment is", Details: "Signing keys and the ledger are shown to those who may see them.",
	}, func(ctx context.Context, c *admin.Caller, _ *struct{}) (*struct{ Body Status }, error) {
		found, err := s.Admin.Status(ctx, c)
		if err != nil {
			return nil, err
		}
		month, err := s.Admin.Month(ctx, c)
		if err != nil {
			return nil, err
		}
		out := s.statusOf(found)
		out.Traffic = trafficOf(found.Traffic, month)
		return &struct{ Body Status }{out}, nil
	})
}

func (s *surface) statusOf(st *admin.Status) Status {
	out := Status{At: time.UnixMilli(st.At).UTC(), Parts: make([]StatusPart, len(st.Parts)), Queues: make([]Queue, len(st.Queues))}
	for i, p := range st.Parts {
		out.Parts[i] = StatusPart{Name: p.Name, Answers: p.Answers, TookMS: p.Took.Milliseconds()}
	}
	for i, q := range st.Queues {
		out.Queues[i] = Queue{Kind: q.Kind, Waiting: q.Waiting, Retrying: q.Retrying, DueAt: timeOf(q.Oldest)}
	}
	if a := st.Activity; a != nil {
		out.Activity = &Activity{Since: time.UnixMilli(a.Since).UTC(), SignIns: make([]SignIns, len(a.SignIns)), Grants: a.Connects}
		for i, o := range a.SignIns {
			out.Activity.SignIns[i] = SignIns{Hour: time.UnixMilli(o.Hour).UTC(), Result: o.Result, Count: o.Count}
		}
	}
	if st.Chain != nil {
		out.Audit = auditStatusOf(st.Chain)
	}
	if h := st.Head; h != nil {
		out.Ledger = &LedgerStatus{
			Position: h.Position, Timeline: h.Timeline, Floor: h.Floor, Relays: st.Relays, Applied: st.Applied, Confirm: timeOf(st.ConfirmedAt),
		}
		out.Followers = followersOf(st.Followers)
	}
	if st.Keys != nil {
		out.Keys = keysOf(st.Keys, s.Now())
	}
	return out
}
