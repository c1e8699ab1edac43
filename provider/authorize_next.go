package provider

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/provider/granting"
	"github.com/gatehouse-id/gatehouse/templates"
)

// step is where the person goes next: the path of a page.
type step string

const (
	stepIssue         step = "issue" // nowhere: the code can be issued
	stepSignIn        step = flow.PathSignIn
	stepSignUp        step = flow.PathSignUp
	stepSecondFactor  step = flow.PathSecondFactor
	stepSelectAccount step = flow.PathSelectAccount
	stepConsent       step = flow.PathConsent
	// and the pages of required actions
)

// advance decides the next step from what is stored, and takes it. No step has to
// prove that the one before it was done: what is missing is asked for, from
// whichever page or tab the request came. It returns false, and has done nothing,
// if the client as last seen is not the client any more.
func (p *Provider) advance(w http.ResponseWriter, r *http.Request, a *authorization, f *progress) bool {
	ctx, now := r.Context(), p.Now()
	st, err := p.standing(ctx, r, a, now)
	switch {
	case err == nil && a.mark.Change == st.Change:
		a.mark, a.early = st.Mark, false
	case a.early:
		return false
	}
	web.Event(ctx).ClientID = a.client.ClientID
	p.takeStep(w, r, a, f, st, err, now)
	return true
}

// takeStep does what advance decides by.
func (p *Provider) takeStep(w http.ResponseWriter, r *http.Request, a *authorization, f *progress, st *granting.Standing, err error, now time.Time) {
	ctx := r.Context()
	if err == nil {
		err = p.knownResources(a, st)
	}
	var d *demands
	if err == nil {
		d, err = p.demandsOn(ctx, a, st, now)
	}
	var next step
	if err == nil {
		next, err = nextStep(a, f.Flow, st, d, now)
	}
	if err == nil && next == stepConsent && a.operatorConsents() {
		st, err = p.consentForOperator(ctx, r, a, st, now)
		next = stepIssue
	}
	switch {
	case err != nil:
		p.fail(w, r, a, err)
		return
	case next == stepIssue:
		p.issueCode(w, r, a, f, st, d, now)
		return
	case a.prompts("none"):
		p.answerClient(w, r, a, silentError(next))
		return
	}
	// The page of a person who is signed in already must ask all the same, also when
	// they go there from the page at which accounts are made.
	f.Reauthenticate = (next == stepSignIn || next == stepSignUp) && signedIn(st, now)
	if err := p.send(w, r, f, string(next)); err != nil {
		p.fail(w, r, a, err)
	}
}

// standing reads the browser's session and what the client may be given.
func (p *Provider) standing(ctx context.Context, r *http.Request, a *authorization, now time.Time) (*granting.Standing, error) {
	hash, _ := accounts.HashSessionToken(p.Cookies.Get(r, flow.SessionCookie)) // nil finds no session
	var st *granting.Standing
	err := p.statement(func() (mark accounts.Mark, err error) {
		if st, err = p.Standings.SessionStanding(ctx, hash, a.client.ID, nil, now.UnixMilli()); err == nil {
			mark = st.Mark
		}
		return mark, err
	})
	if err != nil {
		return nil, err
	}
	return st, p.complete(ctx, st, a.scopes, a.resources)
}

// knownResources refuses a resource that is no enabled API (RFC 8707 §2).
func (p *Provider) knownResources(a *authorization, st *granting.Standing) error {
	for _, uri := range a.resources {
		known := slices.ContainsFunc(st.APIs, func(api granting.Audience) bool { return api.URI == uri })
		if !known && uri != p.issuer {
			return invalidTarget("The resource is unknown or disabled")
		}
	}
	return nil
}

func signedIn(st *granting.Standing, now time.Time) bool {
	return st.Session != nil && st.User != nil && st.User.Active() && st.Session.Live(now.UnixMilli(), st.User.ValidFrom)
}

// nextStep is the state machine: a pure function of the request, what was done,
// and what is true now.
func nextStep(a *authorization, f *flow.Flow, st *granting.Standing, d *demands, now time.Time) (step, error) {
	if f.DeniedAt != 0 {
		return "", newError(http.StatusForbidden, "access_denied", "The person declined")
	}
	signIn := stepSignIn
	if a.prompts("create") && d.signUp {
		signIn = stepSignUp
	}
	if !signedIn(st, now) {
		return signIn, nil
	}
	// Before anything is asked or written down: what an operator has begun is no reason
	// for anybody else to consent.
	if a.operator != "" && a.operator != st.User.Subject {
		return "", notBegunByThem()
	}
	// A sign-in since the request arrived satisfies every wish for a fresh one.
	fresh := st.Session.AuthTime >= f.CreatedAt
	if !fresh && (a.tooOld(st.Session, now) || a.prompts("login") || a.prompts("create")) {
		return signIn, nil
	}
	if a.subject != "" && a.subject != st.User.Subject {
		if fresh {
			return "", newError(http.StatusForbidden, "login_required", "Somebody else is signed in than the request asks for")
		}
		return stepSignIn, nil
	}
	if next, err := a.missing(st, d); err != nil || next != "" {
		return next, err
	}
	if a.prompts("select_account") && !fresh && f.AccountChosenAt == 0 {
		return stepSelectAccount, nil
	}
	if needsConsent(a, f, st, now) {
		return stepConsent, nil
	}
	return stepIssue, nil
}

// tooOld reports whether the session is older than the request's max_age.
func (a *authorization) tooOld(s *accounts.Session, now time.Time) bool {
	age := now.Sub(time.UnixMilli(s.AuthTime))
	return a.maxAge >= 0 && (age > a.maxAge || a.maxAge == 0)
}

// missing is the page on which the person shows the second factor that they have
// not shown yet, or does what is required of them; empty if there is nothing.
func (a *authorization) missing(st *granting.Standing, d *demands) (step, error) {
	weak := !accounts.ACRAtLeast(st.Session.ACR, a.neededACR(d, st.Session.ACR))
	switch {
	case weak && accounts.ACRAtLeast(st.Session.ACR, accounts.ACRTwoFactors):
		return "", unreachableACR() // no page could add anything
	case weak && d.has:
		return stepSecondFactor, nil
	}
	if required := d.policy.Required(st.User, d.has, d.mustHave || weak); len(required) > 0 {
		return step(flow.PathOf(required[0])), nil
	}
	return "", nil
}

// needsConsent: what was shown before need not be asked again, but for clients
// that anybody could pretend to be (RFC 8252 §8.6).
func needsConsent(a *authorization, f *flow.Flow, st *granting.Standing, now time.Time) bool {
	k := st.Consent
	if k == nil || k.RevokedAt != 0 || k.ExpiresAt != 0 && k.ExpiresAt <= now.UnixMilli() {
		return true
	}
	if len(without(a.covered, k.Asked)) > 0 {
		return true
	}
	if f.ConsentedBy == st.User.Subject {
		return false
	}
	return a.prompts("consent") || a.impersonable()
}

// notBegunByThem is told on a page: the answer would be no business of the console's.
func notBegunByThem() error {
	return &unproven{err: newError(http.StatusForbidden, "access_denied", "Only the operator who began this trial of an app can go on with it"), kind: badPerson}
}

// impersonable reports whether another app on the person's device could receive
// the response: a public client whose redirect URI proves nothing.
func (a *authorization) impersonable() bool { return a.client.Public() && !a.redirectProves() }

// redirectProves reports whether whoever gets the response is the client, because it
// holds a domain. The console, which plays the client, has people asked as the client
// would have them asked from wherever it may be.
func (a *authorization) redirectProves() bool {
	uris := []string{a.redirectURI}
	if a.operator != "" {
		uris = a.client.RedirectURIs
	}
	return len(uris) > 0 && !slices.ContainsFunc(uris, func(uri string) bool { return accounts.KindOfRedirect(uri) != accounts.HTTPSRedirect })
}

// operatorConsents reports whether the operator's own word replaces the person's:
// for a first-party client whose redirect URI proves who it is.
func (a *authorization) operatorConsents() bool {
	return a.client.FirstParty && !a.prompts("consent") && a.redirectProves()
}

func (p *Provider) consentForOperator(ctx context.Context, r *http.Request, a *authorization, st *granting.Standing, now time.Time) (*granting.Standing, error) {
	by := audit.Actor{Kind: audit.System, ID: "first-party"}
	if err := p.Consents.Allow(ctx, by, st.User, a.client.Client, a.covered, a.covered); err != nil {
		return nil, err
	}
	return p.standing(ctx, r, a, now)
}

// silentError is what prompt=none says instead of showing a page (OpenID Connect
// Core §3.1.2.6).
func silentError(next step) *Error {
	switch next {
	case stepSelectAccount:
		return newError(http.StatusForbidden, "account_selection_required", "The person must choose an account")
	case stepConsent:
		return newError(http.StatusForbidden, "consent_required", "The person must consent")
	case stepSignIn, stepSignUp:
		return newError(http.StatusForbidden, "login_required", "The person must sign in")
	case stepSecondFactor:
		return newError(http.StatusForbidden, "login_required", "The person must sign in with another factor")
	default:
		return newError(http.StatusForbidden, "interaction_required", "The person has something to do first")
	}
}

// issueCode asks the gate and answers with a code.
func (p *Provider) issueCode(w http.ResponseWriter, r *http.Request, a *authorization, f *progress, st *granting.Standing, d *demands, now time.Time) {
	b := basis{
		user: st.User.ID, session: st.Session.ID, rev: min(a.mark.Position, st.Position), acr: a.reportedACR(d, st.Session.ACR),
		scopes: a.scopes, resources: a.resources, signedIn: true,
		offline: offline(a.client.Client, st, a.scopes),
	}
	v, err := p.gate(r.Context()).decide(a.client.Client, a.mark, st, b, ask{grantType: grantCode, now: now, openAudience: true, demands: d})
	if err != nil {
		p.fail(w, r, a, refusal(err))
		return
	}
	x := &exchange{grantType: grantCode, now: now, client: a.client, mark: a.mark, standing: st, basis: b, verdict: v}
	x.issue = &granting.Code{
		GrantID: f.GrantID, ClientID: a.client.ID, UserID: st.User.ID, SessionID: st.Session.ID,
		RedirectURI: a.params.Get("redirect_uri"), Challenge: a.challenge, Nonce: a.nonce,
		Scopes: a.scopes, Resources: a.resources, Claims: a.claims,
		Rev: b.rev, AuthTime: st.Session.AuthTime, AMR: st.Session.AMR, ACR: b.acr,
		CreatedAt: now.UnixMilli(), ExpiresAt: now.Add(p.Lifetimes.Code).UnixMilli(),
	}
	ctx := withExchange(r.Context(), x)
	response, err := p.fosite.NewAuthorizeResponse(ctx, a.request, newSession(st.User.Subject))
	if errors.Is(x.err, errAlreadyUsed) {
		p.answerAgain(w, r, a, f, st, d, now)
		return
	}
	if err != nil {
		p.fail(w, r, a, x.reason(err))
		return
	}
	p.Sessions.Touch(ctx, st.Session)
	p.finish(ctx, f, now)
	event := web.Event(ctx)
	event.UserID, event.Outcome = st.User.Subject, "code"
	p.respond(w, r, a, response.GetParameters())
}

// answerAgain handles a request whose code was issued already, by a second click or
// a second tab. A pushed request is used up by that (RFC 9126 §4); any other one
// simply gets a grant of its own.
func (p *Provider) answerAgain(w http.ResponseWriter, r *http.Request, a *authorization, f *progress, st *granting.Standing, d *demands, now time.Time) {
	if f.Pushed {
		p.errorPage(w, r, http.StatusBadRequest, templates.Error{Kind: templates.AlreadyUsed})
		return
	}
	f.GrantID = id.New()
	p.issueCode(w, r, a, f, st, d, now)
}

// finish marks the flow. The code is out; that the mark is lost only means that
// the back button gets another one.
func (p *Provider) finish(ctx context.Context, f *progress, now time.Time) {
	if !f.stored {
		return
	}
	f.FinishedAt = now.UnixMilli()
	if err := p.Flows.UpdateFlow(ctx, f.Flow); err != nil {
		p.Log.WarnContext(ctx, "mark a flow as finished", "error", err)
	}
}

// refusal turns the gate's word for the token endpoint into one that RFC 6749
// §4.1.2.1 knows.
func refusal(err error) error {
	var e *Error
	if errors.As(err, &e) && e.Code == "invalid_grant" {
		return newError(http.StatusForbidden, "access_denied", e.Description).why(e.Reason)
	}
	return err
}
