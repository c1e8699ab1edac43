package console

import (
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/templates"
)

// invitations lists those that nobody has accepted; nil where there are none, or none
// to see.
func (h *Handler) invitations(v *visit) ([]templates.ConsoleBlock, error) {
	if !v.may(accounts.AdminUsersRead) {
		return nil, nil
	}
	after := v.query.Get("after")
	list, err := h.Admin.ListInvitations(v.r.Context(), v.caller, after, shown)
	if err != nil || len(list) == 0 && after == "" {
		return nil, err
	}
	t := &templates.ConsoleTable{Columns: []templates.Said{
		templates.Say("console.user.email"), templates.Say("console.area.groups"), templates.Say("console.user.until"), templates.Say("console.actions"),
	}, Empty: templates.Say("console.users.uninvited")}
	for _, n := range list {
		t.Rows = append(t.Rows, []templates.ConsoleCell{
			{Said: templates.Named(n.Email), Small: templates.Named(n.Inviter.Name)},
			{Said: templates.Named(strings.Join(n.Groups, ", "))},
			{At: v.instant(n.ExpiresAt)},
			{Buttons: []templates.ConsoleButton{{
				Name: "withdraw", Value: n.EmailKey, Said: templates.Say("console.users.withdraw"), Label: templates.Say("console.users.withdraw_named", "Name", n.Email),
			}}},
		})
	}
	if len(list) == shown {
		t.NextURL = v.again(map[string]string{"after": list[len(list)-1].EmailKey})
	}
	if after != "" {
		t.FirstURL = v.again(nil)
	}
	return []templates.ConsoleBlock{{ID: "invitations", Heading: templates.Say("console.users.invitations"), Note: templates.Say("console.users.invitations_note"), Table: t}}, nil
}
