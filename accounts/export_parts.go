package accounts

import (
	"context"
	"errors"
	"slices"
)

// exportSessions bounds how many sessions are told of: all that are kept, unless
// somebody signs in by a program.
const exportSessions = 10_000

type exportedAccount struct {
	Subject           string   `json:"sub"`
	Username          string   `json:"username"`
	Email             string   `json:"email,omitempty"`
	EmailVerified     bool     `json:"email_verified"`
	HasPassword       bool     `json:"has_password"`
	PasswordChangedAt string   `json:"password_changed_at,omitempty"`
	Staff             bool     `json:"staff"`
	Superuser         bool     `json:"superuser"`
	RequiredActions   []Action `json:"required_actions,omitempty"`
	TermsVersion      string   `json:"terms_version,omitempty"`
	TermsAcceptedAt   string   `json:"terms_accepted_at,omitempty"`
	DeleteAt          string   `json:"delete_at,omitempty"`
	CreatedAt         string   `json:"created_at"`
	UpdatedAt         string   `json:"updated_at"`
	LastSignInAt      string   `json:"last_sign_in_at,omitempty"`
}

func accountOf(u *User) exportedAccount {
	return exportedAccount{
		Subject: u.Subject, Username: u.Username, Email: u.Email, EmailVerified: u.EmailVerified,
		HasPassword: u.PasswordHash != "", PasswordChangedAt: instant(u.PasswordChangedAt), Staff: u.Staff, Superuser: u.Superuser,
		RequiredActions: u.RequiredActions, TermsVersion: u.TermsVersion, TermsAcceptedAt: instant(u.TermsAcceptedAt),
		DeleteAt: instant(u.DeleteAt), CreatedAt: instant(u.CreatedAt), UpdatedAt: instant(u.UpdatedAt), LastSignInAt: instant(u.LastSignInAt),
	}
}

type exportedProfile struct {
	Name string `json:"name,omitempty"`
	Profile
}

func profileOf(u *User) exportedProfile { return exportedProfile{u.Name, u.Profile} }

type exportedPicture struct {
	Type      string `json:"type"`
	UpdatedAt string `json:"updated_at"`
	Data      []byte `json:"data"` // base64
}

func (x *Export) picture(ctx context.Context, u *User) (any, error) {
	p, err := x.Pictures.PictureOf(ctx, u.ID)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return exportedPicture{p.Type, instant(p.UpdatedAt), p.Data}, nil
}

type exportedFactor struct {
	Kind       string `json:"kind"`
	Name       string `json:"name,omitempty"`
	UserAgent  string `json:"user_agent,omitempty"`
	Address    string `json:"address,omitempty"`
	CreatedAt  string `json:"created_at"`
	LastUsedAt string `json:"last_used_at,omitempty"`
	ExpiresAt  string `json:"expires_at,omitempty"`
}

type exportedFactors struct {
	Factors           []exportedFactor `json:"factors"`
	RecoveryCodesLeft int              `json:"recovery_codes_left"`
	RememberedDevices []exportedFactor `json:"remembered_browsers"`
}

func (x *Export) factors(ctx context.Context, u *User) (any, error) {
	out := exportedFactors{Factors: []exportedFactor{}, RememberedDevices: []exportedFactor{}}
	if x.Factors == nil {
		return out, nil
	}
	list, err := x.Factors.List(ctx, u)
	if err != nil {
		return nil, err
	}
	for _, p := range list.Passkeys {
		out.Factors = append(out.Factors, exportedFactor{Kind: "passkey", Name: p.Name, CreatedAt: instant(p.CreatedAt), LastUsedAt: instant(p.LastUsedAt)})
	}
	for _, t := range list.TOTPs {
		out.Factors = append(out.Factors, exportedFactor{Kind: "totp", Name: t.Name, CreatedAt: instant(t.CreatedAt), LastUsedAt: instant(t.LastUsedAt)})
	}
	for _, d := range list.Devices {
		out.RememberedDevices = append(out.RememberedDevices, exportedFactor{
			Kind: "browser", UserAgent: d.UserAgent, Address: d.Address,
			CreatedAt: instant(d.CreatedAt), LastUsedAt: instant(d.LastUsedAt), ExpiresAt: instant(d.ExpiresAt),
		})
	}
	out.RecoveryCodesLeft = list.RecoveryCodes
	return out, nil
}

type exportedSession struct {
	SID        string   `json:"sid"`
	UserAgent  string   `json:"user_agent"`
	Address    string   `json:"address"`
	AMR        []string `json:"amr"`
	ACR        string   `json:"acr"`
	AuthTime   string   `json:"auth_time"`
	CreatedAt  string   `json:"created_at"`
	LastSeenAt string   `json:"last_seen_at"`
	ExpiresAt  string   `json:"expires_at"`
	EndedAt    string   `json:"ended_at,omitempty"`
	EndReason  string   `json:"end_reason,omitempty"`
}

func (x *Export) sessions(ctx context.Context, u *User) (any, error) {
	list, err := x.Store.SessionsSince(ctx, u.ID, 0, exportSessions)
	if err != nil {
		return nil, err
	}
	out := []exportedSession{}
	for _, s := range list {
		out = append(out, exportedSession{
			SID: s.ID.String(), UserAgent: s.UserAgent, Address: s.Address, AMR: s.AMR, ACR: s.ACR, AuthTime: instant(s.AuthTime),
			CreatedAt: instant(s.CreatedAt), LastSeenAt: instant(s.LastSeenAt), ExpiresAt: instant(s.EndsAt()),
			EndedAt: instant(s.EndedAt), EndReason: s.EndReason,
		})
	}
	return out, nil
}

type exportedConsent struct {
	ClientID  string   `json:"client_id"`
	Name      string   `json:"name"`
	Scopes    []string `json:"scopes"`
	GrantedAt string   `json:"granted_at"`
	UpdatedAt string   `json:"updated_at"`
	RevokedAt string   `json:"revoked_at,omitempty"`
	ExpiresAt string   `json:"expires_at,omitempty"`
}

func (x *Export) consents(ctx context.Context, u *User) (any, error) {
	list, err := x.Store.ConsentsOf(ctx, u.ID)
	if err != nil {
		return nil, err
	}
	out := []exportedConsent{}
	for _, c := range list {
		out = append(out, exportedConsent{
			ClientID: c.Client, Name: c.Name, Scopes: c.Scopes, GrantedAt: instant(c.GrantedAt), UpdatedAt: instant(c.UpdatedAt),
			RevokedAt: instant(c.RevokedAt), ExpiresAt: instant(c.ExpiresAt),
		})
	}
	return out, nil
}

type exportedGrant struct {
	GID       string   `json:"gid"`
	ClientID  string   `json:"client_id"`
	Name      string   `json:"name"`
	SID       string   `json:"sid"`
	Offline   bool     `json:"offline"`
	Scopes    []string `json:"scopes"`
	Resources []string `json:"resources,omitempty"`
	CreatedAt string   `json:"created_at"`
	EndedAt   string   `json:"ended_at,omitempty"`
	EndReason string   `json:"end_reason,omitempty"`
}

func (x *Export) grants(ctx context.Context, u *User) (any, error) {
	list, err := x.Store.AllGrantsOf(ctx, u.ID)
	if err != nil {
		return nil, err
	}
	out := []exportedGrant{}
	for _, g := range list {
		out = append(out, exportedGrant{
			GID: g.ID.String(), ClientID: g.Client, Name: g.Name, SID: g.SessionID.String(), Offline: g.Offline, Scopes: g.Scopes,
			Resources: g.Resources, CreatedAt: instant(g.CreatedAt), EndedAt: instant(g.EndedAt), EndReason: g.EndReason,
		})
	}
	return out, nil
}

type exportedEvent struct {
	At      string         `json:"at"`
	Action  string         `json:"action"`
	By      string         `json:"by"` // "you", or the kind of who did it
	Address string         `json:"address,omitempty"`
	Details map[string]any `json:"details,omitempty"`
	Before  map[string]any `json:"before,omitempty"`
	After   map[string]any `json:"after,omitempty"`
}

// eventOf leaves out who else did it and from where: that is theirs.
func eventOf(e *PastEvent, u *User) exportedEvent {
	out := exportedEvent{At: instant(e.At), Action: e.Action, By: "you", Details: e.Details, Before: e.Before, After: e.After, Address: e.Address}
	if !e.ByThem(u.Subject) {
		out.By = e.Actor.Kind
		if !slices.Contains(StrangerEvents(), e.Action) {
			out.Address = ""
		}
	}
	return out
}

// StrangerEvents are the actions of people who have not proven who they are: where
// they came from concerns the owner of the account.
func StrangerEvents() []string { return []string{"user.sign_in.refuse"} }
