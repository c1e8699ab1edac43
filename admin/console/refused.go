package console

import (
	"context"
	"slices"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/hosted"
	"github.com/gatehouse-id/gatehouse/templates"
)

// refusedBlock shows the redirect URIs that were refused beside those that are
// registered. All of them may have been made up by a stranger, so they are text here
// and never links.
func (h *Handler) refusedBlock(ctx context.Context, v *visit, app *accounts.Client) (*templates.ConsoleBlock, error) {
	list, err := h.Admin.RefusedRedirects(ctx, v.caller, app.ClientID)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	table := &templates.ConsoleTable{Columns: []templates.Said{
		templates.Say("console.refused.uri"), templates.Say("console.refused.registered"), templates.Say("console.refused.last"), templates.Say("console.actions"),
	}}
	for _, r := range list {
		table.Rows = append(table.Rows, v.refusedRow(r))
	}
	return &templates.ConsoleBlock{
		ID: "refused", Heading: templates.Say("console.refused.title"), Note: templates.Say("console.refused.note"), Table: table,
	}, nil
}

func (v *visit) refusedRow(r admin.Refused) []templates.ConsoleCell {
	uri := templates.ConsoleCell{Said: templates.Named(r.URI), Code: true}
	for _, d := range r.Differences {
		tone := templates.ToneWarn
		if d == admin.OtherHost || d == admin.OtherForm {
			tone = templates.ToneBad
		}
		uri.Badges = append(uri.Badges, templates.ConsoleBadge{Said: templates.Say("console.refused.other_" + string(d)), Tone: tone})
	}
	nearest := templates.ConsoleCell{Said: templates.Named(r.Nearest), Code: r.Nearest != ""}
	last := templates.ConsoleCell{
		At:    v.instant(r.LastAt),
		Small: templates.Say("console.refused.times", "Count", int(min(r.Count, 1_000_000_000)), "Since", v.instant(r.FirstAt).Format("2006-01-02 15:04")),
	}
	ways := templates.ConsoleCell{}
	if r.Problem != nil {
		inner := why(r.Problem)
		ways.Small = templates.Say("console.refused.impossible", "Why", inner)
		ways.Small.English = inner.English
	}
	if v.may(accounts.AdminClientsWrite) {
		if r.Problem == nil {
			ways.Buttons = append(ways.Buttons, templates.ConsoleButton{
				Name: "add", Value: r.URI, Said: templates.Say("console.refused.add"), Label: templates.Say("console.refused.add_named", "URI", r.URI),
			})
		}
		ways.Buttons = append(ways.Buttons, templates.ConsoleButton{
			Name: "forget", Value: r.URI, Said: templates.Say("console.refused.forget"), Label: templates.Say("console.refused.forget_named", "URI", r.URI),
		})
	}
	return []templates.ConsoleCell{uri, nearest, last, ways}
}

// changeRefused carries out what the buttons beside refused URIs ask for. Where an app
// sends people is as good as the app, so to add one needs a fresh sign-in.
func (h *Handler) changeRefused(v *visit) {
	ctx, clientID := v.r.Context(), v.object()
	if v.form.Has("forget") {
		v.after("forgotten", h.Admin.ForgetRefused(ctx, v.caller, clientID, v.form.Get("forget")), h.client)
		return
	}
	if !v.fresh(hosted.FreshFor) {
		return
	}
	v.after("added", h.Admin.AllowRefused(ctx, v.caller, clientID, v.form.Get("add")), h.client)
}

// differs are the ends of the messages about differences.
func differs() []string {
	var list []string
	for _, d := range admin.Differences() {
		list = append(list, string(d))
	}
	return slices.Clip(list)
}
