package mail

import (
	"context"
	"log/slog"
	"strings"
)

// Unsent is the Sender of a deployment without a mail server: it says in the log
// that a mail would have been sent, without what is in it, and lets it go. A queue
// that grows until somebody names a server would then send old news to everybody.
type Unsent struct {
	Log *slog.Logger
}

var _ Sender = (*Unsent)(nil)

// Send implements Sender.
func (u *Unsent) Send(ctx context.Context, m *Message) (string, error) {
	_, domain, _ := strings.Cut(m.To, "@")
	u.Log.WarnContext(ctx, "a mail was not sent: no mail server is set (smtp_url)", "kind", m.Kind, "domain", domain)
	return "not sent", nil
}

// Configured reports whether what s is given reaches people. What cannot work
// without mail, such as signing up and a forgotten password, is then not offered.
func Configured(s Sender) bool {
	_, unsent := s.(*Unsent)
	return s != nil && !unsent
}
