package webapp

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
)

//go:embed pages/*.html pages/style.css
var files embed.FS

// page is what a template sees.
type page struct {
	Title     string
	Issuer    string
	API       string
	Name      string // of the person, empty without one
	SignedIn  bool
	CanAdd    bool
	CanDelete bool

	Claims  []claim
	Scopes  []string
	Posts   []post
	Draft   post
	Invalid string
	Problem problem
}

// problem is what an error page says.
type problem struct {
	Title      string
	Text       string
	Code       string // of the protocol
	Permission string // that is missing
	SignIn     bool   // offer to try again
}

// views are the parsed pages.
type views struct {
	byName map[string]*template.Template
	css    []byte
}

func newViews() (*views, error) {
	v := &views{byName: map[string]*template.Template{}}
	for _, name := range []string{"home", "claims", "posts", "new_post", "problem"} {
		t, err := template.ParseFS(files, "pages/layout.html", "pages/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("page %s: %w", name, err)
		}
		v.byName[name] = t
	}
	var err error
	v.css, err = files.ReadFile("pages/style.css")
	return v, err
}

// write answers with a page. It is made in memory first, so that nobody gets half
// of one.
func (v *views) write(w http.ResponseWriter, log *slog.Logger, status int, name string, p page) {
	var out bytes.Buffer
	if err := v.byName[name].ExecuteTemplate(&out, "layout.html", p); err != nil {
		log.Error("webapp: page not made", "page", name, "error", err)
		http.Error(w, "Something went wrong here.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = out.WriteTo(w) // an error means that the browser has left
}

func (v *views) style(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "max-age=300")
	_, _ = w.Write(v.css) // an error means that the browser has left
}

// page begins a page for whoever the session belongs to; nil is nobody.
func (a *app) page(s *session, title string) page {
	p := page{Title: title, Issuer: a.cfg.Issuer, API: a.cfg.API}
	if s != nil && s.signedIn() {
		p.SignedIn, p.Name = true, s.name()
		p.CanAdd, p.CanDelete = s.holds(permissionAdd), s.holds(permissionDelete)
	}
	return p
}

func (a *app) fail(w http.ResponseWriter, r *http.Request, status int, p problem) {
	page := a.page(a.sessions.of(r), p.Title)
	page.Problem = p
	a.views.write(w, a.log, status, "problem", page)
}

func (a *app) unavailable(w http.ResponseWriter, r *http.Request, err error) {
	a.log.WarnContext(r.Context(), "webapp: not answered", "error", err)
	a.fail(w, r, http.StatusServiceUnavailable, problem{
		Title: "Not reachable", Text: "This app could not reach the issuer or the API. Please try again in a moment.",
	})
}
