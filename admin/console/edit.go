package console

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/templates"
)

// What edit forms change is what somebody has changed in them, and nothing else: a field
// that is as the page showed it stays as it is now, whoever has changed it meanwhile. If
// two have changed the same field, the second is told and decides. For that the ticket
// of a page carries what its fields held.

// drawn is what the fields of edit forms held when their page was drawn: a hash of each,
// by its name.
type drawn map[string]string

// imprint is the hash of what a field holds. Browsers send the lines of a text with other
// ends than they were given.
func imprint(value string) string {
	plain := strings.TrimSpace(strings.ReplaceAll(strings.ReplaceAll(value, "\r", ""), "\n", " "))
	sum := sha256.Sum256([]byte(plain))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// box is the value of a box.
func box(ticked bool) string {
	if ticked {
		return "yes"
	}
	return ""
}

// draws notes what a field holds now.
func (v *visit) draws(name, value string) {
	if v.drawn == nil {
		v.drawn = drawn{}
	}
	v.drawn[name] = imprint(value)
}

// edited reports whether somebody has changed a field of the form. Where nothing came
// along, it counts as changed: what it held is not known.
func (v *visit) edited(name string) bool {
	was, known := v.seen[name]
	return v.seen == nil || known && imprint(v.form.Get(name)) != was
}

// as reports whether a field that holds a value now was drawn so, or is typed so.
func (v *visit) as(name, now string) bool {
	return imprint(now) == v.seen[name] || v.seen != nil && imprint(now) == imprint(v.form.Get(name))
}

// still refuses to change a field that somebody else has changed meanwhile. Errors:
// admin.ErrChanged.
func (v *visit) still(name, now string) error {
	if v.edited(name) && !v.as(name, now) {
		return admin.ErrChanged
	}
	return nil
}

// typed is what a text field was changed to; nil if it was not.
func (v *visit) typed(name string) *string {
	if !v.edited(name) {
		return nil
	}
	value := v.value(name)
	return &value
}

// ticked is what a box was changed to; nil if it was not.
func (v *visit) ticked(name string) *bool {
	if !v.edited(name) {
		return nil
	}
	on := v.form.Get(name) != ""
	return &on
}

// edits reports whether the page is drawn again after one of its edit forms was sent.
func (v *visit) edits(action string) bool { return v.form.Get("action") == action }

// field is a field of an edit form, given as it is now. If the form was sent, it keeps
// what was typed, and says so if that is no longer all that has changed.
func (v *visit) field(action string, f templates.ConsoleField) templates.ConsoleField {
	now := f.Value
	if f.Kind == "checkbox" {
		now = box(f.Checked)
	}
	v.draws(f.Name, now)
	if !v.edits(action) || v.seen == nil || !v.edited(f.Name) {
		return f
	}
	if f.Kind == "checkbox" {
		f.Checked = v.form.Get(f.Name) != ""
		return f
	}
	f.Value = v.form.Get(f.Name)
	if !v.as(f.Name, now) {
		f.Problem = templates.Say("console.meanwhile", "Now", now)
	}
	return f
}

// amendment makes the changes of an edit form one field at a time.
type amendment struct {
	*visit
	err error
}

// may reports whether a field is to be changed.
func (a *amendment) may(name, now string) bool {
	if a.err == nil {
		a.err = a.still(name, now)
	}
	return a.err == nil && a.edited(name)
}

func (a *amendment) text(name string, to *string) {
	if a.may(name, *to) {
		*to = a.value(name)
	}
}

func (a *amendment) list(name string, to *[]string) {
	if a.may(name, strings.Join(*to, "\n")) {
		*to = lines(a.form.Get(name))
	}
}

func (a *amendment) box(name string, to *bool) {
	if a.may(name, box(*to)) {
		*to = a.form.Get(name) != ""
	}
}
