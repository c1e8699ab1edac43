// Package posts is the demo API of Gatehouse: a resource server that shows what
// it takes to guard an API with package resource.
//
// It keeps posts in memory. Reading them takes any valid token for this API,
// adding one the permission posts:add, deleting one posts:delete; whoever holds
// that may delete any post. A post's author is the subject of the token that
// added it. Every answer is JSON. The API's metadata (RFC 9728) is served at
// [MetadataPath].
package posts

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-id/gatehouse/resource"
)

// The permissions that this API asks for.
const (
	PermissionAdd    = "posts:add"
	PermissionDelete = "posts:delete"
)

// MetadataPath is where the API's metadata is found, for an audience without a
// path (RFC 9728 §3).
const MetadataPath = "/.well-known/oauth-protected-resource"

const (
	maxRequestBytes = 64 << 10
	maxTitleRunes   = 200
	maxBodyRunes    = 10_000
)

// api is the posts and how they are served.
type api struct {
	store *store
	log   *slog.Logger
}

// New returns the API, with a few posts to begin with. Its routes are guarded
// by v.
func New(v *resource.Verifier, logger *slog.Logger) http.Handler {
	a := &api{store: newStore(), log: logger}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.describe)
	mux.Handle(MetadataPath, v.MetadataHandler())
	mux.Handle("GET /posts", v.RequireLogin(http.HandlerFunc(a.list)))
	mux.Handle("POST /posts", v.RequirePermission(PermissionAdd)(http.HandlerFunc(a.add)))
	mux.Handle("GET /posts/{id}", v.RequireLogin(http.HandlerFunc(a.show)))
	mux.Handle("DELETE /posts/{id}", v.RequirePermission(PermissionDelete)(http.HandlerFunc(a.remove)))
	// Without these the mux would answer in plain text.
	mux.Handle("/{$}", onlyAllow("GET, HEAD"))
	mux.Handle("/posts", onlyAllow("GET, HEAD, POST"))
	mux.Handle("/posts/{id}", onlyAllow("GET, HEAD, DELETE"))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { notFound(w) })
	return mux
}

func (a *api) describe(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{
		"name": "Posts, the demo API of Gatehouse", "posts": "/posts", "metadata": MetadataPath,
	})
}

func (a *api) list(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string][]Post{"posts": a.store.list()})
}

func (a *api) show(w http.ResponseWriter, r *http.Request) {
	post, ok := a.store.get(idOf(r))
	if !ok {
		notFound(w)
		return
	}
	writeJSON(w, http.StatusOK, post)
}

func (a *api) add(w http.ResponseWriter, r *http.Request) {
	token, ok := resource.FromContext(r.Context())
	if !ok {
		writeError(w, http.StatusInternalServerError, "server_error", "the route is not guarded")
		return
	}
	draft, ok := readDraft(w, r)
	if !ok {
		return
	}
	post, ok := a.store.add(Post{Title: draft.Title, Body: draft.Body, Author: token.Subject})
	if !ok {
		writeError(w, http.StatusInsufficientStorage, "full", "the demo keeps no more posts; delete one first")
		return
	}
	a.log.InfoContext(r.Context(), "posts: added", "id", post.ID, "author", token.Subject, "client", token.ClientID)
	w.Header().Set("Location", "/posts/"+strconv.FormatInt(post.ID, 10))
	writeJSON(w, http.StatusCreated, post)
}

func (a *api) remove(w http.ResponseWriter, r *http.Request) {
	id := idOf(r)
	if !a.store.remove(id) {
		notFound(w)
		return
	}
	a.log.InfoContext(r.Context(), "posts: deleted", "id", id)
	w.WriteHeader(http.StatusNoContent)
}

// draft is a post as somebody sends it: id and author are not theirs to say.
type draft struct {
	Title string `json:"title"`
	Body  string `json:"body"`
}

// readDraft returns the draft in r's body, or answers why there is none.
func readDraft(w http.ResponseWriter, r *http.Request) (draft, bool) {
	var d draft
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		writeError(w, http.StatusUnsupportedMediaType, "unsupported_media_type", "send application/json")
		return d, false
	}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequestBytes))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&d)
	if err == nil {
		if _, more := decoder.Token(); !errors.Is(more, io.EOF) {
			err = errors.Join(errors.New("more than one JSON value"), more)
		}
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		writeError(w, http.StatusRequestEntityTooLarge, "too_large", "the request is too large")
		return d, false
	case err != nil:
		writeError(w, http.StatusBadRequest, "invalid_post", `send {"title": "...", "body": "..."} and nothing else`)
		return d, false
	}
	d.Title, d.Body = strings.TrimSpace(d.Title), strings.TrimSpace(d.Body)
	switch {
	case d.Title == "" || utf8.RuneCountInString(d.Title) > maxTitleRunes:
		writeError(w, http.StatusBadRequest, "invalid_post", "the title must have 1 to 200 characters")
	case d.Body == "" || utf8.RuneCountInString(d.Body) > maxBodyRunes:
		writeError(w, http.StatusBadRequest, "invalid_post", "the body must have 1 to 10000 characters")
	default:
		return d, true
	}
	return d, false
}

// idOf returns the id in r's path, 0 if it is none; no post has that.
func idOf(r *http.Request) int64 {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return 0
	}
	return id
}

func onlyAllow(methods string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", methods)
		writeError(w, http.StatusMethodNotAllowed, "method_not_allowed", "allowed: "+methods)
	})
}

func notFound(w http.ResponseWriter) {
	writeError(w, http.StatusNotFound, "not_found", "there is nothing here")
}

func writeError(w http.ResponseWriter, status int, code, description string) {
	writeJSON(w, status, map[string]string{"error": code, "error_description": description})
}

func writeJSON(w http.ResponseWriter, status int, document any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// An error here means that the caller has left.
	_ = json.NewEncoder(w).Encode(document)
}
