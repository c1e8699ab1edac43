package endtoend_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// agent is a person whose browser knows no more than links, forms and cookies.
type agent struct {
	*server
	t        *testing.T
	client   *http.Client
	password string
	typed    int // how often they were asked for the password
}

// agent has no cookies yet.
func (s *server) agent(t *testing.T) *agent {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &agent{server: s, t: t, password: password, client: &http.Client{
		Jar: jar, Timeout: patience,
		CheckRedirect: func(next *http.Request, _ []*http.Request) error {
			if !strings.HasPrefix(next.URL.String(), s.issuer+"/") {
				return http.ErrUseLastResponse // at the app's door
			}
			return nil
		},
	}}
}

// authorize goes from an authorization request, signing in and allowing everything
// but the scopes to leave out, to the app's redirect URI, and returns what comes
// there. The error tells of a page from which there is no way.
func (a *agent) authorize(request, username string, leaveOut ...string) (url.Values, error) {
	a.t.Helper()
	const steps = 6
	answer, err := a.client.Get(request)
	for range steps {
		if err != nil {
			return nil, err
		}
		page, err := read(answer)
		if err != nil {
			return nil, err
		}
		if to := answer.Header.Get("Location"); to != "" {
			target, err := url.Parse(to)
			if err != nil {
				return nil, err
			}
			return target.Query(), nil
		}
		f := page.form()
		if f == nil {
			return nil, fmt.Errorf("%s: %s, %s, and no form", answer.Request.URL.Path, answer.Status, page.title())
		}
		answer, err = a.answer(f, username, leaveOut)
		if err != nil {
			return nil, err
		}
	}
	return nil, errors.New("the pages do not end")
}

// answer fills in a form and sends it.
func (a *agent) answer(f *form, username string, leaveOut []string) (*http.Response, error) {
	switch {
	case f.fields.Has("password"):
		f.fields.Set("username", username)
		f.fields.Set("password", a.password)
		a.typed++
		f.fields.Set("action", "continue")
	case slices.Contains(f.actions, "allow"):
		f.fields["scope"] = slices.DeleteFunc(f.boxes, func(s string) bool { return slices.Contains(leaveOut, s) })
		f.fields.Set("action", "allow")
	case slices.Contains(f.actions, "continue"):
		f.fields.Set("action", "continue")
	default:
		return nil, fmt.Errorf("a form with the buttons %q", f.actions)
	}
	return a.client.PostForm(a.issuer+f.action, f.fields)
}

// document is a page.
type document struct{ root *html.Node }

func read(answer *http.Response) (*document, error) {
	const maxPage = 1 << 20
	root, err := html.Parse(io.LimitReader(answer.Body, maxPage))
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		return nil, err
	}
	return &document{root}, nil
}

// title is what the page says it is.
func (d *document) title() string {
	for node := range d.root.Descendants() {
		if node.Data == "title" && node.FirstChild != nil {
			return strings.TrimSpace(node.FirstChild.Data)
		}
	}
	return ""
}

// form is the first form of a page that is not about its language.
type form struct {
	action  string
	fields  url.Values // as the page has them
	boxes   []string   // values of the boxes for scopes
	actions []string   // values of the buttons
}

func (d *document) form() *form {
	for node := range d.root.Descendants() {
		if node.Data != "form" || attribute(node, "method") != "post" {
			continue
		}
		f := &form{action: attribute(node, "action"), fields: url.Values{}}
		for inner := range node.Descendants() {
			f.note(inner)
		}
		if len(f.actions) > 0 {
			return f
		}
	}
	return nil
}

func (f *form) note(node *html.Node) {
	name, value := attribute(node, "name"), attribute(node, "value")
	switch {
	case node.Data == "button" && name == "action":
		f.actions = append(f.actions, value)
	case node.Data == "input" && attribute(node, "type") == "checkbox":
		f.boxes = append(f.boxes, value)
	case node.Data == "input" && name != "":
		f.fields.Set(name, value)
	}
}

func attribute(node *html.Node, name string) string {
	for _, a := range node.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}
