package console

import (
	"encoding/base64"
	"encoding/json"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/hosted"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/templates"
)

func (h *Handler) users(v *visit) {
	q := admin.UserQuery{Search: v.query.Get("q")}
	yes := true
	switch v.query.Get("which") {
	case "staff":
		q.Staff = &yes
	case "superusers":
		q.Superuser = &yes
	case "banned":
		q.Banned = &yes
	case "leaving":
		q.Leaving = &yes
	default:
		q.Newest = q.Search == ""
	}
	var from admin.UserPosition
	unpack(v.query.Get("after"), &from)
	found, next, err := h.Admin.ListUsers(v.r.Context(), v.caller, q, from, shown)
	if err != nil {
		v.failed(err)
		return
	}
	table := v.userTable(found)
	if next != nil {
		table.NextURL = v.again(map[string]string{"after": pack(next)})
	}
	if from != (admin.UserPosition{}) {
		table.FirstURL = v.again(nil)
	}
	c := templates.Console{Heading: templates.Say("console.area.users"), Blocks: []templates.ConsoleBlock{{
		Search: &templates.ConsoleSearch{
			Action: v.path(), Label: templates.Say("console.users.search"), Query: q.Search,
			Choices: []templates.ConsoleField{choice("which", templates.Say("console.users.which"), v.query.Get("which"), []templates.ConsoleChoice{
				{Value: "", Said: templates.Say("console.users.all")},
				{Value: "staff", Said: templates.Say("console.users.staff")},
				{Value: "superusers", Said: templates.Say("console.users.superusers")},
				{Value: "banned", Said: templates.Say("console.users.banned")},
				{Value: "leaving", Said: templates.Say("console.users.leaving")},
			})},
		},
		Table: table,
	}}}
	if v.may(accounts.AdminUsersWrite) {
		c.Blocks = append(c.Blocks, templates.ConsoleBlock{Links: []templates.ConsoleLink{{Said: templates.Say("console.users.new"), URL: v.here("users/new")}}})
	}
	v.show(c)
}

// userTable lists people, with a box for each if something can be done with several.
func (v *visit) userTable(found []accounts.User) *templates.ConsoleTable {
	table := &templates.ConsoleTable{
		Columns: []templates.Said{templates.Say("console.user.name"), templates.Say("console.user.email"), templates.Say("console.user.last_sign_in")},
		Empty:   templates.Say("console.users.none"), Form: v.crowdForm(),
	}
	if table.Form != nil {
		table.Columns = append(table.Columns, templates.Say("console.bulk.choose"))
	}
	for i := range found {
		u := &found[i]
		row := []templates.ConsoleCell{
			{Said: templates.Named(u.Username), URL: v.to("users/show", u.Subject), Small: templates.Named(u.Name), Badges: userBadges(u)},
			{Said: templates.Named(u.Email), Badges: unproven(u)},
			{At: v.instant(u.LastSignInAt)},
		}
		if table.Form != nil {
			row = append(row, templates.ConsoleCell{Yes: &templates.ConsoleField{
				Name: "person", Value: u.Subject, Label: templates.Say("console.bulk.choose_named", "Name", u.Username), Checked: contains(v.form["person"], u.Subject),
			}})
		}
		table.Rows = append(table.Rows, row)
	}
	return table
}

func userBadges(u *accounts.User) []templates.ConsoleBadge {
	var list []templates.ConsoleBadge
	add := func(is bool, key string, tone templates.ConsoleTone) {
		if is {
			list = append(list, templates.ConsoleBadge{Said: templates.Say(key), Tone: tone})
		}
	}
	add(u.BannedAt != 0, "console.user.banned", templates.ToneBad)
	add(u.DeleteAt != 0, "console.user.leaving", templates.ToneWarn)
	add(u.Superuser, "console.user.superuser", templates.ToneNone)
	add(u.Staff, "console.user.staff", templates.ToneNone)
	return list
}

func unproven(u *accounts.User) []templates.ConsoleBadge {
	if u.Email == "" || u.EmailVerified {
		return nil
	}
	return []templates.ConsoleBadge{{Said: templates.Say("console.user.unproven"), Tone: templates.ToneWarn}}
}

func (h *Handler) newUser(v *visit) {
	field := func(name, kind string, optional bool) templates.ConsoleField {
		return templates.ConsoleField{
			Name: name, Kind: kind, Said: templates.Say("console.user." + name), Optional: optional, Value: v.form.Get(name),
		}
	}
	form := &templates.ConsoleForm{Submit: templates.Say("console.users.create"), Fields: []templates.ConsoleField{
		field("username", "", false), field("email", "email", true), field("name", "", true),
	}}
	if v.may(accounts.AdminUsersCredentials) {
		password := templates.ConsoleField{
			Name: "password", Kind: "password", Said: templates.Say("console.user.password"), Optional: true, Hint: templates.Say("console.users.password_hint"),
		}
		form.Fields = append(form.Fields, templates.ConsoleField{
			Name: "verified", Kind: "checkbox", Said: templates.Say("console.user.verified"), Checked: v.form.Get("verified") != "",
		}, password)
	}
	blocks := []templates.ConsoleBlock{{Form: form}}
	if h.Admin.Invites != nil {
		blocks = append(blocks, templates.ConsoleBlock{
			Heading: templates.Say("console.users.invite"), Note: templates.Say("console.users.invite_note"),
			Form: &templates.ConsoleForm{
				Hidden: []templates.Field{{Name: "action", Value: "invite"}}, Submit: templates.Say("console.users.invite_send"),
				Fields: []templates.ConsoleField{{Name: "address", Kind: "email", Said: templates.Say("console.user.email"), Value: v.form.Get("address")}},
			},
		})
		open, err := h.invitations(v)
		if err != nil {
			v.failed(err)
			return
		}
		blocks = append(blocks, open...)
	}
	v.show(templates.Console{
		Heading: templates.Say("console.users.new"), Blocks: blocks,
		Trail: []templates.ConsoleLink{{Said: templates.Say("console.area.users"), URL: v.here("users")}},
	})
}

func (h *Handler) makeUser(v *visit) {
	ctx := v.r.Context()
	if v.form.Has("withdraw") {
		v.after("withdrawn", h.Admin.WithdrawInvitation(ctx, v.caller, v.form.Get("withdraw")), h.newUser)
		return
	}
	if v.form.Get("action") == "invite" {
		_, err := h.Admin.Invite(ctx, v.caller, admin.Invitation{Email: v.value("address"), Language: v.lang.Tag()})
		v.after("invited", err, h.newUser)
		return
	}
	// Apps know people by proven addresses.
	if v.form.Get("verified") != "" && !v.fresh(hosted.FreshFor) {
		return
	}
	u, err := h.Admin.CreateUser(ctx, v.caller, accounts.NewUser{
		Username: v.value("username"), Email: v.value("email"), Name: v.value("name"),
		EmailVerified: v.form.Get("verified") != "" && v.value("email") != "", Password: secret.Text(v.form.Get("password")),
	})
	if err != nil {
		v.wrong(err, h.newUser)
		return
	}
	v.Redirect(v.w, v.to("users/show", u.Subject)+"&done=created")
}

// choice is a select.
func choice(name string, said templates.Said, chosen string, choices []templates.ConsoleChoice) templates.ConsoleField {
	for i := range choices {
		choices[i].Selected = choices[i].Value == chosen
	}
	return templates.ConsoleField{Name: name, Kind: "select", Said: said, Choices: choices}
}

// pack writes a place in a list for a URL. It says nothing that the page did not.
func pack(place any) string {
	text, err := json.Marshal(place)
	if err != nil {
		return "" // places are numbers and texts
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// unpack reads a place; what is none leaves the beginning.
func unpack[T any](text string, place *T) {
	if len(text) <= 2000 {
		unpackLong(text, place)
	}
}

// unpackLong reads what a form carried along.
func unpackLong[T any](text string, place *T) {
	var read T
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return
	}
	if json.Unmarshal(raw, &read) == nil {
		*place = read
	}
}
