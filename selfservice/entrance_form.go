package selfservice

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/templates"
)

// Hidden fields of the forms: the token of a mail's link, or the proof for which a
// code is typed.
const (
	fieldLink  = "link"
	fieldProof = "proof"
)

// entrancePage is a page of the entrance as it is drawn.
type entrancePage struct {
	templates.Form
	path  string
	flow  string // carried along, empty without
	link  string // token of a mail's link
	proof string // for which a code is typed
	about string // subject of whom the form is about; another one's is not taken
	again string // where to begin again when the proof is no longer good
	wrong string // problem key of accounts.ErrCredentials
	field string // the input that problem is about
}

// flowOf is the flow that a page is opened with, if it can be one.
func flowOf(values url.Values) string {
	flowID, err := id.Parse(values.Get("flow"))
	if err != nil {
		return ""
	}
	return flowID.String()
}

// with is a page's path with what it carries along.
func (h *Entrance) with(path string, pairs ...string) string {
	query := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			query.Set(pairs[i], pairs[i+1])
		}
	}
	if len(query) == 0 {
		return h.Path(path)
	}
	return h.Path(path) + "?" + query.Encode()
}

// own is the page's own address.
func (h *Entrance) own(p *entrancePage) string {
	return h.with(p.path, "token", p.link, "proof", p.proof, "flow", p.flow)
}

// show draws a page; its form, if it has one, is bound to this browser, the flow, the
// proof and the person.
func (h *Entrance) show(w http.ResponseWriter, r *http.Request, status int, p *entrancePage) {
	p.Page = h.Frame(r, h.own(p))
	if p.Inputs != nil || p.Action != "" {
		p.Action = h.Path(p.path)
		p.Form.Flow = h.Ticket(h.Browser(w, r), p.path, p.flow, p.link, p.proof, p.about)
		if p.link != "" {
			p.Hidden = append(p.Hidden, templates.Field{Name: fieldLink, Value: p.link})
		}
		if p.proof != "" {
			p.Hidden = append(p.Hidden, templates.Field{Name: fieldProof, Value: p.proof})
		}
		// A proof may carry a flow, and the form then ends in an app.
		if p.flow != "" || p.link != "" || p.proof != "" {
			web.AllowAnyFormTarget(w)
		}
	}
	h.Rendered(w, r, h.Pages.Form(w, status, h.Language(r, ""), p.Form))
}

// posted reads a form of a page, or answers and returns nil. about is the subject of
// whom it has to be.
func (h *Entrance) posted(w http.ResponseWriter, r *http.Request, path, about string) (values url.Values, carried string) {
	values, carried, token := h.Form(w, r)
	if values == nil {
		return nil, ""
	}
	link, proof := values.Get(fieldLink), values.Get(fieldProof)
	if !h.CheckTicket(token, h.BrowserOf(r), path, carried, link, proof, about) {
		h.Unproven(w, r, h.with(path, "token", link, "proof", proof, "flow", flowOf(url.Values{"flow": {carried}})))
		return nil, ""
	}
	return values, carried
}

// asker is who sends a form.
func (h *Entrance) asker(r *http.Request, carried string) accounts.Asker {
	return accounts.Asker{
		Browser: h.BrowserOf(r), Address: web.Bucket(web.ClientIP(r.Context())), Language: h.Language(r, "").Tag(), Flow: carried,
	}
}

// meta tells of the browser, for sessions and mails.
func (h *Entrance) meta(r *http.Request) accounts.Meta {
	return accounts.Meta{UserAgent: r.UserAgent(), Address: web.ClientIP(r.Context()).String(), Known: h.Cookies.Get(r, flow.KnownCookie)}
}

// evidence is what a form presents.
func (h *Entrance) evidence(r *http.Request, values url.Values, carried string) accounts.Evidence {
	return accounts.Evidence{
		Token: values.Get(fieldLink), ProofID: values.Get(fieldProof), Code: values.Get("code"), Asker: h.asker(r, carried),
	}
}

// opened is the evidence with which a page is opened: nothing is spent by it.
func (h *Entrance) opened(r *http.Request, query url.Values) accounts.Evidence {
	return accounts.Evidence{Token: query.Get("token"), ProofID: query.Get("proof"), Asker: h.asker(r, "")}
}

// refuse answers a try that failed: mostly with the same page again.
func (h *Entrance) refuse(w http.ResponseWriter, r *http.Request, p *entrancePage, err error) {
	event := web.Event(r.Context())
	var (
		throttled *accounts.Throttled
		bad       *accounts.BadField
		code      *accounts.WrongCode
	)
	switch {
	case errors.As(err, &throttled):
		event.Outcome = "throttled"
		h.RetryAfter(w, throttled.Wait)
		h.again(w, r, http.StatusTooManyRequests, p, waiting(throttled.Wait))
	case errors.As(err, &bad):
		event.Outcome = "refused"
		h.again(w, r, http.StatusUnprocessableEntity, p, problemOf(bad))
	case errors.As(err, &code) && code.Left > 0:
		event.Outcome = "refused"
		h.again(w, r, http.StatusUnprocessableEntity, p, templates.FormProblem{Key: "code_wrong", Field: "code", Count: code.Left})
	case errors.As(err, &code), errors.Is(err, accounts.ErrProofVoid):
		event.Outcome = "void"
		h.void(w, r, p)
	case errors.Is(err, accounts.ErrClosed):
		event.Outcome = "closed"
		h.closed(w, r, p)
	case errors.Is(err, accounts.ErrCredentials):
		event.Outcome = "refused"
		h.again(w, r, http.StatusUnprocessableEntity, p, templates.FormProblem{Key: p.wrong, Field: p.field})
	case errors.Is(err, accounts.ErrBanned):
		event.Outcome = "banned"
		h.Fail(w, r, http.StatusForbidden, templates.Error{Kind: templates.AccessDenied})
	case errors.Is(err, accounts.ErrBusy):
		h.Busy(w, r, h.own(p))
	default:
		h.Broken(w, r, err)
	}
}

// again draws a page with a problem, which is linked to its input if that is there.
func (h *Entrance) again(w http.ResponseWriter, r *http.Request, status int, p *entrancePage, problem templates.FormProblem) {
	if !slices.ContainsFunc(p.Inputs, func(i templates.Input) bool { return i.Name == problem.Field }) {
		problem.Field = ""
	}
	p.Problems = append(p.Problems, problem)
	h.show(w, r, status, p)
}

// waiting is the problem of somebody who has to wait.
func waiting(wait time.Duration) templates.FormProblem {
	if wait > 90*time.Second {
		return templates.FormProblem{Key: "wait_minutes", Count: int((wait + time.Minute - 1) / time.Minute)}
	}
	return templates.FormProblem{Key: "wait_seconds", Count: int((wait + time.Second - 1) / time.Second)}
}

// problemOf is what is wrong with a field.
func problemOf(bad *accounts.BadField) templates.FormProblem {
	problem := templates.FormProblem{Field: bad.Field, Key: bad.Field + "_invalid"}
	weak := (*accounts.WeakPassword)(nil)
	switch {
	case errors.As(bad.Err, &weak):
		problem.Key, problem.Count = weak.Key(), weak.MinLength
	case errors.Is(bad.Err, accounts.ErrConflict):
		problem.Key = bad.Field + "_taken"
	case errors.Is(bad.Err, accounts.ErrClosed):
		problem.Key = bad.Field + "_domain"
	}
	return problem
}

// void says that a link or code is no longer good, and where to begin again.
func (h *Entrance) void(w http.ResponseWriter, r *http.Request, p *entrancePage) {
	page := &entrancePage{Form: templates.Form{Kind: "proof_void"}, path: p.path, flow: p.flow}
	if p.again != "" {
		page.Links = []templates.FormLink{{Key: "begin_again", URL: h.with(p.again, "flow", p.flow)}}
	}
	page.Links = append(page.Links, h.signInLink(p.flow))
	h.show(w, r, http.StatusGone, page)
}

// closed says that nobody can make an account in this way.
func (h *Entrance) closed(w http.ResponseWriter, r *http.Request, p *entrancePage) {
	page := &entrancePage{Form: templates.Form{Kind: "signup_closed"}, path: p.path, flow: p.flow}
	page.Links = []templates.FormLink{h.signInLink(p.flow)}
	h.show(w, r, http.StatusForbidden, page)
}

func (h *Entrance) signInLink(carried string) templates.FormLink {
	return templates.FormLink{Key: "sign_in", URL: h.with(flow.PathSignIn, "flow", carried)}
}

// newPassword is the field of a new password.
func (h *Entrance) newPassword(r *http.Request) templates.Input {
	least := cmp.Or(accounts.CurrentSettings(r.Context(), h.Settings).PasswordMinLength, 8)
	return templates.Input{Name: "new_password", MinLength: least, Hint: "new_password"}
}

// needsMail answers pages that are not there without mail.
func (h *Entrance) needsMail(w http.ResponseWriter, r *http.Request) bool {
	if h.Mails {
		return true
	}
	h.NotFound(w, r)
	return false
}
