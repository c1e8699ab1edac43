package selfservice

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/device"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/hosted"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/templates"
)

// Pages below the one that lists the factors.
const (
	pathNewApp        = flow.PathEnrolFactor + "/app"
	pathRenameFactor  = flow.PathEnrolFactor + "/name"
	pathRemoveFactor  = flow.PathEnrolFactor + "/remove"
	pathRecoveryCodes = flow.PathEnrolFactor + "/recovery"
	// pathPasskeyEndpoints tells password managers where passkeys are made and
	// looked after (W3C, A Well-Known URL for Relying Party Passkey Endpoints).
	pathPasskeyEndpoints = "/.well-known/passkey-endpoints"
)

// FactorKeeper shows and changes what somebody has (accounts.Factors).
type FactorKeeper interface {
	List(ctx context.Context, user *accounts.User) (*accounts.FactorList, error)
	// MayChange returns accounts.ErrStepUp for a session that is too weak.
	MayChange(ctx context.Context, session *accounts.Session, user *accounts.User) error
	// Rename returns accounts.ErrNotFound or accounts.ErrInvalid.
	Rename(ctx context.Context, actor audit.Actor, factorID id.ID, name string) error
	// Remove returns accounts.ErrNotFound, accounts.ErrLastFactor or
	// accounts.ErrStepUp.
	Remove(ctx context.Context, actor audit.Actor, session *accounts.Session, factorID id.ID) error
	// NewRecoveryCodes returns accounts.ErrNoFactor or accounts.ErrNotFound.
	NewRecoveryCodes(ctx context.Context, actor audit.Actor, user *accounts.User) ([]string, error)
	ForgetDevices(ctx context.Context, actor audit.Actor, user *accounts.User) error
}

// FactorMaker adds factors (accounts.Factors, which says what errors there are).
type FactorMaker interface {
	BeginTOTP(ctx context.Context, user *accounts.User) (key, uri, sealed string, err error)
	ConfirmTOTP(ctx context.Context, actor audit.Actor, session *accounts.Session, name, sealed, code string) (recovery []string, err error)
	BeginPasskey(ctx context.Context, user *accounts.User) (options []byte, ceremony string, err error)
	FinishPasskey(ctx context.Context, actor audit.Actor, session *accounts.Session, ceremony, name string, response []byte) (recovery []string, err error)
}

// Factors serves the pages about what a person signs in with beside their password:
// passkeys, authenticator apps, recovery codes and remembered browsers. Its fields
// are its dependencies.
type Factors struct {
	*hosted.Desk
	Keeper FactorKeeper
	Maker  FactorMaker
	// NoPasskeys says that there are none at this address.
	NoPasskeys bool
	// RelyingParty is the RP ID of the passkeys, by which the devices are told which
	// of them still count; they are not told without.
	RelyingParty string
}

// Mount adds the pages to r, whose root is the origin of the issuer, as
// hosted.Desk.Routes does.
func (h *Factors) Mount(r *mux.Router, pages func(http.Handler) http.Handler) error {
	list := map[string]hosted.Page{
		flow.PathEnrolFactor: {Get: h.show, Post: h.forget},
		pathNewApp:           {Get: h.showNewApp, Post: h.addApp},
		pathRenameFactor:     {Get: h.showRename, Post: h.rename},
		pathRemoveFactor:     {Get: h.showRemove, Post: h.remove},
		pathRecoveryCodes:    {Get: h.showNewCodes, Post: h.newCodes},
	}
	if !h.NoPasskeys {
		list[flow.PathNewPasskey] = hosted.Page{Get: h.showNewPasskey, Post: h.addPasskey}
		// At the root of the origin, whatever the issuer's path.
		r.HandleFunc(pathPasskeyEndpoints, h.endpoints).Methods(http.MethodGet, http.MethodHead)
	}
	if err := h.Routes(r, pages, list); err != nil {
		return fmt.Errorf("factors: %w", err)
	}
	return nil
}

// endpoints answers password managers.
func (h *Factors) endpoints(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "public, max-age=86400")
	web.WriteJSON(w, http.StatusOK, map[string]string{
		"enroll": h.Issuer.String() + flow.PathNewPasskey, "manage": h.Issuer.String() + flow.PathEnrolFactor,
	})
}

// holder is somebody who is signed in, and what they have.
type holder struct {
	session *accounts.Session
	user    *accounts.User
	list    *accounts.FactorList
	flow    string // carried along, empty without
	offered bool   // the page was offered, and not asked for
}

func (o *holder) actor() audit.Actor {
	return audit.Actor{Kind: audit.Person, ID: o.user.Subject, Name: o.user.Username}
}

// holder finds who is signed in, or answers and returns nil. Whoever has to have a
// factor before anything else may come here without.
func (h *Factors) holder(w http.ResponseWriter, r *http.Request, carried string) *holder {
	session, user := h.Member(w, r, flow.PathEnrolFactor)
	if user == nil {
		return nil
	}
	list, err := h.Keeper.List(r.Context(), user)
	if err != nil {
		h.Broken(w, r, err)
		return nil
	}
	return &holder{session: session, user: user, list: list, flow: carried}
}

// changer is holder for changes: by who has signed in just now, and with two
// factors if they have two.
func (h *Factors) changer(w http.ResponseWriter, r *http.Request, carried string) *holder {
	o := h.holder(w, r, carried)
	if o == nil || !h.Fresh(w, r, o.session, hosted.FreshFor) {
		return nil
	}
	if err := h.Keeper.MayChange(r.Context(), o.session, o.user); err != nil {
		h.refuse(w, r, err)
		return nil
	}
	return o
}

// refuse answers a change for which the session is not good. What was typed is lost
// but for the page.
func (h *Factors) refuse(w http.ResponseWriter, r *http.Request, err error) {
	back := r.URL.Path
	if r.Method != http.MethodPost && r.URL.RawQuery != "" {
		back = r.URL.RequestURI()
	}
	switch {
	case errors.Is(err, accounts.ErrStepUp):
		web.Event(r.Context()).Outcome = "step-up"
		h.Redirect(w, h.Path(flow.PathSecondFactor)+"?"+url.Values{"return": {back}}.Encode())
	case errors.Is(err, accounts.ErrNotFound): // signed out meanwhile, in another browser
		h.Redirect(w, h.Path(flow.PathEnrolFactor))
	default:
		h.Broken(w, r, err)
	}
}

// posted reads the form of a change, which must be the one that this person was
// shown, about the same things; else it answers and returns nils.
func (h *Factors) posted(w http.ResponseWriter, r *http.Request, path string, about ...string) (*holder, url.Values) {
	form, carried, token := h.Form(w, r)
	if form == nil {
		return nil, nil
	}
	o := h.changer(w, r, carried)
	if o == nil {
		return nil, nil
	}
	shown := []string{o.user.Subject}
	for _, name := range about {
		shown = append(shown, form.Get(name))
	}
	if !h.CheckTicket(token, h.BrowserOf(r), path, carried, shown...) {
		h.Unproven(w, r, h.own(path, carried))
		return nil, nil
	}
	return o, form
}

// ticket is that of a form for posted, about the values of the fields.
func (h *Factors) ticket(w http.ResponseWriter, r *http.Request, path string, o *holder, about ...string) string {
	return h.Ticket(h.Browser(w, r), path, o.flow, append([]string{o.user.Subject}, about...)...)
}

// own is a page's path with what it carries along, in pairs of name and value.
func (h *Factors) own(path, carried string, pairs ...string) string {
	query := url.Values{}
	for i, pairs := 0, append(pairs, "flow", carried); i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			query.Set(pairs[i], pairs[i+1])
		}
	}
	if len(query) == 0 {
		return h.Path(path)
	}
	return h.Path(path) + "?" + query.Encode()
}

// frame is that of a page of the account. There is no way to the other pages for
// who has to have a factor first.
func (h *Factors) frame(r *http.Request, here string, o *holder) templates.Page {
	page := h.Frame(r, here)
	if o.list.Count() > 0 || !o.list.Needed {
		page.Account = &templates.AccountNav{Active: "factors", Base: h.Path(hosted.PathAccount)}
	}
	return page
}

// show lists what somebody has.
func (h *Factors) show(w http.ResponseWriter, r *http.Request) {
	query := h.Query(w, r)
	if query == nil {
		return
	}
	o := h.holder(w, r, flowOf(query))
	if o == nil {
		return
	}
	p := templates.Factors{
		Page: h.frame(r, h.own(flow.PathEnrolFactor, o.flow), o), RecoveryCodes: o.list.RecoveryCodes,
		// Who is on the way to an app was sent here: it wants two factors.
		Needed: o.list.Needed || o.flow != "",
		Notice: noticeOf(query.Get("done")), AddAppURL: h.own(pathNewApp, o.flow),
		Action: h.Path(flow.PathEnrolFactor), Flow: h.ticket(w, r, flow.PathEnrolFactor, o),
	}
	if !h.NoPasskeys {
		p.AddPasskeyURL = h.own(flow.PathNewPasskey, o.flow)
	}
	if o.list.Count() > 0 {
		p.NewCodesURL = h.own(pathRecoveryCodes, o.flow)
		if o.flow != "" {
			p.ContinueURL = h.own(flow.PathAuthorize, o.flow)
		}
	}
	if p.Notice == templates.FactorRemoved && h.RelyingParty != "" {
		p.Accepted = h.accepted(o)
	}
	last := o.list.Needed && o.list.Count() == 1
	for _, k := range o.list.Passkeys {
		p.Passkeys = append(p.Passkeys, h.item(k.ID, k.Name, k.CreatedAt, k.LastUsedAt, o.flow, last))
	}
	for _, a := range o.list.TOTPs {
		p.Apps = append(p.Apps, h.item(a.ID, a.Name, a.CreatedAt, a.LastUsedAt, o.flow, last))
	}
	for _, d := range o.list.Devices {
		which := device.Of(d.UserAgent)
		p.Devices = append(p.Devices, templates.DeviceItem{
			Device: templates.DeviceName{Browser: which.Browser, System: which.System}, Address: d.Address, Since: d.CreatedAt, Until: d.ExpiresAt,
		})
	}
	h.Rendered(w, r, h.Pages.Factors(w, http.StatusOK, h.Language(r, ""), p))
}

// accepted is what devices are told after a passkey was removed, so that they offer it
// no longer. It lists all that are left, whichever was removed and however often the
// page is read.
func (h *Factors) accepted(o *holder) *templates.AcceptedPasskeys {
	left := &templates.AcceptedPasskeys{RelyingParty: h.RelyingParty, User: o.user.ID[:], Credentials: [][]byte{}}
	for _, k := range o.list.Passkeys {
		left.Credentials = append(left.Credentials, k.CredentialID)
	}
	return left
}

func (h *Factors) item(factorID id.ID, name string, added, used int64, carried string, last bool) templates.FactorItem {
	return templates.FactorItem{
		Name: name, Added: added, Used: used, CannotRemove: last,
		RenameURL: h.own(pathRenameFactor, carried, "id", factorID.String()),
		RemoveURL: h.own(pathRemoveFactor, carried, "id", factorID.String()),
	}
}

// noticeOf is the notice of a name from outside, empty if there is none of it.
func noticeOf(name string) templates.FactorNotice {
	switch n := templates.FactorNotice(name); n {
	case templates.FactorAdded, templates.FactorRenamed, templates.FactorRemoved, templates.FactorForgotten, templates.FactorLast:
		return n
	}
	return ""
}

// done goes back to the list and says what was done.
func (h *Factors) done(w http.ResponseWriter, r *http.Request, o *holder, n templates.FactorNotice) {
	web.Event(r.Context()).Outcome = "factor-" + string(n)
	h.Redirect(w, h.own(flow.PathEnrolFactor, o.flow, "done", string(n)))
}
