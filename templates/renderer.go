package templates

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// Options say what the pages look like and where they are served.
type Options struct {
	// Override is a folder whose files replace ours by name; nil for none.
	Override fs.FS
	Brand    Brand
	// BrandName tells the brand's name where it can change while pages are written; nil
	// or an empty answer leaves it to Brand. It must be safe for concurrent use.
	BrandName func() string
	// StaticPath is where [Renderer.Static] is mounted, with both slashes;
	// "/static/" when empty.
	StaticPath string
	// HomePath is the way out of pages that know no better one; "/" when empty.
	HomePath string
}

// Renderer writes pages. It does not change after New and is safe for concurrent
// use.
type Renderer struct {
	brand      Brand
	brandName  func() string
	staticPath string
	homePath   string
	assets     assets
	catalog    *catalog
	pages      map[string]*template.Template
}

// brandNow is the brand with the name that it has now.
func (r *Renderer) brandNow() Brand {
	b := r.brand
	if r.brandName != nil {
		b.Name = cmp.Or(r.brandName(), b.Name)
	}
	return b
}

// New reads and parses everything once. It returns an error for an override that
// does not parse, asks for a message or a static file that does not exist, or
// fails to execute, so that a mistake shows at start and not to a person.
func New(opts Options) (*Renderer, error) {
	r := &Renderer{brand: opts.Brand, brandName: opts.BrandName, staticPath: opts.StaticPath, homePath: opts.HomePath}
	if r.brand.Name == "" {
		r.brand.Name = "Gatehouse"
	}
	if r.staticPath == "" {
		r.staticPath = "/static/"
	}
	if r.homePath == "" {
		r.homePath = "/"
	}
	if !strings.HasPrefix(r.staticPath, "/") || !strings.HasSuffix(r.staticPath, "/") {
		return nil, fmt.Errorf("static path %q must begin and end with a slash", r.staticPath)
	}
	sources := files{override: opts.Override}
	var err error
	if r.assets, err = loadAssets(sources); err != nil {
		return nil, err
	}
	if err := r.brand.apply(&r.assets); err != nil {
		return nil, err
	}
	if r.catalog, err = loadCatalog(sources); err != nil {
		return nil, err
	}
	if r.pages, err = parsePages(sources); err != nil {
		return nil, err
	}
	if err := r.checkMessages(); err != nil {
		return nil, err
	}
	if opts.Override != nil {
		if err := r.tryAll(); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// Files that are no page of their own: every page is parsed together with them.
const (
	layoutFile = "html/layout.html"
	partsFile  = "html/parts.html"
)

// parsePages makes one template set for each page, so that pages can define the
// same blocks.
func parsePages(f files) (map[string]*template.Template, error) {
	base := template.New("base").Option("missingkey=error")
	for _, name := range []string{layoutFile, partsFile} {
		if err := parseFile(base, f, name); err != nil {
			return nil, err
		}
	}
	names, err := f.list("html/*.html")
	if err != nil {
		return nil, err
	}
	pages := map[string]*template.Template{}
	for _, name := range names {
		if name == layoutFile || name == partsFile {
			continue
		}
		page, err := base.Clone()
		if err != nil {
			return nil, fmt.Errorf("prepare page %s: %w", name, err)
		}
		if err := parseFile(page, f, name); err != nil {
			return nil, err
		}
		pages[strings.TrimSuffix(path.Base(name), ".html")] = page
	}
	return pages, nil
}

func parseFile(set *template.Template, f files, name string) error {
	data, err := f.read(name)
	if err != nil {
		return err
	}
	if _, err := set.New(path.Base(name)).Parse(string(data)); err != nil {
		return fmt.Errorf("parse %s: %w", name, err)
	}
	return nil
}

var errUnknownPage = errors.New("no such page")

// render executes a page to the end before it writes the first byte.
func (r *Renderer) render(w http.ResponseWriter, status int, name string, v *view) error {
	body, err := r.execute(name, v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		return fmt.Errorf("write page %s: %w", name, err)
	}
	return nil
}

func (r *Renderer) execute(name string, v *view) ([]byte, error) {
	page, found := r.pages[name]
	if !found {
		return nil, fmt.Errorf("page %s: %w", name, errUnknownPage)
	}
	if v.Lang.localizer == nil {
		v.Lang = r.catalog.languages[0]
	}
	v.renderer = r
	var buffer bytes.Buffer
	if err := page.ExecuteTemplate(&buffer, "layout", v); err != nil {
		return nil, fmt.Errorf("execute page %s: %w", name, err)
	}
	return buffer.Bytes(), nil
}
