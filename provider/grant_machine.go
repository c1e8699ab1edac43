package provider

import (
	"context"

	"github.com/gatehouse-id/gatehouse/provider/granting"
)

// loadMachine finds what a client holds itself, for client credentials. All of it is
// in memory, at a moment of the ledger that the database confirmed lately (L5) or
// is asked for.
func (p *Provider) loadMachine(ctx context.Context, x *exchange, a ask) error {
	at, err := p.moment(ctx)
	if err != nil {
		return err
	}
	if err := p.confirm(ctx, x.caller, at, x.now); err != nil {
		return err
	}
	c := x.caller.Client
	if c.Public() {
		return unauthorizedClient("A public client cannot act for itself")
	}
	holds := c.Held()
	wanted := holds
	if a.scopes != nil {
		wanted = intersect(a.scopes, holds)
	}
	st := &granting.Standing{Mark: x.caller.mark}
	if err := p.completeFor(ctx, st, true, wanted, resourcesOf(a)); err != nil {
		return err
	}
	x.standing, x.client.Client, x.mark = st, c, smaller(x.caller.mark, st.Mark)
	// fosite compares the scope parameter with the client's; the gate decides.
	x.client.scopes = a.scopes
	if a.scopes == nil {
		x.client.scopes = holds
	}
	x.basis = basis{rev: x.mark.Position, scopes: x.client.scopes}
	return nil
}

func resourcesOf(a ask) []string {
	if a.resource == "" {
		return nil
	}
	return []string{a.resource}
}
