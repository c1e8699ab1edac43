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
	"github.com/gatehouse-id/gatehouse/revocation/feed"
)

const (
	// explainAtLeast is how long --explain waits for followers that are few.
	explainAtLeast = 20 * time.Second
	// writtenWithin is how long after a report it is known here, at most.
	writtenWithin = 10 * time.Second
	explainEvery  = 200 * time.Millisecond
	// forgottenAfter is when a follower that has not reported counts as gone.
	forgottenAfter = 10 * time.Minute
)

// receipts is the flag of commands that revoke something.
type receipts struct {
	Explain bool `help:"Wait until the resource servers have reported that they have it, and show who has: at most 20 seconds, or longer if there are more than 500 of them (10,000: two minutes)."`
}

// patience is how long so many followers may take until each has reported what it
// applied: the more they are, the rarer they report, with up to a quarter of jitter.
func patience(followers int) time.Duration {
	return max(explainAtLeast, feed.ReportAfter(followers)*5/4+writtenWithin)
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
	// ReportsWithin is in how many seconds from the writing all who are there report.
	ReportsWithin int64 `json:"reports_within_s"`

	writtenAt time.Time
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

	Permission string `xor:"row" placeholder:"NAME" help:"Permission that was taken from a group, or deleted."`
	Key        string `xor:"row" placeholder:"KID" help:"kid of a signing key that was compromised."`
	All        bool   `xor:"row" help:"The last time that every access token had to be refreshed."`
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
	case e.Permission != "":
		return d.db.NewestRow(ctx, revocation.Permission, e.Permission)
	case e.Key != "":
		return d.db.NewestRow(ctx, revocation.Key, e.Key)
	case e.All:
		return d.db.NewestRow(ctx, revocation.All, "")
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
		writtenAt: time.UnixMilli(row.At),
	}
	events, err := d.db.CauseOf(ctx, row.Position)
	if err != nil {
		return nil, err
	}
	for _, event := range events {
		e.Events = append(e.Events, causeAnswer{At: when(event.At), Action: event.Action, Actor: actorName(event.Actor)})
	}
	return e, d.receipts(ctx, row, e)
}

func actorName(a audit.Actor) string {
	name := a.Name
	if name == "" {
		name = a.ID
	}
	return string(a.Kind) + " " + name
}

// receipts adds those of the instances that the row concerns and that were heard of
// lately.
func (d *domain) receipts(ctx context.Context, row revocation.Row, e *explanation) error {
	reported, err := d.db.ListFollowers(ctx)
	if err != nil {
		return err
	}
	acknowledged, err := d.db.Acknowledged(ctx, row.Position)
	if err != nil {
		return err
	}
	first := map[[2]string]int64{}
	for _, a := range acknowledged {
		first[[2]string{a.ClientID, a.Instance}] = a.FirstAt
	}
	now := d.now()
	reported = heardOf(reported, now)
	e.ReportsWithin = int64(patience(len(reported)) / time.Second)
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
		e.Followers = append(e.Followers, r)
	}
	return nil
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
	if n := e.open(); n > 0 {
		_, _ = fmt.Fprintf(w, "\n%d have not reported it yet. Who is there and not cut off does so until %s: gatehouse revoke explain --position %d\n",
			n, when(e.deadline().UnixMilli()), e.Position)
	}
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
	for err == nil && e.open() > 0 && d.now().Before(e.deadline()) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(explainEvery + time.Duration(len(e.Followers))*explainEvery/1000):
		}
		e, err = d.explain(ctx, row)
	}
	if err != nil {
		return err
	}
	return c.answer(e, func(w io.Writer) {
		_, _ = fmt.Fprintln(w, done)
		e.write(w)
	})
}

// deadline is when whoever is there has reported.
func (e *explanation) deadline() time.Time {
	return e.writtenAt.Add(time.Duration(e.ReportsWithin) * time.Second)
}

// open counts those who are there and have not acknowledged yet.
func (e *explanation) open() int {
	n := 0
	for _, r := range e.Followers {
		if r.AcknowledgedAt == "" && r.State != stateSilent {
			n++
		}
	}
	return n
}
