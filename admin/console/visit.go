package console

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/hosted"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/templates"
)

// visit is one request of somebody who may be here.
type visit struct {
	*Handler
	w http.ResponseWriter
	r *http.Request

	name    string // of the page, below PathConsole
	caller  *admin.Caller
	session *accounts.Session
	user    *accounts.User
	lang    templates.Language
	query   url.Values
	form    url.Values // of a post
	notices []templates.ConsoleNotice
	carried string // what the forms of the page carry along, sealed
	manager bool   // of a group; not looked for where the caller may read groups
	drawn   drawn  // what the edit forms of the page hold, which is carried along
	seen    drawn  // what they held on the page from which the form came

	lead templates.Said // what the page says first, after a form
}

// object is which thing a page is about: it stands in the query, as ids may hold
// anything.
func (v *visit) object() string { return v.query.Get("id") }

// enter lets somebody in, or answers and returns nil.
func (h *Handler) enter(w http.ResponseWriter, r *http.Request, name string, p page) *visit {
	session, user := h.Member(w, r)
	if user == nil {
		return nil
	}
	query := h.Query(w, r)
	if query == nil {
		return nil
	}
	caller, err := h.Callers.Person(r.Context(), user.Subject, "", nil)
	if err != nil && !errors.Is(err, admin.ErrNoCaller) {
		h.Broken(w, r, err)
		return nil
	}
	if err != nil {
		h.refuse(w, r)
		return nil
	}
	v := &visit{
		Handler: h, w: w, r: r, name: name, caller: caller, session: session, user: user, query: query,
		lang: h.Language(r, user.Profile.Locale),
	}
	if v.manager, err = v.manages(); err != nil {
		h.Broken(w, r, err)
		return nil
	}
	// Managers of a group are not staff, and get to their groups' pages alone; what
	// they see and do there is decided by the operations.
	if !v.staff() && v.manager && name == "" {
		h.Redirect(w, v.here("groups"))
		return nil
	}
	if !v.staff() && p.area != "groups" {
		h.refuse(w, r)
		return nil
	}
	if p.need != "" && !caller.May(p.need) {
		h.refuse(w, r)
		return nil
	}
	return v
}

// staff may enter everything that they hold the permission for.
func (v *visit) staff() bool { return v.caller.Staff || v.caller.Superuser }

// manages reports whether the groups to see are those that the caller manages.
func (v *visit) manages() (bool, error) {
	if v.may(accounts.AdminGroupsRead) {
		return false, nil
	}
	first, err := v.Admin.Groups.ManagedBy(v.r.Context(), v.user.Subject, "", 1)
	return len(first) > 0, err
}

func (h *Handler) refuse(w http.ResponseWriter, r *http.Request) {
	web.Event(r.Context()).Outcome = "forbidden"
	h.Fail(w, r, http.StatusForbidden, templates.Error{Kind: templates.AccessDenied, BackURL: h.Path(hosted.PathHome)})
}

// path is where the page is, for links and forms.
func (v *visit) path() string { return v.here(v.name) }

func (v *visit) here(name string) string { return v.Path(PathConsole) + name }

// to is the address of the page of one thing.
func (v *visit) to(name, id string) string {
	return v.here(name) + "?" + url.Values{"id": {id}}.Encode()
}

// again is the address of this page with some of its query changed.
func (v *visit) again(change map[string]string) string {
	q := url.Values{}
	for key, values := range v.query {
		if key != "done" && key != "after" && key != confirmedParam && key != unsentParam {
			q[key] = values
		}
	}
	for key, value := range change {
		q.Set(key, value)
		if value == "" {
			q.Del(key)
		}
	}
	if len(q) == 0 {
		return v.path()
	}
	return v.path() + "?" + q.Encode()
}

// read reads the posted form, or answers and returns false.
func (v *visit) read() bool {
	form := v.Form
	if v.pages()[v.name].boxes {
		form = v.Boxes
	}
	values, text, token := form(v.w, v.r, "permission", "group", "required", "cell", "person", "scope")
	if values == nil {
		return false
	}
	if !v.CheckTicket(token, v.BrowserOf(v.r), PathConsole+v.name, text, v.user.Subject, v.object()) {
		v.Unproven(v.w, v.r, v.again(nil))
		return false
	}
	v.form = values
	unpackLong(text, &v.seen)
	return v.fresh(freshFor)
}

// value is one field of the form, without the blanks around it.
func (v *visit) value(name string) string { return strings.TrimSpace(v.form.Get(name)) }

func (v *visit) may(permission string) bool { return v.caller.May(permission) }

// areas are the parts of the console that the caller may enter.
func (v *visit) areas() []string {
	var list []string
	for _, p := range v.pages() {
		enters := v.staff() && (p.need == "" || v.may(p.need))
		if p.area == "groups" {
			enters = v.manager || v.may(accounts.AdminGroupsRead)
		}
		if enters && !slices.Contains(list, p.area) {
			list = append(list, p.area)
		}
	}
	return list
}

// show draws the page.
func (v *visit) show(c templates.Console) { v.showAs(http.StatusOK, c) }

func (v *visit) showAs(status int, c templates.Console) {
	c.Page = v.Frame(v.r, v.again(nil))
	c.Base, c.Areas, c.Area = v.Path(PathConsole), v.areas(), v.pages()[v.name].area
	c.Action = v.again(nil)
	if v.drawn != nil {
		v.carried = pack(v.drawn)
	}
	c.Flow = v.Ticket(v.Browser(v.w, v.r), PathConsole+v.name, v.carried, v.user.Subject, v.object())
	if done := v.query.Get("done"); slices.Contains(outcomes(), done) {
		c.Notices = append(c.Notices, templates.ConsoleNotice{Tone: templates.ToneGood, Said: templates.Say("console.done." + done)})
	}
	c.Notices = append(c.Notices, v.notices...)
	v.Rendered(v.w, v.r, v.Pages.Console(v.w, status, v.lang, c))
}

// mark puts a word about the file that manages an object above its page: what is
// changed here, the file would find to be otherwise.
func (v *visit) mark(kind accounts.ManagedKind, object id.ID) error {
	m, err := v.Admin.Mark(v.r.Context(), v.caller, kind, object)
	if err != nil || m == nil {
		return err
	}
	v.notices = append(v.notices, templates.ConsoleNotice{Tone: templates.ToneWarn, Said: templates.Say("console.managed", "Name", m.Manager)})
	return nil
}

// failed answers what went wrong before a page could be drawn.
func (v *visit) failed(err error) {
	if said, status := problem(err); status != http.StatusInternalServerError && v.r.Method == http.MethodGet {
		switch status {
		case http.StatusNotFound:
			v.NotFound(v.w, v.r)
		case http.StatusForbidden:
			v.refuse(v.w, v.r)
		default:
			v.notices = append(v.notices, templates.ConsoleNotice{Tone: templates.ToneBad, Said: said})
			v.showAs(status, templates.Console{Heading: templates.Say("console.problem.title"), Failed: true})
		}
		return
	}
	if v.r.Method == http.MethodPost && len(v.notices) > 0 {
		// What was done was done, and a secret is shown but once: the error page would
		// say that nothing was changed.
		web.Event(v.r.Context()).Cause = err
		v.showAs(http.StatusInternalServerError, templates.Console{
			Heading: templates.Say("console.problem.page"), Lead: templates.Say("console.problem.page_lead"), Failed: true,
		})
		return
	}
	v.Broken(v.w, v.r, err)
}

// after ends a change: with the page again and a word about it, or, when it was
// refused, with the page and why.
func (v *visit) after(done string, err error, again func(v *visit)) {
	if err == nil {
		web.Event(v.r.Context()).Outcome = done
		v.Redirect(v.w, v.again(map[string]string{"done": done}))
		return
	}
	v.wrong(err, again)
}

// wrong draws the page again with what is wrong.
func (v *visit) wrong(err error, again func(v *visit)) {
	said, status := problem(err)
	if status == http.StatusInternalServerError {
		v.Broken(v.w, v.r, err)
		return
	}
	web.Event(v.r.Context()).Outcome = "refused"
	v.notices = append(v.notices, templates.ConsoleNotice{Tone: templates.ToneBad, Said: said})
	again(v)
}

// unknown answers an action that no form of ours has.
func (v *visit) unknown() { v.UnknownAction(v.w, v.r) }

// instant is a time as the person's clock shows it.
func (v *visit) instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).In(v.zone())
}

// zone is where the person's clock hangs; UTC if it is not known.
func (v *visit) zone() *time.Location {
	if zone, err := time.LoadLocation(v.user.Profile.Zoneinfo); err == nil && v.user.Profile.Zoneinfo != "" {
		return zone
	}
	return time.UTC
}
