package templates

import (
	"bytes"
	"fmt"
	"net/http"
)

// Mailbox is the page of `gatehouse dev` that shows what would have been sent.
type Mailbox struct {
	Path  string // where it is served, without a slash at the end
	Limit int    // how many mails are kept
	List  []MailboxEntry
	Open  *MailboxEntry // the one that is shown; nil for the list
}

// MailboxEntry is one mail.
type MailboxEntry struct {
	ID, From, To, Subject string
	Sent                  string // an instant, for people
	Language, Text        string // of the one that is shown
	Links                 []string
}

type mailboxView struct {
	Mailbox
	Lang  Language
	mails *Mails
}

// Say writes a message.
func (v mailboxView) Say(key string) (string, error) {
	return v.Lang.message(key, map[string]any{"Limit": v.Limit})
}

// Asset is the URL of a static file.
func (v mailboxView) Asset(name string) (string, error) {
	return (&view{renderer: v.mails.pages}).Asset(name)
}

// Mailbox writes the page of the mailbox.
func (m *Mails) Mailbox(w http.ResponseWriter, status int, lang Language, p Mailbox) error {
	if lang.localizer == nil {
		lang = m.pages.Language()
	}
	var body bytes.Buffer
	if err := m.box.Execute(&body, mailboxView{Mailbox: p, Lang: lang, mails: m}); err != nil {
		return fmt.Errorf("page of the mailbox: %w", err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if _, err := w.Write(body.Bytes()); err != nil {
		return fmt.Errorf("write the page of the mailbox: %w", err)
	}
	return nil
}

// Language picks a language as the pages do.
func (m *Mails) Language(preferences ...string) Language { return m.pages.Language(preferences...) }
