package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

const tagConsents = "consents"

// Grant is one authorization that an app got from a person.
type Grant struct {
	GID           string     `json:"gid"`
	Subject       string     `json:"sub"`
	Username      string     `json:"username"`
	ClientID      string     `json:"client_id"`
	ClientName    string     `json:"client_name"`
	SID           string     `json:"sid" doc:"Of the session in which it began."`
	Offline       bool       `json:"offline" doc:"It outlives the session."`
	Scopes        []string   `json:"scopes" nullable:"false"`
	CreatedAt     *time.Time `json:"created_at,omitempty"`
	RefreshEndsAt *time.Time `json:"refresh_ends_at,omitempty" doc:"When it ends if it is not used; missing for one without refresh token."`
	EndedAt       *time.Time `json:"ended_at,omitempty"`
	EndReason     string     `json:"end_reason,omitempty"`
}

func grantOf(g *admin.ListedGrant) Grant {
	return Grant{
		GID: g.ID.String(), Subject: g.Subject, Username: g.Username, ClientID: g.ClientID, ClientName: g.ClientName,
		SID: g.SessionID.String(), Offline: g.Offline, Scopes: filled(g.Scopes), CreatedAt: timeOf(g.CreatedAt),
		RefreshEndsAt: timeOf(g.RefreshEndsAt), EndedAt: timeOf(g.EndedAt), EndReason: g.EndReason,
	}
}

// Consent is what a person allowed an app.
type Consent struct {
	Subject    string     `json:"sub"`
	Username   string     `json:"username"`
	ClientID   string     `json:"client_id"`
	ClientName string     `json:"client_name"`
	Scopes     []string   `json:"scopes" nullable:"false" doc:"What was allowed."`
	Asked      []string   `json:"asked" nullable:"false" doc:"What was asked, allowed or not."`
	GrantedAt  *time.Time `json:"granted_at,omitempty"`
	UpdatedAt  *time.Time `json:"updated_at,omitempty"`
	ExpiresAt  *time.Time `json:"expires_at,omitempty"`
}

func consentOf(k *admin.ListedConsent) Consent {
	return Consent{
		Subject: k.Subject, Username: k.Username, ClientID: k.ClientID, ClientName: k.ClientName, Scopes: filled(k.Scopes),
		Asked: filled(k.Asked), GrantedAt: timeOf(k.GrantedAt), UpdatedAt: timeOf(k.UpdatedAt), ExpiresAt: timeOf(k.ExpiresAt),
	}
}

// consentFilters restrict a list to an app, a person, or both.
type consentFilters struct {
	Paging
	ClientID string `query:"client_id" maxLength:"2048" doc:"Those for one app. This or sub is needed."`
	Subject  string `query:"sub" maxLength:"255" doc:"Those of one person."`
}

func (s *surface) consents() {
	register(s, Route{
		ID: "listConsents", Method: http.MethodGet, Path: "/consents", Tag: tagConsents, Permission: accounts.AdminConsentsRead,
		Summary: "List what people allowed apps", Details: "Of one app or one person; what was taken back is not among it.",
	}, func(ctx context.Context, c *admin.Caller, in *consentFilters) (*List[Consent], error) {
		var at idKey
		if err := s.after(ctx, in.Cursor, &at); err != nil {
			return nil, err
		}
		q := admin.ConsentQuery{ClientID: in.ClientID, Subject: in.Subject, After: at.ID, Limit: in.Limit + 1}
		read, err := s.Admin.ListConsents(ctx, c, q)
		if err != nil {
			return nil, err
		}
		found, more := cut(read, in.Limit)
		items := make([]Consent, len(found))
		for i := range found {
			items[i] = consentOf(&found[i])
		}
		if !more {
			return page(s, ctx, items, nil)
		}
		last := found[len(found)-1]
		if in.Subject != "" {
			return page(s, ctx, items, idKey{last.Consent.ClientID})
		}
		return page(s, ctx, items, idKey{last.UserID})
	})
	register(s, Route{
		ID: "revokeConsent", Method: http.MethodDelete, Path: "/consents/{client}/{user}", Tag: tagConsents, Permission: accounts.AdminConsentsWrite,
		Summary: "Take back what one person allowed an app", Details: "Its grants and tokens from them end.", Status: http.StatusNoContent,
	}, func(ctx context.Context, c *admin.Caller, in *struct {
		ClientPath
		User string `path:"user" maxLength:"1024" doc:"The sub."`
	},
	) (*struct{}, error) {
		clientID, subject, err := two(in.Client, in.User)
		if err != nil {
			return nil, err
		}
		return nil, s.Admin.RevokeConsent(ctx, c, clientID, subject)
	})
	register(s, Route{
		ID: "revokeConsents", Method: http.MethodPost, Path: "/clients/{client}/disconnect", Tag: tagConsents, Permission: accounts.AdminConsentsWrite,
		Summary: "Take back what everybody allowed an app",
		Details: "All its grants and tokens end, those that it got for itself too. `confirm` repeats the client_id.", Status: http.StatusNoContent,
	}, func(ctx context.Context, c *admin.Caller, in *struct {
		ClientPath
		Body struct {
			Confirm string `json:"confirm" maxLength:"2048" doc:"The client_id once more."`
		}
	},
	) (*struct{}, error) {
		clientID, err := fromSegment(in.Client)
		if err != nil {
			return nil, err
		}
		return nil, s.Admin.RevokeConsents(ctx, c, clientID, in.Body.Confirm)
	})
	s.grants()
}

func (s *surface) grants() {
	register(s, Route{
		ID: "listGrants", Method: http.MethodGet, Path: "/grants", Tag: tagConsents, Permission: accounts.AdminConsentsRead,
		Summary: "List the grants of an app or a person", Details: "Newest first; those that have ended too, as long as they are kept.",
	}, func(ctx context.Context, c *admin.Caller, in *consentFilters) (*List[Grant], error) {
		var at idKey
		if err := s.after(ctx, in.Cursor, &at); err != nil {
			return nil, err
		}
		q := admin.GrantQuery{ClientID: in.ClientID, Subject: in.Subject, Before: at.ID, Limit: in.Limit + 1}
		read, err := s.Admin.ListGrants(ctx, c, q)
		if err != nil {
			return nil, err
		}
		found, more := cut(read, in.Limit)
		items := make([]Grant, len(found))
		for i := range found {
			items[i] = grantOf(&found[i])
		}
		if !more {
			return page(s, ctx, items, nil)
		}
		return page(s, ctx, items, idKey{found[len(found)-1].ID})
	})
	register(s, Route{
		ID: "endGrant", Method: http.MethodDelete, Path: "/grants/{gid}", Tag: tagConsents, Permission: accounts.AdminConsentsWrite,
		Summary: "End one grant", Details: "Its refresh token and tokens end; what the person allowed stays.", Status: http.StatusNoContent,
	}, func(ctx context.Context, c *admin.Caller, in *struct {
		GID string `path:"gid" maxLength:"22"`
	},
	) (*struct{}, error) {
		gid, err := id.Parse(in.GID)
		if err != nil {
			return nil, fmt.Errorf("grant: %w", accounts.ErrNotFound)
		}
		return nil, s.Admin.EndGrant(ctx, c, gid)
	})
}
