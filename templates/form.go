package templates

import "net/http"

// Form is a page with one form, or none: what people meet who sign up, prove an
// address, choose a password or fill in their profile. Its form posts "flow",
// "action" ("continue", or "deny" by the button that Deny draws) and the names of
// the inputs.
type Form struct {
	Page
	Kind string // one of formKinds; the texts are form.<kind>.title, .lead and .submit
	// Client is the app on whose behalf the person is here, nil without; the texts
	// may name it.
	Client *ClientInfo
	// About is what the texts call {{.About}}: an address, a name. Plain text.
	About    string
	Problems []FormProblem
	// Good is a message key, notice.<key>, of what has just been done.
	Good   string
	Inputs []Input
	Hidden []Field
	Action string
	Flow   string
	Deny   bool
	Links  []FormLink
	// Plain leaves the submit button in the quieter style: for what is not the
	// page's main purpose, such as sending a mail again.
	Plain bool
	// Danger draws the submit button as one that destroys something.
	Danger bool
}

// FormProblem is something that the person is told about the last try.
type FormProblem struct {
	Key    string // the message is problem.<key>
	Field  string // name of the input to jump to; empty when there is none
	Count  int    // for the plural, when the text counts
	Detail string // what the text calls {{.Detail}}
}

// FormLink is a way on from a page; the message is link.<key>.
type FormLink struct {
	Key, URL string
}

// FormKind is what a kind of Form is made of, for the tests of its texts.
type FormKind struct {
	Name     string
	Sample   Form
	Problems []string // keys, beyond those of its inputs
	Goods    []string
	Links    []string
}

type formData struct {
	Form
	Client  string // its name, empty without
	Summary []FormProblem
	Fields  []formField
	Upload  bool
	// HasLead and HasSubmit are what the kind has texts for.
	HasLead, HasSubmit bool
}

// Form writes a page with a form.
func (r *Renderer) Form(w http.ResponseWriter, status int, lang Language, p Form) error {
	return r.render(w, status, "form", r.formView(lang, p))
}

func (r *Renderer) formView(lang Language, p Form) *view {
	data := formData{Form: p, Summary: p.Problems, HasLead: r.catalog.keys["form."+p.Kind+".lead"]}
	data.HasSubmit = p.Action != "" && r.catalog.keys["form."+p.Kind+".submit"]
	if p.Client != nil {
		data.Client = p.Client.Name
	}
	v := &view{Lang: lang, Page: p.Page, Failed: len(p.Problems) > 0, renderer: r}
	focus := len(p.Problems) == 0
	for _, in := range p.Inputs {
		f := formField{Input: in, Attributes: attributesOf(in.Name), V: v}
		for _, problem := range p.Problems {
			f.Invalid = f.Invalid || problem.Field == in.Name
		}
		if focus && !in.ReadOnly && !in.Optional && in.Value == "" && f.text() {
			f.Focus, focus = true, false
		}
		data.Upload = data.Upload || f.Kind == inputFile
		data.Fields = append(data.Fields, f)
	}
	v.P = data
	return v
}
