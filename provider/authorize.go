package provider

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/templates"
)

// authorize is the authorization endpoint (RFC 6749 §3.1): where a request begins,
// and where every step of the flow comes back to.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, POST")
		p.errorPage(w, r, http.StatusMethodNotAllowed, templates.Error{Kind: templates.MethodNotAllowed})
		return
	}
	params, err := authorizeParams(w, r)
	if err != nil {
		p.refuse(w, r, params, err)
		return
	}
	if flowID := params.Get("flow"); flowID != "" && len(params) == 1 {
		p.resume(w, r, flowID)
		return
	}
	p.begin(w, r, params)
}

// twice runs a step with the client as last seen, and again with a fresh one if the
// client turns out to have changed, or if anything is wrong: an error must not go to
// a redirect URI that is the client's no more. The step has done nothing when it
// returns false.
func (p *Provider) twice(step func(find finder) bool) {
	if !step(p.seenClient) {
		step(p.freshClient)
	}
}

// authorizeParams reads the query and, of a POST, the body; a parameter may stand
// in one of them only.
func authorizeParams(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	params, err := web.ParseQuery(r.URL.RawQuery, "resource")
	if err != nil || r.Method == http.MethodGet {
		return params, err
	}
	body, err := web.ParseForm(w, r, "resource")
	if err != nil {
		return nil, err
	}
	for name, values := range body {
		if params.Has(name) {
			return nil, &web.FormError{Status: http.StatusBadRequest, Param: name, Reason: "parameter sent more than once"}
		}
		params[name] = values
	}
	return params, nil
}

// refuse answers parameters that could not be read. If the two that prove the
// client are unambiguous all the same, the client gets the error.
func (p *Provider) refuse(w http.ResponseWriter, r *http.Request, _ url.Values, err error) {
	loose, _ := url.ParseQuery(r.URL.RawQuery) // what cannot be parsed is missing
	var bad *web.FormError
	// Also a POST's body may say it a second time.
	ambiguous := errors.As(err, &bad) && (bad.Param == "client_id" || bad.Param == "redirect_uri")
	if !ambiguous && len(loose["client_id"]) == 1 && len(loose["redirect_uri"]) == 1 && len(loose["state"]) <= 1 {
		a := &authorization{params: loose}
		if p.proveClient(r.Context(), a, p.freshClient) == nil {
			a.state = loose.Get("state")
			p.answerClient(w, r, a, formError(err))
			return
		}
	}
	p.showUnproven(w, r, &unproven{err: asError(formError(err))})
}

// begin starts a flow for a new request.
func (p *Provider) begin(w http.ResponseWriter, r *http.Request, params url.Values) {
	now := p.Now()
	pushed, params, err := p.takePushed(r.Context(), params)
	if err != nil {
		p.fail(w, r, nil, err)
		return
	}
	p.twice(func(find finder) bool {
		a, err := p.readAuthorization(r.Context(), params, pushed.operator(), find)
		if err == nil && a.client.RequirePAR && pushed == nil {
			err = invalidRequest("This client must push its authorization requests (RFC 9126)")
		}
		if err != nil && a.early {
			return false
		}
		if err != nil {
			p.fail(w, r, a, err)
			return true
		}
		a.pushed = pushed
		return p.advance(w, r, a, &progress{Flow: p.newFlow(a, now)})
	})
}

// paramOperator stands in the parameters of a stored flow for authorization.operator.
// Whatever came from outside under that name is not kept.
const paramOperator = "gatehouse_operator"

func (p *Provider) newFlow(a *authorization, now time.Time) *flow.Flow {
	a.params.Del(paramOperator)
	if a.operator != "" {
		a.params.Set(paramOperator, a.operator)
	}
	f := &flow.Flow{
		ID: id.New(), GrantID: id.New(), ClientID: a.client.ClientID, Params: a.params.Encode(),
		Pushed: a.pushed != nil, RedirectURI: a.redirectURI, Scopes: a.covered,
		LoginHint: a.loginHint, UILocales: a.uiLocales,
		CreatedAt: now.UnixMilli(), ExpiresAt: now.Add(p.Lifetimes.Flow).UnixMilli(),
	}
	if a.pushed != nil {
		f.GrantID = a.pushed.GrantID
	}
	return f
}

// progress is a flow and whether it is stored yet: a request that needs nobody's
// attention never is.
type progress struct {
	*flow.Flow
	stored bool
}

// resume goes on with a stored flow. It begins again, by itself, where the flow has
// expired or was finished already (the back button); only a pushed request cannot.
func (p *Provider) resume(w http.ResponseWriter, r *http.Request, rawID string) {
	expired := templates.Error{Kind: templates.ExpiredPage}
	flowID, err := id.Parse(rawID)
	if err != nil {
		p.errorPage(w, r, http.StatusNotFound, expired)
		return
	}
	f, err := p.Flows.FlowByID(r.Context(), flowID)
	if errors.Is(err, flow.ErrNotFound) {
		p.errorPage(w, r, http.StatusNotFound, expired)
		return
	}
	if err != nil {
		p.fail(w, r, nil, err)
		return
	}
	if !sameBrowser(p.Cookies.Get(r, flow.BrowserCookie), f.BrowserHash) {
		p.errorPage(w, r, http.StatusForbidden, templates.Error{Kind: templates.Forbidden})
		return
	}
	params, err := url.ParseQuery(f.Params)
	if err != nil {
		p.fail(w, r, nil, err)
		return
	}
	if f.FinishedAt != 0 || p.Now().UnixMilli() >= f.ExpiresAt {
		if !f.Pushed {
			p.begin(w, r, params)
			return
		}
		if f.FinishedAt != 0 {
			expired.Kind = templates.AlreadyUsed
		}
		p.errorPage(w, r, http.StatusBadRequest, expired)
		return
	}
	p.twice(func(find finder) bool {
		a, err := p.readAuthorization(r.Context(), params, params.Get(paramOperator), find)
		if err != nil && a.early {
			return false
		}
		if err != nil {
			p.fail(w, r, a, err)
			return true
		}
		return p.advance(w, r, a, &progress{Flow: f, stored: true})
	})
}

func sameBrowser(cookie string, hash []byte) bool {
	if cookie == "" {
		return false
	}
	return subtle.ConstantTimeCompare(browserHash(cookie), hash) == 1
}

func browserHash(cookie string) []byte {
	sum := sha256.Sum256([]byte(cookie))
	return sum[:]
}

// send stores the flow and sends the person to a step.
func (p *Provider) send(w http.ResponseWriter, r *http.Request, f *progress, path string) error {
	if f.stored {
		if err := p.Flows.UpdateFlow(r.Context(), f.Flow); err != nil {
			return err
		}
	} else {
		if err := p.spendHere(r.Context(), func(network string) string { return "waiting:" + network }, waitingBurst, waitingEvery); err != nil {
			return &unproven{err: asError(err), kind: tooManyRequests}
		}
		cookie := p.Cookies.Get(r, flow.BrowserCookie)
		if cookie == "" {
			cookie = rand.Text()
		}
		// Set again each time, so that it outlives the flow.
		p.Cookies.Set(w, flow.BrowserCookie, cookie, browserCookieLife)
		f.BrowserHash = browserHash(cookie)
		if err := p.Flows.InsertFlow(r.Context(), f.Flow); err != nil {
			return err
		}
	}
	http.Redirect(w, r, p.url(path)+"?flow="+f.ID.String(), http.StatusSeeOther)
	return nil
}

const browserCookieLife = 30 * 24 * time.Hour

// fail answers an error: to the client if a says where it is, else on a page.
func (p *Provider) fail(w http.ResponseWriter, r *http.Request, a *authorization, err error) {
	var u *unproven
	if errors.As(err, &u) {
		p.showUnproven(w, r, u)
		return
	}
	e := asError(err)
	if a == nil || a.redirectURI == "" {
		noteRefusal(r, e)
		kind := templates.InvalidRequest
		if e.Status >= http.StatusInternalServerError {
			kind = templates.TemporarilyUnavailable
		}
		p.errorPage(w, r, e.Status, templates.Error{Kind: kind, Detail: e.Description})
		return
	}
	p.answerClient(w, r, a, e)
}

func (p *Provider) showUnproven(w http.ResponseWriter, r *http.Request, u *unproven) {
	noteRefusal(r, u.err)
	page := templates.Error{Kind: templates.InvalidRequest, Detail: u.err.Description}
	switch u.kind {
	case badClient:
		page.Kind = templates.UnknownClient
	case badRedirect:
		page.Kind = templates.BadRedirectURI
	case badPerson:
		page.Kind = templates.AccessDenied
	}
	status := http.StatusBadRequest
	if u.kind == badPerson {
		status = http.StatusForbidden
	}
	if u.kind == tooManyRequests {
		page.Kind, status = templates.TooManyRequests, http.StatusTooManyRequests
		retryAfter(w, u.err)
	}
	p.errorPage(w, r, status, page)
}

// answerClient sends an error to the client (RFC 6749 §4.1.2.1).
func (p *Provider) answerClient(w http.ResponseWriter, r *http.Request, a *authorization, err error) {
	e := asError(err)
	noteRefusal(r, e).Fault = e.Status >= http.StatusInternalServerError
	p.respond(w, r, a, url.Values{"error": {e.Code}, "error_description": {printable(e.Description)}})
}

// respond sends an authorization response in the mode that was asked for, with the
// issuer in it (RFC 9207).
func (p *Provider) respond(w http.ResponseWriter, r *http.Request, a *authorization, params url.Values) {
	params.Set("iss", p.issuer)
	params.Del("state") // fosite returns an empty one where none was sent
	if a.state != "" {
		params.Set("state", a.state)
	}
	web.NoStore(w)
	if a.formPost {
		p.postForm(w, r, a, params)
		return
	}
	// The registered URI stays as it is, byte for byte.
	separator := "?"
	if strings.Contains(a.redirectURI, "?") {
		separator = "&"
	}
	w.Header().Set("Location", a.redirectURI+separator+params.Encode())
	w.WriteHeader(http.StatusSeeOther)
}

func (p *Provider) postForm(w http.ResponseWriter, r *http.Request, a *authorization, params url.Values) {
	if err := web.AllowFormTarget(w, a.redirectURI); err != nil {
		p.fail(w, r, nil, err)
		return
	}
	lang := p.language(r, a.uiLocales)
	form := templates.FormPost{
		Page: p.page(r), ClientName: a.client.NameIn(lang.Tag()), Action: a.redirectURI,
	}
	for name, values := range params {
		form.Fields = append(form.Fields, templates.Field{Name: name, Value: values[0]})
	}
	slices.SortFunc(form.Fields, func(x, y templates.Field) int { return strings.Compare(x.Name, y.Name) })
	if err := p.Pages.FormPost(w, http.StatusOK, lang, form); err != nil {
		p.Log.ErrorContext(r.Context(), "write the form_post page", "error", err)
	}
}

func (p *Provider) errorPage(w http.ResponseWriter, r *http.Request, status int, page templates.Error) {
	page.Page = p.page(r)
	if err := p.Pages.Error(w, status, p.language(r, ""), page); err != nil {
		p.Log.ErrorContext(r.Context(), "write an error page", "error", err)
	}
}

func (p *Provider) page(r *http.Request) templates.Page {
	page := templates.Page{RequestID: web.RequestID(r.Context())}
	switch theme := templates.Theme(p.Cookies.Get(r, flow.ThemeCookie)); theme {
	case templates.ThemeLight, templates.ThemeDark:
		page.Theme = theme
	}
	return page
}

func (p *Provider) language(r *http.Request, uiLocales string) templates.Language {
	return p.Pages.Language(uiLocales, p.Cookies.Get(r, flow.LanguageCookie), r.Header.Get("Accept-Language"))
}
