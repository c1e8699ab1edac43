package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/consent"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/device"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/hosted"
	"github.com/gatehouse-id/gatehouse/internal/outbound"
	"github.com/gatehouse-id/gatehouse/internal/passkey"
	"github.com/gatehouse-id/gatehouse/internal/pwned"
	"github.com/gatehouse-id/gatehouse/selfservice"
)

// people is what people do with their accounts themselves.
type people struct {
	signIns  *accounts.SignIns
	setup    *accounts.Setup
	deletion *accounts.Deletion
	// setLocale keeps the language that somebody chooses.
	setLocale func(ctx context.Context, actor audit.Actor, subject, locale string) error

	entrance *selfservice.Entrance
	overview *selfservice.Overview
	profile  *selfservice.Profile
	security *selfservice.Security
	factors  *selfservice.Factors
	data     *selfservice.Data
}

// newPeople builds the pages of accounts. Where no mails can be sent, nothing that
// needs one is there.
func (d *domain) newPeople(desk *hosted.Desk, limits limiter, claims selfservice.Claims, mails bool) *people {
	proofs := d.proofs(limits)
	activity := &accounts.Activity{Store: d.db, Now: d.now}
	p := &people{
		signIns: &accounts.SignIns{
			Journal: d.users.Journal, Users: d.db, Sessions: d.sessions, Factors: d.factors, Waiting: d.db,
			Limiter: limits, Keys: d.keyring, Logger: d.log,
		},
		setup:    &accounts.Setup{Users: d.users, Store: d.db, Keys: d.keyring},
		deletion: d.deletion(),
	}
	p.entrance = &selfservice.Entrance{
		Desk:    desk,
		SignUps: &accounts.SignUps{Proofs: proofs},
		Invites: &accounts.Invites{Proofs: proofs, Groups: d.groups, Inviters: &admin.Inviters{Callers: d.callers(), Reach: d.db}},
		Resets:  &accounts.Resets{Proofs: proofs}, Codes: &accounts.MailCodes{Proofs: proofs},
		Verifications: &accounts.Verifications{Proofs: proofs}, Addresses: &accounts.Addresses{Proofs: proofs, Factors: d.factors},
		Setup: p.setup, Terms: &accounts.Terms{Users: d.users},
		SignIns: p.signIns, Passwords: d.users, Apps: d.db,
		Mails: mails, Settings: d.settings,
	}
	p.overview = &selfservice.Overview{Desk: desk, Signed: d.db, Activity: activity, Factors: d.factors, Groups: d.groups, Mails: mails}
	profiles := &accounts.Profiles{
		Journal: d.users.Journal, Users: d.db, Pictures: d.db, Portraits: accounts.NewPortraits(),
		PictureURL: selfservice.PictureURL(d.cfg.Issuer), Limiter: limits, Keys: d.keyring, Logger: d.log,
	}
	p.setLocale = profiles.SetLocale
	p.profile = &selfservice.Profile{Desk: desk, Pictures: d.db, Activity: activity, Claims: claims, Profiles: profiles}
	p.security = &selfservice.Security{
		Desk: desk, Signed: d.db, Ender: d.sessions, Activity: activity, Consents: d.consents, Clients: d.db, APIs: d.db, Mails: mails,
		Alarm: &accounts.Alarm{
			Journal: d.users.Journal, Users: d.db, Sessions: d.db, Grants: d.db, Devices: d.db, Links: d.links(), Device: deviceName,
		},
	}
	p.factors = &selfservice.Factors{Desk: desk, Keeper: d.factors, Maker: d.factors, NoPasskeys: d.factors.WebAuthn == nil}
	if d.factors.WebAuthn != nil {
		p.factors.RelyingParty = d.factors.WebAuthn.RelyingParty()
	}
	p.data = &selfservice.Data{
		Desk: desk, Deletion: p.deletion,
		Export: &accounts.Export{Journal: d.users.Journal, Store: d.db, Events: d.db, Factors: d.factors, Pictures: d.db},
	}
	return p
}

// steps adds to the pages on the way to an app what people can do there.
func (p *people) steps(h *consent.Handler) {
	h.SignIns, h.SetLocale = p.signIns, p.setLocale
	h.FirstRun, h.SetupURL = p.setup.Open, h.Path(selfservice.PathSetup)
	if p.factors.Maker != nil && !p.factors.NoPasskeys {
		h.Passkeys = p.signIns
	}
	h.Settings = p.entrance.Settings
	if p.entrance.Mails {
		h.ResetURL, h.SignUpURL, h.CodeURL = h.Path(accounts.PathReset), h.Path(flow.PathSignUp), h.Path(accounts.PathMailCode)
	}
}

func (p *people) mount(r *mux.Router, pages func(http.Handler) http.Handler) error {
	for _, part := range []interface {
		Mount(r *mux.Router, pages func(http.Handler) http.Handler) error
	}{p.entrance, p.overview, p.profile, p.security, p.factors, p.data} {
		if err := part.Mount(r, pages); err != nil {
			return err
		}
	}
	return nil
}

// missing returns the page of what a person has to do in a session before anything
// else. A session of one factor, begun before two were demanded of its person, is
// good for nothing until it is raised: whoever holds it may not even take part in
// what else is required.
func (d *domain) missing(ctx context.Context, session *accounts.Session, user *accounts.User) (string, error) {
	has, needed, err := d.factors.Standing(ctx, user)
	if err != nil {
		return "", err
	}
	if has && needed && !accounts.ACRAtLeast(session.ACR, accounts.ACRTwoFactors) {
		return flow.PathSecondFactor, nil
	}
	if actions := d.settings.Current(ctx).Policy.Required(user, has, needed); len(actions) > 0 {
		return flow.PathOf(actions[0]), nil
	}
	return "", nil
}

// passwords is what new passwords must meet besides what the settings say.
func (d *domain) passwords() (accounts.PasswordPolicy, error) {
	set := d.cfg.People
	p := accounts.PasswordPolicy{MinScore: accounts.DefaultMinScore}
	if set.BreachURL != nil {
		source, err := pwned.New(set.BreachURL.String(), outbound.Options{AllowPrivate: d.cfg.OutboundPrivate})
		if err != nil {
			return p, fmt.Errorf("breach_url: %w", err)
		}
		p.Breaches = &accounts.Breaches{Source: source, Log: d.log}
	}
	return p, nil
}

// newFactors builds what people prove themselves with beside their password.
func (d *domain) newFactors() *accounts.Factors {
	f := &accounts.Factors{
		Journal: d.users.Journal, Users: d.db, Sessions: d.db, Grants: d.db, Store: d.db, TOTPs: d.db, Passkeys: d.db,
		Recovery: d.db, Devices: d.db, Waiting: d.db, Settings: d.settings, Keys: d.keyring, Logger: d.log,
		SecurityURL: d.links().To(accounts.PathLinkSecurity, nil), Device: deviceName,
	}
	party, err := passkey.New(d.cfg.Issuer, d.cfg.People.PasskeyRPID, d.settings.brandName())
	switch {
	case err == nil:
		f.WebAuthn = party
	case !errors.Is(err, passkey.ErrNoDomain):
		d.log.Warn("no passkeys", "error", err)
	}
	return f
}

func (d *domain) proofs(limits accounts.Limiter) *accounts.Proofs {
	return &accounts.Proofs{
		Store: d.db, Users: d.users, Limiter: limits, Keys: d.keyring, Logger: d.log, Links: d.links(), Device: deviceName,
	}
}

func (d *domain) deletion() *accounts.Deletion {
	return &accounts.Deletion{Journal: d.users.Journal, Users: d.users, Store: d.db, Links: d.links(), Log: d.log}
}

func deviceName(userAgent string) string { return device.Of(userAgent).String() }

// setUpFirst tells in the log how to make the first account, where there is none.
func (a *app) setUpFirst(ctx context.Context) error {
	open, err := a.people.setup.Open(ctx)
	if err != nil || !open {
		return err
	}
	token, err := a.people.setup.Token(ctx)
	if err != nil {
		return fmt.Errorf("first account: %w", err)
	}
	// The one secret that is logged: it is good for the first account alone.
	a.log.WarnContext(ctx, "nobody has an account yet: make the first one", "at", a.links().To(selfservice.PathSetup, nil), "with_token", token.Reveal())
	return nil
}
