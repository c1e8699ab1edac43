package console

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/hosted"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/templates"
)

// debugCallback is the page that the authorization endpoint answers to; it is
// accounts.PathDebugCallback.
const debugCallback = "clients/debug/callback"

// randomBytes is the size of what nobody may guess: a nonce, a PKCE verifier.
const randomBytes = 32

// debug is the page on which a run begins. Who can run an app's grants can act as the
// app, so it needs a fresh sign-in.
func (h *Handler) debug(v *visit) {
	app, err := h.Admin.Debuggable(v.r.Context(), v.caller, v.object())
	if err != nil {
		v.failed(err)
		return
	}
	if !v.Fresh(v.w, v.r, v.session, hosted.FreshFor) {
		return
	}
	apis, err := h.Admin.AppAPIs(v.r.Context(), app)
	if err != nil {
		v.failed(err)
		return
	}
	audiences := make([]string, len(apis))
	for i, api := range apis {
		audiences[i] = api.Audience
	}
	c := templates.Console{Heading: templates.Say("console.debug.title", "Name", app.Name), Trail: v.debugTrail(app)}
	if app.Allows(accounts.GrantAuthorizationCode) {
		c.Blocks = append(c.Blocks, templates.ConsoleBlock{
			Heading: templates.Say("console.debug.code"), Note: templates.Say("console.debug.code_note"), Form: codeForm(app, audiences),
		})
	}
	if app.Allows(accounts.GrantClientCredentials) {
		c.Blocks = append(c.Blocks, templates.ConsoleBlock{
			Heading: templates.Say("console.debug.machine"), Note: templates.Say("console.debug.machine_note"), Form: machineForm(app, audiences),
		})
	}
	if len(c.Blocks) == 0 {
		c.Blocks = []templates.ConsoleBlock{{Note: templates.Say("console.debug.nothing")}}
	}
	v.show(c)
}

func (v *visit) debugTrail(app *accounts.Client) []templates.ConsoleLink {
	return append(v.clientTrail(), templates.ConsoleLink{Said: templates.Named(app.Name), URL: v.to("clients/show", app.ClientID)})
}

// tryLinks lead to the debugger, for those who may use it.
func (v *visit) tryLinks(app *accounts.Client) []templates.ConsoleLink {
	if !v.Admin.MayDebug(v.caller, app) {
		return nil
	}
	said := templates.Say("console.client.try")
	if !app.Allows(accounts.GrantAuthorizationCode) {
		said = templates.Say("console.client.try_machine")
	}
	return []templates.ConsoleLink{{Said: said, URL: v.to("clients/debug", app.ClientID), Button: true}}
}

func codeForm(app *accounts.Client, audiences []string) *templates.ConsoleForm {
	form := &templates.ConsoleForm{Hidden: []templates.Field{{Name: "action", Value: "begin"}}, Submit: templates.Say("console.debug.begin")}
	for _, scope := range app.Scopes {
		form.Fields = append(form.Fields, scopeBox("scope", scope, !app.Optional(scope)))
	}
	if len(audiences) > 0 {
		form.Fields = append(form.Fields, audienceField("resource", audiences))
	}
	prompts := []templates.ConsoleChoice{{Said: templates.Say("console.debug.as_usual")}}
	for _, prompt := range []string{"none", "login", "consent"} {
		prompts = append(prompts, templates.ConsoleChoice{Value: prompt, Said: templates.Say("console.debug.prompt_" + prompt)})
	}
	form.Fields = append(form.Fields,
		templates.ConsoleField{Name: "prompt", Kind: "select", Said: templates.Say("console.debug.prompt"), Choices: prompts},
		templates.ConsoleField{Name: "acr_values", Kind: "select", Said: templates.Say("console.debug.acr"), Choices: []templates.ConsoleChoice{
			{Said: templates.Say("console.debug.as_usual")}, {Value: accounts.ACRTwoFactors, Said: templates.Say("console.debug.two_factors")},
		}},
		templates.ConsoleField{Name: "max_age", Said: templates.Say("console.debug.max_age"), Hint: templates.Say("console.debug.max_age_hint"), Optional: true},
	)
	return form
}

func machineForm(app *accounts.Client, audiences []string) *templates.ConsoleForm {
	form := &templates.ConsoleForm{Hidden: []templates.Field{{Name: "action", Value: "machine"}}, Submit: templates.Say("console.debug.ask")}
	for _, permission := range app.Held() {
		form.Fields = append(form.Fields, scopeBox("permission", permission, true))
	}
	if len(audiences) > 0 {
		form.Fields = append(form.Fields, audienceField("audience", audiences))
	}
	return form
}

func scopeBox(name, scope string, ticked bool) templates.ConsoleField {
	return templates.ConsoleField{Name: name, Kind: "checkbox", Value: scope, Said: templates.Named(scope), Checked: ticked}
}

// audienceField offers the APIs. With several of them one must be named, or what is
// ticked would belong to no single one (invalid_target).
func audienceField(name string, audiences []string) templates.ConsoleField {
	choices := []templates.ConsoleChoice{{Said: templates.Say("console.debug.no_resource")}}
	for i, audience := range audiences {
		choices = append(choices, templates.ConsoleChoice{Value: audience, Said: templates.Named(audience), Selected: len(audiences) > 1 && i == 0})
	}
	return templates.ConsoleField{Name: name, Kind: "select", Said: templates.Say("console.debug.resource"), Choices: choices}
}

// runDebug carries out what the forms of the debugger ask for.
func (h *Handler) runDebug(v *visit) {
	app, err := h.Admin.Debuggable(v.r.Context(), v.caller, v.object())
	if err != nil {
		v.failedPost(err)
		return
	}
	switch action := v.form.Get("action"); action {
	case "begin", "machine":
		if !v.fresh(hosted.FreshFor) {
			return
		}
		if action == "begin" {
			err = h.beginDebug(v, app)
		} else {
			err = h.machineDebug(v, app)
		}
	default:
		err = h.goOnDebug(v, app, action)
	}
	if err != nil {
		v.failedPost(err)
	}
}

// failedPost answers what went wrong with a run.
func (v *visit) failedPost(err error) {
	if errors.Is(err, errDebugState) {
		v.debugRefused(http.StatusForbidden, templates.Say("console.debug.foreign"))
		return
	}
	said, status := problem(err)
	if status == http.StatusInternalServerError {
		v.Broken(v.w, v.r, err)
		return
	}
	v.debugRefused(status, said)
}

func (v *visit) debugRefused(status int, said templates.Said) {
	web.Event(v.r.Context()).Outcome = "refused"
	v.notices = append(v.notices, templates.ConsoleNotice{Tone: templates.ToneBad, Said: said})
	v.name, v.query = "clients", url.Values{} // a state or a code leads nowhere from this page
	v.showAs(status, templates.Console{Heading: templates.Say("console.problem.title"), Trail: v.clientTrail(), Failed: true})
}

// beginDebug has the request pushed (RFC 9126), so that nothing of it comes from the
// browser, and shows the way to the authorization endpoint.
func (h *Handler) beginDebug(v *visit, app *accounts.Client) error {
	b := begun{
		Client: app.ClientID, Run: id.New(), At: v.Now().UnixMilli(),
		Nonce:    base64.RawURLEncoding.EncodeToString(secret.Random(randomBytes)),
		Verifier: base64.RawURLEncoding.EncodeToString(secret.Random(randomBytes)),
	}
	state, err := v.sealed(sealState, b)
	if err != nil {
		return err
	}
	challenge := sha256.Sum256([]byte(b.Verifier))
	form := url.Values{
		"response_type": {"code"}, "redirect_uri": {v.debugURI()}, "scope": {strings.Join(v.form["scope"], " ")},
		"state": {base64.RawURLEncoding.EncodeToString(state)}, "nonce": {b.Nonce},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}
	for _, name := range []string{"resource", "prompt", "acr_values", "max_age"} {
		if value := v.value(name); value != "" {
			form.Set(name, value)
		}
	}
	wire, err := h.Admin.BeginDebug(v.r.Context(), v.caller, app.ClientID, accounts.GrantAuthorizationCode, admin.Call{Endpoint: admin.EndpointPush, Form: form})
	if err != nil {
		return err
	}
	r := run{At: b.At, Nonce: b.Nonce, Steps: []debugStep{{Kind: "push", Wire: wire}}}
	var pushed struct {
		RequestURI string `json:"request_uri"`
	}
	_ = json.Unmarshal([]byte(wire.Body), &pushed) // an error has none
	if pushed.RequestURI == "" {
		return h.showRun(v, app, r)
	}
	kept, err := v.sealed(sealRun, r)
	if err != nil {
		return err
	}
	if err := h.Admin.Protocol.Keep(v.r.Context(), b.Run, kept, debugLife); err != nil {
		return err
	}
	v.show(templates.Console{
		Heading: templates.Say("console.debug.title", "Name", app.Name), Trail: v.debugTrail(app), Lead: templates.Say("console.debug.pushed"),
		Blocks: []templates.ConsoleBlock{
			{ID: "go", Note: templates.Say("console.debug.go_note"), Links: []templates.ConsoleLink{
				{Said: templates.Say("console.debug.go"), URL: v.authorizeURL(app, pushed.RequestURI), Button: true},
			}},
			stepBlock(0, r.Steps[0]),
		},
	})
	return nil
}

// debugURI is the redirect URI that only the console uses.
func (v *visit) debugURI() string { return v.Issuer.String() + accounts.PathDebugCallback }

func (v *visit) authorizeURL(app *accounts.Client, requestURI string) string {
	return v.Issuer.String() + flow.PathAuthorize + "?" + url.Values{"client_id": {app.ClientID}, "request_uri": {requestURI}}.Encode()
}

// machineDebug runs the grant of apps that act for themselves.
func (h *Handler) machineDebug(v *visit, app *accounts.Client) error {
	form := url.Values{"grant_type": {accounts.GrantClientCredentials}}
	if scopes := v.form["permission"]; len(scopes) > 0 {
		form.Set("scope", strings.Join(scopes, " "))
	}
	if resource := v.value("audience"); resource != "" {
		form.Set("resource", resource)
	}
	wire, err := h.Admin.BeginDebug(v.r.Context(), v.caller, app.ClientID, accounts.GrantClientCredentials, admin.Call{Endpoint: admin.EndpointToken, Form: form})
	if err != nil {
		return err
	}
	r := run{At: v.Now().UnixMilli()}
	r.took("token", wire)
	return h.showRun(v, app, r)
}

// took adds a step, and keeps the tokens of its answer.
func (r *run) took(kind string, wire admin.Wire) {
	r.Steps = append(r.Steps, debugStep{Kind: kind, Wire: wire})
	if kind != "token" && kind != "refresh" || wire.Status != http.StatusOK {
		return
	}
	var got struct {
		Access  string `json:"access_token"`
		ID      string `json:"id_token"`
		Refresh string `json:"refresh_token"`
	}
	_ = json.Unmarshal([]byte(wire.Body), &got) // our own answer
	r.Access = got.Access
	if got.ID != "" {
		r.ID = got.ID
	}
	if got.Refresh != "" {
		r.Refresh = got.Refresh
	}
}

// goOnDebug carries out a button of a run.
func (h *Handler) goOnDebug(v *visit, app *accounts.Client, action string) error {
	carried, _, _ := strings.Cut(v.form.Get("flow"), ".") // which the ticket binds to this app
	var r run
	err := v.openedText(sealRun, carried, &r)
	if err == nil {
		err = v.young(r.At, debugKept)
	}
	if err != nil {
		return err
	}
	if !slices.Contains(r.buttons(app), action) {
		v.unknown()
		return nil
	}
	if givesOrEnds(action) && !v.fresh(hosted.FreshFor) {
		return nil
	}
	ctx := v.r.Context()
	switch action {
	case "look":
	case "end":
		if err := h.Admin.EndDebugged(ctx, v.caller, app.ClientID, r.Access); err != nil {
			return err
		}
		v.notices = append(v.notices, templates.ConsoleNotice{Tone: templates.ToneGood, Said: templates.Say("console.done.ended")})
	default:
		wire, err := h.Admin.Debug(ctx, v.caller, app.ClientID, r.call(action))
		if err != nil {
			return err
		}
		r.took(action, wire)
	}
	return h.showRun(v, app, r)
}

// givesOrEnds reports whether a button does more than ask what is so.
func givesOrEnds(action string) bool {
	return contains([]string{"refresh", "revoke_access", "revoke_refresh", "end"}, action)
}

// call is the request behind a button.
func (r *run) call(action string) admin.Call {
	switch action {
	case "userinfo":
		return admin.Call{Endpoint: admin.EndpointUserinfo, Bearer: r.Access}
	case "introspect":
		return admin.Call{Endpoint: admin.EndpointIntrospect, Form: url.Values{"token": {r.Access}}}
	case "refresh":
		return admin.Call{Endpoint: admin.EndpointToken, Form: url.Values{"grant_type": {accounts.GrantRefreshToken}, "refresh_token": {r.Refresh}}}
	case "revoke_access":
		return admin.Call{Endpoint: admin.EndpointRevoke, Form: url.Values{"token": {r.Access}}}
	default: // "revoke_refresh"
		return admin.Call{Endpoint: admin.EndpointRevoke, Form: url.Values{"token": {r.Refresh}}}
	}
}

// buttons are what can be done with the tokens that there are.
func (r *run) buttons(app *accounts.Client) []string {
	if r.Access == "" {
		return nil
	}
	list := []string{"look"}
	if r.Nonce != "" { // a person's
		list = append(list, "userinfo")
	}
	if !app.Public() {
		list = append(list, "introspect")
	}
	if r.Refresh != "" {
		list = append(list, "refresh")
	}
	list = append(list, "revoke_access")
	if r.Refresh != "" {
		list = append(list, "revoke_refresh")
	}
	if r.Nonce != "" {
		list = append(list, "end")
	}
	return list
}
