package console

import (
	"context"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/hosted"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/templates"
)

// user is the page of one person: what they hold and why, where they are signed in,
// and what can be done.
func (h *Handler) user(v *visit) {
	ctx := v.r.Context()
	u, err := h.Admin.User(ctx, v.caller, v.object())
	if err != nil {
		v.failed(err)
		return
	}
	held, err := h.Admin.UserRights(ctx, v.caller, u.Subject)
	if err != nil {
		v.failed(err)
		return
	}
	factors, err := h.Admin.UserFactors(ctx, v.caller, u.Subject)
	if err != nil {
		v.failed(err)
		return
	}
	c := templates.Console{
		Heading: templates.Named(u.Username), Lead: templates.Named(u.Name),
		Trail: []templates.ConsoleLink{{Said: templates.Say("console.area.users"), URL: v.here("users")}},
		Blocks: []templates.ConsoleBlock{
			{Facts: v.userFacts(u, factors)},
			{Heading: templates.Say("console.user.permissions"), Note: templates.Say("console.user.permissions_note"), Table: v.rights(held)},
		},
	}
	if v.may(accounts.AdminSessionsRead) {
		block, err := h.userSessions(ctx, v, u)
		if err != nil {
			v.failed(err)
			return
		}
		c.Blocks = append(c.Blocks, block)
	}
	if v.may(accounts.AdminConsentsRead) {
		block, err := h.userConsents(ctx, v, u)
		if err != nil {
			v.failed(err)
			return
		}
		c.Blocks = append(c.Blocks, block)
	}
	if v.may(accounts.AdminUsersWrite) {
		c.Blocks = append(c.Blocks, v.userForms(u)...)
	}
	if v.may(accounts.AdminAuditRead) {
		c.Blocks = append(c.Blocks, templates.ConsoleBlock{Links: []templates.ConsoleLink{
			{Said: templates.Say("console.user.events"), URL: v.here("audit") + "?q=" + u.Subject},
		}})
	}
	v.show(c)
}

func (v *visit) userFacts(u *accounts.User, factors *accounts.FactorList) []templates.ConsoleFact {
	fact := func(key string, cell templates.ConsoleCell) templates.ConsoleFact {
		return templates.ConsoleFact{Name: templates.Say(key), Cell: cell}
	}
	list := []templates.ConsoleFact{
		fact("console.user.sub", templates.ConsoleCell{Said: templates.Named(u.Subject), Code: true, Badges: userBadges(u)}),
		fact("console.user.email", templates.ConsoleCell{Said: templates.Named(u.Email), Badges: unproven(u)}),
		fact("console.user.created", templates.ConsoleCell{At: v.instant(u.CreatedAt)}),
		fact("console.user.last_sign_in", templates.ConsoleCell{At: v.instant(u.LastSignInAt)}),
		fact("console.user.factors", templates.ConsoleCell{Said: templates.Say(
			"console.user.factors_count", "Passkeys", len(factors.Passkeys), "Apps", len(factors.TOTPs), "Codes", factors.RecoveryCodes)}),
	}
	for _, a := range u.RequiredActions {
		list = append(list, fact("console.user.required", templates.ConsoleCell{Said: templates.Say("console.required." + string(a))}))
	}
	return list
}

// rights lists each permission with each way by which it is held.
func (v *visit) rights(held []accounts.Held) *templates.ConsoleTable {
	t := &templates.ConsoleTable{
		Columns: []templates.Said{templates.Say("console.permission"), templates.Say("console.user.through"), templates.Say("console.user.until")},
		Empty:   templates.Say("console.user.holds_nothing"),
	}
	for _, x := range held {
		through := templates.ConsoleCell{Said: templates.Say("console.user.superuser")}
		if !x.Superuser {
			through = templates.ConsoleCell{Said: templates.Named(strings.Join(x.Through, " → "))}
			if len(x.Through) > 0 {
				through.URL = v.to("groups/show", x.Through[0])
			}
		}
		t.Rows = append(t.Rows, []templates.ConsoleCell{
			{Said: templates.Named(x.Permission), Code: true}, through, {At: v.instant(x.EndsAt)},
		})
	}
	return t
}

func (h *Handler) userSessions(ctx context.Context, v *visit, u *accounts.User) (templates.ConsoleBlock, error) {
	list, err := h.Admin.ListSessions(ctx, v.caller, admin.SessionQuery{Subject: u.Subject, Limit: shown})
	if err != nil {
		return templates.ConsoleBlock{}, err
	}
	block := templates.ConsoleBlock{Heading: templates.Say("console.area.sessions"), Table: v.sessionTable(list)}
	if len(list) > 0 && v.may(accounts.AdminSessionsWrite) {
		block.Buttons = []templates.ConsoleButton{{Name: "action", Value: "sign_out", Said: templates.Say("console.user.sign_out")}}
	}
	return block, nil
}

// userConsents lists what the person allowed apps.
func (h *Handler) userConsents(ctx context.Context, v *visit, u *accounts.User) (templates.ConsoleBlock, error) {
	list, err := h.Admin.ListConsents(ctx, v.caller, admin.ConsentQuery{Subject: u.Subject, Limit: shown})
	if err != nil {
		return templates.ConsoleBlock{}, err
	}
	table := &templates.ConsoleTable{
		Columns: []templates.Said{templates.Say("console.client.name"), templates.Say("console.client.scopes"), templates.Say("console.when"), templates.Say("console.actions")},
		Empty:   templates.Say("console.user.allowed_nothing"),
	}
	for i := range list {
		x := &list[i]
		row := []templates.ConsoleCell{
			{Said: templates.Named(x.ClientName), URL: v.to("clients/show", x.ClientID)},
			{Said: templates.Named(strings.Join(x.Scopes, " ")), Code: true}, {At: v.instant(x.GrantedAt)}, {},
		}
		if v.may(accounts.AdminConsentsWrite) {
			row[3].Buttons = []templates.ConsoleButton{{
				Name: "disconnect", Value: x.ClientID, Said: templates.Say("console.user.disconnect"),
				Label: templates.Say("console.user.disconnect_named", "Name", x.ClientName),
			}}
		}
		table.Rows = append(table.Rows, row)
	}
	return templates.ConsoleBlock{Heading: templates.Say("console.user.allowed"), Table: table}, nil
}

// userForms are what can be done with an account.
func (v *visit) userForms(u *accounts.User) []templates.ConsoleBlock {
	button := func(action string, tone templates.ConsoleTone) templates.ConsoleButton {
		return templates.ConsoleButton{Name: "action", Value: action, Said: templates.Say("console.user.do." + action), Tone: tone}
	}
	either := func(is bool, yes, no string) templates.ConsoleButton {
		if is {
			return button(yes, templates.ToneNone)
		}
		return button(no, templates.ToneBad)
	}
	buttons := []templates.ConsoleButton{either(u.BannedAt != 0, "unban", "ban"), either(u.DeleteAt != 0, "undelete", "delete")}
	if v.caller.Superuser {
		buttons = append(buttons, either(!u.Staff, "staff", "unstaff"), either(!u.Superuser, "superuser", "unsuperuser"))
	}
	required := templates.ConsoleForm{
		Legend: templates.Say("console.user.require"), Folded: true, Hidden: []templates.Field{{Name: "action", Value: "require"}},
		Submit: templates.Say("console.save"),
	}
	for _, a := range accounts.Actions() {
		required.Fields = append(required.Fields, templates.ConsoleField{
			Name: "required", Value: string(a), Kind: "checkbox", Said: templates.Say("console.required." + string(a)),
			Checked: slices.Contains(u.RequiredActions, a),
		})
	}
	edit := templates.ConsoleForm{
		Legend: templates.Say("console.user.edit"), Folded: true, Hidden: []templates.Field{{Name: "action", Value: "edit"}},
		Submit: templates.Say("console.save"), Fields: []templates.ConsoleField{{Name: "name", Said: templates.Say("console.user.name"), Value: u.Name, Optional: true}},
	}
	blocks := []templates.ConsoleBlock{}
	if v.may(accounts.AdminUsersCredentials) {
		edit.Fields = append(edit.Fields,
			templates.ConsoleField{Name: "username", Said: templates.Say("console.user.username"), Value: u.Username},
			templates.ConsoleField{Name: "email", Kind: "email", Said: templates.Say("console.user.email"), Value: u.Email, Optional: true},
			templates.ConsoleField{Name: "verified", Kind: "checkbox", Said: templates.Say("console.user.verified"), Checked: u.EmailVerified})
		password := &templates.ConsoleForm{
			Legend: templates.Say("console.user.set_password"), Folded: true, Hidden: []templates.Field{{Name: "action", Value: "password"}},
			Submit: templates.Say("console.user.set_password"), Tone: templates.ToneBad,
			Fields: []templates.ConsoleField{{Name: "password", Kind: "password", Said: templates.Say("console.user.password"), Hint: templates.Say("console.user.password_ends")}},
		}
		buttons = append(buttons, button("link", templates.ToneNone), button("factors", templates.ToneBad))
		blocks = append(blocks, templates.ConsoleBlock{Form: password})
	}
	return append([]templates.ConsoleBlock{
		{Heading: templates.Say("console.user.change"), Buttons: buttons}, {Form: &edit}, {Form: &required},
	}, blocks...)
}

// changeUser carries out what the forms of a person's page ask for.
func (h *Handler) changeUser(v *visit) {
	ctx, sub := v.r.Context(), v.object()
	if v.form.Has("disconnect") {
		v.after("revoked", h.Admin.RevokeConsent(ctx, v.caller, v.form.Get("disconnect"), sub), h.user)
		return
	}
	done, err := "saved", error(nil)
	switch action := v.form.Get("action"); action {
	case "ban":
		err = h.Admin.BanUser(ctx, v.caller, sub)
	case "unban":
		err = h.Admin.UnbanUser(ctx, v.caller, sub)
	case "delete":
		_, err = h.Admin.PlanDeletion(ctx, v.caller, sub)
	case "undelete":
		err = h.Admin.CancelDeletion(ctx, v.caller, sub)
	case "staff", "unstaff":
		err = h.Admin.SetStaff(ctx, v.caller, sub, action == "staff")
	case "superuser", "unsuperuser":
		err = h.Admin.SetSuperuser(ctx, v.caller, sub, action == "superuser")
	case "sign_out":
		done, err = "ended", h.Admin.SignOutUser(ctx, v.caller, sub)
	case "edit":
		err = h.editUser(v)
	case "require":
		err = h.requireOf(v)
	case "password", "link", "factors":
		h.takeOver(v, action)
		return
	case "":
		done, err = "ended", h.endOne(v)
	default:
		v.unknown()
		return
	}
	v.after(done, err, h.user)
}

func (h *Handler) editUser(v *visit) error {
	name := v.value("name")
	change := admin.UserChange{Name: &name}
	if v.may(accounts.AdminUsersCredentials) {
		username, email, verified := v.value("username"), v.value("email"), v.form.Get("verified") != ""
		verified = verified && email != ""
		change.Username, change.Email, change.EmailVerified = &username, &email, &verified
	}
	_, err := h.Admin.UpdateUser(v.r.Context(), v.caller, v.object(), change, func(*accounts.User) error { return nil })
	return err
}

func (h *Handler) requireOf(v *visit) error {
	var actions []accounts.Action
	for _, a := range v.form["required"] {
		actions = append(actions, accounts.Action(a))
	}
	return h.Admin.RequireActions(v.r.Context(), v.caller, v.object(), actions)
}

// takeOver does what needs a fresher sign-in, as it could take the account over.
func (h *Handler) takeOver(v *visit, action string) {
	if !v.Fresh(v.w, v.r, v.session, hosted.FreshFor) {
		return
	}
	ctx, sub := v.r.Context(), v.object()
	switch action {
	case "password":
		v.after("saved", h.Admin.SetPassword(ctx, v.caller, sub, secret.Text(v.form.Get("password"))), h.user)
	case "factors":
		v.after("removed", h.Admin.ResetFactors(ctx, v.caller, sub), h.user)
	case "link":
		link, expires, err := h.Admin.SignInLink(ctx, v.caller, sub)
		if err != nil {
			v.wrong(err, h.user)
			return
		}
		v.notices = append(v.notices, templates.ConsoleNotice{
			Tone: templates.ToneWarn, Secret: link.Reveal(),
			Said: templates.Say("console.user.link", "When", v.instant(expires.UnixMilli()).Format("2006-01-02 15:04")),
		})
		h.user(v)
	}
}

// endOne ends one session of the person, by the button beside it.
func (h *Handler) endOne(v *visit) error {
	sid, err := id.Parse(v.form.Get("end"))
	if err != nil {
		return accounts.ErrNotFound
	}
	return h.Admin.EndSession(v.r.Context(), v.caller, sid)
}
