package mail

import (
	"fmt"
	"io"
	"maps"
	netmail "net/mail"
	"slices"
	"strings"
	"time"
	"unicode"

	gomail "github.com/wneessen/go-mail"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/templates"
)

// Message is a mail that is ready to be sent.
type Message struct {
	ID         string // of the job; the same over all tries
	Kind       string
	From       netmail.Address
	ReplyTo    *netmail.Address // nil for none
	To         string           // one bare address
	Date       time.Time
	Language   string
	Subject    string
	Text, HTML string

	domain  string   // of the Message-ID
	secrets []string // what no log may hold
}

func (i *Identity) message(job id.ID, kind, to string, at time.Time, letter *templates.Letter, data map[string]string) *Message {
	_, domain, _ := strings.Cut(i.From.Address, "@")
	return &Message{
		ID: job.String(), Kind: kind, From: i.From, ReplyTo: i.ReplyTo, To: to, Date: at,
		Language: letter.Language, Subject: letter.Subject, Text: letter.Text, HTML: letter.HTML,
		domain: domain, secrets: slices.Collect(maps.Values(data)),
	}
}

// WriteTo writes the message as it is sent (RFC 5322).
func (m *Message) WriteTo(w io.Writer) (int64, error) {
	// Bare CRs and LFs in an address would begin a header of their own; go-mail
	// encodes other values, and ours are made of one line.
	for _, a := range []string{m.To, m.From.Address, m.ID, m.domain, m.Language} {
		if strings.ContainsFunc(a, unicode.IsControl) {
			return 0, fmt.Errorf("%w: control character in a header", errMalformed)
		}
	}
	out := gomail.NewMsg(
		gomail.WithNoDefaultUserAgent(), gomail.WithCharset(gomail.CharsetUTF8), gomail.WithEncoding(gomail.EncodingQP),
	)
	out.FromMailAddress(&netmail.Address{Name: headerText(m.From.Name), Address: m.From.Address})
	out.ToMailAddress(&netmail.Address{Address: m.To})
	if m.ReplyTo != nil {
		out.ReplyToMailAddress(&netmail.Address{Name: headerText(m.ReplyTo.Name), Address: m.ReplyTo.Address})
	}
	out.Subject(headerText(m.Subject))
	out.SetDateWithValue(m.Date)
	out.SetMessageIDWithValue(m.ID + "@" + m.domain)
	out.SetGenHeader(gomail.HeaderContentLang, m.Language)
	// No vacation note, no receipt (RFC 3834 §5; the second is Exchange's).
	out.SetGenHeader("Auto-Submitted", "auto-generated")
	out.SetGenHeader(gomail.HeaderXAutoResponseSuppress, "All")
	out.SetBodyString(gomail.TypeTextPlain, m.Text)
	out.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	n, err := out.WriteTo(w)
	if err != nil {
		return n, fmt.Errorf("write a mail: %w", err)
	}
	return n, nil
}

// headerText is a text for a header. What looks like an encoded word (RFC 2047) is
// broken up: go-mail leaves ASCII as it is, and the reader's mail program would
// decode what we have not encoded, line ends and all.
func headerText(text string) string {
	return strings.ReplaceAll(oneLine(text), "=?", "= ?")
}

// oneLine takes out what ends a line or turns the direction of what follows.
func oneLine(text string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case unicode.Is(unicode.Bidi_Control, c):
			return -1
		case c == '\u2028', c == '\u2029', unicode.IsControl(c):
			return ' '
		}
		return c
	}, text)
}

// scrub makes a mail server's words fit for a log: they may repeat the recipient,
// or the very link for which a filter refused the mail.
func (m *Message) scrub(text string) string {
	const most = 200
	text = oneLine(strings.ToValidUTF8(text, ""))
	for _, s := range append(m.secrets, m.To) {
		if len(s) > 3 {
			text = strings.ReplaceAll(text, s, "...")
		}
	}
	words := strings.Fields(text)
	for i, word := range words {
		if strings.Contains(word, "://") || strings.Contains(word, "@") || strings.Contains(word, "gh_") {
			words[i] = "..."
		}
	}
	text = strings.Join(words, " ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "")
	}
	return text
}
