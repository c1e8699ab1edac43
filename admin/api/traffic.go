package api

import (
	"time"

	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/auditlog"
	"github.com/gatehouse-id/gatehouse/internal/counts"
)

// Traffic is what was counted of all apps together.
type Traffic struct {
	ByHour Counted      `json:"by_hour" doc:"The last 24 hours."`
	ByDay  Counted      `json:"by_day" doc:"The last 30 days, which begin at midnight UTC."`
	Apps   []RefusedApp `json:"most_refused,omitempty" nullable:"false" doc:"The apps that were refused most in the last 24 hours, for those who may see apps. Anybody who knows an app's id can have it refused."`
}

// Counted are counts by when and what. Where nothing was counted nothing is said.
type Counted struct {
	Tokens         []Count        `json:"tokens" nullable:"false" doc:"Answers of the token endpoint, by grant type."`
	Refusals       []RefusalCount `json:"refusals" nullable:"false"`
	Introspections []Count        `json:"introspections" nullable:"false" doc:"active, or inactive."`
	SignIns        []Count        `json:"sign_ins" nullable:"false" doc:"success, or the cause of the refusal."`
}

// Count says how often something happened in a time.
type Count struct {
	At    time.Time `json:"at" doc:"When the time begins."`
	Name  string    `json:"name"`
	Count int64     `json:"count"`
}

// RefusalCount says how often requests were refused in one way.
type RefusalCount struct {
	At       time.Time `json:"at" doc:"When the time begins."`
	Endpoint string    `json:"endpoint" doc:"token, authorize, introspect, revoke, or par for pushed requests."`
	Error    string    `json:"error" doc:"The error code that the app was told."`
	Reason   string    `json:"reason,omitempty" doc:"What the app was not told: unknown, expired, revoked, reused, factor, unknown_client or redirect_uri."`
	Count    int64     `json:"count"`
}

// RefusedApp is an app and how many of its requests were refused.
type RefusedApp struct {
	ClientID string `json:"client_id"`
	Name     string `json:"name"`
	Count    int64  `json:"count"`
}

// AuditStatus is how the audit log is sealed.
type AuditStatus struct {
	Head     int64      `json:"head" doc:"The number of the last sealed event."`
	SealedAt *time.Time `json:"sealed_at,omitempty"`
	Waiting  int        `json:"waiting" doc:"Events that are not sealed yet."`
	Late     bool       `json:"late" doc:"One of them should be since a minute."`
	Broken   string     `json:"broken,omitempty" doc:"Why nothing is sealed. gatehouse audit verify says where."`
}

func trafficOf(t *admin.Traffic, month []counts.Row) *Traffic {
	out := &Traffic{ByHour: countedOf(t.Hours), ByDay: countedOf(month)}
	for _, c := range t.Refused {
		out.Apps = append(out.Apps, RefusedApp(c))
	}
	return out
}

func countedOf(rows []counts.Row) Counted {
	out := Counted{Tokens: []Count{}, Refusals: []RefusalCount{}, Introspections: []Count{}, SignIns: []Count{}}
	for _, r := range rows {
		one := Count{At: time.UnixMilli(r.Hour).UTC(), Name: r.Name, Count: r.N}
		switch r.Kind {
		case counts.Token:
			out.Tokens = append(out.Tokens, one)
		case counts.Refusal:
			out.Refusals = append(out.Refusals, RefusalCount{At: one.At, Endpoint: r.Place, Error: r.Name, Reason: r.Reason, Count: r.N})
		case counts.Introspection:
			out.Introspections = append(out.Introspections, one)
		case counts.SignIn:
			out.SignIns = append(out.SignIns, one)
		}
	}
	return out
}

func auditStatusOf(h *auditlog.Health) *AuditStatus {
	return &AuditStatus{Head: h.Head, SealedAt: timeOf(h.SealedAt), Waiting: h.Waiting, Late: h.Late, Broken: h.Broken}
}
