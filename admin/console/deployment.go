package console

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/hosted"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/templates"
)

// settingForm is what is changed together: with one alone the others may not go.
type settingForm struct {
	name     string
	settings []string
}

func settingForms() []settingForm {
	return []settingForm{
		{"sign_up", []string{"sign_up", "sign_up_domains"}},
		{"sign_in", []string{"sign_in_by_mail", "verify_email", "password_min_length", settingSecondFactor}},
		{"terms", []string{"terms_version", "terms_url"}},
		{"rest", []string{"brand_name", "access_token_lifetime"}},
	}
}

// settingSecondFactor is for superusers alone to change.
const settingSecondFactor = "superuser_second_factor"

// settingChoices are the words for values that are chosen: the ends of their messages.
func settingChoices() []string {
	return []string{
		string(accounts.SignUpOpen), string(accounts.SignUpDomain), string(accounts.SignUpInvitation), string(accounts.SignUpClosed), "true", "false",
	}
}

// settings shows what holds for everybody, and where it comes from.
func (h *Handler) settings(v *visit) {
	list, err := h.Admin.ListSettings(v.r.Context(), v.caller)
	if err != nil {
		v.failed(err)
		return
	}
	objects := make([]id.ID, len(list))
	for i, s := range list {
		objects[i] = accounts.SettingObject(s.Name)
	}
	marks, err := h.Admin.MarksOf(v.r.Context(), accounts.ManagedSetting, objects...)
	if err != nil {
		v.failed(err)
		return
	}
	c := templates.Console{
		Heading: templates.Say("console.area.settings"), Lead: templates.Say("console.settings.lead"),
		Blocks: []templates.ConsoleBlock{{Table: settingTable(list, marks)}},
	}
	if v.may(accounts.AdminSettingsWrite) {
		for _, f := range settingForms() {
			c.Blocks = append(c.Blocks, v.settingBlock(f, list))
		}
	}
	v.show(c)
}

func settingTable(list []accounts.Setting, marks map[id.ID]*accounts.Managed) *templates.ConsoleTable {
	table := &templates.ConsoleTable{Columns: []templates.Said{
		templates.Say("console.settings.setting"), templates.Say("console.settings.value"),
		templates.Say("console.settings.default"), templates.Say("console.settings.from"),
	}}
	for _, s := range list {
		origin := templates.ConsoleCell{Said: templates.Say("console.settings.from_default")}
		switch {
		case s.Pinned():
			origin = templates.ConsoleCell{Badges: []templates.ConsoleBadge{badge("console.settings.from_configuration", templates.ToneWarn)}}
		case s.Origin == accounts.SettingFromDatabase:
			origin = templates.ConsoleCell{Badges: []templates.ConsoleBadge{badge("console.settings.from_database", templates.ToneGood)}}
		}
		if m := marks[accounts.SettingObject(s.Name)]; m != nil {
			origin.Small = templates.Say("console.settings.managed", "Name", m.Manager)
		}
		table.Rows = append(table.Rows, []templates.ConsoleCell{
			{Said: templates.Say("console.setting." + s.Name), Small: templates.Named(s.Name)},
			{Said: settingValue(s, s.Value)}, {Said: settingValue(s, s.Default)}, origin,
		})
	}
	return table
}

// settingValue is a value in words.
func settingValue(s accounts.Setting, value string) templates.Said {
	switch {
	case value == "":
		return templates.Named("–")
	case contains(settingChoices(), value) && (s.Kind == accounts.SettingChoice || s.Kind == accounts.SettingTruth):
		return templates.Say("console.setting.choice_" + value)
	}
	return templates.Named(strings.ReplaceAll(value, ",", ", "))
}

func (v *visit) settingBlock(f settingForm, list []accounts.Setting) templates.ConsoleBlock {
	form := &templates.ConsoleForm{
		Submit: templates.Say("console.save"),
		Hidden: []templates.Field{{Name: "action", Value: f.name}, {Name: "seen", Value: settingsSeen(list)}},
	}
	open := false
	for _, name := range f.settings {
		at := slices.IndexFunc(list, func(s accounts.Setting) bool { return s.Name == name })
		if at < 0 {
			continue
		}
		field := v.settingField(list[at], v.form.Get("action") == f.name)
		form.Fields = append(form.Fields, field)
		open = open || !field.ReadOnly
	}
	block := templates.ConsoleBlock{ID: f.name, Heading: templates.Say("console.settings.form_" + f.name)}
	if open {
		block.Form = form
	} else {
		block.Note = templates.Say("console.settings.pinned")
	}
	return block
}

// settingField is the field of a setting, with what was typed if the form was sent.
func (v *visit) settingField(s accounts.Setting, sent bool) templates.ConsoleField {
	field := templates.ConsoleField{
		Name: s.Name, Value: s.Value, Said: templates.Say("console.setting." + s.Name), Hint: templates.Say("console.setting.about_" + s.Name),
		ReadOnly: !v.changesSetting(s),
	}
	if sent && !field.ReadOnly {
		field.Value = v.value(s.Name)
	}
	if s.Pinned() {
		field.Hint = templates.Say("console.settings.pinned")
	}
	switch s.Kind {
	case accounts.SettingNumber, accounts.SettingURL:
		field.Kind = string(s.Kind)
	}
	for _, c := range settingOptions(s) {
		field.Kind = "radio"
		field.Choices = append(field.Choices, templates.ConsoleChoice{Value: c, Said: settingValue(s, c), Selected: c == field.Value})
	}
	field.Optional = field.Kind != "radio" && s.Default == ""
	return field
}

// settingOptions are the values of which one is chosen; none if a value is typed.
func settingOptions(s accounts.Setting) []string {
	if s.Kind == accounts.SettingTruth {
		return []string{"true", "false"}
	}
	return s.Choices
}

func (v *visit) changesSetting(s accounts.Setting) bool {
	return !s.Pinned() && (s.Name != settingSecondFactor || v.caller.Superuser)
}

// settingsSeen stands in a form for what its page showed.
func settingsSeen(list []accounts.Setting) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", list))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// changeSettings keeps what a form says, and forgets what is as by default.
func (h *Handler) changeSettings(v *visit) {
	at := slices.IndexFunc(settingForms(), func(f settingForm) bool { return f.name == v.form.Get("action") })
	if at < 0 {
		v.unknown()
		return
	}
	ctx := v.r.Context()
	list, err := h.Admin.ListSettings(ctx, v.caller)
	if err != nil {
		v.failed(err)
		return
	}
	values := map[string]string{}
	for _, s := range list {
		if !contains(settingForms()[at].settings, s.Name) || !v.changesSetting(s) {
			continue
		}
		value := v.value(s.Name)
		if value == "" && len(settingOptions(s)) > 0 {
			continue // none of them is chosen
		}
		if value == s.Default {
			value = ""
		}
		if value != s.Kept {
			values[s.Name] = value
		}
	}
	// Without it, whoever finds a superuser's browser open is one step nearer to all there is.
	if _, factor := values[settingSecondFactor]; factor && !v.fresh(hosted.FreshFor) {
		return
	}
	if len(values) > 0 || !v.may(accounts.AdminSettingsWrite) {
		_, err = h.Admin.ChangeSettings(ctx, v.caller, values, func(now []accounts.Setting) error {
			if settingsSeen(now) != v.form.Get("seen") {
				return admin.ErrChanged
			}
			return nil
		})
	}
	var field *admin.Field
	if errors.As(err, &field) {
		err = &admin.Field{Name: strings.TrimPrefix(field.Name, "values/"), Err: field.Err}
	}
	v.after("saved", err, h.settings)
}
