package accounts

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// exportPage is how many events are read at once.
const exportPage = 500

// Export hands people what is kept of them.
type Export struct {
	Journal
	Store    ExportStore
	Events   ActivityStore
	Factors  FactorLister // nil where there are none
	Pictures interface {
		PictureOf(ctx context.Context, userID id.ID) (*Picture, error)
	}
}

// ExportStore reads all that is kept of a person, ended or not.
type ExportStore interface {
	// GroupsOf returns the names of the groups in which the user is now, sorted.
	GroupsOf(ctx context.Context, userID id.ID, now int64) ([]string, error)
	SessionsSince(ctx context.Context, userID id.ID, since int64, limit int) ([]Session, error)
	// ConsentsOf returns what a person allowed whom, also what they took back.
	ConsentsOf(ctx context.Context, userID id.ID) ([]ClientConsent, error)
	// AllGrantsOf returns the grants of a person, newest first.
	AllGrantsOf(ctx context.Context, userID id.ID) ([]ClientGrant, error)
}

// FactorLister tells what people sign in with.
type FactorLister interface {
	List(ctx context.Context, user *User) (*FactorList, error)
}

var _ FactorLister = (*Factors)(nil)

// ClientConsent is a consent with the app that it was given to.
type ClientConsent struct {
	Consent
	Client string // client_id
	Name   string
}

// ClientGrant is a grant with the app that holds it.
type ClientGrant struct {
	Grant
	Client string // client_id
	Name   string
}

// Write writes all that is kept of a person as one JSON object, and that it did. No
// secret is in it: neither password nor factor nor token, nor what they are hashed to.
// It reads in pieces, so that the history of an account that somebody has tried to
// break into for years does not have to fit into memory. After an error what was
// written is worth nothing.
func (x *Export) Write(ctx context.Context, actor audit.Actor, u *User, w io.Writer) error {
	err := x.record(ctx, actor, func(context.Context, int64) (*effect, error) {
		return userEffect("user.export", u, nil), nil
	})
	if err != nil {
		return err
	}
	now := x.now()
	out := &objectWriter{w: w}
	out.put("exported_at", instant(now))
	out.put("account", accountOf(u))
	out.put("profile", profileOf(u))
	for _, part := range []struct {
		name string
		read func() (any, error)
	}{
		{"picture", func() (any, error) { return x.picture(ctx, u) }},
		{"groups", func() (any, error) { return x.Store.GroupsOf(ctx, u.ID, now) }},
		{"factors", func() (any, error) { return x.factors(ctx, u) }},
		{"sessions", func() (any, error) { return x.sessions(ctx, u) }},
		{"consents", func() (any, error) { return x.consents(ctx, u) }},
		{"grants", func() (any, error) { return x.grants(ctx, u) }},
	} {
		v, err := part.read()
		if err != nil {
			return fmt.Errorf("export %s: %w", part.name, err)
		}
		out.put(part.name, v)
	}
	if err := x.events(ctx, u, out); err != nil {
		return fmt.Errorf("export events: %w", err)
	}
	return out.end()
}

// events writes the whole history, page by page.
func (x *Export) events(ctx context.Context, u *User, out *objectWriter) error {
	q := EventQuery{Subject: u.Subject, Limit: exportPage}
	out.begin("events")
	for out.err == nil {
		page, err := x.Events.EventsAbout(ctx, q)
		if err != nil {
			return err
		}
		for i := range page {
			out.element(eventOf(&page[i], u))
			q.Before = page[i].ID
		}
		if len(page) < q.Limit {
			break
		}
	}
	out.close()
	return out.err
}

// instant is a time as people and programs read it (RFC 3339), empty for never.
func instant(ms int64) string {
	if ms == 0 {
		return ""
	}
	return time.UnixMilli(ms).UTC().Format(time.RFC3339)
}

// objectWriter writes the members of one JSON object.
type objectWriter struct {
	w        io.Writer
	err      error
	members  int
	elements int
}

func (o *objectWriter) text(s string) {
	if o.err == nil {
		_, o.err = io.WriteString(o.w, s)
	}
}

func (o *objectWriter) name(name string) {
	open := "{\n  "
	if o.members > 0 {
		open = ",\n  "
	}
	o.members++
	o.text(open + `"` + name + `": `)
}

func (o *objectWriter) value(v any, prefix string) {
	b, err := json.MarshalIndent(v, prefix, "  ")
	if err != nil && o.err == nil {
		o.err = err
	}
	o.text(string(b))
}

// put writes one member.
func (o *objectWriter) put(name string, v any) {
	o.name(name)
	o.value(v, "  ")
}

// begin opens a member that is an array; element adds to it and close ends it.
func (o *objectWriter) begin(name string) {
	o.name(name)
	o.text("[")
	o.elements = 0
}

func (o *objectWriter) element(v any) {
	if o.elements > 0 {
		o.text(",")
	}
	o.elements++
	o.text("\n    ")
	o.value(v, "    ")
}

func (o *objectWriter) close() { o.text("\n  ]") }

func (o *objectWriter) end() error {
	o.text("\n}\n")
	return o.err
}
