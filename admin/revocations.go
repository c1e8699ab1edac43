package admin

import (
	"context"
	"fmt"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/auditlog"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/revocation"
	"github.com/gatehouse-id/gatehouse/revocation/feed"
)

// LedgerStore reads the ledger, and what resource servers have told of it.
type LedgerStore interface {
	Head(ctx context.Context) (revocation.Head, error)
	// RowAt returns accounts.ErrNotFound for a row that was dropped or never written.
	RowAt(ctx context.Context, position int64) (revocation.Row, error)
	// RowsOf returns rows with one of the keys, newest first; the empty key finds those
	// of the kind All.
	RowsOf(ctx context.Context, keys []string, limit int) ([]revocation.Row, error)
	ListFollowers(ctx context.Context) ([]feed.Applied, error)
	Acknowledged(ctx context.Context, position int64) ([]feed.Acknowledgement, error)
	// CauseOf returns the event with which the row at a position was written, if it is
	// known.
	CauseOf(ctx context.Context, position int64) ([]auditlog.Entry, error)
}

// Revocation is a row of the ledger and how many of the resource servers that it
// concerns, and that are heard of, have applied it.
type Revocation struct {
	revocation.Row
	Concerned, Applied int
}

// ListRevocations returns a page of the ledger, newest first. Errors: *Forbidden.
func (a *Admin) ListRevocations(ctx context.Context, c *Caller, q RevocationQuery) ([]Revocation, error) {
	if err := c.need(accounts.AdminRevocationsRead); err != nil {
		return nil, err
	}
	rows, err := a.Lists.ListedRevocations(ctx, q)
	if err != nil {
		return nil, err
	}
	followers, err := a.followers(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]Revocation, len(rows))
	for i, row := range rows {
		list[i] = Revocation{Row: row}
		for _, f := range followers {
			if row.Audience != "" && row.Audience != f.Audience || f.Silent {
				continue
			}
			list[i].Concerned++
			if f.Position >= row.Position {
				list[i].Applied++
			}
		}
	}
	return list, nil
}

// Receipt is what one instance of a resource server has told of a revocation.
type Receipt struct {
	Follower
	AcknowledgedAt int64 // of its first report that it has it, Unix milliseconds; zero without one
}

// Explained is a row of the ledger with all that is known of it.
type Explained struct {
	Revocation
	Events   []auditlog.Entry // the one of its cause, if it is known, for those who may read the audit log
	Receipts []Receipt
}

// Revocation returns one row of the ledger with its receipts. Errors: *Forbidden,
// accounts.ErrNotFound when no token needs it any more.
func (a *Admin) Revocation(ctx context.Context, c *Caller, position int64) (*Explained, error) {
	if err := c.need(accounts.AdminRevocationsRead); err != nil {
		return nil, err
	}
	row, err := a.Ledger.RowAt(ctx, position)
	if err != nil {
		return nil, err
	}
	e := &Explained{Revocation: Revocation{Row: row}}
	if c.May(accounts.AdminAuditRead) {
		if e.Events, err = a.Ledger.CauseOf(ctx, position); err != nil {
			return nil, err
		}
	}
	if err := a.receipts(ctx, e); err != nil {
		return nil, err
	}
	return e, nil
}

func (a *Admin) receipts(ctx context.Context, e *Explained) error {
	followers, err := a.followers(ctx)
	if err != nil {
		return err
	}
	acknowledged, err := a.Ledger.Acknowledged(ctx, e.Position)
	if err != nil {
		return err
	}
	first := make(map[[2]string]int64, len(acknowledged))
	for _, one := range acknowledged {
		first[[2]string{one.ClientID, one.Instance}] = one.FirstAt
	}
	for _, f := range followers {
		if e.Audience != "" && e.Audience != f.Audience {
			continue
		}
		r := Receipt{Follower: f, AcknowledgedAt: first[[2]string{f.ClientID, f.Instance}]}
		e.Receipts = append(e.Receipts, r)
		if !f.Silent {
			e.Concerned++
			if r.AcknowledgedAt != 0 {
				e.Applied++
			}
		}
	}
	return nil
}

// Revoke is a wish to revoke: everything of the kind's key. Confirm repeats the key of
// a user or client, and is "all" for the kind all.
type Revoke struct {
	Kind    revocation.Kind
	Key     string
	Token   secret.Text // for the kind token, instead of its jti as the key
	Confirm string
	Reason  string // for the kind all, which nothing else explains
}

// Revoke ends one access token, a session, a grant, all of a user or a client, or makes
// every access token of the deployment refresh. Only superusers may do the latter, and
// revoke a token of which nothing but the jti is known. Errors: *Forbidden,
// ErrSuperior, ErrSuperuserOnly, ErrUnconfirmed, *Field, accounts.ErrNotFound,
// accounts.ErrInvalid, *accounts.Throttled for too many tokens one by one.
func (a *Admin) Revoke(ctx context.Context, c *Caller, r Revoke) error {
	if err := c.need(accounts.AdminRevocationsWrite); err != nil {
		return err
	}
	switch r.Kind {
	case revocation.Token:
		return a.revokeToken(ctx, c, r)
	case revocation.Session, revocation.Grant:
		key, err := id.Parse(r.Key)
		if err != nil {
			return fmt.Errorf("%s: %w", r.Kind, accounts.ErrNotFound)
		}
		if r.Kind == revocation.Session {
			return a.endSession(ctx, c, key)
		}
		return a.endGrant(ctx, c, key)
	case revocation.User:
		return a.revokeUser(ctx, c, r)
	case revocation.Client:
		return a.revokeClient(ctx, c, r)
	case revocation.All:
		return a.revokeAll(ctx, c, r)
	}
	return &Field{Name: "kind", Err: fmt.Errorf("%w: one of token, session, grant, user, client, all", accounts.ErrInvalid)}
}

// revokeToken asks of whose the token is what ending all that they have would. Whose a
// jti is nobody can tell.
func (a *Admin) revokeToken(ctx context.Context, c *Caller, r Revoke) error {
	if r.Token == "" {
		if err := c.mayCrown(); err != nil {
			return err
		}
		if err := a.Protocol.SpendRevocation(ctx, c.Actor); err != nil {
			return err
		}
		if err := a.Tokens.RevokeID(ctx, c.Actor, r.Key); err != nil {
			return &Field{Name: "key", Err: err}
		}
		return nil
	}
	t, err := a.Protocol.Read(ctx, r.Token.Reveal())
	if err != nil {
		return fmt.Errorf("read a token: %w", err)
	}
	if !t.Access || !t.Signed {
		return &Field{Name: "token", Err: accounts.Because(accounts.ErrInvalid, "no access token of this deployment")}
	}
	if t.Keys.GrantID != "" {
		err = a.mayTouchPerson(ctx, c, t.Keys.Subject)
	} else {
		err = a.mayChangeAppOf(ctx, c, t.Keys.ClientID)
	}
	if err != nil {
		return err
	}
	// Each is a row that every resource server reads (L26).
	if err := a.Protocol.SpendRevocation(ctx, c.Actor); err != nil {
		return err
	}
	return a.Tokens.Revoke(ctx, c.Actor, t.Keys, t.Audience, time.Unix(t.ExpiresAt, 0).UnixMilli())
}

func (a *Admin) mayChangeAppOf(ctx context.Context, c *Caller, clientID string) error {
	app, err := a.findClient(ctx, clientID)
	if err != nil {
		return err
	}
	return c.mayChangeApp(app)
}

func (a *Admin) revokeUser(ctx context.Context, c *Caller, r Revoke) error {
	if err := a.mayTouchPerson(ctx, c, r.Key); err != nil {
		return err
	}
	if r.Confirm != r.Key {
		return ErrUnconfirmed
	}
	return a.Users.SignOutEverywhere(ctx, c.Actor, r.Key)
}

func (a *Admin) revokeClient(ctx context.Context, c *Caller, r Revoke) error {
	if err := a.mayChangeAppOf(ctx, c, r.Key); err != nil {
		return err
	}
	if r.Confirm != r.Key {
		return ErrUnconfirmed
	}
	return a.Connections.EndGrants(ctx, c.Actor, r.Key)
}

func (a *Admin) revokeAll(ctx context.Context, c *Caller, r Revoke) error {
	if err := c.mayCrown(); err != nil {
		return err
	}
	if r.Confirm != string(revocation.All) {
		return ErrUnconfirmed
	}
	if err := checkReason(r.Reason); err != nil {
		return err
	}
	return a.Tokens.All(ctx, c.Actor, r.Reason)
}
