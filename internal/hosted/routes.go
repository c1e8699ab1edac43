package hosted

import (
	"fmt"
	"net/http"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/templates"
)

// Page answers one path; what is nil is not allowed.
type Page struct {
	Get, Post http.HandlerFunc
}

// Routes adds pages, by their path below the issuer's, to a router whose root is
// the origin of the issuer. They go through pages, which sets the headers of HTML
// pages. Forms that another origin sent are refused here, whatever stands in front.
func (d *Desk) Routes(r *mux.Router, pages func(http.Handler) http.Handler, list map[string]Page) error {
	for path, p := range list {
		guarded, err := web.CrossOrigin(d.Issuer, http.HandlerFunc(d.foreign), answerer{d, p})
		if err != nil {
			return fmt.Errorf("pages: %w", err)
		}
		r.Handle(d.Issuer.Path+path, pages(web.Recover(http.HandlerFunc(d.failed), guarded)))
	}
	return nil
}

type answerer struct {
	desk *Desk
	Page
}

// ServeHTTP implements http.Handler.
func (a answerer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer, allow := a.Get, "GET, HEAD"
	if r.Method == http.MethodPost {
		answer = a.Post
	} else if r.Method != http.MethodGet && r.Method != http.MethodHead {
		answer = nil
	}
	switch {
	case answer == nil && a.Get == nil:
		allow = "POST"
	case answer == nil && a.Post != nil:
		allow = "GET, HEAD, POST"
	}
	if answer == nil {
		w.Header().Set("Allow", allow)
		a.desk.Fail(w, r, http.StatusMethodNotAllowed, templates.Error{Kind: templates.MethodNotAllowed})
		return
	}
	answer(w, r)
}
