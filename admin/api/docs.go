package api

import (
	"fmt"
	"html"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/internal/web"
)

// docsStyle is all that the page needs; it has no script.
const docsStyle = `:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem}
nav ul{columns:3 14rem;padding-left:1rem}
h2{border-top:1px solid;padding-top:1rem;margin-top:3rem}
article{margin:2rem 0}
code{font-family:ui-monospace,monospace;overflow-wrap:anywhere}
.method{font-weight:700}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.25rem .5rem;border-bottom:1px solid}
.wide{overflow-x:auto}
`

// mountDocs adds the page for people. Like the description it is the same for
// everybody, and made once.
func (s *surface) mountDocs(r *mux.Router) {
	page := file("text/html; charset=utf-8", func() []byte {
		doc := document{schemas: s.api.OpenAPI().Components.Schemas, base: s.base}
		return []byte(doc.page(s.api.OpenAPI()))
	})
	r.Methods(http.MethodGet, http.MethodHead).Path("/docs").Handler(web.Pages(page))
	r.Methods(http.MethodGet, http.MethodHead).Path("/docs.css").Handler(file("text/css; charset=utf-8", func() []byte { return []byte(docsStyle) }))
}

// document writes the page.
type document struct {
	strings.Builder
	schemas huma.Registry
	base    string
}

// put writes markup; arguments are texts, and are escaped.
func (d *document) put(markup string, texts ...string) {
	escaped := make([]any, len(texts))
	for i, t := range texts {
		escaped[i] = html.EscapeString(t)
	}
	fmt.Fprintf(d, markup, escaped...)
}

// prose writes a text in which backticks stand around code.
func (d *document) prose(text string) {
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		d.put("<p>")
		for i, part := range strings.Split(paragraph, "`") {
			if i%2 == 1 {
				d.put("<code>%s</code>", part)
				continue
			}
			d.put("%s", part)
		}
		d.put("</p>\n")
	}
}

func (d *document) page(api *huma.OpenAPI) string {
	d.put(`<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">`+
		`<title>%s</title><link rel="stylesheet" href="%s/docs.css"></head><body><main><h1>%s</h1>`, api.Info.Title, d.base, api.Info.Title)
	d.prose(api.Info.Description + " Everything is below `" + d.base + "` and needs an access token of this issuer in the header `Authorization: Bearer`.")
	d.put(`<p>For programs: <a href="%s/openapi.json">OpenAPI 3.1 as JSON</a>, <a href="%s/openapi.yaml">as YAML</a>.</p>`, d.base, d.base)
	byTag := map[string][]*huma.Operation{}
	for _, path := range slices.Sorted(maps.Keys(api.Paths)) {
		item := api.Paths[path]
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op != nil {
				byTag[op.Tags[0]] = append(byTag[op.Tags[0]], op)
			}
		}
	}
	tags := slices.Sorted(maps.Keys(byTag))
	d.put(`<nav aria-label="Operations">`)
	for _, tag := range tags {
		d.put(`<h2>%s</h2><ul>`, tag)
		for _, op := range byTag[tag] {
			d.put(`<li><a href="#%s">%s</a></li>`, op.OperationID, op.Summary)
		}
		d.put(`</ul>`)
	}
	d.put("</nav>\n")
	for _, tag := range tags {
		d.put("<section><h2>%s</h2>\n", tag)
		for _, op := range byTag[tag] {
			d.operation(op)
		}
		d.put("</section>\n")
	}
	d.problems()
	d.put("</main></body></html>\n")
	return d.String()
}

func (d *document) operation(op *huma.Operation) {
	d.put(`<article id="%s"><h3>%s</h3><p><span class="method">%s</span> <code>%s%s</code></p>`+"\n",
		op.OperationID, op.Summary, op.Method, d.base, op.Path)
	d.prose(op.Description)
	var rows [][3]string
	for _, p := range op.Parameters {
		rows = append(rows, [3]string{p.In + " " + p.Name, d.kind(p.Schema), p.Description})
	}
	d.table("What it takes", rows)
	if op.RequestBody != nil {
		if media := op.RequestBody.Content["application/json"]; media != nil { // the other type of a PATCH is the same
			d.table("Body", d.members("", media.Schema, 0))
		}
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		for _, media := range op.Responses[status].Content {
			if status != "default" {
				d.table("Answer "+status, d.members("", media.Schema, 0))
			}
		}
		if len(op.Responses[status].Content) == 0 {
			d.put("<p>Answers %s without a body.</p>\n", status)
		}
	}
	d.put("</article>\n")
}

func (d *document) table(caption string, rows [][3]string) {
	if len(rows) == 0 {
		return
	}
	d.put(`<div class="wide"><table><caption>%s</caption><tr><th scope="col">Name</th><th scope="col">Type</th><th scope="col">Meaning</th></tr>`, caption)
	for _, row := range rows {
		d.put(`<tr><td><code>%s</code></td><td>%s</td><td>%s</td></tr>`, row[0], row[1], row[2])
	}
	d.put("</table></div>\n")
}

// members lists what a schema holds, those of its members too.
func (d *document) members(prefix string, s *huma.Schema, depth int) [][3]string {
	s = d.resolve(s)
	if s.Items != nil {
		return d.members(prefix, s.Items, depth)
	}
	var rows [][3]string
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		p := s.Properties[name]
		full, about := prefix+name, p.Description
		if slices.Contains(s.Required, name) {
			about = strings.TrimSpace("Always there. " + about)
		}
		rows = append(rows, [3]string{full, d.kind(p), about})
		inner := d.resolve(p)
		if inner.Items != nil {
			full, inner = full+"[]", d.resolve(inner.Items)
		}
		if len(inner.Properties) > 0 && depth < 4 {
			rows = append(rows, d.members(full+".", inner, depth+1)...)
		}
	}
	return rows
}

func (d *document) resolve(s *huma.Schema) *huma.Schema {
	for s.Ref != "" {
		s = d.schemas.SchemaFromRef(s.Ref)
	}
	return s
}

// kind says in a few words what a schema allows.
func (d *document) kind(s *huma.Schema) string {
	s = d.resolve(s)
	if s.Items != nil {
		return "list of " + d.kind(s.Items)
	}
	text := s.Type
	if s.Format != "" {
		text += ", " + s.Format
	}
	if len(s.Enum) > 0 {
		var words []string
		for _, e := range s.Enum {
			words = append(words, fmt.Sprint(e))
		}
		text += ": " + strings.Join(words, ", ")
	}
	if s.Nullable {
		text += ", or null"
	}
	return text
}

func (d *document) problems() {
	d.put(`<section><h2>Problems</h2><p>What was not done is answered with a problem (RFC 9457).</p>` +
		`<div class="wide"><table><tr><th scope="col">Type</th><th scope="col">Status</th><th scope="col">Meaning</th></tr>`)
	for _, k := range kinds() {
		d.put(`<tr id="problem-%s"><td><code>%s</code></td><td>%s</td><td>%s</td></tr>`, k.slug, k.slug, strconv.Itoa(k.status), k.title)
	}
	d.put("</table></div></section>\n")
}
