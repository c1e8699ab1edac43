package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/revocation"
)

const (
	// explainPatience is how long --explain waits for followers: they report some
	// seconds after they have applied something.
	explainPatience = 20 * time.Second
	explainEvery    = 200 * time.Millisecond
	// forgottenAfter is when a follower that has not reported counts as gone.
	forgottenAfter = 10 * time.Minute
)

// receipts is the flag of commands that revoke something.
type receipts struct {
	Explain bool `help:"Wait until the resource servers have it, at most 20 seconds, and show who has."`
}

// explanation is what is known of one revocation.
type explanation struct {
	Position  int64         `json:"position"`
	Kind      string        `json:"kind"`
	Key       string        `json:"key,omitempty"`
	Audience  string        `json:"audience,omitempty"`
	Reason    string        `json:"reason"`
	WrittenAt string        `json:"written_at"`
	NeededTo  string        `json:"needed_until"`
	Events    []causeAnswer `json:"events"`
	Followers []receipt     `json:"followers"`
}

// causeAnswer is an event of the audit log that belongs to the revocation.
type causeAnswer struct {
	At     string `json:"at"`
	Action string `json:"action"`
	Actor  string `json:"actor"`
}

// receipt says what one instance of a resource server has told.
type receipt struct {
	Audience       string `json:"audience"`
	ClientID       string `json:"client_id"`
	Instance       string `json:"instance"`
	AcknowledgedAt string `json:"acknowledged_at,omitempty"`
	// AfterMS is from the writing to the first report, which comes up to some
	// seconds after the follower had applied it.
	AfterMS    int64  `json:"after_ms,omitempty"`
	State      string `json:"state"` // as last reported, or "silent"
	ReportedAt string `json:"reported_at"`
}

type revokeExplain struct {
	Position int64  `xor:"row" placeholder:"N" help:"Position in the ledger."`
	Token    string `name:"token-id" xor:"row" placeholder:"JTI" help:"jti of an access token."`
	Session  string `xor:"row" placeholder:"SID" help:"sid of tokens."`
	Grant    string `xor:"row" placeholder:"GID" help:"gid of tokens."`
	User     string `xor:"row" placeholder:"U" help:"Username, verified mail address, or sub."`
	Client   string `xor:"row" placeholder:"ID" help:"client_id."`
}

// Run tells what is known of the newest revocation that is asked for.
func (e *revokeExplain) Run(c *call) error {
	return c.with(false, func(ctx context.Context, d *domain, _ audit.Actor) error {
		row, err := e.find(ctx, d)
		if errors.Is(err, accounts.ErrNotFound) {
			return errors.New("the ledger has no such row: it was never written, or no token needs it any more")
		}
		if err != nil {
			return err
		}
		found, err := d.explain(ctx, row)
		if err != nil {
			return err
		}
		return c.answer(found, found.write)
	})
}

func (e *revokeExplain) find(ctx context.Context, d *domain) (revocation.Row, error) {
	switch {
	case e.Position != 0:
		return d.db.RowAt(ctx, e.Position)
	case e.Token != "":
		return d.db.NewestRow(ctx, revocation.Token, e.Token)
	case e.Session != "":
		return d.db.NewestRow(ctx, revocation.Session, e.Session)
	case e.Grant != "":
		return d.db.NewestRow(ctx, revocation.Grant, e.Grant)
	case e.Client != "":
		return d.db.NewestRow(ctx, revocation.Client, e.Client)
	case e.User == "":
		return revocation.Row{}, fmt.Errorf("%w: name the revocation, for example with --session", errNothingGiven)
	}
	subject := e.User // of somebody who was deleted as well
	if u, err := (whom{e.User}).find(ctx, d); err == nil {
		subject = u.Subject
	}
	dies, err := d.db.NewestRow(ctx, revocation.User, subject)
	if err != nil && !errors.Is(err, accounts.ErrNotFound) {
		return dies, err
	}
	shrinks, other := d.db.NewestRow(ctx, revocation.Membership, subject)
	if other == nil && (err != nil || shrinks.Position > dies.Position) {
		return shrinks, nil
	}
	return dies, err
}

// explain gathers what is known of a row.
func (d *domain) explain(ctx context.Context, row revocation.Row) (*explanation, error) {
	e := &explanation{
		Position: row.Position, Kind: string(row.Kind), Key: row.Key, Audience: row.Audience, Reason: row.Reason,
		WrittenAt: when(row.At), NeededTo: when(row.ExpiresAt), Events: []causeAnswer{}, Followers: []receipt{},
	}
	// The event has the time of its statement, the row that of the commit.
	const apart = 2_000
	kind := string(row.Kind)
	if row.Kind == revocation.Membership {
		kind = "user"
	}
	events, err := d.db.AuditOf(ctx, kind, row.Key, row.At-apart, row.At)
	if err != nil {
		return nil, err
	}
	for _, event := range events {
		e.Events = append(e.Events, causeAnswer{At: when(event.At), Action: event.Action, Actor: actorName(event.Actor)})
	}
	e.Followers, err = d.receipts(ctx, row)
	return e, err
}

func actorName(a audit.Actor) string {
	name := a.Name
	if name == "" {
		name = a.ID
	}
	return string(a.Kind) + " " + name
}

// receipts are those of the instances that the row concerns and that were heard of
// lately.
func (d *domain) receipts(ctx context.Context, row revocation.Row) ([]receipt, error) {
	reported, err := d.db.ListFollowers(ctx)
	if err != nil {
		return nil, err
	}
	acknowledged, err := d.db.Acknowledged(ctx, row.Position)
	if err != nil {
		return nil, err
	}
	first := map[[2]string]int64{}
	for _, a := range acknowledged {
		first[[2]string{a.ClientID, a.Instance}] = a.FirstAt
	}
	now := d.now()
	reported = heardOf(reported, now)
	list := []receipt{}
	for _, f := range reported {
		if row.Audience != "" && row.Audience != f.Audience {
			continue
		}
		r := receipt{
			Audience: f.Audience, ClientID: f.ClientID, Instance: f.Instance, State: f.State, ReportedAt: when(f.ReportedAt),
		}
		if fellSilent(f, len(reported), now) {
			r.State = stateSilent
		}
		if at := first[[2]string{f.ClientID, f.Instance}]; at != 0 {
			r.AcknowledgedAt, r.AfterMS = when(at), max(at-row.At, 0)
		}
		list = append(list, r)
	}
	return list, nil
}

func (e *explanation) write(w io.Writer) {
	facts := [][]string{
		{"Position", fmt.Sprint(e.Position)}, {"Kind", e.Kind}, {"Key", e.Key}, {"Audience", e.Audience},
		{"Reason", e.Reason}, {"Written", e.WrittenAt}, {"Needed until", e.NeededTo},
	}
	for _, event := range e.Events {
		facts = append(facts, []string{"Event", event.At + " " + event.Action + " by " + event.Actor})
	}
	table(w, slices.DeleteFunc(facts, func(f []string) bool { return f[1] == "" })...)
	if len(e.Followers) == 0 {
		_, _ = fmt.Fprintln(w, "\nNo resource server has reported lately that it follows.")
		return
	}
	rows := [][]string{{"AUDIENCE", "INSTANCE", "HAS IT SINCE", "AFTER", "STATE", "LAST REPORT"}}
	for _, f := range e.Followers {
		since, after := "not reported", ""
		if f.AcknowledgedAt != "" {
			since, after = f.AcknowledgedAt, (time.Duration(f.AfterMS) * time.Millisecond).String()
		}
		rows = append(rows, []string{f.Audience, f.Instance, since, after, f.State, f.ReportedAt})
	}
	_, _ = fmt.Fprintln(w)
	table(w, rows...)
}

// report answers for a revocation that was just made, after waiting for receipts
// if that was asked for.
func (r receipts) report(ctx context.Context, c *call, d *domain, kind revocation.Kind, key, done string) error {
	if !r.Explain {
		return c.done("%s", done)
	}
	row, err := d.db.NewestRow(ctx, kind, key)
	if errors.Is(err, accounts.ErrNotFound) {
		return c.done("%s; the ledger has no row for it, since no token could need one", done)
	}
	if err != nil {
		return err
	}
	e, err := d.explain(ctx, row)
	for end := d.now().Add(explainPatience); err == nil && e.open() && d.now().Before(end); e, err = d.explain(ctx, row) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(explainEvery):
		}
	}
	if err != nil {
		return err
	}
	return c.answer(e, func(w io.Writer) {
		_, _ = fmt.Fprintln(w, done)
		e.write(w)
	})
}

// open reports whether somebody who is there has not acknowledged yet.
func (e *explanation) open() bool {
	return slices.ContainsFunc(e.Followers, func(r receipt) bool { return r.AcknowledgedAt == "" && r.State != stateSilent })
}
