package django

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/internal/importing"
)

// Options say how a dump is read.
type Options struct {
	// UserModel is the model of people, such as accounts.user; empty means auth.user.
	UserModel string
	// Fields are the fields of that model by what they mean (see DefaultFields); an
	// empty field means that there is none.
	Fields map[string]string
	// Audience is that of the API for the permissions; {app} in it stands for the label
	// of a permission's app. Empty means that no permission is carried over.
	Audience string
	// APIName is what people know the API by; {app} as in Audience.
	APIName string
	// Apps are the labels of the apps whose permissions are carried over; none means all.
	Apps []string
	// EmailVerified says that the old system has verified every mail address.
	EmailVerified bool
	// DirectGroups puts who holds a permission without a group into a group for it.
	DirectGroups bool
	// SubPrefix stands before primary keys in subs.
	SubPrefix string
}

// record is one object of a dump.
type record struct {
	model  string
	pk     string
	fields *importing.Object
}

const (
	modelContentType = "contenttypes.contenttype"
	modelPermission  = "auth.permission"
	modelGroup       = "auth.group"
	modelUser        = "auth.user"
)

// parse reads one object of a dump.
func parse(raw json.RawMessage) (record, error) {
	o, err := importing.ParseObject(raw)
	if err != nil {
		return record{}, err
	}
	r := record{model: strings.ToLower(o.Text("model")), pk: o.Key("pk"), fields: o.Object("fields")}
	if o.Err != nil {
		return record{}, o.Err
	}
	if r.model == "" {
		return record{}, errors.New("an object without a model")
	}
	return r, nil
}

// Dump is a file of dumpdata.
type Dump struct {
	file    io.ReadSeeker
	options Options
	fields  map[string]string

	plan         *importing.Plan
	contentTypes map[string][2]string        // app and model, by primary key
	permissions  map[string]*permission      // by reference
	groups       map[string]*importing.Group // by reference; nil: it is not carried over
	people       int64
	seen         map[string]bool // fields of people that hold anything
}

// permission is one of Django's.
type permission struct {
	name string // of the plan; empty: it is not carried over
	why  string
}

const maxModels = 200 // that are told apart in the report

// New reads a file, which has to be at its beginning. Errors are those of the options.
func New(file io.ReadSeeker, o Options) (*Dump, error) {
	d := &Dump{file: file, options: o, fields: DefaultFields()}
	if d.options.UserModel == "" {
		d.options.UserModel = modelUser
	}
	d.options.UserModel = strings.ToLower(d.options.UserModel)
	for name, field := range o.Fields {
		if _, known := d.fields[name]; !known {
			return nil, fmt.Errorf("there is no field %q to be named; there are %s", name, strings.Join(slices.Sorted(maps.Keys(d.fields)), ", "))
		}
		d.fields[name] = field
	}
	return d, nil
}

// Plan implements importing.Source.
func (d *Dump) Plan(report *importing.Report) (*importing.Plan, error) {
	d.plan, d.contentTypes, d.permissions = &importing.Plan{}, map[string][2]string{}, map[string]*permission{}
	d.groups, d.people, d.seen = map[string]*importing.Group{}, 0, map[string]bool{}
	var permissions, groups []record
	others := map[string]int64{}
	likely := "" // a model that looks like one of people
	err := d.each(func(r record) error {
		switch r.model {
		case modelContentType:
			return d.contentType(r)
		case modelPermission:
			permissions = append(permissions, r)
		case modelGroup:
			groups = append(groups, r)
		case d.options.UserModel:
			d.people++
			for _, name := range r.fields.Names() {
				if d.seen[name] = true; len(d.seen) > maxModels {
					return fmt.Errorf("people have more than %d fields", maxModels)
				}
			}
			return nil
		default:
			if r.fields.Has("password") && r.fields.Has("date_joined") || r.model == modelUser {
				likely = r.model
			}
			if _, known := others[r.model]; known || len(others) < maxModels {
				others[r.model]++
			} else {
				others["other models"]++
			}
		}
		if len(permissions)+len(groups) > maxRecords {
			return fmt.Errorf("more than %d groups and permissions", maxRecords)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := d.checkPeople(likely); err != nil {
		return nil, err
	}
	if err := d.addAll(permissions, groups, report); err != nil {
		return nil, err
	}
	d.leftOut(others, report)
	return d.plan, nil
}

const maxRecords = 100_000

func (d *Dump) addAll(permissions, groups []record, report *importing.Report) error {
	for _, r := range permissions {
		if err := d.addPermission(r, report); err != nil {
			return fmt.Errorf("permission %s: %w", importing.Short(r.pk), err)
		}
	}
	for _, r := range groups {
		if err := d.addGroup(r, report); err != nil {
			return fmt.Errorf("group %s: %w", importing.Short(r.pk), err)
		}
	}
	if !d.options.DirectGroups {
		return nil
	}
	// Who needs one is known from the people alone.
	return d.each(func(r record) error {
		if r.model != d.options.UserModel {
			return nil
		}
		for _, raw := range r.fields.List(d.fields[fieldPermissions]) {
			if p := d.permissions[reference(raw)]; p != nil && p.name != "" {
				if _, err := d.plan.Direct(report, p.name); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// each calls see with every object of the file.
func (d *Dump) each(see func(r record) error) error {
	if _, err := d.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	s := importing.NewStream(d.file)
	if err := s.Each(func(raw json.RawMessage) error {
		r, err := parse(raw)
		if err != nil {
			return err
		}
		return see(r)
	}); err != nil {
		return err
	}
	return s.End()
}

// checkPeople finds what the operator has probably mistyped.
func (d *Dump) checkPeople(likely string) error {
	if d.people == 0 {
		if likely != "" {
			return fmt.Errorf("%w of the model %s; these are probably of the model %s: name it with --user-model", importing.ErrNobody, d.options.UserModel, importing.Short(likely))
		}
		return fmt.Errorf("%w of the model %s (dumpdata takes the labels of the apps: auth contenttypes, and that of a user model of your own)", importing.ErrNobody, d.options.UserModel)
	}
	for name, field := range d.options.Fields {
		if field != "" && !d.seen[field] {
			return fmt.Errorf("%s should be the field %s, but nobody has one of this name", name, importing.Short(field))
		}
	}
	return nil
}

// leftOut tells what of the file has no place in Gatehouse.
func (d *Dump) leftOut(others map[string]int64, report *importing.Report) {
	for _, model := range slices.Sorted(maps.Keys(others)) {
		report.Note("file", model, fmt.Sprintf("%d objects of a model that is none of people, groups and permissions", others[model]))
	}
	used := slices.Collect(maps.Values(d.fields))
	for _, field := range slices.Sorted(maps.Keys(d.seen)) {
		if !slices.Contains(used, field) {
			report.Note("file", d.options.UserModel+"."+field, "a field of people for which no meaning was named")
		}
	}
}

// contentType notes what a permission without natural keys is about.
func (d *Dump) contentType(r record) error {
	app, model := r.fields.Text("app_label"), r.fields.Text("model")
	if r.fields.Err != nil {
		return r.fields.Err
	}
	if len(d.contentTypes) >= maxRecords {
		return fmt.Errorf("more than %d content types", maxRecords)
	}
	if r.pk != "" {
		d.contentTypes[r.pk] = [2]string{app, model}
	}
	return nil
}

func (d *Dump) addPermission(r record, report *importing.Report) error {
	codename, description := r.fields.Text("codename"), r.fields.Text("name")
	about := r.fields.Raw("content_type")
	if r.fields.Err != nil {
		return r.fields.Err
	}
	var natural []string
	if json.Unmarshal(about, &natural) != nil || len(natural) != 2 {
		key, err := importing.Key(about)
		found, known := d.contentTypes[key]
		if err != nil || !known {
			report.Note("permission", codename, "the file does not hold its content type (dump contenttypes too, or use --natural-foreign)")
			d.refer(r.pk, nil, &permission{why: "a permission whose content type the file does not hold"})
			return nil
		}
		natural = found[:]
	}
	p, source := &permission{}, natural[0]+":"+codename
	switch {
	case len(d.options.Apps) > 0 && !slices.Contains(d.options.Apps, natural[0]):
		p.why = "a permission of an app that was not asked for"
	case d.options.Audience == "":
		p.why = "no API was named for permissions (--audience)"
		report.Note("permission", source, p.why)
	default:
		app := strings.NewReplacer("{app}", natural[0])
		name, ok, err := d.plan.Permission(report, app.Replace(d.options.Audience), app.Replace(d.options.APIName), source, description)
		if err != nil {
			return err
		}
		if p.why = "a permission whose name cannot be carried over"; ok {
			p.name = name
		}
	}
	d.refer(r.pk, []string{codename, natural[0], natural[1]}, p)
	return nil
}

// refer lets others name a permission by its primary key and by its natural key.
func (d *Dump) refer(pk string, natural []string, p *permission) {
	if pk != "" {
		d.permissions[pk] = p
	}
	if natural != nil {
		d.permissions[strings.Join(natural, "\x00")] = p
	}
}

// reference reads how a dump names another object: a primary key, or the list of a
// natural key.
func reference(raw json.RawMessage) string {
	var natural []string
	if bytes.HasPrefix(raw, []byte("[")) {
		if json.Unmarshal(raw, &natural) != nil {
			return ""
		}
		return strings.Join(natural, "\x00")
	}
	key, err := importing.Key(raw)
	if err != nil {
		return ""
	}
	return key
}

func (d *Dump) addGroup(r record, report *importing.Report) error {
	name, permissions := r.fields.Text("name"), r.fields.List("permissions")
	if r.fields.Err != nil {
		return r.fields.Err
	}
	g, err := d.plan.Group(report, name, "")
	if err != nil {
		return err
	}
	// A natural key is text and a primary key of groups a number, unless somebody
	// called a group 7: dumps have one or the other, so that the first one counts.
	for _, key := range []string{"pk\x00" + r.pk, "name\x00" + name} {
		if _, known := d.groups[key]; !known {
			d.groups[key] = g
		}
	}
	if g == nil {
		return nil
	}
	for _, raw := range permissions {
		p := d.permissions[reference(raw)]
		switch {
		case p == nil:
			report.Note("group", name, "a permission that the file does not hold")
		case p.name == "":
			report.Note("group", name, p.why)
		default:
			if err := d.plan.Grant(g, p.name); err != nil {
				return err
			}
		}
	}
	return nil
}

// groupOf finds a group of a person's list.
func (d *Dump) groupOf(raw json.RawMessage) (*importing.Group, bool) {
	key := "pk\x00" + reference(raw)
	if bytes.HasPrefix(raw, []byte("[")) {
		key = "name\x00" + reference(raw)
	}
	g, known := d.groups[key]
	return g, known
}
