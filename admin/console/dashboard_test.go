package console_test

import (
	"context"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/auditlog"
	"github.com/gatehouse-id/gatehouse/internal/counts"
	"github.com/gatehouse-id/gatehouse/revocation"
	"github.com/gatehouse-id/gatehouse/revocation/feed"
)

// slowNode is a node that has taken in the ledger up to a position.
type slowNode int64

// Last implements admin.Node.
func (n slowNode) Last() revocation.Point {
	return revocation.Point{Position: int64(n), Confirmed: time.Now()}
}

// TestDashboardTellsTrouble: what is wrong with the audit log, and who is behind with
// revocations, is on the first page of those who may see it; what is hostile in names
// stays text.
func TestDashboardTellsTrouble(t *testing.T) {
	o := newOffice(t, "http://localhost:8400")
	ctx := t.Context()
	for range 4 {
		o.must(o.db.InTx(ctx, func(ctx context.Context) error {
			return o.db.Append(ctx, revocation.Entry{Kind: revocation.Session, Key: "s", Reason: "x"})
		}))
	}
	head, err := o.db.Head(ctx)
	o.must(err)
	o.admin.Node = slowNode(head.Position - 2)
	now := time.Now().UnixMilli()
	o.must(o.db.WriteReports(ctx, []feed.Applied{
		{ClientID: "c", Instance: "quick", Audience: officeAPI, Position: head.Position, State: "fresh", ReportedAt: now},
		{ClientID: "c", Instance: "asleep", Audience: officeAPI, Position: head.Position, State: "fresh", Lag: 3 * 3600_000, ReportedAt: now - 300_000},
		{ClientID: "d", Instance: "alone", Audience: "https://wiki.example.com", Position: head.Position - 1, State: "stale", Lag: 300_500, ReportedAt: now},
		{ClientID: "c", Instance: "steady", Audience: officeAPI, Position: head.Position, State: "fresh", Lag: 99_000, ReportedAt: now},
		{ClientID: "c", Instance: "slow<b>", Audience: officeAPI, Position: head.Position - 3, State: "stale", ReportedAt: now},
	}))
	health := &auditlog.Health{Head: 1234, SealedAt: now, Waiting: 7}
	o.admin.Chain = func(context.Context) (*auditlog.Health, error) { return health, nil }
	made := counts.What{Kind: counts.Refusal, Place: counts.AtToken, Name: "invalid_grant", Reason: counts.ReasonReused}
	o.must(o.db.AddCounts(ctx, []counts.Row{{Hour: now - now%counts.Hour, What: made, N: 12345}}))

	root := o.clerk(o.person(accounts.NewUser{Username: "root", Superuser: true, Staff: true}))
	root.get("").sees(200, "1 234 events", "intact", "2 entries behind", "The resource server that lacks most 3 entries behind stale", "slow<b>", "12 345",
		"used twice", "Audit log",
		"Revocation lag knows everything up to 99 seconds ago "+officeAPI+" c steady", "knows everything up to 5 minutes ago stale https://wiki.example.com d alone",
		"asleep fresh silent knows everything up to 3 hours ago")
	health.Broken, health.Late, health.Streams = "the chain's end <b>", true, []auditlog.Flow{{
		StreamState: auditlog.StreamState{Name: "syslog", FailingSince: now}, Behind: 1,
	}}
	root.get("").sees(200, "not as Gatehouse wrote it", "the chain's end <b>", "waits too long", "is not sent", "1 entry behind")

	reader := o.clerk(o.person(accounts.NewUser{Username: "reader", Staff: true}, accounts.AdminAuditRead))
	reader.get("").sees(200, "12 345", "!entries behind", "!slow")
	o.clerk(o.person(accounts.NewUser{Username: "helper", Staff: true})).get("").sees(200, "!12 345", "!not as Gatehouse wrote it")
}
