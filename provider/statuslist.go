package provider

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/provider/keys"
	"github.com/gatehouse-id/gatehouse/provider/token"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// StatusLists keep, for tokens of APIs that ask for it, where verifiers find
// whether they were revoked; *statuslist.Lists does.
type StatusLists interface {
	// Place writes down, durably, what the ledger will be asked about a token, and
	// returns the list and index that the token must name.
	Place(ctx context.Context, audience, algorithm string, k revocation.Keys, expiresAt time.Time) (uri string, index int64, err error)
	AggregationURL() string
}

var errNoStatusLists = errors.New("the API asks for a status list, and there are none")

// status gives a token that is about to be signed its place in a status list, if
// its API asks for one.
func (p *Provider) status(ctx context.Context, set *keys.Set, algorithm string, x *exchange, a token.Access) (*token.Status, error) {
	if !x.verdict.audience.StatusList {
		return nil, nil
	}
	if p.Statuses == nil {
		return nil, errNoStatusLists
	}
	key, err := set.Signer(algorithm)
	if err != nil {
		return nil, err
	}
	k := revocation.Keys{
		ID: a.ID, SessionID: a.SessionID, GrantID: a.GrantID, Subject: a.Subject, ClientID: a.ClientID,
		KeyID: key.KID, Audience: a.Audience, Scopes: strings.Fields(a.Scope), Rev: a.Rev,
	}
	uri, index, err := p.Statuses.Place(ctx, a.Audience, algorithm, k, time.Unix(a.ExpiresAt, 0))
	if err != nil {
		return nil, err
	}
	return &token.Status{List: token.StatusReference{Index: index, URI: uri}}, nil
}

// withStatusLists adds to the metadata where all lists are found
// (draft-ietf-oauth-status-list §9.1).
func (p *Provider) withStatusLists(document map[string]any) map[string]any {
	if p.Statuses != nil {
		document["status_list_aggregation_endpoint"] = p.Statuses.AggregationURL()
	}
	return document
}
