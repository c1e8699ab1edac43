package templates_test

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gatehouse-id/gatehouse/templates"
)

func TestOverride(t *testing.T) {
	r := newRenderer(t, templates.Options{
		Brand: templates.Brand{Name: "Acme & Sons"},
		Override: fstest.MapFS{
			"html/home.html":      {Data: []byte(`{{define "title"}}Ours{{end}}{{define "content"}}<h1>{{.T "acme.hello"}}</h1>{{end}}`)},
			"locales/en/all.toml": {Data: []byte("[acme]\nhello = \"Hello from Acme\"\n[signin]\ntitle = \"Log on\"\n")},
			"static/brand.css":    {Data: []byte(":root{--accent:#00c}")},
			"static/logo.svg":     {Data: []byte("<svg/>")},
			"static/extra.png":    {Data: []byte("png")},
			"static/.DS_Store":    {Data: []byte("hidden")},
		},
	})
	w := httptest.NewRecorder()
	if err := r.Home(w, 200, r.Language(), templates.Home{}); err != nil {
		t.Fatal(err)
	}
	home := w.Body.String()
	for _, want := range []string{"<h1>Hello from Acme</h1>", "<title>Ours</title>", "Acme &amp; Sons", "/static/brand."} {
		if !strings.Contains(home, want) {
			t.Errorf("home page lacks %q:\n%s", want, home)
		}
	}
	page := show(t, r, fixtures()[0]).Body.String()
	for _, want := range []string{"<h1>Log on</h1>", "Password"} {
		if !strings.Contains(page, want) {
			t.Errorf("sign-in page lacks %q: messages must be laid over ours one by one", want)
		}
	}
}

func TestBadOverrideIsAnErrorAtStart(t *testing.T) {
	page := func(content string) string {
		return `{{define "title"}}x{{end}}{{define "content"}}` + content + `{{end}}`
	}
	for name, test := range map[string]struct {
		file, data, want string
	}{
		"syntax":             {"html/home.html", `{{if}}`, "home.html"},
		"unknown field":      {"html/consent.html", page(`{{range .P.Groups}}{{.Nope}}{{end}}`), "Nope"},
		"unsafe place":       {"html/home.html", page(`<script>{{if .P}}"{{end}}</script>`), "home"},
		"missing file":       {"html/home.html", page(`{{.Asset "nope.png"}}`), "nope.png"},
		"unknown page":       {"html/hmoe.html", page(``), "hmoe"},
		"catalog syntax":     {"locales/de/all.toml", `[signin`, "de/all.toml"},
		"catalog name":       {"locales/german_/all.toml", ``, "german_"},
		"odd static file":    {"static/run.exe", `x`, "run.exe"},
		"odd message data":   {"html/home.html", page(`{{.T "signin.title" "Client"}}`), "pairs"},
		"message data names": {"html/home.html", page(`{{.T "signin.title" 1 2}}`), "pairs"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := templates.New(templates.Options{Override: fstest.MapFS{test.file: {Data: []byte(test.data)}}})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("New: %v, want an error with %q", err, test.want)
			}
		})
	}
}

func TestBadStaticPath(t *testing.T) {
	for _, path := range []string{"static/", "/static", "static"} {
		if _, err := templates.New(templates.Options{StaticPath: path}); err == nil {
			t.Errorf("static path %q must be refused", path)
		}
	}
}

// TestNoHalfPages: when a page fails, the caller can still write another one.
func TestNoHalfPages(t *testing.T) {
	r := newRenderer(t, templates.Options{})
	for name, render := range map[string]func(w *httptest.ResponseRecorder) error{
		"unknown kind": func(w *httptest.ResponseRecorder) error {
			return r.Error(w, 400, r.Language(), templates.Error{Kind: "no_such_kind"})
		},
		"unknown problem": func(w *httptest.ResponseRecorder) error {
			return r.SignIn(w, 200, r.Language(), templates.SignIn{Problems: []templates.SignInProblem{"no_such"}})
		},
		"unsafe form": func(w *httptest.ResponseRecorder) error {
			err := r.FormPost(w, 200, r.Language(), templates.FormPost{Action: "javascript:alert(1)"})
			if !errors.Is(err, templates.ErrUnsafeURL) {
				t.Errorf("FormPost: %v, want ErrUnsafeURL", err)
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			w.Code = 0
			if err := render(w); err == nil {
				t.Error("no error")
			}
			if w.Code != 0 || w.Body.Len() != 0 || len(w.Header()) != 0 {
				t.Errorf("something was written: %d %v %s", w.Code, w.Header(), w.Body)
			}
		})
	}
}
