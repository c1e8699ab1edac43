package selfservice

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/web"
)

// Apps tells to which app somebody is on the way.
type Apps interface {
	// FlowByID returns flow.ErrNotFound for an unknown flow.
	FlowByID(ctx context.Context, flowID id.ID) (*flow.Flow, error)
	// ClientByID returns accounts.ErrNotFound for an unknown client.
	ClientByID(ctx context.Context, clientID string, now int64) (*accounts.Client, accounts.Mark, error)
}

// askerFor is asker with the name of the app, for mails that somebody gets on the way
// to it: who reads "your code" shall see what it is a code for.
func (h *Entrance) askerFor(r *http.Request, carried string) accounts.Asker {
	a := h.asker(r, carried)
	a.App = h.appOf(r, carried)
	return a
}

// appOf is what the app of a flow is called, in all languages: the mail is in that of
// whom it goes to. The flow must be of this browser: a name in a mail is a word to
// somebody else. Without an answer the mail goes without it.
func (h *Entrance) appOf(r *http.Request, carried string) accounts.AppName {
	flowID, err := id.Parse(carried)
	browser := h.BrowserOf(r)
	if err != nil || h.Apps == nil || browser == "" {
		return accounts.AppName{}
	}
	f, err := h.Apps.FlowByID(r.Context(), flowID)
	if err != nil {
		return accounts.AppName{}
	}
	hash := sha256.Sum256([]byte(browser))
	now := h.Now().UnixMilli()
	if subtle.ConstantTimeCompare(hash[:], f.BrowserHash) != 1 || now >= f.ExpiresAt || f.FinishedAt != 0 || f.DeniedAt != 0 {
		return accounts.AppName{}
	}
	client, _, err := h.Apps.ClientByID(r.Context(), f.ClientID, now)
	if err != nil || client.DisabledAt != 0 {
		return accounts.AppName{}
	}
	web.Event(r.Context()).ClientID = client.ClientID
	return accounts.AppName{Name: client.Name, Texts: client.Texts}
}
