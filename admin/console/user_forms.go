package console

import (
	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/templates"
)

// userForms are what can be done with an account.
func (v *visit) userForms(u *accounts.User) []templates.ConsoleBlock {
	button := func(action string) templates.ConsoleButton {
		return templates.ConsoleButton{Name: "action", Value: action, Said: templates.Say("console.user.do." + action)}
	}
	var buttons []templates.ConsoleButton
	deeds := []string{"ban", "delete"}
	if u.BannedAt != 0 {
		buttons, deeds = append(buttons, button("unban")), deeds[1:]
	}
	if u.DeleteAt != 0 {
		buttons, deeds = append(buttons, button("undelete")), deeds[:len(deeds)-1]
	}
	if v.may(accounts.AdminUsersCredentials) {
		buttons, deeds = append(buttons, button("link")), append(deeds, "factors")
	}
	if v.caller.Superuser {
		deeds = append(deeds, either(u.Staff, "unstaff", "staff"), either(u.Superuser, "unsuperuser", "superuser"))
	}
	blocks := []templates.ConsoleBlock{{Heading: templates.Say("console.user.change"), Buttons: buttons}, {Form: v.userEdit(u)}, {Form: v.userRequired(u)}}
	if v.may(accounts.AdminUsersCredentials) {
		blocks = append(blocks, templates.ConsoleBlock{Form: &templates.ConsoleForm{
			Legend: templates.Say("console.user.set_password"), Folded: !v.edits("password"), Hidden: []templates.Field{{Name: "action", Value: "password"}},
			Submit: templates.Say("console.user.set_password"), Tone: templates.ToneBad,
			Fields: []templates.ConsoleField{{Name: "password", Kind: "password", Said: templates.Say("console.user.password"), Hint: templates.Say("console.user.password_ends")}},
		}})
	}
	for _, action := range deeds {
		said := templates.Say("console.user.do." + action)
		blocks = append(blocks, templates.ConsoleBlock{Form: deed(said, templates.Say("console.user.does."+action), action)})
	}
	return blocks
}

func either(is bool, yes, no string) string {
	if is {
		return yes
	}
	return no
}

// deed is a form of one button for what cannot be taken back by another click: it says
// first what happens.
func deed(said, note templates.Said, action string) *templates.ConsoleForm {
	return &templates.ConsoleForm{
		Legend: said, Note: note, Folded: true, Tone: templates.ToneBad, Submit: said, Hidden: []templates.Field{{Name: "action", Value: action}},
	}
}

func (v *visit) userEdit(u *accounts.User) *templates.ConsoleForm {
	edit := &templates.ConsoleForm{
		Legend: templates.Say("console.user.edit"), Folded: !v.edits("edit"), Hidden: []templates.Field{{Name: "action", Value: "edit"}}, Submit: templates.Say("console.save"),
		Fields: []templates.ConsoleField{v.field("edit", templates.ConsoleField{Name: "name", Said: templates.Say("console.user.name"), Value: u.Name, Optional: true})},
	}
	if !v.may(accounts.AdminUsersCredentials) {
		return edit
	}
	proven := templates.ConsoleField{
		Name: "verified", Kind: "checkbox", Said: templates.Say("console.user.verified"), Hint: templates.Say("console.user.verified_hint"), Checked: u.EmailVerified,
	}
	if v.as("email", u.Email) {
		proven = v.field("edit", proven)
	} else { // a tick was about an address that is another one now
		v.draws("verified", box(u.EmailVerified))
	}
	edit.Fields = append(edit.Fields,
		v.field("edit", templates.ConsoleField{Name: "username", Said: templates.Say("console.user.username"), Value: u.Username}),
		v.field("edit", templates.ConsoleField{Name: "email", Kind: "email", Said: templates.Say("console.user.email"), Value: u.Email, Optional: true}),
		proven)
	return edit
}

func (v *visit) userRequired(u *accounts.User) *templates.ConsoleForm {
	form := &templates.ConsoleForm{
		Legend: templates.Say("console.user.require"), Folded: !v.edits("require"), Hidden: []templates.Field{{Name: "action", Value: "require"}},
		Submit: templates.Say("console.save"),
	}
	for _, a := range requirable() {
		asked := contains(actionNames(u.RequiredActions), string(a))
		v.draws("required."+string(a), box(asked))
		if v.edits("require") {
			asked = contains(v.form["required"], string(a))
		}
		form.Fields = append(form.Fields, templates.ConsoleField{
			Name: "required", Value: string(a), Kind: "checkbox", Said: templates.Say("console.required." + string(a)), Checked: asked,
		})
	}
	return form
}

func actionNames(actions []accounts.Action) []string {
	names := make([]string, len(actions))
	for i, a := range actions {
		names[i] = string(a)
	}
	return names
}
