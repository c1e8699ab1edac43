package mail

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"sync"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/templates"
)

// PathMailbox is where a Mailbox is served, below the issuer.
const PathMailbox = "/dev/mailbox"

// mailboxSize bounds the mails that are kept.
const mailboxSize = 200

// Mailbox keeps mails in memory and shows them to whoever asks. It is for
// `gatehouse dev` alone, which nobody but this machine reaches.
type Mailbox struct {
	Issuer *url.URL
	Pages  *templates.Mails
	Log    *slog.Logger

	mu    sync.Mutex
	mails []*Message // the oldest first
}

var _ Sender = (*Mailbox)(nil)

// Send implements Sender.
func (b *Mailbox) Send(_ context.Context, m *Message) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	// A job may be done twice; its mail is one.
	b.mails = slices.DeleteFunc(b.mails, func(have *Message) bool { return have.ID == m.ID })
	b.mails = append(b.mails, m)
	if over := len(b.mails) - mailboxSize; over > 0 {
		b.mails = slices.Delete(b.mails, 0, over)
	}
	return "kept in the mailbox", nil
}

// Mails returns what is kept, the newest first.
func (b *Mailbox) Mails() []*Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := slices.Clone(b.mails)
	slices.Reverse(list)
	return list
}

func (b *Mailbox) find(id string) *Message {
	for _, m := range b.Mails() {
		if m.ID == id {
			return m
		}
	}
	return nil
}

// Mount adds the pages. The middleware sets the headers of pages.
func (b *Mailbox) Mount(router *mux.Router, pages func(http.Handler) http.Handler) {
	path := b.Issuer.Path + PathMailbox
	for route, handler := range map[string]http.HandlerFunc{"": b.list, "/{id}": b.show, "/{id}/html": b.asHTML} {
		router.Handle(path+route, pages(handler)).Methods(http.MethodGet, http.MethodHead)
	}
}

func (b *Mailbox) list(w http.ResponseWriter, r *http.Request) {
	var list []templates.MailboxEntry
	for _, m := range b.Mails() {
		list = append(list, b.entry(m))
	}
	b.page(w, r, templates.Mailbox{List: list})
}

func (b *Mailbox) show(w http.ResponseWriter, r *http.Request) {
	m := b.find(mux.Vars(r)["id"])
	if m == nil {
		http.NotFound(w, r)
		return
	}
	entry := b.entry(m)
	b.page(w, r, templates.Mailbox{Open: &entry})
}

func (b *Mailbox) entry(m *Message) templates.MailboxEntry {
	return templates.MailboxEntry{
		ID: m.ID, From: m.From.String(), To: m.To, Subject: m.Subject, Sent: m.Date.UTC().Format("2006-01-02 15:04:05 MST"),
		Language: m.Language, Text: m.Text, Links: regexp.MustCompile(`https?://[^\s<>"]+`).FindAllString(m.Text, -1),
	}
}

func (b *Mailbox) page(w http.ResponseWriter, r *http.Request, p templates.Mailbox) {
	p.Path, p.Limit = b.Issuer.Path+PathMailbox, mailboxSize
	lang := b.Pages.Language(r.Header.Get("Accept-Language"))
	if err := b.Pages.Mailbox(w, http.StatusOK, lang, p); err != nil {
		b.Log.WarnContext(r.Context(), "page of the mailbox", "error", err)
	}
}

// asHTML shows the HTML part as a mail program would, in a sandbox of its own: it
// can run nothing, load nothing, and is no page of our origin.
func (b *Mailbox) asHTML(w http.ResponseWriter, r *http.Request) {
	m := b.find(mux.Vars(r)["id"])
	if m == nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Security-Policy",
		"sandbox; default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if _, err := fmt.Fprint(w, m.HTML); err != nil {
		b.Log.DebugContext(r.Context(), "HTML part of a mail", "error", err) // the reader has gone
	}
}
