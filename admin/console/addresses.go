package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/templates"
)

// addressFields ask for the addresses of an app, which a script has checked while
// somebody types. They hold what was typed and what the check says of it, or what the
// app has.
func (h *Handler) addressFields(v *visit, app *accounts.Client, typed bool) ([]templates.ConsoleField, error) {
	fields := []templates.ConsoleField{
		{
			Name: string(admin.RedirectAddress), Kind: "textarea", Said: templates.Say("console.client.redirect_uris"),
			Hint: templates.Say("console.client.redirect_hint_" + string(app.Type)), Value: strings.Join(app.RedirectURIs, "\n"),
		},
		{
			Name: string(admin.PostLogoutAddress), Kind: "textarea", Said: templates.Say("console.client.post_logout"), Optional: true,
			Value: strings.Join(app.PostLogoutRedirectURIs, "\n"),
		},
		{
			Name: string(admin.BackchannelAddress), Kind: "url", Said: templates.Say("console.client.backchannel"), Optional: true,
			Hint: templates.Say("console.client.backchannel_hint"), Value: app.BackchannelLogoutURI,
		},
	}
	for i := range fields {
		f := &fields[i]
		f.Live = true
		if app.ClientID != "" {
			*f = v.field("edit", *f)
		}
		if !typed {
			continue
		}
		if app.ClientID == "" {
			f.Value = v.form.Get(f.Name)
		}
		var err error
		if f.Findings, err = h.findings(v, app, admin.AddressField(f.Name)); err != nil {
			return nil, err
		}
	}
	v.letScriptAsk()
	return fields, nil
}

// letScriptAsk has the page's policy let its script ask this origin.
func (v *visit) letScriptAsk() {
	const policy, ask = "Content-Security-Policy", "; connect-src 'self'"
	if now := v.w.Header().Get(policy); !strings.Contains(now, ask) {
		v.w.Header().Set(policy, now+ask)
	}
}

// checkButton asks for the check where there is no script.
func (v *visit) checkButton() templates.ConsoleButton {
	return templates.ConsoleButton{Name: "check", Value: "all", Said: templates.Say("console.address.check")}
}

// findings are what there is to say about a field of the form.
func (h *Handler) findings(v *visit, app *accounts.Client, field admin.AddressField) ([]templates.ConsoleFinding, error) {
	found, err := h.Admin.CheckAddresses(v.r.Context(), v.caller, app.ClientID, app.Type, field, lines(v.form.Get(string(field))))
	if err != nil {
		return nil, err
	}
	list := make([]templates.ConsoleFinding, len(found))
	for i, f := range found {
		list[i] = templates.ConsoleFinding{Tone: templates.ToneWarn, Said: templates.Say("console.address.advice_"+string(f.Advice), "Address", f.Address, "Other", f.Other)}
		if f.Err != nil {
			inner := why(f.Err)
			list[i] = templates.ConsoleFinding{Tone: templates.ToneBad, Said: templates.Say("console.address.refused", "Address", f.Address, "Why", inner)}
			list[i].Said.English = inner.English
		}
	}
	return list, nil
}

// check answers a form that is only to be checked: the script, that asks about one
// field, with what is found as JSON, and otherwise with the form, all that is found,
// and what stands against sending it. Nothing is made.
func (h *Handler) check(v *visit, app *accounts.Client, against func() error, again func(v *visit)) {
	web.Event(v.r.Context()).Outcome = "checked"
	if v.r.Header.Get("Accept") == "application/json" {
		h.answerScript(v, app, admin.AddressField(v.form.Get("check")))
		return
	}
	if err := against(); err != nil {
		v.wrong(err, again)
		return
	}
	v.notices = append(v.notices, templates.ConsoleNotice{Tone: templates.ToneGood, Said: templates.Say("console.address.fine")})
	again(v)
}

func (h *Handler) answerScript(v *visit, app *accounts.Client, field admin.AddressField) {
	found, err := h.findings(v, app, field)
	if err != nil {
		v.failed(err)
		return
	}
	type line struct {
		Tone    string `json:"tone"`
		Said    string `json:"said"`
		English string `json:"english,omitempty"`
	}
	list := make([]line, len(found))
	for i, f := range found {
		said, err := v.Pages.Text(v.lang, f.Said)
		if err != nil {
			v.Broken(v.w, v.r, fmt.Errorf("finding in words: %w", err))
			return
		}
		list[i] = line{string(f.Tone), said, f.Said.English}
	}
	v.w.Header().Set("Content-Type", "application/json")
	v.w.WriteHeader(http.StatusOK)
	if err := json.NewEncoder(v.w).Encode(list); err != nil {
		web.Event(v.r.Context()).Cause = err
	}
}
