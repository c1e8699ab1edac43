package templates

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/url"
	"strconv"
	"strings"
	texttemplate "text/template"
	"time"
	"unicode"
	"unicode/utf8"
)

//go:embed mails/*.html mails/*.txt
var embeddedMails embed.FS

// Mails writes mails with a renderer's catalog and brand. It does not change after
// NewMails and is safe for concurrent use.
//
// A mail is written twice, as plain text and as HTML, with the same words: one
// button at most, its link in plain text, a code. Nothing in it is loaded from
// anywhere, and nothing tells us that it was read.
type Mails struct {
	pages *Renderer
	host  string
	text  *texttemplate.Template
	html  *template.Template
	box   *template.Template
}

// Mail is what one mail says.
type Mail struct {
	Kind     string // one of MailKinds
	To       string // the address
	Language string // a preference, as Renderer.Language reads it
	// Data is what the kind tells (see accounts.Mail). Nothing in it is trusted.
	Data map[string]string
}

// Letter is a mail in words.
type Letter struct {
	Language   string // BCP 47
	Subject    string // one line
	Text, HTML string
}

// ErrMailData is wrapped by the errors about data that a mail lacks, or that
// cannot stand in one. Another try would fail as well.
var ErrMailData = errors.New("data of a mail")

// NewMails reads the templates of mails, from override before our own, and tries
// them; override is what pages was made with, nil for none. The issuer's host is
// named in every mail.
func NewMails(pages *Renderer, override fs.FS, issuer *url.URL) (*Mails, error) {
	m := &Mails{pages: pages, host: issuer.Host}
	text, err := mailFile(override, "mails/mail.txt")
	if err != nil {
		return nil, err
	}
	if m.text, err = texttemplate.New("mail.txt").Parse(text); err != nil {
		return nil, fmt.Errorf("parse mails/mail.txt: %w", err)
	}
	if m.html, err = parseMail(override, "mail.html"); err != nil {
		return nil, err
	}
	if m.box, err = parseMail(override, "mailbox.html"); err != nil {
		return nil, err
	}
	for _, key := range mailKeys() {
		if !pages.catalog.keys[key] {
			return nil, fmt.Errorf("message missing from the English catalog: %s", key)
		}
	}
	if override == nil {
		return m, nil
	}
	return m, m.tryAll()
}

func parseMail(override fs.FS, name string) (*template.Template, error) {
	body, err := mailFile(override, "mails/"+name)
	if err != nil {
		return nil, err
	}
	t, err := template.New(name).Parse(body)
	if err != nil {
		return nil, fmt.Errorf("parse mails/%s: %w", name, err)
	}
	return t, nil
}

func mailFile(override fs.FS, name string) (string, error) {
	if override != nil {
		data, err := fs.ReadFile(override, name)
		if err == nil {
			return string(data), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("read override %s: %w", name, err)
		}
	}
	data, err := fs.ReadFile(embeddedMails, name)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	return string(data), nil
}

// tryAll writes every kind in every language, full and with as little as it may.
func (m *Mails) tryAll() error {
	for _, language := range m.pages.Languages() {
		for _, kind := range MailKinds() {
			for _, data := range []map[string]string{sampleMailData(), {"link": "https://x.example/", "code": "12345678"}} {
				if _, err := m.Write(Mail{Kind: kind, To: "ada@example.org", Language: language, Data: data}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func sampleMailData() map[string]string {
	return map[string]string{
		"link": "https://id.example.com/x?y=z", "reset": "https://id.example.com/reset", "code": "12345678", "name": "Ada",
		"inviter": "Grace", "factor": "Key", "count": "3", "when": "1800000000000", "until": "1800000000000",
		"device": "Firefox on Linux", "address": "192.0.2.7", "app": "Post Board",
	}
}

// mailView is what the templates of mails see.
type mailView struct {
	Lang, Dir, Brand, Subject, Preheader, Greeting string
	Paragraphs                                     []string
	Facts                                          []mailFact
	Button, Link, LinkLead                         string
	CodeLead, Code, Until, SecondLead, Second      string
	Outro, Footer                                  string
}

type mailFact struct{ Label, Value string }

const (
	maxSubject = 150 // runes
	maxDatum   = 120 // runes of what is shown as a fact
)

// Write puts a mail into words. Its errors hold none of the data.
func (m *Mails) Write(mail Mail) (*Letter, error) {
	form, err := mailFormOf(mail.Kind)
	if err != nil {
		return nil, err
	}
	w := &mailWriter{lang: m.pages.Language(mail.Language), form: form, mail: mail}
	if w.data, err = m.messageData(w.lang, mail); err != nil {
		return nil, fmt.Errorf("mail %s: %w", mail.Kind, err)
	}
	view := w.view()
	if w.err != nil {
		return nil, fmt.Errorf("mail %s: %w", mail.Kind, w.err)
	}
	view.Brand = m.pages.brandNow().Name
	letter := &Letter{Language: view.Lang, Subject: view.Subject}
	var text, html bytes.Buffer
	if err := m.text.Execute(&text, view); err != nil {
		return nil, fmt.Errorf("mail %s as text: %w", mail.Kind, err)
	}
	if err := m.html.Execute(&html, view); err != nil {
		return nil, fmt.Errorf("mail %s as HTML: %w", mail.Kind, err)
	}
	letter.Text, letter.HTML = text.String(), html.String()
	return letter, nil
}

func mailFormOf(kind string) (mailForm, error) {
	for _, f := range mailForms() {
		if f.kind == kind {
			return f, nil
		}
	}
	// Not ErrMailData: a newer release, on another node, may know it.
	return mailForm{}, errors.New("mail of an unknown kind")
}

// messageData is what the messages of the catalog may use.
func (m *Mails) messageData(lang Language, mail Mail) (map[string]any, error) {
	data := map[string]any{"Brand": visible(m.pages.brandNow().Name), "Host": visible(m.host), "To": visible(mail.To)}
	if name := mail.Data["name"]; greetable(name) {
		data["Name"] = visible(name)
	}
	if count := mail.Data["count"]; count != "" || mail.Kind == "recovery_codes_low" {
		n, err := strconv.Atoi(count)
		if err != nil {
			n = 0
		}
		data["Count"] = n
	}
	if mail.Data["until"] != "" {
		until, err := instant(lang, mail.Data, "until")
		if err != nil {
			return nil, err
		}
		data["Until"] = until
	}
	return data, nil
}

// instant writes one of the data that are Unix milliseconds.
func instant(lang Language, data map[string]string, key string) (string, error) {
	ms, err := strconv.ParseInt(data[key], 10, 64)
	if err != nil {
		return "", fmt.Errorf("%w: %s is no instant", ErrMailData, key)
	}
	layout, err := lang.message("mail.time", nil)
	if err != nil {
		return "", err
	}
	zone := time.UTC
	if name := data["zone"]; name != "" && name != "Local" {
		// An unknown zone is no reason to tell nothing.
		if found, err := time.LoadLocation(name); err == nil {
			zone = found
		}
	}
	return time.UnixMilli(ms).In(zone).Format(layout), nil
}

// greetable refuses names that a mail program would make a link of, or that are an
// advertisement: a mail from us must not carry what a stranger wants to say.
func greetable(name string) bool {
	const most = 60
	if strings.TrimSpace(name) == "" || utf8.RuneCountInString(name) > most || strings.ContainsAny(name, "/:@\\<>[]{}\r\n") {
		return false
	}
	rest := name
	for {
		at := strings.IndexByte(rest, '.')
		if at < 0 {
			return true
		}
		rest = rest[at+1:]
		if next, _ := utf8.DecodeRuneInString(rest); unicode.IsLetter(next) || unicode.IsDigit(next) {
			return false // "example.com"; "Ada B. Lovelace" is fine
		}
	}
}

// clip bounds a text in runes.
func clip(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most-1]) + "…"
}
