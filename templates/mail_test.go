package templates_test

import (
	"errors"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/templates"
)

func newMails(t testing.TB, opts templates.Options) *templates.Mails {
	t.Helper()
	pages, err := templates.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	m, err := templates.NewMails(pages, opts.Override, &url.URL{Scheme: "https", Host: "id.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// fullMail is a mail with everything that any kind tells.
func fullMail(kind string) templates.Mail {
	return templates.Mail{Kind: kind, To: "ada@example.org", Language: "en", Data: map[string]string{
		"link": "https://id.example.com/page?token=gh_mail_Zm9v&x=1", "reset": "https://id.example.com/reset", "code": "12345678",
		"name": "Ada B. Lovelace", "inviter": "Grace Hopper", "factor": "Ada's <phone>", "count": "3",
		"when": "1800000000000", "until": "1800086400000", "device": "Firefox on Linux", "address": "192.0.2.7", "app": "Post & Board",
	}}
}

func write(t *testing.T, m *templates.Mails, mail templates.Mail) *templates.Letter {
	t.Helper()
	letter, err := m.Write(mail)
	if err != nil {
		t.Fatalf("%s: %v", mail.Kind, err)
	}
	return letter
}

func TestMailGolden(t *testing.T) {
	m := newMails(t, templates.Options{})
	known := map[string]bool{}
	for _, kind := range templates.MailKinds() {
		letter := write(t, m, fullMail(kind))
		for ending, got := range map[string]string{"txt": "Subject: " + letter.Subject + "\n\n" + letter.Text, "html": letter.HTML} {
			name := kind + "." + ending
			known[name] = true
			path := filepath.Join("mails", "testdata", name)
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("mail differs from %s (-want +got); if meant, run with -update:\n%s", path, diff)
			}
		}
	}
	entries, err := os.ReadDir(filepath.Join("mails", "testdata"))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !known[entry.Name()] {
			t.Errorf("mails/testdata/%s belongs to no kind", entry.Name())
		}
	}
}

// TestMailParts holds what every mail must be, whatever its words are.
func TestMailParts(t *testing.T) {
	m := newMails(t, templates.Options{})
	remote := regexp.MustCompile(`(?i)<(img|script|iframe|link|object|form|input)|url\(|@import|src=|background=`)
	href := regexp.MustCompile(`href="([^"]*)"`)
	for _, kind := range templates.MailKinds() {
		letter := write(t, m, fullMail(kind))
		if found := remote.FindString(letter.HTML); found != "" {
			t.Errorf("%s loads or runs something: %s", kind, found)
		}
		if !strings.Contains(letter.HTML, `<html lang="en" dir="ltr">`) {
			t.Errorf("%s: no language or direction", kind)
		}
		if n := strings.Count(letter.HTML, `class="button"`); n > 1 {
			t.Errorf("%s has %d buttons", kind, n)
		}
		for _, link := range href.FindAllStringSubmatch(letter.HTML, -1) {
			if !strings.HasPrefix(link[1], "https://id.example.com/") {
				t.Errorf("%s links %s", kind, link[1])
			}
		}
		// Whoever reads the plain text gets the same.
		if strings.Contains(letter.HTML, "gh_mail_Zm9v") && !strings.Contains(letter.Text, "\nhttps://id.example.com/page?token=gh_mail_Zm9v&x=1\n") {
			t.Errorf("%s: the link is missing from the text", kind)
		}
		if strings.Contains(letter.HTML, "12345678") != strings.Contains(letter.Text, "\n12345678\n") {
			t.Errorf("%s: the code is in one part alone", kind)
		}
		if strings.Contains(letter.Text, "&amp;") || strings.Contains(letter.Subject, "&") {
			t.Errorf("%s: the text is escaped as HTML", kind)
		}
		if strings.Contains(letter.Text, "\n\n\n") || !strings.Contains(letter.Text, "\nSent by Gatehouse, id.example.com.\n") {
			t.Errorf("%s: the text is badly laid out:\n%s", kind, letter.Text)
		}
		if strings.Contains(letter.Text+letter.HTML, "<no value>") {
			t.Errorf("%s: a datum is missing", kind)
		}
		if len(letter.HTML) > 20<<10 {
			t.Errorf("%s has %d bytes", kind, len(letter.HTML))
		}
	}
}

// hostileData is what an attacker would have stand in a mail.
func hostileData() []string {
	return []string{
		"Ada\r\nBcc: eve@example.net", "Ada\nSubject: Win", "\u202eevil\u202c", "\u2066x\u2069", "a\u2028b", "x\x00y\x1b[31m",
		`<img src=x onerror=alert(1)>`, `"><script>alert(1)</script>`, "{{.Brand}}", "https://evil.example/", "evil.example",
		strings.Repeat("A", 100_000),
	}
}

// Names, apps, user agents and addresses come from strangers: in no part of a mail
// do they become a header, a line, markup or a turn of the reading direction.
func TestAttack_182_MarkupAndDirectionInMails(t *testing.T) {
	m := newMails(t, templates.Options{})
	for _, kind := range templates.MailKinds() {
		plain := write(t, m, fullMail(kind))
		for _, bad := range hostileData() {
			mail := fullMail(kind)
			for _, key := range []string{"name", "inviter", "factor", "device", "address", "app"} {
				mail.Data[key] = bad
			}
			letter := write(t, m, mail)
			if letter.Subject != plain.Subject {
				t.Errorf("%s: %q reaches the subject: %q", kind, bad, letter.Subject)
			}
			for part, text := range map[string]string{"text": letter.Text, "html": letter.HTML} {
				for _, c := range text {
					if c != '\n' && (unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c)) || c == '\u2028' {
						t.Errorf("%s: %s of %q holds %U", kind, part, bad, c)
						break
					}
				}
			}
			if strings.Count(letter.HTML, "<") > strings.Count(plain.HTML, "<") {
				t.Errorf("%s: %q adds markup", kind, bad)
			}
			if strings.Count(letter.Text, "\n") > strings.Count(plain.Text, "\n") {
				t.Errorf("%s: %q adds a line", kind, bad)
			}
			if len(letter.HTML) > len(plain.HTML)+5000 {
				t.Errorf("%s: %d bytes", kind, len(letter.HTML))
			}
		}
	}
}

// A stranger who signs up with somebody else's address, under a name that is an
// advertisement, must not write to them through us.
func TestMailsDoNotSpeakForStrangers(t *testing.T) {
	m := newMails(t, templates.Options{})
	for name, greeted := range map[string]bool{
		"Ada": true, "Ada B. Lovelace": true, "Dr. Ada": true, "李小龍": true, "": false, "  ": false, "Win at evil.example": false,
		"http://evil.example": false, "ada@example.org": false, "a\nb": false, strings.Repeat("x", 61): false, "www.x": false,
	} {
		mail := fullMail("password_changed")
		mail.Data["name"] = name
		if got := strings.HasPrefix(write(t, m, mail).Text, "Hello "+name+",\n"); got != greeted {
			t.Errorf("%q is greeted: %v", name, got)
		}
	}
	for _, kind := range []string{"verify_address", "invitation", "reset_unknown"} {
		letter := write(t, m, fullMail(kind))
		if strings.Contains(letter.Text+letter.HTML, "Lovelace") {
			t.Errorf("%s carries a name that nobody has proven", kind)
		}
	}
}

func TestMailRefuses(t *testing.T) {
	m := newMails(t, templates.Options{})
	tests := map[string]func(m *templates.Mail){
		"no link":           func(m *templates.Mail) { delete(m.Data, "link") },
		"script as a link":  func(m *templates.Mail) { m.Data["link"] = "javascript:alert(1)" },
		"two lines":         func(m *templates.Mail) { m.Data["link"] += "\r\nx" },
		"blank in the link": func(m *templates.Mail) { m.Data["link"] += " x" },
		"a path":            func(m *templates.Mail) { m.Data["link"] = "/reset?secret-in-the-link" },
		"user in the link":  func(m *templates.Mail) { m.Data["link"] = "https://id.example.com@evil.example/" },
		"code with a text":  func(m *templates.Mail) { m.Data["code"] = "call 0900" },
		"long code":         func(m *templates.Mail) { m.Data["code"] = strings.Repeat("1", 65) },
		"no instant":        func(m *templates.Mail) { m.Data["until"] = "soon" },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			mail := fullMail("reset_password")
			change(&mail)
			_, err := m.Write(mail)
			if !errors.Is(err, templates.ErrMailData) {
				t.Fatalf("error %v", err)
			}
			for key, value := range mail.Data {
				if len(value) > 4 && strings.Contains(err.Error(), value) {
					t.Errorf("the error holds the %s: %v", key, err)
				}
			}
		})
	}
}

// A kind that a newer release has made is another node's to send.
func TestMailOfUnknownKind(t *testing.T) {
	mail := fullMail("greeting")
	if _, err := newMails(t, templates.Options{}).Write(mail); err == nil || errors.Is(err, templates.ErrMailData) {
		t.Errorf("error %v", err)
	}
}

// What is optional may be missing, and leaves no gap.
func TestMailWithoutOptionalParts(t *testing.T) {
	m := newMails(t, templates.Options{})
	letter := write(t, m, templates.Mail{Kind: "password_changed", To: "ada@example.org"})
	if letter.Language != "en" || strings.Contains(letter.HTML, "href") || strings.Contains(letter.Text, "\n\n\n") || strings.Contains(letter.Text, "Device") {
		t.Errorf("%+v", letter)
	}
	letter = write(t, m, templates.Mail{Kind: "recovery_codes_low", To: "ada@example.org", Data: map[string]string{"count": "1"}})
	if !strings.Contains(letter.Text, "1 is left") {
		t.Error(letter.Text)
	}
}

func TestMailInstants(t *testing.T) {
	m := newMails(t, templates.Options{})
	for zone, want := range map[string]string{
		"": "15 January 2027, 08:00 UTC", "Europe/Berlin": "15 January 2027, 09:00 CET", "Local": "08:00 UTC", "../etc/passwd": "08:00 UTC", "No/Where": "08:00 UTC",
	} {
		mail := fullMail("new_device")
		mail.Data["zone"] = zone
		if got := write(t, m, mail).Text; !strings.Contains(got, want) {
			t.Errorf("zone %q: not %s in\n%s", zone, want, got)
		}
	}
}

// A language that lacks texts falls back to English; one that has them is used,
// from right to left where it is written so.
func TestMailLanguages(t *testing.T) {
	override := fstest.MapFS{
		"locales/he/mail.toml": {Data: []byte("[mail]\ntime = \"02.01.2006 15:04\"\ngreeting = \"שלום\"\n[mail.test]\nsubject = \"בדיקה\"\n")},
	}
	m := newMails(t, templates.Options{Override: override, Brand: templates.Brand{Name: "Acme"}})
	letter := write(t, m, templates.Mail{Kind: "test", To: "ada@example.org", Language: "he-IL"})
	if letter.Language != "he" || letter.Subject != "בדיקה" || !strings.Contains(letter.HTML, `<html lang="he" dir="rtl">`) ||
		!strings.HasPrefix(letter.Text, "שלום\n") || !strings.Contains(letter.Text, "Acme at id.example.com can send mails") {
		t.Errorf("%+v", letter)
	}
	for _, unknown := range []string{"tlh", "", "x", "\r\nBcc: x"} {
		if letter := write(t, m, templates.Mail{Kind: "test", To: "ada@example.org", Language: unknown}); letter.Language != "en" {
			t.Errorf("%q is written in %s", unknown, letter.Language)
		}
	}
}

func TestMailOverride(t *testing.T) {
	own := fstest.MapFS{"mails/mail.txt": {Data: []byte("{{.Subject}} | {{.Link}}")}}
	m := newMails(t, templates.Options{Override: own})
	if got := write(t, m, fullMail("invitation")).Text; got != "You are invited to Gatehouse | https://id.example.com/page?token=gh_mail_Zm9v&x=1" {
		t.Error(got)
	}
	pages, err := templates.New(templates.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, broken := range map[string]string{"does not parse": "{{", "unknown field": "{{.Password}}"} {
		override := fstest.MapFS{"mails/mail.html": {Data: []byte(broken)}}
		if _, err := templates.NewMails(pages, override, &url.URL{}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// A brand is the operator's, and still one line of a subject.
func TestAttack_181_SubjectIsOneLine(t *testing.T) {
	m := newMails(t, templates.Options{Brand: templates.Brand{Name: "Acme\r\nBcc: eve@example.net\u202e" + strings.Repeat("x", 300)}})
	for _, kind := range templates.MailKinds() {
		subject := write(t, m, fullMail(kind)).Subject
		if strings.ContainsAny(subject, "\r\n\u202e") || len([]rune(subject)) > 150 || strings.Contains(subject, "  ") {
			t.Errorf("%s: %q", kind, subject)
		}
	}
}

func TestMailboxPage(t *testing.T) {
	m := newMails(t, templates.Options{})
	entry := templates.MailboxEntry{
		ID: "AZr3", From: "Gatehouse <a@b>", To: "ada@example.org", Subject: `<b>Hi</b>`, Sent: "now", Language: "en",
		Text: "See </pre><script>", Links: []string{"https://id.example.com/x?a=1&b=2", "javascript:alert(1)"},
	}
	for name, p := range map[string]templates.Mailbox{
		"empty": {}, "list": {List: []templates.MailboxEntry{entry}}, "one": {Open: &entry},
	} {
		p.Path, p.Limit = "/dev/mailbox", 200
		w := httptest.NewRecorder()
		if err := m.Mailbox(w, 200, templates.Language{}, p); err != nil {
			t.Fatal(err)
		}
		body := w.Body.String()
		if strings.Contains(body, "<b>") || strings.Contains(body, "<script") || strings.Contains(body, `href="javascript`) || strings.Contains(body, "style=") {
			t.Errorf("%s:\n%s", name, body)
		}
		if name == "one" && !strings.Contains(body, `href="https://id.example.com/x?a=1&amp;b=2"`) {
			t.Errorf("no link:\n%s", body)
		}
		if strings.Contains(body, "200 mails") != (name != "one") {
			t.Errorf("%s: the limit", name)
		}
	}
}
