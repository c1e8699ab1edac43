package mail_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/mail"
)

// newMailbox is served below an issuer with a path.
func newMailbox(t *testing.T, w *world) (*mail.Mailbox, *httptest.Server) {
	t.Helper()
	b := &mail.Mailbox{Issuer: &url.URL{Scheme: "http", Host: "localhost", Path: "/id"}, Pages: newMails(t), Log: w.logger()}
	router := mux.NewRouter()
	b.Mount(router, web.Pages)
	server := httptest.NewServer(router)
	t.Cleanup(server.Close)
	return b, server
}

func get(t *testing.T, address string) (status int, header http.Header, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}

func TestMailboxShowsWhatWouldBeSent(t *testing.T) {
	w := newWorld(t, "", testenv.SMTPOptions{})
	b, server := newMailbox(t, w)
	c := w.courier()
	c.Sender = b
	w.mail(w.reset("ada@example.org"))
	w.run(mail.NewWorker(w.DB, c))
	eventually(t, "the mail", func() bool { return len(b.Mails()) == 1 })
	m := b.Mails()[0]

	status, header, body := get(t, server.URL+"/id/dev/mailbox")
	if status != http.StatusOK || !strings.Contains(body, `href="/id/dev/mailbox/`+m.ID+`"`) || !strings.Contains(body, "ada@example.org") {
		t.Errorf("%d\n%s", status, body)
	}
	if !strings.Contains(header.Get("Content-Security-Policy"), "default-src 'none'; script-src 'self'") || header.Get("Cache-Control") != "no-store" {
		t.Error(header)
	}
	status, _, body = get(t, server.URL+"/id/dev/mailbox/"+m.ID)
	if status != http.StatusOK || !strings.Contains(body, `<a href="`+secretLink+`">`) || !strings.Contains(body, secretCode) {
		t.Errorf("%d\n%s", status, body)
	}
	status, header, body = get(t, server.URL+"/id/dev/mailbox/"+m.ID+"/html")
	policy := header.Get("Content-Security-Policy")
	if status != http.StatusOK || body != m.HTML || !strings.HasPrefix(policy, "sandbox; default-src 'none'; style-src 'unsafe-inline';") {
		t.Errorf("%d, %s\n%s", status, policy, body)
	}
	for _, path := range []string{"/x", "/x/html", "/" + m.ID + "/text"} {
		if status, _, _ := get(t, server.URL+"/id/dev/mailbox"+path); status != http.StatusNotFound {
			t.Errorf("%s: %d", path, status)
		}
	}
}

func TestMailboxKeepsTheLast(t *testing.T) {
	w := newWorld(t, "", testenv.SMTPOptions{})
	b, server := newMailbox(t, w)
	var writers sync.WaitGroup
	for n := range 4 {
		writers.Go(func() {
			for i := range 100 {
				m := message()
				m.ID = fmt.Sprintf("%d-%d", n, i)
				if _, err := b.Send(t.Context(), m); err != nil {
					t.Error(err)
				}
				b.Mails()
			}
		})
	}
	writers.Wait()
	last := message()
	last.ID = "last"
	for range 2 { // a job may be done twice
		if _, err := b.Send(t.Context(), last); err != nil {
			t.Error(err)
		}
	}
	got := b.Mails()
	if len(got) != 200 || got[0].ID != "last" || got[1].ID == "last" {
		t.Errorf("%d mails, the newest %s", len(got), got[0].ID)
	}
	if status, _, body := get(t, server.URL+"/id/dev/mailbox"); status != http.StatusOK || strings.Count(body, "<li>") != 200 {
		t.Errorf("%d, %d entries", status, strings.Count(body, "<li>"))
	}
}

// Without a mail server the log tells that a mail was not sent, and nothing of it.
func TestUnsent(t *testing.T) {
	w := newWorld(t, "", testenv.SMTPOptions{})
	c := w.courier()
	unsent := &mail.Unsent{Log: w.logger()}
	c.Sender = unsent
	w.mail(w.reset("ada@example.org"))
	w.run(mail.NewWorker(w.DB, c))
	eventually(t, "the queue is empty", func() bool { return len(w.queued()) == 0 })
	eventually(t, "the log tells", func() bool { return strings.Contains(w.log.String(), "was not sent") })
	silentAbout(t, "the log", w.log.String(), "ada@")
	if mail.Configured(unsent) || mail.Configured(nil) || !mail.Configured(w.sender("")) || !mail.Configured(&mail.Mailbox{}) {
		t.Error("Configured is wrong")
	}
}
