package provider

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/provider/token"
	"github.com/gatehouse-id/gatehouse/templates"
)

// leaving is a validated wish to sign out (OpenID Connect RP-Initiated Logout 1.0).
type leaving struct {
	ClientName string `json:"client_name,omitempty"`
	ReturnURL  string `json:"return_url,omitempty"` // registered by the client, with state
	Language   string `json:"language,omitempty"`   // of the pages, if the client asked for one
	SessionID  string `json:"sid"`                  // that the confirmation is for

	proven bool // the client is not only claimed: an ID token names it
	asked  bool // the person confirmed, or the ID token did: go to ReturnURL at once
}

const purposeLeaving = "sign-out"

// logout ends the browser's session. Without a hint that names this very session,
// the person is asked first: any page can make a browser load a URL.
func (p *Provider) logout(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, POST")
		p.errorPage(w, r, http.StatusMethodNotAllowed, templates.Error{Kind: templates.MethodNotAllowed})
		return
	}
	params, err := authorizeParams(w, r)
	if err != nil {
		p.fail(w, r, nil, formError(err))
		return
	}
	s, u, err := p.Sessions.Find(r.Context(), p.Cookies.Get(r, flow.SessionCookie))
	if err != nil && !errors.Is(err, accounts.ErrNotFound) {
		p.fail(w, r, nil, err)
		return
	}
	if params.Has("confirm") {
		p.confirmed(w, r, params, s, u)
		return
	}
	out, hinted, err := p.readLeaving(r, params)
	if err != nil {
		p.fail(w, r, nil, err)
		return
	}
	switch {
	case s == nil:
		out.asked = out.proven
		p.signedOut(w, r, out)
	case hinted == s.ID.String():
		out.asked = true
		p.end(w, r, out, s, u)
	default:
		out.SessionID = s.ID.String()
		p.askToLeave(w, r, out, u)
	}
}

// readLeaving validates who asks and where to go afterwards. A URI that is not the
// hinted client's own leads nowhere: the request is shown on a page. The second
// result is the session that the hint names.
func (p *Provider) readLeaving(r *http.Request, params url.Values) (leaving, string, error) {
	ctx := r.Context()
	var out leaving
	if locales := params.Get("ui_locales"); locales != "" {
		out.Language = p.language(r, locales).Tag()
	}
	clientID, sid := params.Get("client_id"), ""
	if raw := params.Get("id_token_hint"); raw != "" {
		set, err := p.Keys.Current(ctx)
		if err != nil {
			return out, "", unavailable(err)
		}
		hint, err := token.ParseHint(set, p.issuer, raw)
		if err != nil || clientID != "" && clientID != hint.Audience {
			return out, "", invalidRequest("The id_token_hint is not an ID token that this server issued to the client")
		}
		clientID, sid, out.proven = hint.Audience, hint.SessionID, true
	}
	uri := params.Get("post_logout_redirect_uri")
	if clientID == "" {
		if uri != "" {
			return out, "", invalidRequest("A post_logout_redirect_uri needs an id_token_hint or a client_id")
		}
		return out, "", nil
	}
	c, _, err := p.Clients.ClientByID(ctx, clientID, p.Now().UnixMilli())
	if errors.Is(err, accounts.ErrNotFound) {
		return out, "", invalidRequest("The client is unknown")
	}
	if err != nil {
		return out, "", err
	}
	out.ClientName = c.NameIn(p.language(r, out.Language).Tag())
	if uri == "" {
		return out, sid, nil
	}
	if !accounts.MatchPostLogoutURI(c, uri) || c.DisabledAt != 0 {
		return out, "", invalidRequest("The post_logout_redirect_uri is not registered for this client")
	}
	out.ReturnURL = withState(uri, params.Get("state"))
	return out, sid, nil
}

func withState(uri, state string) string {
	if state == "" {
		return uri
	}
	separator := "?"
	if u, err := url.Parse(uri); err == nil && u.RawQuery != "" {
		separator = "&"
	}
	return uri + separator + url.Values{"state": {state}}.Encode()
}

// askToLeave shows the confirmation. What was validated travels sealed in the form,
// bound to the session it was made for.
func (p *Provider) askToLeave(w http.ResponseWriter, r *http.Request, out leaving, u *accounts.User) {
	plain, err := json.Marshal(out)
	if err != nil {
		p.fail(w, r, nil, err)
		return
	}
	sealed, err := p.Keyring.Seal(purposeLeaving, plain, nil)
	if err != nil {
		p.fail(w, r, nil, err)
		return
	}
	if out.ReturnURL != "" {
		web.AllowAnyFormTarget(w)
	}
	page := templates.SignOut{
		Page: p.page(r), UserName: u.Username, ClientName: out.ClientName, Action: p.url(pathLogout),
		Fields: []templates.Field{{Name: "confirm", Value: base64.RawURLEncoding.EncodeToString(sealed)}},
	}
	if err := p.Pages.SignOut(w, http.StatusOK, p.language(r, out.Language), page); err != nil {
		p.Log.ErrorContext(r.Context(), "write the sign-out page", "error", err)
	}
}

// confirmed handles the person's answer to askToLeave.
func (p *Provider) confirmed(w http.ResponseWriter, r *http.Request, params url.Values, s *accounts.Session, u *accounts.User) {
	var out leaving
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(params.Get("confirm"))
	if err == nil {
		var plain []byte
		if plain, err = p.Keyring.Open(purposeLeaving, sealed, nil); err == nil {
			err = json.Unmarshal(plain, &out)
		}
	}
	if err != nil || r.Method != http.MethodPost {
		p.errorPage(w, r, http.StatusBadRequest, templates.Error{Kind: templates.ExpiredPage})
		return
	}
	out.asked = true
	switch {
	case params.Get("action") != "continue":
		http.Redirect(w, r, p.url("/"), http.StatusSeeOther)
	case s == nil:
		p.signedOut(w, r, out)
	case s.ID.String() != out.SessionID:
		// Another person signed in meanwhile; they were not asked.
		p.errorPage(w, r, http.StatusBadRequest, templates.Error{Kind: templates.ExpiredPage})
	default:
		p.end(w, r, out, s, u)
	}
}

// end signs out: the session, what hangs on it, and the ledger's row, in one
// transaction.
func (p *Provider) end(w http.ResponseWriter, r *http.Request, out leaving, s *accounts.Session, u *accounts.User) {
	by := audit.Actor{Kind: audit.Person, ID: u.Subject, Name: u.Username}
	if err := p.Sessions.SignOut(r.Context(), by, u.Subject, s.ID); err != nil {
		p.fail(w, r, nil, err)
		return
	}
	event := web.Event(r.Context())
	event.UserID, event.Outcome = u.Subject, "signed-out"
	p.signedOut(w, r, out)
}

func (p *Provider) signedOut(w http.ResponseWriter, r *http.Request, out leaving) {
	p.Cookies.Clear(w, flow.SessionCookie)
	if out.ReturnURL != "" && out.asked {
		w.Header().Set("Location", out.ReturnURL)
		w.WriteHeader(http.StatusSeeOther)
		return
	}
	// Where nobody asked the person, and the client is only claimed (§3), the way
	// back is a link.
	page := templates.SignedOut{Page: p.page(r), ClientName: out.ClientName, ReturnURL: out.ReturnURL, SignInURL: p.url(flow.PathSignIn)}
	if err := p.Pages.SignedOut(w, http.StatusOK, p.language(r, out.Language), page); err != nil {
		p.Log.ErrorContext(r.Context(), "write the signed-out page", "error", err)
	}
}
