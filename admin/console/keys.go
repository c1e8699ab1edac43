package console

import (
	"slices"
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
	due := h.Admin.KeysDue(list)
	table := &templates.ConsoleTable{Columns: []templates.Said{
		templates.Say("console.key.kid"), templates.Say("console.key.state"), templates.Say("console.key.due"), templates.Say("console.key.age"),
	}}
	for _, k := range list {
		if k.State == keys.Gone {
			continue
		}
		when, tone := v.keyTimes(k, due[k.KID])
		days := int(h.Now().Sub(time.UnixMilli(k.CreatedAt)).Hours() / 24)
		table.Rows = append(table.Rows, []templates.ConsoleCell{
			{Said: templates.Named(k.KID), Code: true, Small: templates.Named(k.Algorithm)},
			{Badges: []templates.ConsoleBadge{{Said: templates.Say("console.key.state_" + string(k.State)), Tone: tone}}},
			when,
			{Said: templates.Say("console.key.days", "Count", days)},
		})
	}
	c := templates.Console{Heading: templates.Say("console.area.keys"), Lead: templates.Say("console.keys.lead"), Blocks: []templates.ConsoleBlock{{Table: table}}}
	if v.may(accounts.AdminKeysWrite) {
		c.Blocks = append(c.Blocks, v.rotation(list, due), templates.ConsoleBlock{Form: &templates.ConsoleForm{
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

// keyTimes tell since when a key is what it is, or until when, and how that is meant.
func (v *visit) keyTimes(k keys.Record, due int64) (templates.ConsoleCell, templates.ConsoleTone) {
	switch k.State {
	case keys.Next:
		if due <= v.Now().UnixMilli() {
			return templates.ConsoleCell{Said: templates.Say("console.key.may_sign")}, templates.ToneSecond
		}
		return templates.ConsoleCell{Said: templates.Say("console.key.may_sign_from"), At: v.instant(due)}, templates.ToneSecond
	case keys.Active:
		return templates.ConsoleCell{
			Said: templates.Say("console.key.signs_since"), At: v.instant(k.ActivatedAt), Small: templates.Say("console.key.rotates_at", "When", v.instant(due)),
		}, templates.ToneGood
	}
	return templates.ConsoleCell{Said: templates.Say("console.key.needed_until"), At: v.instant(due)}, templates.ToneNone
}

// rotation has a button for each algorithm. One that would be refused because of the
// next key's age is off, and says when it will not be.
func (v *visit) rotation(list []keys.Record, due map[string]int64) templates.ConsoleBlock {
	block := templates.ConsoleBlock{Heading: templates.Say("console.keys.rotate"), Note: templates.Say("console.keys.rotate_note")}
	for _, algorithm := range keys.Algorithms() {
		of := func(states ...keys.State) int {
			return slices.IndexFunc(list, func(k keys.Record) bool { return k.Algorithm == algorithm && slices.Contains(states, k.State) })
		}
		if of(keys.Next, keys.Active, keys.Retiring) < 0 {
			continue
		}
		button := templates.ConsoleButton{
			Name: "rotate", Value: algorithm, Said: templates.Say("console.keys.rotate_one", "Name", algorithm), Label: templates.Say("console.keys.rotate_named", "Name", algorithm),
		}
		if next := of(keys.Next); next >= 0 && due[list[next].KID] > v.Now().UnixMilli() {
			button.Off = templates.Say("console.keys.too_young", "Name", algorithm, "When", v.instant(due[list[next].KID]))
		}
		block.Buttons = append(block.Buttons, button)
	}
	return block
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
