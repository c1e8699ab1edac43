package provider

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/provider/keys"
	"github.com/gatehouse-id/gatehouse/signals"
)

var (
	_ signals.Authorizer = (*Provider)(nil)
	_ signals.Signer     = (*Provider)(nil)
)

// Receiver implements signals.Authorizer: a client, with an access token of its own
// for the issuer that holds the permission to receive signals.
func (p *Provider) Receiver(w http.ResponseWriter, r *http.Request) (*signals.Receiver, bool) {
	// In the header alone: a body is not a form here.
	found, err := headerBearers(r)
	var raw string
	if err == nil {
		raw, err = onlyBearer(found)
	}
	var by *signals.Receiver
	if err == nil {
		by, err = p.receiver(r.Context(), raw)
	}
	if err != nil {
		p.answerBearer(w, r, accounts.PermissionSignalsManage, err)
		return nil, false
	}
	return by, true
}

func (p *Provider) receiver(ctx context.Context, raw string) (*signals.Receiver, error) {
	at, err := p.moment(ctx)
	if err != nil {
		return nil, err
	}
	t, live, err := p.liveAccess(ctx, raw, at)
	if err != nil {
		return nil, err
	}
	if !live || t.Audience != p.issuer {
		return nil, errGone()
	}
	web.Event(ctx).ClientID = t.ClientID
	// A person's token speaks for the person, whatever their groups hold: streams
	// belong to clients.
	if t.GrantID != "" || !slices.Contains(strings.Fields(t.Scope), accounts.PermissionSignalsManage) {
		return nil, newError(http.StatusForbidden, "insufficient_scope",
			"An access token of the client's own is needed, with the scope "+accounts.PermissionSignalsManage)
	}
	return &signals.Receiver{ClientID: t.ClientID}, nil
}

// SignSET implements signals.Signer.
func (p *Provider) SignSET(ctx context.Context, claims []byte) (string, error) {
	set, err := p.Keys.Current(ctx)
	if err != nil {
		return "", err
	}
	key, err := set.Signer(keys.RS256)
	if err != nil {
		return "", err
	}
	return key.Sign(keys.TypeSET, claims)
}
