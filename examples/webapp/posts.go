package webapp

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The API has the same limits; said here, the person hears of it in words.
const (
	maxTitleRunes = 200
	maxBodyRunes  = 10_000
)

// claim is one line of the table of claims.
type claim struct{ Name, Value string }

// claims shows what the app was told about the person.
func (a *app) claims(w http.ResponseWriter, _ *http.Request, s *session) {
	s.mu.Lock()
	var list []claim
	for name, value := range s.claims {
		text, ok := value.(string)
		if !ok {
			encoded, err := json.Marshal(value)
			if err != nil {
				continue
			}
			text = string(encoded)
		}
		list = append(list, claim{name, text})
	}
	scopes := slices.Clone(s.scopes)
	s.mu.Unlock()
	slices.SortFunc(list, func(x, y claim) int { return strings.Compare(x.Name, y.Name) })
	page := a.page(s, "Your claims")
	page.Claims, page.Scopes = list, scopes
	a.views.write(w, a.log, http.StatusOK, "claims", page)
}

// refresh gets a new access token now, with the permissions that the person holds
// by now.
func (a *app) refresh(w http.ResponseWriter, r *http.Request, s *session) {
	s.mu.Lock()
	present := ""
	if s.token != nil {
		present = s.token.AccessToken
	}
	s.mu.Unlock()
	if _, err := a.token(a.outgoing(r), s, present); err != nil {
		a.failed(w, r, s, err)
		return
	}
	http.Redirect(w, r, returnPath(r.PostFormValue("return")), http.StatusSeeOther)
}

func (a *app) posts(w http.ResponseWriter, r *http.Request, s *session) {
	var answer struct {
		Posts []post `json:"posts"`
	}
	if err := a.call(r, s, http.MethodGet, "/posts", nil, &answer); err != nil {
		a.failed(w, r, s, err)
		return
	}
	page := a.page(s, "Posts")
	page.Posts = answer.Posts
	a.views.write(w, a.log, http.StatusOK, "posts", page)
}

func (a *app) newPost(w http.ResponseWriter, r *http.Request, s *session) {
	if !s.holds(permissionAdd) {
		a.failed(w, r, s, errNotAllowed)
		return
	}
	a.views.write(w, a.log, http.StatusOK, "new_post", a.page(s, "New post"))
}

func (a *app) addPost(w http.ResponseWriter, r *http.Request, s *session) {
	draft := post{Title: strings.TrimSpace(r.PostFormValue("title")), Body: strings.TrimSpace(r.PostFormValue("body"))}
	page := a.page(s, "New post")
	page.Draft = draft
	switch {
	case draft.Title == "" || utf8.RuneCountInString(draft.Title) > maxTitleRunes:
		page.Invalid = "The title must have 1 to 200 characters."
	case draft.Body == "" || utf8.RuneCountInString(draft.Body) > maxBodyRunes:
		page.Invalid = "The text must have 1 to 10,000 characters."
	}
	if page.Invalid != "" {
		a.views.write(w, a.log, http.StatusUnprocessableEntity, "new_post", page)
		return
	}
	in := map[string]string{"title": draft.Title, "body": draft.Body}
	if err := a.call(r, s, http.MethodPost, "/posts", in, nil); err != nil {
		a.failed(w, r, s, err)
		return
	}
	http.Redirect(w, r, "/posts", http.StatusSeeOther)
}

func (a *app) deletePost(w http.ResponseWriter, r *http.Request, s *session) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		a.failed(w, r, s, errGone)
		return
	}
	path := "/posts/" + url.PathEscape(strconv.FormatInt(id, 10))
	if err := a.call(r, s, http.MethodDelete, path, nil, nil); err != nil && !errors.Is(err, errGone) {
		a.failed(w, r, s, err)
		return
	}
	http.Redirect(w, r, "/posts", http.StatusSeeOther)
}

// failed answers for a call that did not succeed.
func (a *app) failed(w http.ResponseWriter, r *http.Request, s *session, err error) {
	switch {
	case errors.Is(err, errSignInAgain):
		a.sessions.end(w, s)
		a.sendToSignIn(w, r)
	case errors.Is(err, errNotAllowed):
		permission := permissionAdd
		if strings.HasSuffix(r.URL.Path, "/delete") {
			permission = permissionDelete
		}
		a.fail(w, r, http.StatusForbidden, problem{
			Title: "You may not do that", Permission: permission,
			Text: "Your access token does not carry the permission for it: you left it out when you signed in, or no group gives it to you.",
		})
	case errors.Is(err, errGone):
		a.fail(w, r, http.StatusNotFound, problem{Title: "That post is gone", Text: "Somebody may have deleted it."})
	default:
		a.unavailable(w, r, err)
	}
}
