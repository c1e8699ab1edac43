package console

import (
	"fmt"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/provider/keys"
	"github.com/gatehouse-id/gatehouse/templates"
)

// showRun draws a run: the step that a button has just added, what the ledger says of
// the access token, the tokens, and how they were got.
func (h *Handler) showRun(v *visit, app *accounts.Client, r run) error {
	c := templates.Console{Heading: templates.Say("console.debug.title", "Name", app.Name), Trail: v.debugTrail(app)}
	steps := r.Steps
	if last := len(steps) - 1; last >= coreSteps || last > 0 && r.Nonce == "" {
		c.Blocks, steps = append(c.Blocks, stepBlock(last, steps[last])), steps[:last]
	}
	if r.Access != "" {
		access, err := h.Admin.DebugToken(v.r.Context(), v.caller, app.ClientID, r.Access)
		if err != nil {
			return err
		}
		c.Blocks = append(c.Blocks, v.verdictBlock(access), v.buttonBlock(app, &r), v.tokenBlock("access", access, r.Access, r.Nonce))
		if !access.Hidden {
			c.Blocks = append(c.Blocks, v.keysBlock(access))
		}
	}
	if r.ID != "" {
		idToken, err := h.Admin.DebugToken(v.r.Context(), v.caller, app.ClientID, r.ID)
		if err != nil {
			return err
		}
		c.Blocks = append(c.Blocks, v.tokenBlock("id", idToken, r.ID, r.Nonce))
	}
	if r.Refresh != "" {
		c.Blocks = append(c.Blocks, templates.ConsoleBlock{
			Heading: templates.Say("console.debug.token_refresh"), Note: templates.Say("console.debug.refresh_note"),
			Code: []templates.ConsoleCode{{ID: "raw-refresh", Said: templates.Say("console.debug.raw"), Text: r.Refresh, Folded: true}},
		})
	}
	for n, step := range steps {
		c.Blocks = append(c.Blocks, stepBlock(n, step))
	}
	c.Blocks = append(c.Blocks, templates.ConsoleBlock{Links: []templates.ConsoleLink{
		{Said: templates.Say("console.debug.again"), URL: v.to("clients/debug", app.ClientID)},
	}})
	if err := v.carry(r); err != nil {
		return err
	}
	v.show(c)
	return nil
}

func (v *visit) buttonBlock(app *accounts.Client, r *run) templates.ConsoleBlock {
	block := templates.ConsoleBlock{ID: "next", Heading: templates.Say("console.debug.next"), Note: templates.Say("console.debug.next_note")}
	for _, action := range r.buttons(app) {
		b := templates.ConsoleButton{Name: "action", Value: action, Said: templates.Say("console.debug.do_" + action)}
		if action == "end" || action == "revoke_access" || action == "revoke_refresh" {
			b.Tone = templates.ToneBad
		}
		block.Buttons = append(block.Buttons, b)
	}
	return block
}

// tokenBlock shows a token taken apart.
func (v *visit) tokenBlock(kind string, t *admin.Weighed, raw, nonce string) templates.ConsoleBlock {
	signature := badge("console.debug.signature_right", templates.ToneGood)
	if !t.Signed {
		signature = badge("console.debug.signature_wrong", templates.ToneBad)
	}
	key := templates.ConsoleCell{Said: templates.Named(t.KeyID), Code: true, Small: templates.Named(t.Algorithm)}
	switch t.KeyState {
	case keys.Next, keys.Active, keys.Retiring:
		key.Badges = []templates.ConsoleBadge{{Said: templates.Say("console.key.state_" + string(t.KeyState)), Tone: templates.ToneGood}}
	default:
		key.Badges = []templates.ConsoleBadge{{Said: templates.Say("console.debug.key_gone"), Tone: templates.ToneBad}}
	}
	facts := []templates.ConsoleFact{
		{Name: templates.Say("console.debug.signature"), Cell: templates.ConsoleCell{Badges: []templates.ConsoleBadge{signature}}},
		{Name: templates.Say("console.key.kid"), Cell: key},
		{Name: templates.Say("console.debug.issued"), Cell: templates.ConsoleCell{At: v.instant(t.IssuedAt * 1000)}},
		{Name: templates.Say("console.debug.ends"), Cell: templates.ConsoleCell{At: v.instant(t.ExpiresAt * 1000), Small: v.endsIn(t.ExpiresAt)}},
	}
	if t.Access {
		facts = append(facts, templates.ConsoleFact{Name: templates.Say("console.api.audience"), Cell: templates.ConsoleCell{Said: templates.Named(t.Audience), Code: true}})
	} else {
		same := badge("console.debug.nonce_right", templates.ToneGood)
		if t.Nonce != nonce && t.Nonce != "" { // one that came by a refresh need not have it (OpenID Connect Core §12.2)
			same = badge("console.debug.nonce_wrong", templates.ToneBad)
		}
		facts = append(facts, templates.ConsoleFact{Name: templates.Named("nonce"), Cell: templates.ConsoleCell{Badges: []templates.ConsoleBadge{same}}})
	}
	return templates.ConsoleBlock{
		ID: "token-" + kind, Heading: templates.Say("console.debug.token_" + kind), Facts: facts,
		Code: []templates.ConsoleCode{
			{ID: "header-" + kind, Said: templates.Say("console.debug.header"), Text: t.Header},
			{ID: "claims-" + kind, Said: templates.Say("console.debug.claims"), Text: t.Claims},
			{ID: "raw-" + kind, Said: templates.Say("console.debug.raw"), Text: raw, Folded: true},
		},
	}
}

func badge(key string, tone templates.ConsoleTone) templates.ConsoleBadge {
	return templates.ConsoleBadge{Said: templates.Say(key), Tone: tone}
}

// endsIn is when a token ends, in words; the time is in Unix seconds.
func (v *visit) endsIn(at int64) templates.Said {
	left := time.Unix(at, 0).Sub(v.Now())
	if left <= 0 {
		return templates.Say("console.debug.ended", "Time", lasting(-left))
	}
	return templates.Say("console.debug.ends_in", "Time", lasting(left))
}

// lasting writes a duration with units that all languages of the console share.
func lasting(d time.Duration) string {
	switch d = d.Round(time.Second); {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Round(time.Minute).Minutes()))
	default:
		return fmt.Sprintf("%d h", int(d.Round(time.Hour).Hours()))
	}
}
