package console

import (
	"strconv"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/provider/keys"
	"github.com/gatehouse-id/gatehouse/templates"
)

// keys shows the ring: what signs, what comes next and what is still verified.
func (h *Handler) keys(v *visit) {
	list, err := h.Admin.SigningKeys(v.r.Context(), v.caller)
	if err != nil {
		v.failed(err)
		return
	}
	table := &templates.ConsoleTable{Columns: []templates.Said{
		templates.Say("console.key.kid"), templates.Say("console.key.state"), templates.Say("console.key.age"),
	}}
	var algorithms []string
	for _, k := range list {
		if k.State == keys.Gone {
			continue
		}
		if !contains(algorithms, k.Algorithm) {
			algorithms = append(algorithms, k.Algorithm)
		}
		tone := templates.ToneNone
		if k.State == keys.Active {
			tone = templates.ToneGood
		}
		days := int(h.Now().Sub(time.UnixMilli(k.CreatedAt)).Hours() / 24)
		table.Rows = append(table.Rows, []templates.ConsoleCell{
			{Said: templates.Named(k.KID), Code: true, Small: templates.Named(k.Algorithm)},
			{Badges: []templates.ConsoleBadge{{Said: templates.Say("console.key.state_" + string(k.State)), Tone: tone}}},
			{Said: templates.Say("console.key.days", "Count", days)},
		})
	}
	c := templates.Console{Heading: templates.Say("console.area.keys"), Lead: templates.Say("console.keys.lead"), Blocks: []templates.ConsoleBlock{{Table: table}}}
	if v.may(accounts.AdminKeysWrite) {
		rotate := templates.ConsoleBlock{Heading: templates.Say("console.keys.rotate"), Note: templates.Say("console.keys.rotate_note")}
		for _, a := range algorithms {
			rotate.Buttons = append(rotate.Buttons, templates.ConsoleButton{Name: "rotate", Value: a, Said: templates.Named(a), Label: templates.Say("console.keys.rotate_named", "Name", a)})
		}
		c.Blocks = append(c.Blocks, rotate, templates.ConsoleBlock{Form: &templates.ConsoleForm{
			Legend: templates.Say("console.keys.compromised"), Folded: true, Tone: templates.ToneBad, Submit: templates.Say("console.keys.compromised"),
			Hidden: []templates.Field{{Name: "action", Value: "compromise"}},
			Fields: []templates.ConsoleField{
				{Name: "kid", Said: templates.Say("console.key.kid"), Hint: templates.Say("console.keys.compromised_hint")},
				{Name: "confirm", Said: templates.Say("console.keys.confirm")},
				{Name: "reason", Said: templates.Say("console.reason")},
			},
		}})
	}
	v.show(c)
}

func (h *Handler) changeKeys(v *visit) {
	ctx := v.r.Context()
	switch {
	case v.form.Has("rotate"):
		_, err := h.Admin.RotateKeys(ctx, v.caller, v.form.Get("rotate"), false)
		v.after("rotated", err, h.keys)
	case v.form.Get("action") == "compromise":
		_, err := h.Admin.CompromiseKey(ctx, v.caller, v.value("kid"), v.value("confirm"), v.value("reason"))
		v.after("revoked", err, h.keys)
	default:
		v.unknown()
	}
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

// grouped writes a number with a narrow space at each thousand, which all languages
// understand.
func grouped(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "\u202f" + text[i:]
	}
	return text
}
