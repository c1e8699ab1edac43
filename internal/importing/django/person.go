package django

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/importing"
)

const (
	fieldGroups      = "groups"
	fieldPermissions = "permissions"
)

// DefaultFields are the fields of Django's own user model by what they mean, and all
// other meanings with an empty field.
func DefaultFields() map[string]string {
	return map[string]string{
		"username": "username", "password": "password", "email": "email", "given_name": "first_name", "family_name": "last_name",
		"staff": "is_staff", "superuser": "is_superuser", "active": "is_active", "banned": "is_banned",
		"created_at": "date_joined", "last_sign_in_at": "last_login", fieldGroups: "groups", fieldPermissions: "user_permissions",
		"sub": "", "email_verified": "", "name": "", "middle_name": "", "nickname": "", "profile": "", "picture": "", "website": "",
		"gender": "", "birthdate": "", "zoneinfo": "", "locale": "", "phone_number": "", "phone_number_verified": "",
	}
}

// People implements importing.Source.
func (d *Dump) People(report *importing.Report) (importing.People, error) {
	if _, err := d.file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	s := importing.NewStream(d.file)
	return &people{Dump: d, stream: s, report: report}, s.Open('[')
}

// people reads the objects of the user model.
type people struct {
	*Dump
	stream *importing.Stream
	report *importing.Report
	over   bool
}

// Next implements importing.People.
func (p *people) Next() (*importing.Person, error) {
	for !p.over && p.stream.More() {
		raw, err := p.stream.Value()
		if err != nil {
			return nil, err
		}
		r, err := parse(raw)
		if err != nil {
			return nil, err
		}
		if r.model == p.options.UserModel {
			return p.person(r), nil
		}
	}
	p.over = true // what comes behind the list was seen by Plan
	return nil, io.EOF
}

// person is nil for one whose fields are not what they should be: what could not be
// read might be what kept them out.
func (p *people) person(r record) *importing.Person {
	f := p.reader(r)
	o := &importing.Person{
		Username: f.Text(p.fields["username"]), Email: f.Text(p.fields["email"]), Name: f.Text(p.fields["name"]),
		EmailVerified: p.options.EmailVerified || f.flag("email_verified"), Subject: f.key("sub"),
		Staff: f.flag("staff"), Superuser: f.flag("superuser"), Banned: f.flag("banned"),
	}
	inactive := p.fields["active"] != "" && !f.Flag(p.fields["active"], true)
	o.Banned = o.Banned || inactive
	if o.Subject == "" && r.pk != "" {
		o.Subject = p.options.SubPrefix + r.pk
	}
	p.claims(f, o)
	if hash := f.Text(p.fields["password"]); !strings.HasPrefix(hash, "!") { // Django's mark of an unusable one
		o.PasswordHash = hash
	}
	o.CreatedAt, o.LastSignInAt = f.time("created_at"), f.time("last_sign_in_at")
	groups, permissions := f.List(p.fields[fieldGroups]), f.List(p.fields[fieldPermissions])
	if f.Err != nil {
		p.report.Note("user", o.Username, "not made: "+f.Err.Error())
		return nil
	}
	if inactive {
		p.report.Note("user", o.Username, "was not active: banned")
	}
	p.join(o, groups, permissions)
	return o
}

func (p *people) claims(f reader, o *importing.Person) {
	c := &o.Profile
	for name, to := range map[string]*string{
		"given_name": &c.GivenName, "family_name": &c.FamilyName, "middle_name": &c.MiddleName, "nickname": &c.Nickname,
		"profile": &c.ProfileURL, "picture": &c.Picture, "website": &c.Website, "gender": &c.Gender, "birthdate": &c.Birthdate,
		"zoneinfo": &c.Zoneinfo, "locale": &c.Locale, "phone_number": &c.PhoneNumber,
	} {
		*to = f.Text(p.fields[name])
	}
	c.PhoneVerified = c.PhoneNumber != "" && f.flag("phone_number_verified")
}

// join finds the groups of a person.
func (p *people) join(o *importing.Person, groups, permissions []json.RawMessage) {
	for _, raw := range groups {
		switch g, known := p.groupOf(raw); {
		case !known:
			p.report.Note("user", o.Username, "is in a group that the file does not hold")
		case g == nil:
			p.report.Note("user", o.Username, "is in a group that could not be carried over")
		default:
			o.Groups = append(o.Groups, g.Name)
		}
	}
	for _, raw := range permissions {
		held := p.permissions[reference(raw)]
		switch {
		case held == nil:
			p.report.Note("user", o.Username, "holds a permission that the file does not hold")
		case held.name == "":
			p.report.Note("user", o.Username, "holds "+held.why)
		case !p.options.DirectGroups:
			p.report.Note("user", o.Username, "holds a permission without a group, which Gatehouse does not have (--direct-groups makes groups)")
		default:
			if g, err := p.plan.Direct(p.report, held.name); err == nil && g != nil {
				o.Groups = append(o.Groups, g.Name)
			}
		}
	}
}

// reader reads fields by what they mean.
type reader struct {
	*importing.Object
	fields map[string]string
}

func (p *people) reader(r record) reader { return reader{Object: r.fields, fields: p.fields} }

func (f reader) flag(meaning string) bool  { return f.Flag(f.fields[meaning], false) }
func (f reader) key(meaning string) string { return f.Key(f.fields[meaning]) }

// time reads what Django writes: with a zone, or without one if the project has none,
// which is read as UTC.
func (f reader) time(meaning string) time.Time {
	text := f.Text(f.fields[meaning])
	if text == "" {
		return time.Time{}
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at
		}
	}
	if f.Err == nil {
		f.Err = errors.New(f.fields[meaning] + " should be a time")
	}
	return time.Time{}
}
