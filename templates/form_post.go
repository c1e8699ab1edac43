package templates

import (
	"fmt"
	"html/template"
	"net/http"
)

// FormPost carries a response to an app in a form that posts itself (OAuth 2.0
// Form Post Response Mode). Without scripts the person presses Continue.
type FormPost struct {
	Page
	ClientName string
	// Action is the app's proven redirect URI; a private-use scheme is fine.
	Action string
	Fields []Field
}

type formPostData struct {
	FormPost
	Target template.URL
}

// FormPost writes the self-submitting form. It returns ErrUnsafeURL, and writes
// nothing, when the action could run code.
func (r *Renderer) FormPost(w http.ResponseWriter, status int, lang Language, p FormPost) error {
	v, err := formPostView(lang, p)
	if err != nil {
		return err
	}
	return r.render(w, status, "form_post", v)
}

func formPostView(lang Language, p FormPost) (*view, error) {
	target, err := link(p.Action)
	if err != nil {
		return nil, fmt.Errorf("form action: %w", err)
	}
	// A choice of language would leave the page, and the response with it.
	p.Preferences = Preferences{}
	return &view{Lang: lang, Page: p.Page, P: formPostData{FormPost: p, Target: target}}, nil
}
