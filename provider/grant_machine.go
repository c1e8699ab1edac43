package provider

import (
	"context"
	"errors"
	"slices"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/provider/granting"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// loadMachine finds what a client holds itself, for client credentials: in memory,
// at a moment of the ledger that the database confirmed lately (L5), else in the
// database.
func (p *Provider) loadMachine(ctx context.Context, x *exchange, a ask) error {
	found, err := p.rememberMachine(ctx, x, a)
	if err == nil && !found {
		err = p.stand(ctx, x, func() (*granting.Standing, error) {
			return p.Standings.MachineStanding(ctx, x.client.ID, a.scopes, resourcesOf(a))
		})
	}
	if err != nil {
		return err
	}
	if x.client.Public() {
		return unauthorizedClient("A public client cannot act for itself")
	}
	// fosite compares the scope parameter with the client's; the gate decides.
	x.client.scopes = a.scopes
	if a.scopes == nil {
		x.client.scopes = x.client.Permissions
	}
	x.basis = basis{rev: x.mark.Position, scopes: x.client.scopes}
	return nil
}

// rememberMachine answers from memory, at one moment for the client and for what
// it holds. It finds nothing when the tail was not confirmed lately, or when the
// request names an API of which the client holds nothing.
func (p *Provider) rememberMachine(ctx context.Context, x *exchange, a ask) (bool, error) {
	if p.Tail == nil {
		return false, nil
	}
	point, err := p.Tail.Point(ctx)
	if errors.Is(err, revocation.ErrStale) {
		return false, nil
	}
	if err != nil {
		return false, unavailable(err)
	}
	at := accounts.Mark{Position: point.Position, Change: point.Change}
	if err := p.confirm(ctx, x.caller, at, x.now); err != nil {
		return false, err
	}
	st, mark, err := p.machines.at(ctx, x.client.ClientID, at, p.readMachine(x.caller.Client))
	if err != nil {
		return false, err
	}
	if a.resource != "" && !slices.ContainsFunc(st.Held, func(h granting.Held) bool { return h.API.URI == a.resource }) {
		return false, nil
	}
	standing := *st
	standing.Mark = mark
	x.standing = &standing
	x.client.Client, x.mark = x.caller.Client, smaller(x.caller.mark, mark)
	return true, nil
}

// readMachine reads all that a client holds.
func (p *Provider) readMachine(c *accounts.Client) reader[*granting.Standing] {
	return func(ctx context.Context) (st *granting.Standing, mark accounts.Mark, err error) {
		err = p.statement(func() (accounts.Mark, error) {
			if st, err = p.Standings.MachineStanding(ctx, c.ID, nil, nil); err != nil {
				return mark, err
			}
			mark = st.Mark
			return mark, nil
		})
		return st, mark, err
	}
}

func resourcesOf(a ask) []string {
	if a.resource == "" {
		return nil
	}
	return []string{a.resource}
}
