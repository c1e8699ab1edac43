package provider

import (
	"context"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/provider/granting"
)

// Clients are in memory. Nothing may write to one: all requests share it.
//
// A request that reads a standing anyway takes its client as it was last seen and
// decides only after that statement, which says whether the client has changed
// since; then it is read again, and what it proved is proven again (confirm). Other
// requests take the client as it is at a moment of the ledger. Either way a client
// that is disabled, or has lost its secret, is so at once.

// Bounds of what is remembered, half of them for what is not asked for any more.
const (
	knownClients = 5_000
	knownOrigins = 5_000
	knownTokens  = 5_000
)

func (p *Provider) readClient(clientID string, now time.Time) reader[*accounts.Client] {
	return func(ctx context.Context) (c *accounts.Client, mark accounts.Mark, err error) {
		err = p.statement(func() (accounts.Mark, error) {
			c, mark, err = p.Clients.ClientByID(ctx, clientID, now.UnixMilli())
			return mark, err
		})
		return c, mark, err
	}
}

// clientAt returns a client as it is at a mark, or later; the mark that comes back
// says which.
func (p *Provider) clientAt(ctx context.Context, clientID string, mark accounts.Mark, now time.Time) (*accounts.Client, accounts.Mark, error) {
	return p.clients.at(ctx, clientID, mark, p.readClient(clientID, now))
}

// finder finds the client of an authorization request; early says that it is one
// as last seen.
type finder func(ctx context.Context, clientID string) (c *accounts.Client, mark accounts.Mark, early bool, err error)

// seenClient is a finder of what is in memory, if it is there.
func (p *Provider) seenClient(ctx context.Context, clientID string) (*accounts.Client, accounts.Mark, bool, error) {
	if e, ok := p.clients.peek(clientID); ok {
		return e.value, e.mark, true, nil
	}
	return p.freshClient(ctx, clientID)
}

// freshClient is a finder that reads.
func (p *Provider) freshClient(ctx context.Context, clientID string) (*accounts.Client, accounts.Mark, bool, error) {
	c, mark, err := p.clients.fresh(ctx, clientID, p.readClient(clientID, p.Now()))
	return c, mark, false, err
}

// caller is the client of a back-channel request, proven.
type caller struct {
	*accounts.Client
	mark  accounts.Mark // a position at which the client was, and proved itself
	early bool          // as last seen: confirm must follow before anything is decided

	presented credentials
	spent     bool // the assertion's jti is used up
}

// confirm makes the caller true at the mark of a statement that was run since.
func (p *Provider) confirm(ctx context.Context, who *caller, at accounts.Mark, now time.Time) error {
	if who.mark.Change == at.Change {
		who.mark, who.early = at, false
		return nil
	}
	if !who.early { // read a moment ago: the smaller position holds for both
		who.mark = smaller(who.mark, at)
		return nil
	}
	return p.proveAgain(ctx, who, now, p.clientOf(at, now))
}

// clientOf is a finder of clients as they are at a mark.
func (p *Provider) clientOf(at accounts.Mark, now time.Time) finder {
	return func(ctx context.Context, clientID string) (*accounts.Client, accounts.Mark, bool, error) {
		c, mark, err := p.clientAt(ctx, clientID, at, now)
		return c, mark, false, err
	}
}

// proveAgain holds the credentials against the client as it is found now.
func (p *Provider) proveAgain(ctx context.Context, who *caller, now time.Time, find finder) error {
	c, mark, early, err := find(ctx, who.ClientID)
	if err != nil {
		return unknownIsRefused(err)
	}
	who.Client, who.mark, who.early = c, mark, early
	return p.prove(ctx, who, now)
}

// asked is what a code or a grant was asked with.
type asked struct{ scopes, resources []string }

// stand runs the statement by which a grant is decided, and makes what is in memory
// of it, the request's client above all, true at its position.
func (p *Provider) stand(ctx context.Context, x *exchange, read func() (*granting.Standing, asked, error)) error {
	var was asked
	err := p.statement(func() (accounts.Mark, error) {
		st, a, err := read()
		if err != nil {
			return accounts.Mark{}, err
		}
		x.standing, was = st, a
		return st.Mark, nil
	})
	if err == nil {
		err = p.complete(ctx, x.standing, was.scopes, was.resources)
	}
	if err != nil {
		return err
	}
	if err := p.confirm(ctx, x.caller, x.standing.Mark, x.now); err != nil {
		return err
	}
	x.client.Client, x.mark = x.caller.Client, x.caller.mark
	return nil
}
