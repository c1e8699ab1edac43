package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"time"

	"github.com/gorilla/mux"
)

// Front is the outermost handler of a listener. For each request it makes the id,
// finds the client's address, sets the headers that every answer has, refuses
// paths in an odd spelling, catches panics and writes the log event.
type Front struct {
	Issuer  *url.URL       // an https issuer adds HSTS
	Trusted []netip.Prefix // proxies whose forwarded headers count
	Log     *slog.Logger
	Now     func() time.Time
}

// Wrap returns next behind the front.
func (f *Front) Wrap(next http.Handler) http.Handler {
	next = Recover(http.HandlerFunc(plainFailure), onlyCanonical(next))
	hsts := f.Issuer != nil && f.Issuer.Scheme == "https"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := f.Now()
		q := &request{id: newRequestID(), answer: recorder{ResponseWriter: w}}
		q.addr, q.scheme = origin(r, f.Trusted)
		setHeaders(w.Header(), q.id, hsts)
		ctx := context.WithValue(r.Context(), requestKey{}, q)
		defer func() {
			if q.answer.status == 0 {
				q.answer.status = http.StatusOK // what net/http will send
			}
			q.event.write(ctx, f.Log, r.Method, q, f.Now().Sub(start))
		}()
		next.ServeHTTP(&q.answer, r.WithContext(ctx))
	})
}

// NewRouter returns a router that neither cleans nor redirects paths and tells the
// request's event which route matched. Handlers for what is not found are the
// caller's; mux runs no middleware for them.
func NewRouter() *mux.Router {
	router := mux.NewRouter().SkipClean(true)
	router.Use(recordRoute)
	return router
}

// Recover answers with failed when next panics, and puts panic and stack into the
// request's event. If part of an answer was already sent, the connection is cut
// instead, so that nobody takes half an answer for a whole one. A Front has one
// that answers in plain text; a surface puts its own inside.
func Recover(failed, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			q := fromContext(r.Context())
			if q == nil || errors.Is(asError(v), http.ErrAbortHandler) {
				panic(v)
			}
			q.event.Cause = fmt.Errorf("panic: %s", clip(fmt.Sprint(v)))
			q.event.stack = debug.Stack()
			if q.answer.status != 0 {
				q.answer.status = http.StatusInternalServerError
				panic(http.ErrAbortHandler)
			}
			resetHeaders(w.Header())
			failed.ServeHTTP(w, r)
		}()
		next.ServeHTTP(w, r)
	})
}

func asError(v any) error {
	err, _ := v.(error)
	return err
}

// resetHeaders takes away what described the answer that failed; security headers
// stay.
func resetHeaders(h http.Header) {
	for _, name := range []string{"Content-Type", "Content-Length", "Content-Encoding", "Etag", "Last-Modified", "Location", "Set-Cookie", "Www-Authenticate"} {
		h.Del(name)
	}
	h.Set("Cache-Control", "no-store")
}

func plainFailure(w http.ResponseWriter, r *http.Request) {
	http.Error(w, "Something went wrong here. Request id: "+RequestID(r.Context()), http.StatusInternalServerError)
}
