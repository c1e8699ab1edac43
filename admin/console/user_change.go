package console

import (
	"errors"
	"slices"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/hosted"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/templates"
)

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
	case "sign_out":
		done, err = "ended", h.Admin.SignOutUser(ctx, v.caller, sub)
	case "edit":
		h.editUser(v)
		return
	case "require":
		err = h.requireOf(v)
	case "join", "":
		h.changeOne(v, action)
		return
	case "password", "link", "factors", "staff", "unstaff", "superuser", "unsuperuser":
		h.takeOver(v, action)
		return
	default:
		v.unknown()
		return
	}
	v.after(done, err, h.user)
}

// editUser changes what was changed in the form. Who has somebody's address or name can
// get into the account, or into apps that know people by them, so another one, and the
// word that an address is proven, need a fresh sign-in. A proof belongs to the address
// for which it was given: with another one it goes, unless the box was ticked for that.
func (h *Handler) editUser(v *visit) {
	change := admin.UserChange{Name: v.typed("name")}
	if v.may(accounts.AdminUsersCredentials) {
		change.Username, change.Email, change.EmailVerified = v.typed("username"), v.typed("email"), v.ticked("verified")
		if v.value("email") == "" {
			change.EmailVerified = nil
		}
	}
	if (change.Username != nil || change.Email != nil || change.EmailVerified != nil) && !v.fresh(hosted.FreshFor) {
		return
	}
	_, err := h.Admin.UpdateUser(v.r.Context(), v.caller, v.object(), change, func(u *accounts.User) error {
		if change.EmailVerified != nil && !v.as("email", u.Email) {
			return admin.ErrChanged // the word was about another address
		}
		return errors.Join(v.still("name", u.Name), v.still("username", u.Username), v.still("email", u.Email), v.still("verified", box(u.EmailVerified)))
	})
	v.after("saved", err, h.user)
}

// requireOf asks the person for what was ticked besides what they are asked already, and
// no longer for what was unticked.
func (h *Handler) requireOf(v *visit) error {
	if v.seen == nil {
		return admin.ErrChanged
	}
	var also, noLonger []accounts.Action
	for _, a := range requirable() {
		asked := contains(v.form["required"], string(a))
		switch {
		case imprint(box(asked)) == v.seen["required."+string(a)]:
		case asked:
			also = append(also, a)
		default:
			noLonger = append(noLonger, a)
		}
	}
	return h.Admin.ChangeRequired(v.r.Context(), v.caller, v.object(), also, noLonger)
}

// requirable is what an operator can ask of somebody first.
func requirable() []accounts.Action {
	return slices.DeleteFunc(accounts.Actions(), func(a accounts.Action) bool { return a == accounts.ActionKeepAccount })
}

// takeOver does what needs a fresher sign-in, as it could take the account over, or
// make it one that runs Gatehouse.
func (h *Handler) takeOver(v *visit, action string) {
	if !v.fresh(hosted.FreshFor) {
		return
	}
	ctx, sub := v.r.Context(), v.object()
	switch action {
	case "staff", "unstaff":
		v.after("saved", h.Admin.SetStaff(ctx, v.caller, sub, action == "staff"), h.user)
	case "superuser", "unsuperuser":
		v.after("saved", h.Admin.SetSuperuser(ctx, v.caller, sub, action == "superuser"), h.user)
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
