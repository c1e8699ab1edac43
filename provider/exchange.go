package provider

import (
	"context"
	"net/url"
	"time"

	"github.com/ory/fosite"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/provider/granting"
	"github.com/gatehouse-id/gatehouse/provider/keys"
)

// Grant types (RFC 6749 §4).
const (
	grantCode    = "authorization_code"
	grantRefresh = "refresh_token"
	grantMachine = "client_credentials"
)

// exchange is what one request gathers on its way: it is read once, and every
// later step, also those that fosite calls, sees the same.
type exchange struct {
	grantType string
	now       time.Time
	form      url.Values
	caller    *caller
	client    *client // the caller, as fosite sees it
	mark      accounts.Mark
	keys      *keys.Set

	requester *fosite.Request // what fosite is told of the code or the grant
	standing  *granting.Standing
	basis     basis
	verdict   *verdict
	nonce     string
	claims    string
	authTime  time.Time
	amr       []string
	acr       string

	issue    *granting.Code // to be written, at the authorization endpoint
	code     codeToken
	redeemed *granting.Grant // to be written, for a code

	grant    *granting.Grant // as read, for a refresh token
	refresh  refreshToken    // presented
	next     refreshToken    // to be answered
	repeated bool            // next was already answered to an earlier request

	idToken string
	// err is what a client must see although fosite would tell it otherwise.
	err error
	// why is the reason of an error that fosite words.
	why string
}

type exchangeKey struct{}

func withExchange(ctx context.Context, x *exchange) context.Context {
	return context.WithValue(ctx, exchangeKey{}, x)
}

func exchangeFrom(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}
