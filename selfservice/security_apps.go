package selfservice

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/templates"
)

func (h *Security) showApps(w http.ResponseWriter, r *http.Request) {
	_, user := h.Member(w, r)
	if user == nil {
		return
	}
	query := h.Query(w, r)
	if query == nil {
		return
	}
	lang := memberLanguage(h.Desk, r, user)
	p, err := h.apps(r.Context(), user, lang)
	if err != nil {
		h.Broken(w, r, err)
		return
	}
	p.Page, p.Flow = memberPage(h.Desk, r, "apps", pathApps), memberTicket(h.Desk, w, r, pathApps, user)
	if p.Disconnected, err = h.nameOf(r.Context(), user, query.Get("gone"), lang); err != nil {
		h.Broken(w, r, err)
		return
	}
	h.Rendered(w, r, h.Pages.AccountApps(w, http.StatusOK, lang, p))
}

func (h *Security) apps(ctx context.Context, user *accounts.User, lang templates.Language) (templates.AccountApps, error) {
	p := templates.AccountApps{Action: h.Path(pathApps), SeenURL: h.Path(pathSeen)}
	apps, err := h.Activity.Apps(ctx, user, lang.Tag())
	if err != nil {
		return p, err
	}
	sentences, err := h.sentences(ctx, apps, lang)
	if err != nil {
		return p, err
	}
	zone := zoneOf(user)
	for _, app := range apps {
		a := templates.AccountApp{
			ClientID: app.ClientID, Name: app.NameIn(lang.Tag()), HomeURL: app.HomeURI, FirstParty: app.FirstParty, Disabled: app.Disabled,
			Offline: app.Offline, Since: instant(app.Since, zone),
			SeenURL: h.Path(pathSeen) + "?" + url.Values{"client": {app.ClientID}}.Encode(),
		}
		if app.LastUsedAt != 0 {
			a.LastUsed = instant(app.LastUsedAt, zone)
		}
		for _, scope := range app.Scopes {
			a.Scopes = append(a.Scopes, templates.ScopeItem{Name: scope, Text: sentences[scope]})
		}
		p.Apps = append(p.Apps, a)
	}
	return p, nil
}

// sentences tell what the permissions among the scopes of apps let them do.
func (h *Security) sentences(ctx context.Context, apps []accounts.ConnectedApp, lang templates.Language) (map[string]string, error) {
	if len(apps) == 0 {
		return nil, nil
	}
	list, err := h.APIs.ListAPIs(ctx)
	if err != nil {
		return nil, fmt.Errorf("list APIs: %w", err)
	}
	asked := map[string]bool{}
	for _, app := range apps {
		for _, scope := range app.Scopes {
			asked[scope] = true
		}
	}
	texts := map[string]string{}
	for _, api := range list {
		for _, p := range api.Permissions {
			if asked[p.Name] {
				texts[p.Name] = p.DescriptionIn(lang.Tag())
			}
		}
	}
	return texts, nil
}

// nameOf is the name of the app that has just been disconnected, for the notice. It
// is looked up again, and only where the account's history knows the app, so that no
// link can make the page say something.
func (h *Security) nameOf(ctx context.Context, user *accounts.User, clientID string, lang templates.Language) (string, error) {
	if clientID == "" {
		return "", nil
	}
	client, _, err := h.Clients.ClientByID(ctx, clientID, h.Now().UnixMilli())
	if errors.Is(err, accounts.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("find app: %w", err)
	}
	gone, err := h.Activity.Disconnected(ctx, user, client, time.Minute)
	if err != nil || !gone {
		return "", err
	}
	return client.NameIn(lang.Tag()), nil
}

func (h *Security) disconnect(w http.ResponseWriter, r *http.Request) {
	_, user := h.Member(w, r)
	if user == nil {
		return
	}
	values := memberForm(h.Desk, w, r, pathApps, user)
	if values == nil {
		return
	}
	if values.Get("action") != "disconnect" {
		h.UnknownAction(w, r)
		return
	}
	client, _, err := h.Clients.ClientByID(r.Context(), values.Get("client"), h.Now().UnixMilli())
	if err == nil {
		err = h.Consents.Disconnect(r.Context(), memberActor(user), user, client)
	}
	switch {
	case errors.Is(err, accounts.ErrNotFound): // done before, or never there
		h.Redirect(w, h.Path(pathApps))
		return
	case err != nil:
		h.Broken(w, r, err)
		return
	}
	event := web.Event(r.Context())
	event.Outcome, event.ClientID = "disconnected", client.ClientID
	h.Redirect(w, h.Path(pathApps)+"?"+url.Values{"gone": {client.ClientID}}.Encode())
}
