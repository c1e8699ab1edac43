package templates

import (
	"fmt"
	"net/url"
	"strings"
)

// mailWriter gathers what one mail says. The first error stays.
type mailWriter struct {
	lang Language
	form mailForm
	mail Mail
	data map[string]any
	err  error
}

// say writes a message of the catalog.
func (w *mailWriter) say(key string) string {
	text, err := w.lang.message(key, w.data)
	if err != nil && w.err == nil {
		w.err = err
	}
	return text
}

// own writes a message of the mail's kind.
func (w *mailWriter) own(part string) string { return w.say("mail." + w.form.kind + "." + part) }

func (w *mailWriter) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf("%w: "+format, append([]any{ErrMailData}, args...)...)
	}
}

func (w *mailWriter) view() mailView {
	v := mailView{
		Lang: w.lang.Tag(), Dir: w.lang.Dir(),
		// A subject is one line whatever the catalog or the brand holds.
		Subject:   clip(strings.Join(strings.Fields(visible(w.own("subject"))), " "), maxSubject),
		Preheader: w.own("preheader"), Greeting: w.greeting(), Paragraphs: paragraphs(w.own("text")), Facts: w.facts(),
		Outro: w.own("outro"), Footer: w.say("mail.footer"),
	}
	if v.Link = w.url("link", w.form.button); v.Link != "" {
		v.Button, v.LinkLead = w.own("button"), w.say("mail.link")
	}
	if v.Code = w.code(); v.Code != "" {
		v.CodeLead = w.own("code")
	}
	if w.form.second {
		if v.Second = w.url("reset", ifGiven); v.Second != "" {
			v.SecondLead = w.own("second")
		}
	}
	if _, ends := w.data["Until"]; ends && (v.Link != "" || v.Code != "") {
		v.Until = w.say("mail.until")
	}
	return v
}

func (w *mailWriter) greeting() string {
	if _, named := w.data["Name"]; named && w.form.greets {
		return w.say("mail.greeting_name")
	}
	return w.say("mail.greeting")
}

func paragraphs(text string) []string {
	var out []string
	for part := range strings.SplitSeq(text, "\n\n") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

func (w *mailWriter) facts() []mailFact {
	var out []mailFact
	for _, name := range w.form.facts {
		key := name
		if name == "new_address" {
			key = "address"
		}
		value := strings.TrimSpace(visible(w.mail.Data[key]))
		if value == "" {
			continue
		}
		if key == "when" {
			text, err := instant(w.lang, w.mail.Data, key)
			if err != nil && w.err == nil {
				w.err = err
			}
			value = text
		}
		out = append(out, mailFact{Label: w.say("mail.fact." + name), Value: clip(value, maxDatum)})
	}
	return out
}

// url is one of the data as a link. Links of mails lead to web pages alone.
func (w *mailWriter) url(key string, part mailPart) string {
	raw := w.mail.Data[key]
	if part == without || raw == "" && part == ifGiven {
		return ""
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || visible(raw) != raw || strings.ContainsAny(raw, " <>\"") {
		w.fail("%s is no link", key)
		return ""
	}
	return raw
}

// code is what the person types: letters and digits, so that it can neither hold a
// text of its own nor break out of its line.
func (w *mailWriter) code() string {
	const most = 64
	raw := w.mail.Data["code"]
	if w.form.code == without || raw == "" && w.form.code == ifGiven {
		return ""
	}
	for _, c := range raw {
		if c != '-' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			raw = ""
			break
		}
	}
	if raw == "" || len(raw) > most {
		w.fail("code is none")
		return ""
	}
	return raw
}
